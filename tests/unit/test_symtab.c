/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of names from every text source: aliases, gaps, kallsyms, perf maps. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "symbolize/demangle.h"
#include "symbolize/kallsyms.h"
#include "symbolize/perf_map.h"
#include "symbolize/symtab.h"

static const char *name_at(const struct symtab *t, uint64_t addr)
{
	const struct symbol *s = symtab_find(t, addr);

	return s ? symtab_str(t, s->name) : "";
}

static void add(struct symtab *t, uint64_t addr, uint64_t size, const char *name, enum symbol_rank rank)
{
	assert_int_equal(symtab_add(t, addr, size, name, strlen(name), 0, rank), 0);
}

static void of_several_names_for_one_address_the_same_one_wins(void **state)
{
	struct symtab t = { 0 };

	add(&t, 0x100, 16, "local_name", SYMBOL_LOCAL);
	add(&t, 0x100, 16, "weak_name", SYMBOL_WEAK);
	add(&t, 0x100, 16, "__global", SYMBOL_GLOBAL);
	add(&t, 0x100, 16, "global", SYMBOL_GLOBAL);
	add(&t, 0x100, 8, "aa_shorter", SYMBOL_GLOBAL);
	add(&t, 0x200, 0, "unsized", SYMBOL_GLOBAL);
	add(&t, 0x200, 32, "sized", SYMBOL_LOCAL);
	symtab_finish(&t, 0x1000);
	assert_string_equal(name_at(&t, 0x100), "global");
	/* The better name takes the size its alias knew. */
	assert_string_equal(name_at(&t, 0x21f), "unsized");
	assert_string_equal(name_at(&t, 0x220), "");
	symtab_fini(&t);
}

static void a_label_inside_a_function_names_nothing(void **state)
{
	struct symtab t = { 0 };

	add(&t, 0x100, 0x100, "function", SYMBOL_GLOBAL);
	add(&t, 0x140, 0, "label", SYMBOL_LOCAL);
	add(&t, 0x180, 0x10, "nested", SYMBOL_LOCAL);
	add(&t, 0x300, 0, "assembly", SYMBOL_LOCAL);
	symtab_finish(&t, 0x40);
	assert_string_equal(name_at(&t, 0xff), "");
	assert_string_equal(name_at(&t, 0x150), "function");
	assert_string_equal(name_at(&t, 0x18f), "nested");
	assert_string_equal(name_at(&t, 0x190), "function");
	assert_string_equal(name_at(&t, 0x200), "");
	assert_string_equal(name_at(&t, 0x33f), "assembly");
	assert_string_equal(name_at(&t, 0x340), "");
	symtab_fini(&t);
}

static int kallsyms(const char *text, struct symtab *t)
{
	return kallsyms_parse(text, strlen(text), t);
}

static void kallsyms_knows_modules_and_passes_over_data(void **state)
{
	struct symtab t = { 0 };
	const struct symbol *s;

	assert_int_equal(kallsyms("ffffffff81000000 T _text\n"
				  "ffffffff81000000 T startup_64\n"
				  "ffffffff81001000 d a_table\n"
				  "ffffffff81002000 t helper\n"
				  "ffffffffc0000000 t nf_hook\t[nf_tables]\n"
				  "ffffffffc0000100 t bpf_prog_0011223344556677_sample\t[bpf]\n"
				  "rubbish\n"
				  "ffffffffc0000200 t cut", &t), 0);
	assert_string_equal(name_at(&t, 0xffffffff81001004), "startup_64");
	assert_string_equal(name_at(&t, 0xffffffff81002004), "helper");
	s = symtab_find(&t, 0xffffffffc0000010);
	assert_non_null(s);
	assert_string_equal(symtab_str(&t, s->module), "nf_tables");
	s = symtab_find(&t, 0xffffffffc0000110);
	assert_string_equal(symtab_str(&t, s->module), "bpf");
	/* The last function ends somewhere, not at the end of the address space. */
	assert_string_equal(name_at(&t, 0xffffffffd0000000), "");
	symtab_fini(&t);
}

static void kallsyms_without_addresses_says_so(void **state)
{
	struct symtab t = { 0 };

	assert_int_equal(kallsyms("0000000000000000 T _text\n0000000000000000 t x\n", &t), -EPERM);
	assert_int_equal(kallsyms("", &t), -ENODATA);
	assert_int_equal(kallsyms("ffffffff81000000 d only_data\n", &t), -ENODATA);
	assert_int_equal(kallsyms_read("/nonexistent/kallsyms", &t), -ENOENT);
	symtab_fini(&t);
}

static void a_perf_map_line_of_another_shape_is_counted(void **state)
{
	struct symtab t = { 0 };
	static const char text[] = "7f0000001000 40 LazyCompile:*add /srv/app.js:3\n"
				   "0x7f0000002000 0x10 with prefix\n"
				   "no line\n7f0000003000 zz x\n7f0000003000 0 empty\n7f0000003000 10\n"
				   "ffffffffffffffff 10 wraps\n11112222333344445 10 too long\n"
				   "7f0000004000 10 still being writ";
	uint64_t bad;

	assert_int_equal(perf_map_parse(text, strlen(text), &t, &bad), 0);
	assert_int_equal(bad, 6);
	assert_int_equal(t.v.n, 2);
	assert_string_equal(name_at(&t, 0x7f000000103f), "LazyCompile:*add /srv/app.js:3");
	assert_string_equal(name_at(&t, 0x7f000000200f), "with prefix");
	symtab_fini(&t);
}

/* The rule itself, the slow way: for each address the last line that covers it. */
static void the_latest_perf_map_line_wins_at_every_address(void **state)
{
	enum { LINES = 40, SPACE = 256 };

	srand(1);
	for (int round = 0; round < 300; round++) {
		char want[SPACE][8] = { "" }, text[LINES * 32];
		struct symtab t = { 0 };
		size_t len = 0;
		uint64_t bad;

		for (int i = 0; i < LINES; i++) {
			int start = rand() % (SPACE - 1), size = 1 + rand() % (round % 2 ? 8 : 60);

			len += (size_t)sprintf(text + len, "%x %x f%d\n", start, size, i);
			for (int a = start; a < start + size && a < SPACE; a++)
				sprintf(want[a], "f%d", i);
		}
		assert_int_equal(perf_map_parse(text, len, &t, &bad), 0);
		for (int a = 0; a < SPACE; a++)
			assert_string_equal(name_at(&t, (uint64_t)a), want[a]);
		symtab_fini(&t);
	}
}

struct box {
	char path[64]; /* a root with a tmp/ in it */
	int fd;
};

static int make_box(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	char tmp[80];

	strcpy(b->path, "/tmp/hotspan-box-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	snprintf(tmp, sizeof(tmp), "%s/tmp", b->path);
	assert_int_equal(mkdir(tmp, 0755), 0);
	b->fd = open(b->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->fd >= 0);
	*state = b;
	return 0;
}

static int end_box(void **state)
{
	struct box *b = *state;
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", b->path);
	close(b->fd);
	free(b);
	*state = NULL;
	return system(command);
}

static void write_map(const struct box *b, const char *name)
{
	int fd = openat(b->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1000 10 f\n", 10), 10);
	close(fd);
}

static void a_perf_map_is_believed_only_from_its_own_process(void **state)
{
	struct box *b = *state;
	int fd;

	write_map(b, "tmp/perf-7.map");
	write_map(b, "tmp/perf-8.map");
	assert_int_equal(symlinkat("perf-7.map", b->fd, "tmp/perf-9.map"), 0);
	assert_int_equal(mkfifoat(b->fd, "tmp/perf-10.map", 0600), 0);
	assert_int_equal(mkdirat(b->fd, "tmp/perf-11.map", 0700), 0);

	fd = perf_map_open(b->fd, 7, getuid());
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(perf_map_open(b->fd, 6, getuid()), -ENOENT);
	assert_int_equal(perf_map_open(b->fd, 9, getuid()), -ELOOP);
	assert_int_equal(perf_map_open(b->fd, 10, getuid()), -EINVAL);
	assert_int_equal(perf_map_open(b->fd, 11, getuid()), -EINVAL);
	if (getuid() == 0) {
		assert_int_equal(fchownat(b->fd, "tmp/perf-8.map", 12345, 0, 0), 0);
		assert_int_equal(perf_map_open(b->fd, 8, 54321), -EPERM);
		fd = perf_map_open(b->fd, 8, 12345);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void a_linked_tmp_leads_nowhere(void **state)
{
	struct box *b = *state;

	assert_int_equal(renameat(b->fd, "tmp", b->fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", b->fd, "tmp"), 0);
	write_map(b, "elsewhere/perf-7.map");
	assert_true(perf_map_open(b->fd, 7, getuid()) < 0);
}

static void names_read_as_their_language_writes_them(void **state)
{
	static const struct {
		const char *mangled, *want;
	} cases[] = {
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad" },
		{ "_RNvCs1234_7mycrate4main", "mycrate::main" },
		{ "_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)" },
		{ "_ZN3foo3barEv.cold", "foo::bar() [clone .cold]" },
		{ "main", NULL },
		{ "_Zrubbish", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *got = demangle(cases[i].mangled);

		if (cases[i].want)
			assert_string_equal(got ? got : "(null)", cases[i].want);
		else
			assert_null(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_several_names_for_one_address_the_same_one_wins),
		cmocka_unit_test(a_label_inside_a_function_names_nothing),
		cmocka_unit_test(kallsyms_knows_modules_and_passes_over_data),
		cmocka_unit_test(kallsyms_without_addresses_says_so),
		cmocka_unit_test(a_perf_map_line_of_another_shape_is_counted),
		cmocka_unit_test(the_latest_perf_map_line_wins_at_every_address),
		cmocka_unit_test_setup_teardown(a_perf_map_is_believed_only_from_its_own_process, make_box, end_box),
		cmocka_unit_test_setup_teardown(a_linked_tmp_leads_nowhere, make_box, end_box),
		cmocka_unit_test(names_read_as_their_language_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
