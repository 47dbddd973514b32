/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that CFI does not give: marks over made rows, and what is found in musl's programs and library. */
#include "unit.h"

#include <fcntl.h>

#include "fixture_cfi.h"
#include "unwind/elf_cfi.h"
#include "unwind/rule_text.h"

#define MUSL_LIBC "/usr/lib/x86_64-linux-musl/libc.so"
#define THREADS BUILD_DIR "/workloads/w_threads_musl"

enum { CODE = 0x10000, CODE_END = 0x40000 };

static const struct unwind_rule stop = { .how_cfa = UNWIND_STOP };
static struct made made;
static size_t cie;

static void begin(void)
{
	made.len = 0;
	cie = made_usual_cie(&made);
}

/* A function whose CFA is rsp + 8, and rsp + 16 from its 16th byte on. */
static void function(uint64_t start, uint32_t len)
{
	made_fde(&made, cie, start, len, (const uint8_t[]){ 0x50, DW_CFA_def_cfa_offset, 16 }, 3);
}

static struct rows *build(const struct mark *marks, uint32_t n)
{
	struct cfi_section s = made_section(&made);
	struct rows_source src = { .sections = &s, .n_sections = 1, .start = CODE, .end = CODE_END, .marks = marks, .n_marks = n };
	struct rows *t;

	assert_int_equal(rows_build(&src, &t), 0);
	return t;
}

/* The rules of all addresses between two, as one. */
static void expect(const struct rows *t, uint64_t from, uint64_t to, const char *cfa)
{
	for (uint64_t pc = from; pc < to; pc++) {
		struct rule_text text = rule_text(ARCH_X86_64, rows_find(t, pc));

		if (strcmp(text.cfa, cfa))
			fail_msg("pc 0x%lx: %s, not %s", pc, text.cfa, cfa);
	}
}

static void check_spans(const struct rows *t)
{
	struct rows_cursor at = { 0 };
	struct rows_span span;
	uint64_t end = t->base;

	while (rows_next(t, &at, &span)) {
		assert_true(span.start == end && span.end > span.start);
		end = span.end;
	}
}

static void a_mark_covers_rows_and_they_hold_again_behind_it(void **state)
{
	const struct mark marks[] = {
		{ CODE + 0x108, CODE + 0x118, rule_of_signal(ARCH_X86_64) }, /* in a function, over a row's begin */
		{ CODE + 0x1f0, CODE + 0x200, stop },                        /* its end is a function's begin */
		{ CODE + 0x200, CODE + 0x204, rule_of_signal(ARCH_X86_64) }, /* one follows the other */
		{ CODE + 0x1fff8, CODE + 0x20008, stop },                    /* over a page's border */
		{ CODE_END - 8, CODE_END, stop },
	};
	struct rows *t;

	begin();
	function(CODE + 0x100, 0x40);
	function(CODE + 0x200, 0x40);
	t = build(marks, ARRAY_SIZE(marks));
	expect(t, CODE, CODE + 0x100, "-");
	expect(t, CODE + 0x100, CODE + 0x108, "rsp+8");
	expect(t, CODE + 0x108, CODE + 0x118, "signal+160");
	expect(t, CODE + 0x118, CODE + 0x140, "rsp+16");
	expect(t, CODE + 0x140, CODE + 0x1f0, "-");
	expect(t, CODE + 0x1f0, CODE + 0x200, "stop");
	expect(t, CODE + 0x200, CODE + 0x204, "signal+160");
	expect(t, CODE + 0x204, CODE + 0x210, "rsp+8");
	expect(t, CODE + 0x210, CODE + 0x240, "rsp+16");
	expect(t, CODE + 0x240, CODE + 0x1fff8, "-");
	expect(t, CODE + 0x1fff8, CODE + 0x20008, "stop");
	expect(t, CODE + 0x20008, CODE_END - 8, "-");
	expect(t, CODE_END - 8, CODE_END, "stop");
	check_spans(t);
	rows_free(t);
}

static void a_functions_mark_is_as_long_as_its_fde(void **state)
{
	const struct mark marks[] = {
		{ CODE + 0x100, CODE + 0x140, stop, .function = true }, /* an FDE of 0x20 bytes begins there */
		{ CODE + 0x208, CODE + 0x248, stop, .function = true }, /* none begins there */
		{ CODE + 0x300, CODE + 0x308, stop, .weak = true },     /* an FDE has that place */
		{ CODE + 0x320, CODE + 0x328, stop, .weak = true },     /* none has this */
	};
	struct rows *t;

	begin();
	function(CODE + 0x100, 0x20);
	function(CODE + 0x120, 0x20);
	function(CODE + 0x200, 0x20);
	function(CODE + 0x300, 0x20);
	t = build(marks, ARRAY_SIZE(marks));
	expect(t, CODE + 0x100, CODE + 0x120, "stop");
	expect(t, CODE + 0x120, CODE + 0x130, "rsp+8");
	expect(t, CODE + 0x200, CODE + 0x208, "rsp+8");
	expect(t, CODE + 0x208, CODE + 0x248, "stop");
	expect(t, CODE + 0x248, CODE + 0x300, "-");
	expect(t, CODE + 0x300, CODE + 0x310, "rsp+8");
	expect(t, CODE + 0x310, CODE + 0x320, "rsp+16");
	expect(t, CODE + 0x320, CODE + 0x328, "stop");
	expect(t, CODE + 0x328, CODE_END, "-");
	check_spans(t);
	rows_free(t);
}

static void marks_alone_make_a_table_and_those_outside_the_code_none(void **state)
{
	const struct mark inside = { CODE + 8, CODE + 0x20, stop };
	const struct mark outside[] = { { CODE - 8, CODE + 8, stop }, { CODE_END, CODE_END + 8, stop } };
	struct rows *t;

	begin();
	t = build(&inside, 1);
	expect(t, CODE + 8, CODE + 0x20, "stop");
	expect(t, CODE + 0x20, CODE_END, "-");
	rows_free(t);
	t = build(outside, 2);
	expect(t, CODE, CODE_END, "-");
	rows_free(t);
}

struct program {
	struct elf_image *img;
	struct rows *rows;
	int fd;
};

static void program_open(struct program *p, const char *path)
{
	p->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p->fd < 0)
		fail_msg("cannot open %s", path);
	assert_int_equal(elf_image_open(p->fd, &p->img), 0);
	assert_int_equal(elf_cfi_rows(p->img, ELF_CFI_ALL, &p->rows), 0);
}

static void program_close(struct program *p)
{
	rows_free(p->rows);
	elf_image_free(p->img);
	close(p->fd);
}

/* By name, of a file with .symtab. */
static GElf_Sym symbol(const struct program *p, const char *name)
{
	GElf_Shdr sh;
	Elf_Data *data = elf_image_data(elf_image_section(p->img, ".symtab", &sh));
	GElf_Sym sym;

	assert_non_null(data);
	for (int i = 0; gelf_getsym(data, i, &sym); i++)
		if (!strcmp(elf_strptr(p->img->elf, sh.sh_link, sym.st_name), name))
			return sym;
	fail_msg("no symbol %s", name);
	return sym;
}

/* Rows of a kind inside a function; musl's assembly gives its own no size: they are short. */
static uint32_t n_rows(const struct program *p, GElf_Sym in, enum unwind_cfa kind)
{
	uint64_t end = in.st_value + (in.st_size ? in.st_size : 64);
	struct rows_cursor at = { 0 };
	struct rows_span span;
	uint32_t n = 0;

	while (rows_next(p->rows, &at, &span))
		n += unwind_cfa(span.rule) == kind && span.start >= in.st_value && span.end <= end;
	return n;
}

/* Each root of a static musl program, by the symbols that the test reads and the finder mostly does not. */
static void musls_roots_and_its_trampoline_are_found(void **state)
{
	GElf_Sym trampoline, start;
	struct program p;

	program_open(&p, THREADS);
	start = symbol(&p, "_start");
	expect(p.rows, start.st_value, start.st_value + 22, "stop"); /* up to behind its call */
	trampoline = symbol(&p, "__restore_rt");
	expect(p.rows, trampoline.st_value - 1, trampoline.st_value + 9, "signal+160");
	expect(p.rows, trampoline.st_value + 9, trampoline.st_value + 12, "-");
	assert_int_equal(n_rows(&p, symbol(&p, "libc_start_main_stage2"), UNWIND_STOP), 1);
	assert_int_equal(n_rows(&p, symbol(&p, "start"), UNWIND_STOP), 1);
	assert_int_equal(n_rows(&p, symbol(&p, "__clone"), UNWIND_STOP), 1);
	assert_true(n_rows(&p, symbol(&p, "main"), UNWIND_STOP) == 0);
	program_close(&p);
}

static void musls_library_has_them_without_symbols(void **state)
{
	uint32_t kinds[16] = { 0 };
	struct rows_cursor at = { 0 };
	struct rows_span span;
	struct program p;

	program_open(&p, MUSL_LIBC);
	while (rows_next(p.rows, &at, &span))
		kinds[unwind_cfa(span.rule)]++;
	assert_int_equal(kinds[UNWIND_SIGNAL], 1);
	/* As a dynamic linker its entry; main's caller, those of POSIX and C11 threads, clone's child. */
	assert_int_equal(kinds[UNWIND_STOP], 5);
	program_close(&p);
}

/* glibc says all of it in its CFI: nothing is searched, and only the entry is a mark. */
static void programs_of_glibc_have_their_entry_only(void **state)
{
	struct marks marks = { .n = 0 };
	struct program p;
	struct elf_cfi c;
	GElf_Ehdr eh;

	program_open(&p, BUILD_DIR "/workloads/w_spin_static");
	assert_int_equal(elf_cfi_find(p.img, ELF_CFI_ALL, &c), 0);
	assert_int_equal(marks_find(p.img, &c, &marks), 0);
	assert_non_null(gelf_getehdr(p.img->elf, &eh));
	assert_int_equal(marks.n, 1);
	assert_int_equal(marks.v[0].start, eh.e_entry);
	elf_cfi_fini(&c);
	program_close(&p);
}

/* libc.so.6 has an interpreter and an entry point, which prints its version: its rows are what its CFI says, but for makecontext(). */
static void a_library_that_can_be_run_is_no_program(void **state)
{
	struct marks marks = { .n = 1 };
	struct program p;
	struct elf_cfi c;
	uint32_t n = 0;

	program_open(&p, "/lib/x86_64-linux-gnu/libc.so.6");
	assert_int_equal(elf_cfi_find(p.img, ELF_CFI_ALL, &c), 0);
	assert_int_equal(marks_find(p.img, &c, &marks), 0);
	for (uint32_t i = 0; i < marks.n; i++) /* its PLT has CFI */
		if (!marks.v[i].weak)
			marks.v[n++] = marks.v[i];
	assert_int_equal(n, 1);
	/* A byte of padding, where a coroutine's return address is looked up; the code behind it has rows. */
	assert_int_equal(marks.v[0].end, marks.v[0].start + 1);
	assert_memory_equal(&marks.v[0].rule, &stop, sizeof(stop));
	expect(p.rows, marks.v[0].start, marks.v[0].end, "stop");
	expect(p.rows, marks.v[0].end, marks.v[0].end + 11, "rsp+8");
	elf_cfi_fini(&c);
	program_close(&p);
}

static GElf_Shdr section(const struct program *p, const char *name)
{
	GElf_Shdr sh;

	assert_non_null(elf_image_section(p->img, name, &sh));
	return sh;
}

/* lld writes no CFI for what calls other images' functions; binutils does, and that holds. */
static void check_plt(const char *path, const char *entry)
{
	struct program p;
	GElf_Shdr plt;

	program_open(&p, path);
	plt = section(&p, ".plt");
	assert_true(plt.sh_size >= 3 * 16);
	expect(p.rows, plt.sh_addr - 1, plt.sh_addr, "-");
	expect(p.rows, plt.sh_addr, plt.sh_addr + 6, "rsp+16");
	expect(p.rows, plt.sh_addr + 6, plt.sh_addr + 16, "rsp+24");
	expect(p.rows, plt.sh_addr + 16, plt.sh_addr + plt.sh_size, entry);
	check_spans(p.rows);
	program_close(&p);
}

static void calls_of_other_images_that_lld_linked_have_rows(void **state)
{
	struct program p;
	GElf_Shdr sec;

	check_plt(BUILD_DIR "/workloads/w_steps_lld", "plt11");
	check_plt(BUILD_DIR "/workloads/w_steps_lld_ibt", "plt9");
	program_open(&p, BUILD_DIR "/workloads/w_steps_lld_ibt");
	sec = section(&p, ".plt.sec");
	expect(p.rows, sec.sh_addr, sec.sh_addr + sec.sh_size, "rsp+8");
	program_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_covers_rows_and_they_hold_again_behind_it),
		cmocka_unit_test(a_functions_mark_is_as_long_as_its_fde),
		cmocka_unit_test(marks_alone_make_a_table_and_those_outside_the_code_none),
		cmocka_unit_test(musls_roots_and_its_trampoline_are_found),
		cmocka_unit_test(musls_library_has_them_without_symbols),
		cmocka_unit_test(programs_of_glibc_have_their_entry_only),
		cmocka_unit_test(a_library_that_can_be_run_is_no_program),
		cmocka_unit_test(calls_of_other_images_that_lld_linked_have_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
