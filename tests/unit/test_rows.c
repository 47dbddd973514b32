/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and tables of them: each shape, each kind of page, files that hide their CFI. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>

#include "base/buf.h"
#include "base/file.h"
#include "fixture_cfi.h"
#include "unwind/elf_cfi.h"
#include "unwind/rule_text.h"

#define EXPR(...)                                                                                  \
	{ .kind = CFI_EXPRESSION, .len = sizeof((const uint8_t[]){ __VA_ARGS__ }), .expr = (const uint8_t[]){ __VA_ARGS__ } }
#define SUM(r, o) { .kind = CFI_REGISTER, .reg = r, .off = o }
#define AT(o) { .kind = CFI_OFFSET, .off = o }

static struct made made;

static void expect_rule(struct cfi_state s, bool signal, const char *cfa, const char *fp, const char *ra)
{
	enum unwind_why why;
	struct unwind_rule rule = rule_of(ARCH_X86_64, &s, signal, &why);
	struct rule_text t = rule_text(ARCH_X86_64, &rule);

	assert_string_equal(unwind_why_name(why), "none");
	assert_string_equal(t.cfa, cfa);
	assert_string_equal(t.fp, fp);
	assert_string_equal(t.ra, ra);
}

static void every_shape_of_a_rule(void **state)
{
	expect_rule((struct cfi_state){ .cfa = SUM(7, 16), .ra = AT(-8) }, false, "rsp+16", "u", "c-8");
	expect_rule((struct cfi_state){ .cfa = SUM(6, 16), .ra = AT(-8), .fp = AT(-16) }, false, "rbp+16", "c-16", "c-8");
	expect_rule((struct cfi_state){ .cfa = SUM(10, 0), .ra = AT(-8), .fp = EXPR(DW_OP_breg6, 0x70) }, false, "r10+0", "*(rbp-16)", "c-8");
	expect_rule((struct cfi_state){ .cfa = SUM(7, 0), .ra = SUM(5, 0) }, false, "rsp+0", "u", "rdi");
	expect_rule((struct cfi_state){ .cfa = SUM(7, 0), .ra = AT(-24), .fp = { .kind = CFI_UNDEFINED } }, false, "rsp+0", "lost", "c-24");
	expect_rule((struct cfi_state){ .cfa = EXPR(DW_OP_breg6, 0x78, DW_OP_deref), .ra = AT(-8) }, false, "*(rbp-8)+0", "u", "c-8");
	expect_rule((struct cfi_state){ .cfa = EXPR(DW_OP_breg7, 0xc0, 0, DW_OP_deref, DW_OP_plus_uconst, 8), .ra = AT(-8) }, false,
		    "*(rsp+64)+8", "u", "c-8");
	expect_rule((struct cfi_state){ .cfa = EXPR(DW_OP_breg9, 0x78, DW_OP_deref, DW_OP_lit16, DW_OP_minus), .ra = AT(-8) }, false,
		    "*(r9-8)-16", "u", "c-8");
	expect_rule((struct cfi_state){ .cfa = EXPR(DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and, DW_OP_lit10, DW_OP_ge, DW_OP_lit3,
						    DW_OP_shl, DW_OP_plus), .ra = AT(-8) }, false, "plt10", "u", "c-8");
	expect_rule((struct cfi_state){ .cfa = SUM(7, 8), .ra = { .kind = CFI_UNDEFINED } }, false, "stop", "", "");
	expect_rule((struct cfi_state){ .cfa = EXPR(DW_OP_breg7, 0xa0, 1, DW_OP_deref), .ra = EXPR(DW_OP_breg7, 0xa8, 1),
					.fp = EXPR(DW_OP_breg7, 0xf8, 0) }, true, "signal+160", "*(rsp+120)", "*(rsp+168)");
}

static void refuse(struct cfi_state s, bool signal, enum unwind_why expected)
{
	enum unwind_why why;
	struct unwind_rule rule = rule_of(ARCH_X86_64, &s, signal, &why);

	assert_int_equal(why, expected);
	assert_int_equal(unwind_cfa(&rule), UNWIND_INVALID);
}

static void what_no_rule_can_say_is_counted_by_reason(void **state)
{
	refuse((struct cfi_state){ .ra = AT(-8) }, false, UNWIND_WHY_CFA_NONE);
	refuse((struct cfi_state){ .cfa = SUM(17, 0), .ra = AT(-8) }, false, UNWIND_WHY_CFA_REGISTER);
	refuse((struct cfi_state){ .cfa = SUM(7, 1ll << 31), .ra = AT(-8) }, false, UNWIND_WHY_CFA_RANGE);
	refuse((struct cfi_state){ .cfa = EXPR(DW_OP_lit1), .ra = AT(-8) }, false, UNWIND_WHY_CFA_EXPRESSION);
	refuse((struct cfi_state){ .cfa = EXPR(DW_OP_breg7, 0x80, 0x80, 4, DW_OP_deref), .ra = AT(-8) }, false, UNWIND_WHY_CFA_RANGE);
	refuse((struct cfi_state){ .cfa = SUM(7, 8), .ra = AT(8) }, false, UNWIND_WHY_RA);
	refuse((struct cfi_state){ .cfa = SUM(7, 8), .ra = AT(-12) }, false, UNWIND_WHY_RA);
	refuse((struct cfi_state){ .cfa = SUM(7, 8), .ra = AT(-8), .fp = SUM(3, 0) }, false, UNWIND_WHY_FP);
	refuse((struct cfi_state){ .cfa = SUM(7, 8), .ra = AT(-8), .fp = AT(-40000) }, false, UNWIND_WHY_FP_RANGE);
	refuse((struct cfi_state){ .cfa = SUM(7, 8), .ra = AT(-8), .sp = AT(-16) }, false, UNWIND_WHY_SP);
	refuse((struct cfi_state){ .cfa = SUM(7, 8), .ra = AT(-8) }, true, UNWIND_WHY_SIGNAL);
}

static void equal_rules_have_one_number(void **state)
{
	struct rules d;

	assert_int_equal(rules_init(&d), 0);
	assert_int_equal(rules_intern(&d, (struct unwind_rule){ 0 }), 0);
	for (int i = 1; i < RULES_MAX; i++)
		assert_int_equal(rules_intern(&d, (struct unwind_rule){ .cfa = i, .how_cfa = UNWIND_SP }), i);
	assert_int_equal(rules_intern(&d, (struct unwind_rule){ .cfa = 77, .how_cfa = UNWIND_SP }), 77);
	assert_int_equal(rules_intern(&d, (struct unwind_rule){ .cfa = -1, .how_cfa = UNWIND_SP }), -E2BIG);
	rules_fini(&d);
}

enum { CODE_AT = 0x10000, CODE_LEN = 6 << 16 };

/* Code with a known CFA offset at every byte; 0: none. */
static uint32_t expected[CODE_LEN];

static int build(struct rows **ret)
{
	struct cfi_section s = made_section(&made);

	return rows_build(&(struct rows_source){ .sections = &s, .n_sections = 1, .start = CODE_AT, .end = CODE_AT + CODE_LEN }, ret);
}

static void check_everywhere(const struct rows *t)
{
	for (uint32_t i = 0; i < CODE_LEN; i++) {
		const struct unwind_rule *r = rows_find(t, CODE_AT + i);

		if (r->cfa != expected[i] || unwind_cfa(r) != (expected[i] ? UNWIND_SP : UNWIND_INVALID))
			fail_msg("pc 0x%x: %d, not %u", CODE_AT + i, r->cfa, expected[i]);
	}
	assert_int_equal(unwind_cfa(rows_find(t, CODE_AT - 1)), UNWIND_INVALID);
	assert_int_equal(unwind_cfa(rows_find(t, CODE_AT + CODE_LEN)), UNWIND_INVALID);
	assert_int_equal(unwind_cfa(rows_find(t, UINT64_MAX)), UNWIND_INVALID);
}

/* The spans of a table tile its pages, and say what rows_find() says. */
static void check_spans(const struct rows *t)
{
	struct rows_cursor at = { 0 };
	struct rows_span span;
	uint64_t end = t->base, n = 0;

	while (rows_next(t, &at, &span)) {
		assert_int_equal(span.start, end);
		assert_true(span.end > span.start);
		assert_ptr_equal(rows_find(t, span.start), span.rule);
		assert_ptr_equal(rows_find(t, span.end - 1), span.rule);
		end = span.end;
		n++;
	}
	assert_int_equal(end, t->base + ((uint64_t)t->n_pages << 16));
	assert_in_range(n, t->stats.rows, t->stats.rows + 1);
}

/* One FDE [start, end) that changes its CFA each step bytes to one of n_rules offsets, rule 0's is 8. */
static void make_rules(size_t cie, uint32_t start, uint32_t end, uint32_t step, uint32_t rule, uint32_t n_rules)
{
	static uint8_t code[1 << 18];
	uint32_t n = 0, off = 8;

	for (uint32_t at = start; at < end; at++) {
		if (at > start && (at - start) % step == 0) {
			off = 8 + 8 * (rule + ((at - start) / step) % n_rules);
			code[n++] = DW_CFA_advance_loc2;
			code[n++] = (uint8_t)step;
			code[n++] = (uint8_t)(step >> 8);
			code[n++] = DW_CFA_def_cfa_offset;
			code[n++] = (uint8_t)(0x80 | (off & 0x7f));
			code[n++] = (uint8_t)(0x80 | (off >> 7 & 0x7f));
			code[n++] = (uint8_t)(off >> 14);
		}
		expected[at] = off;
	}
	made_fde(&made, cie, CODE_AT + start, end - start, code, n);
}

static void make_code(size_t cie, uint32_t start, uint32_t end, uint32_t step, uint32_t n_rules)
{
	make_rules(cie, start, end, step, 0, n_rules);
}

static void every_kind_of_page_is_searched_right(void **state)
{
	struct rows *t;
	size_t cie;

	made.len = 0;
	memset(expected, 0, sizeof(expected));
	cie = made_usual_cie(&made);
	make_code(cie, 0x00100, 0x00400, 7, 9);      /* page 0: sparse */
	make_code(cie, 0x0fff0, 0x1ff00, 17, 700);   /* page 1: dense, with escapes, and rows begun on page 0 */
	make_code(cie, 0x20010, 0x30000, 0x6000, 2); /* page 2: sparse, up to its very end */
	make_code(cie, 0x30000, 0x40000, 0xffff, 1); /* page 3: one rule */
	make_code(cie, 0x40000, 0x40300, 1, 200);    /* page 4: wide, with full blocks, then empty ones */
	make_rules(cie, 0x50000, 0x60000, 999, 700, 99); /* page 5: sparse, of rare rules */
	assert_int_equal(build(&t), 0);
	assert_int_equal(t->n_pages, 6);
	assert_in_range(t->pages[0].n, 2, ROWS_SPARSE_MAX);
	assert_true(t->pages[1].n > ROWS_SPARSE_MAX && t->pages[1].info > 0 && !(t->pages[1].at & 1));
	assert_int_equal(t->pages[3].n, 0);
	assert_true(t->pages[4].n > ROWS_SPARSE_MAX && t->pages[4].at & 1);
	assert_true(t->pages[5].n <= ROWS_SPARSE_MAX && t->pages[5].info > 50);
	check_everywhere(t);
	check_spans(t);
	rows_free(t);
}

static void padding_belongs_to_the_code_before_it_and_gaps_to_nobody(void **state)
{
	struct rows *t;
	size_t cie;

	made.len = 0;
	memset(expected, 0, sizeof(expected));
	cie = made_usual_cie(&made);
	make_code(cie, 0x1000, 0x1011, 8, 3);
	make_code(cie, 0x1020, 0x1030, 99, 1);
	make_code(cie, 0x1040, 0x1050, 99, 1);
	for (int i = 0x1011; i < 0x1020; i++)
		expected[i] = 24;
	assert_int_equal(build(&t), 0);
	check_everywhere(t);
	rows_free(t);
}

static void fdes_may_come_in_any_order_and_overlap(void **state)
{
	struct rows *t;
	size_t cie;

	made.len = 0;
	memset(expected, 0, sizeof(expected));
	cie = made_usual_cie(&made);
	make_code(cie, 0x2000, 0x2100, 16, 7);
	make_code(cie, 0x1000, 0x1100, 32, 5);
	make_code(cie, 0x2080, 0x2200, 32, 5); /* the later start has what both cover */
	made_fde(&made, cie, CODE_AT + CODE_LEN, 16, NULL, 0);
	made_fde(&made, cie, CODE_AT - 16, 16, NULL, 0);
	assert_int_equal(build(&t), 0);
	assert_int_equal(t->stats.fdes, 3);
	assert_int_equal(t->stats.why[UNWIND_WHY_OUTSIDE], 2);
	assert_int_equal(t->stats.why[UNWIND_WHY_OVERLAP], 1);
	check_everywhere(t);
	rows_free(t);
}

static void damage_costs_only_the_rows_it_hits(void **state)
{
	static const uint8_t broken[] = { 0x50, DW_CFA_def_cfa_offset, 16, 0x50, 0x3f };
	struct rows *t;
	size_t cie;

	made.len = 0;
	memset(expected, 0, sizeof(expected));
	cie = made_usual_cie(&made);
	made_fde(&made, cie, CODE_AT + 0x100, 0x80, broken, sizeof(broken));
	made_fde(&made, cie + 4, CODE_AT + 0x400, 0x80, NULL, 0); /* there is no CIE */
	make_code(cie, 0x200, 0x300, 32, 4);
	made_uint(&made, 0xfffffff0, 4);
	for (int i = 0; i < 0x10; i++)
		expected[0x100 + i] = 8;
	for (int i = 0x10; i < 0x20; i++)
		expected[0x100 + i] = 16;
	assert_int_equal(build(&t), 0);
	assert_int_equal(t->stats.why[UNWIND_WHY_BAD_CODE], 1);
	assert_int_equal(t->stats.why[UNWIND_WHY_BAD_CIE], 1);
	assert_int_equal(t->stats.why[UNWIND_WHY_BAD_SECTION], 1);
	check_everywhere(t);
	rows_free(t);
}

static void code_without_cfi_or_too_much_of_it_has_no_table(void **state)
{
	struct cfi_section s;
	struct rows *t;

	made.len = 0;
	made_usual_cie(&made);
	s = made_section(&made);
	assert_int_equal(build(&t), -ENODATA);
	assert_int_equal(rows_build(&(struct rows_source){ &s, 1, 0x1000, 0x1000 }, &t), -ENODATA);
	assert_int_equal(rows_build(&(struct rows_source){ &s, 1, 0, (1ull << 32) + 1 }, &t), -E2BIG);
	assert_int_equal(rows_build(&(struct rows_source){ &s, 1, 1, UINT64_MAX }, &t), -E2BIG);
	assert_null(rows_free(NULL));
}

static struct rows *rows_of(const void *bytes, size_t len)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct rows *t = NULL;

	assert_int_equal(elf_image_open_memory(bytes, len, &img), 0);
	assert_int_equal(elf_cfi_rows(img, ELF_CFI_ALL, &t), 0);
	return t;
}

static void expect_same(const struct rows *a, const struct rows *b)
{
	assert_int_equal(a->base, b->base);
	assert_int_equal(a->stats.rows, b->stats.rows);
	for (uint64_t pc = a->base; pc < a->end; pc++)
		assert_memory_equal(rows_find(a, pc), rows_find(b, pc), sizeof(struct unwind_rule));
}

static void files_without_headers_have_the_same_rows(void **state)
{
	_cleanup_(buf_fini) struct buf file = BUF_INIT;
	struct rows *whole, *bare;
	Elf64_Ehdr *eh;
	Elf64_Phdr *ph;

	assert_int_equal(file_read_path(AT_FDCWD, "/bin/true", 1 << 20, &file), 0);
	whole = rows_of(file.data, file.len);
	assert_true(whole->stats.rows > 50);
	eh = (Elf64_Ehdr *)file.data;
	ph = (Elf64_Phdr *)(file.data + eh->e_phoff);
	eh->e_shoff = eh->e_shnum = eh->e_shstrndx = 0; /* .eh_frame_hdr leads there */
	bare = rows_of(file.data, file.len);
	expect_same(whole, bare);
	rows_free(bare);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			ph[i].p_type = PT_NULL; /* and now the first CIE is looked for */
	bare = rows_of(file.data, file.len);
	expect_same(whole, bare);
	rows_free(bare);
	rows_free(whole);
}

static void the_vdso_has_rows(void **state)
{
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct rows *t;

	if (!vdso)
		skip();
	t = rows_of(vdso, 8192);
	assert_true(t->stats.fdes > 0 && t->stats.rows > 4);
	check_spans(t);
	rows_free(t);
}

static void libc_has_every_special_row(void **state)
{
	_cleanup_(closep) int fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct rows_cursor at = { 0 };
	struct rows_span span;
	uint64_t kinds[16] = { 0 }, in_register = 0;
	struct rows *t;

	if (fd < 0)
		skip();
	assert_int_equal(elf_image_open(fd, &img), 0);
	assert_int_equal(elf_cfi_rows(img, ELF_CFI_ALL, &t), 0);
	while (rows_next(t, &at, &span)) {
		kinds[unwind_cfa(span.rule)]++;
		in_register += unwind_ra(span.rule) == UNWIND_RA_REG;
	}
	assert_true(kinds[UNWIND_STOP] >= 2);
	assert_true(kinds[UNWIND_SIGNAL] >= 1);
	assert_true(kinds[UNWIND_PLT] >= 1);
	assert_true(kinds[UNWIND_FP] > 100 && kinds[UNWIND_SP] > 10000);
	assert_true(in_register >= 1); /* vfork */
	check_spans(t);
	rows_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_of_a_rule),
		cmocka_unit_test(what_no_rule_can_say_is_counted_by_reason),
		cmocka_unit_test(equal_rules_have_one_number),
		cmocka_unit_test(every_kind_of_page_is_searched_right),
		cmocka_unit_test(padding_belongs_to_the_code_before_it_and_gaps_to_nobody),
		cmocka_unit_test(fdes_may_come_in_any_order_and_overlap),
		cmocka_unit_test(damage_costs_only_the_rows_it_hits),
		cmocka_unit_test(code_without_cfi_or_too_much_of_it_has_no_table),
		cmocka_unit_test(files_without_headers_have_the_same_rows),
		cmocka_unit_test(the_vdso_has_rows),
		cmocka_unit_test(libc_has_every_special_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
