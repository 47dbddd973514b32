/* SPDX-License-Identifier: Apache-2.0 */
/* JIT code: what was loaded last wins, in perf maps and jitdumps that grow, shrink, lie. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/jitdump.h"
#include "symbolize/perf_map.h"
#include "symbolize/symbolizer.h"

static const char *name_at(const struct jit_map *m, uint64_t addr)
{
	uint32_t code = jit_map_find(m, addr);

	return code == JIT_NO_CODE ? "" : jit_map_name(m, code);
}

static void parse(struct perf_map *m, const char *text, size_t len)
{
	assert_true(perf_map_parse(m, text, len) >= 0);
	assert_int_equal(jit_map_settle(&m->map), 0);
}

static void a_perf_map_line_of_another_shape_is_counted(void **state)
{
	static const char text[] = "7f0000001000 40 LazyCompile:*add /srv/app.js:3\n"
				   "0x7f0000002000 0x10 with prefix\n"
				   "no line\n7f0000003000 zz x\n7f0000003000 0 empty\n7f0000003000 10\n"
				   "ffffffffffffffff 10 wraps\n11112222333344445 10 too long\n"
				   "7f0000004000 10 still being writ";
	struct perf_map m = { 0 };

	parse(&m, text, strlen(text));
	assert_int_equal(m.bad, 6);
	assert_int_equal(m.map.pieces.n, 2);
	assert_string_equal(name_at(&m.map, 0x7f000000103f), "LazyCompile:*add /srv/app.js:3");
	assert_string_equal(name_at(&m.map, 0x7f000000200f), "with prefix");
	perf_map_fini(&m);
}

/* The rule itself, the slow way: for each address the last line that covers it; settled now and then. */
static void the_latest_perf_map_line_wins_at_every_address(void **state)
{
	enum { LINES = 40, SPACE = 256 };

	srand(1);
	for (int round = 0; round < 300; round++) {
		char want[SPACE][8] = { "" };
		struct perf_map m = { 0 };

		for (int i = 0; i < LINES; i++) {
			int start = rand() % (SPACE - 1), size = 1 + rand() % (round % 2 ? 8 : 60);
			char line[32];
			int len = sprintf(line, "%x %x f%d\n", start, size, i);

			assert_int_equal(perf_map_parse(&m, line, (size_t)len), len);
			for (int a = start; a < start + size && a < SPACE; a++)
				sprintf(want[a], "f%d", i);
			if (round % 3 && rand() % (round % 7 + 1) == 0)
				assert_int_equal(jit_map_settle(&m.map), 0);
		}
		assert_int_equal(jit_map_settle(&m.map), 0);
		for (int a = 0; a < SPACE; a++)
			assert_string_equal(name_at(&m.map, (uint64_t)a), want[a]);
		perf_map_fini(&m);
	}
}

static int file_with(const char *text)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	return fd;
}

static void a_map_that_grows_is_read_from_where_it_ended(void **state)
{
	int fd = file_with("1000 10 first\n2000 10 second\n3000 10 cut in the mid");
	struct perf_map m = { 0 };

	assert_int_equal(perf_map_update(&m, fd), 0);
	assert_string_equal(name_at(&m.map, 0x1000), "first");
	assert_string_equal(name_at(&m.map, 0x3000), "");
	assert_int_equal(m.tail.at, 29);
	assert_int_equal(perf_map_update(&m, fd), 0);
	assert_int_equal(file_write_all(fd, "dle\n1008 4 over\n", 16), 0);
	assert_int_equal(perf_map_update(&m, fd), 0);
	assert_string_equal(name_at(&m.map, 0x3000), "cut in the middle");
	assert_string_equal(name_at(&m.map, 0x1007), "first");
	assert_string_equal(name_at(&m.map, 0x1008), "over");
	assert_string_equal(name_at(&m.map, 0x100c), "first");
	assert_int_equal(m.bad, 0);
	close(fd);
	perf_map_fini(&m);
}

static void a_map_that_is_another_now_is_read_again(void **state)
{
	int fd = file_with("1000 10 old\n2000 10 old too\n"), other = file_with("1000 10 of another file, and longer\n");
	struct perf_map m = { 0 };

	assert_int_equal(perf_map_update(&m, fd), 0);
	assert_int_equal(ftruncate(fd, 0), 0); /* it shrank */
	assert_int_equal(pwrite(fd, "1000 10 new\n", 12, 0), 12);
	assert_int_equal(perf_map_update(&m, fd), 0);
	assert_string_equal(name_at(&m.map, 0x1000), "new");
	assert_string_equal(name_at(&m.map, 0x2000), "");
	assert_int_equal(pwrite(fd, "1000 10 NEW\n3000 10 x\n", 23, 0), 23); /* as long, and then longer */
	assert_int_equal(perf_map_update(&m, fd), 0);
	assert_string_equal(name_at(&m.map, 0x1000), "NEW");
	assert_int_equal(perf_map_update(&m, other), 0); /* another inode */
	assert_string_equal(name_at(&m.map, 0x1000), "of another file, and longer");
	assert_string_equal(name_at(&m.map, 0x3000), "");
	close(fd);
	close(other);
	perf_map_fini(&m);
}

/* 2 million lines of which each overrides another: names once, pieces of what shows, in bounded memory. */
static void what_nothing_shows_of_is_let_go(void **state)
{
	struct perf_map m = { 0 };
	char line[64];

	for (int i = 0; i < 2000000; i++) {
		int len = sprintf(line, "%x 40 function_%d\n", 0x1000 + i % 1000 * 0x40, i % 5000);

		if (perf_map_parse(&m, line, (size_t)len) != len)
			fail();
	}
	assert_int_equal(jit_map_settle(&m.map), 0);
	assert_int_equal(m.map.pieces.n, 1000);
	assert_true(m.map.codes.n <= 2048);
	assert_true(jit_map_bytes(&m.map) < 1 << 20);
	assert_string_equal(name_at(&m.map, 0x1000 + 999 * 0x40), "function_4999");
	perf_map_fini(&m);
}

static void past_the_bound_the_oldest_half_goes(void **state)
{
	struct perf_map m = { 0 };
	char line[200];

	for (int i = 0; i < 400000; i++) {
		int len = sprintf(line, "%llx 10 a_rather_long_name_of_a_function_that_is_not_repeated_anywhere_%0100d\n", 0x1000ull + 16ull * i, i);

		if (perf_map_parse(&m, line, (size_t)len) != len)
			fail();
	}
	assert_int_equal(jit_map_settle(&m.map), 0);
	assert_true(jit_map_bytes(&m.map) <= JIT_MAP_MAX_BYTES);
	assert_true(m.map.forgotten > 0);
	assert_string_equal(name_at(&m.map, 0x1000), "");
	assert_true(strstr(name_at(&m.map, 0x1000 + 16ull * 399999), "399999") != NULL);
	perf_map_fini(&m);
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


#define MAGIC "DTiJ\1\0\0\0\x28\0\0\0\x3e\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

struct dump {
	int fd;
	struct jitdump d;
	uint64_t time;
};

static int make_dump(void **state)
{
	struct dump *x = calloc(1, sizeof(*x));

	x->fd = memfd_create("dump", MFD_CLOEXEC);
	assert_int_equal(file_write_all(x->fd, MAGIC, 40), 0);
	*state = x;
	return 0;
}

static int end_dump(void **state)
{
	struct dump *x = *state;

	jitdump_fini(&x->d);
	close(x->fd);
	free(x);
	return 0;
}

static void put_record(struct dump *x, uint32_t id, uint64_t time, const struct buf *body)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint32_t head[2] = { id, (uint32_t)body->len + 16 };

	buf_append(&b, head, 8);
	buf_append(&b, &time, 8);
	buf_append(&b, body->data, body->len);
	assert_int_equal(file_write_all(x->fd, b.data, b.len), 0);
}

static void put_load_at(struct dump *x, uint64_t time, uint64_t addr, uint64_t size, const char *name, size_t code)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint64_t words[] = { 7ull | 7ull << 32, addr, addr, size, 1 };

	buf_append(&b, words, sizeof(words));
	buf_append(&b, name, strlen(name) + 1);
	memset(buf_reserve(&b, code), 0x90, code);
	b.len += code;
	put_record(x, 0, time, &b);
}

static void put_load(struct dump *x, uint64_t addr, uint64_t size, const char *name)
{
	put_load_at(x, ++x->time, addr, size, name, size);
}

static void put_move(struct dump *x, uint64_t from, uint64_t to, uint64_t size)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint64_t words[] = { 7ull | 7ull << 32, to, from, to, size, 1 };

	buf_append(&b, words, sizeof(words));
	put_record(x, 1, ++x->time, &b);
}

struct made_line {
	uint64_t addr;
	uint32_t line;
	const char *file;
};

static void put_lines(struct dump *x, uint64_t addr, const struct made_line *l, size_t n)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint64_t words[] = { addr, n };

	buf_append(&b, words, sizeof(words));
	for (size_t i = 0; i < n; i++) {
		buf_append(&b, &l[i].addr, 8);
		buf_append(&b, &l[i].line, 4);
		buf_append(&b, "\5\0\0\0", 4);
		buf_append(&b, l[i].file, strlen(l[i].file) + 1);
	}
	put_record(x, 2, ++x->time, &b);
}

static void expect(const struct dump *x, uint64_t addr, const char *name, const char *file, uint32_t line)
{
	struct jitdump_frame f = { .name = "" };

	jitdump_find(&x->d, addr, &f);
	assert_string_equal(f.name, name);
	assert_string_equal(f.file ? f.file : "", file);
	assert_int_equal(f.line, line);
}

static void loads_moves_and_lines_are_followed(void **state)
{
	static const struct made_line lines[] = { { 0x1000, 10, "/a.js" }, { 0x1020, 12, "\xff" }, { 0x1010, 11, "/b.js" } };
	struct dump *x = *state;

	put_record(x, 4, 0, &BUF_INIT); /* unwinding info */
	put_lines(x, 0x1000, lines, 3);
	put_load(x, 0x1000, 0x40, "first");
	put_load(x, 0x2000, 0x40, "second");
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x1000, "first", "/a.js", 10);
	expect(x, 0x1018, "first", "/b.js", 11);
	expect(x, 0x103f, "first", "/a.js", 12);
	expect(x, 0x1040, "", "", 0);
	expect(x, 0x2000, "second", "", 0);
	put_move(x, 0x1000, 0x3000, 0x40);
	put_load(x, 0x1000, 0x20, "third");
	put_move(x, 0x9000, 0x4000, 0x40); /* of code that nobody loaded */
	put_record(x, 3, 9, &BUF_INIT);
	put_record(x, 77, 9, &BUF_INIT);
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	assert_int_equal(x->d.bad, 1);
	expect(x, 0x1000, "third", "", 0);
	expect(x, 0x1020, "first", "/a.js", 12);
	expect(x, 0x3018, "first", "/b.js", 11);
	expect(x, 0x4000, "", "", 0);
}

static void a_record_is_read_when_all_of_it_is_there(void **state)
{
	struct dump *x = *state;
	off_t end;

	put_load(x, 0x1000, 0x40, "whole");
	put_load(x, 0x2000, 0x40, "half");
	end = lseek(x->fd, 0, SEEK_END);
	assert_int_equal(ftruncate(x->fd, end - 8), 0);
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x1000, "whole", "", 0);
	expect(x, 0x2000, "", "", 0);
	assert_int_equal(ftruncate(x->fd, end), 0);
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x2000, "half", "", 0);
}

static void code_larger_than_a_piece_is_passed_over(void **state)
{
	struct dump *x = *state;

	put_load(x, 0x10000000, 3 << 20, "large");
	put_load(x, 0x1000, 0x40, "behind");
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x10000000 + (3 << 20) - 1, "large", "", 0);
	expect(x, 0x1000, "behind", "", 0);
	assert_int_equal(x->d.bad, 0);
}

/* Two threads write; who comes later in the file need not be later. */
static void of_two_loads_the_later_one_counts(void **state)
{
	struct dump *x = *state;

	put_load_at(x, 5, 0x1000, 0x40, "later", 4);
	put_load_at(x, 4, 0x1000, 0x40, "earlier", 4);
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x1000, "later", "", 0);
	put_load_at(x, 6, 0x1000, 0x40, "last", 4);
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x1000, "last", "", 0);
}

static void lines_as_v8_writes_them_are_found_where_they_belong(void **state)
{
	static const struct made_line lines[] = { { 0x1040, 10, "/a.js" }, { 0x1050, 11, "/a.js" } };
	static const struct made_line freed[] = { { 0x2040, 10, "/a.js" }, { 0x2050, 11, "\3\345\3" } };
	struct dump *x = *state;

	put_lines(x, 0x1000, lines, 2);
	put_load(x, 0x1000, 0x40, "JS:*f");
	put_lines(x, 0x2000, freed, 2);
	put_load(x, 0x2000, 0x40, "JS:*g");
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x1000, "JS:*f", "/a.js", 10);
	expect(x, 0x1010, "JS:*f", "/a.js", 11);
	expect(x, 0x2010, "JS:*g", "", 0);
	assert_int_equal(x->d.bad, 1);
}

static void what_is_no_jitdump_of_ours_is_refused(void **state)
{
	static const char *const heads[] = { "", "DTi", "JiTD", "#!/bin/sh\n", "DTiJ\2" };
	struct jitdump d = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		int fd = file_with(heads[i]);

		assert_int_equal(jitdump_update(&d, fd), -ENODATA);
		assert_int_equal(lseek(fd, 0, SEEK_END), strlen(heads[i]));
		assert_int_equal(ftruncate(fd, 40), 0);
		assert_int_equal(jitdump_update(&d, fd), -EBADMSG);
		close(fd);
	}
	assert_int_equal(jitdump_update(&d, open("/dev/null", O_RDONLY | O_CLOEXEC)), -EINVAL);
	jitdump_fini(&d);
}

static void a_record_without_a_size_ends_it(void **state)
{
	struct dump *x = *state;

	put_load(x, 0x1000, 0x40, "before");
	assert_int_equal(file_write_all(x->fd, "\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0", 16), 0);
	put_load(x, 0x2000, 0x40, "behind");
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	assert_int_equal(jitdump_update(&x->d, x->fd), 0);
	expect(x, 0x1000, "before", "", 0);
	expect(x, 0x2000, "", "", 0);
	assert_int_equal(x->d.bad, 1);
}

/* Through the symbolizer: a round reads what was appended, and an idle process is forgotten. */
static void a_process_is_found_again_until_it_is_idle(void **state)
{
	int fd = file_with("1000 10 _ZN3foo3barEv\n");
	struct sym_source src = { .kind = SYM_PERF_MAP, .key = 4711, .fd = fd, .root_fd = -1, .path = "[anon]" };
	struct symbolizer_stats st;
	struct symbolizer *s;
	struct sym_image *img, *again;
	struct sym_frame f;

	assert_int_equal(symbolizer_new(NULL, &s), 0);
	assert_int_equal(symbolizer_load(s, &src, &img), 0);
	assert_int_equal(sym_image_resolve(img, 0x1008, &f, 1), 1);
	assert_string_equal(f.name, "foo::bar()");
	assert_string_equal(f.system_name, "_ZN3foo3barEv");
	symbolizer_trim(s, SIZE_MAX);
	assert_int_equal(file_write_all(fd, "2000 10 x\n", 10), 0);
	assert_int_equal(symbolizer_load(s, &src, &again), 0);
	assert_ptr_equal(img, again);
	assert_int_equal(sym_image_resolve(img, 0x2008, &f, 1), 1);
	assert_int_equal(sym_image_resolve(img, 0x3000, &f, 1), -ENOENT);
	symbolizer_stats(s, &st);
	assert_int_equal(st.symbols, 2);
	src.fd = -1; /* gone: what is known stays known */
	assert_int_equal(symbolizer_load(s, &src, &again), 0);
	assert_int_equal(sym_image_error(again), 0);
	for (int i = 0; i < 10; i++)
		symbolizer_trim(s, SIZE_MAX);
	symbolizer_stats(s, &st);
	assert_int_equal(st.images, 0);
	assert_int_equal(st.table_bytes, 0);
	symbolizer_free(s);
	close(fd);
}

int main(void)
{
#define DUMP_TEST(f) cmocka_unit_test_setup_teardown(f, make_dump, end_dump)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_perf_map_line_of_another_shape_is_counted),
		cmocka_unit_test(the_latest_perf_map_line_wins_at_every_address),
		cmocka_unit_test(a_map_that_grows_is_read_from_where_it_ended),
		cmocka_unit_test(a_map_that_is_another_now_is_read_again),
		cmocka_unit_test(what_nothing_shows_of_is_let_go),
		cmocka_unit_test(past_the_bound_the_oldest_half_goes),
		cmocka_unit_test_setup_teardown(a_perf_map_is_believed_only_from_its_own_process, make_box, end_box),
		cmocka_unit_test_setup_teardown(a_linked_tmp_leads_nowhere, make_box, end_box),
		DUMP_TEST(loads_moves_and_lines_are_followed),
		DUMP_TEST(a_record_is_read_when_all_of_it_is_there),
		DUMP_TEST(code_larger_than_a_piece_is_passed_over),
		DUMP_TEST(of_two_loads_the_later_one_counts),
		DUMP_TEST(lines_as_v8_writes_them_are_found_where_they_belong),
		DUMP_TEST(a_record_without_a_size_ends_it),
		cmocka_unit_test(what_is_no_jitdump_of_ours_is_refused),
		cmocka_unit_test(a_process_is_found_again_until_it_is_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
