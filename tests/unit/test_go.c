/* SPDX-License-Identifier: Apache-2.0 */
/* Rows from Go's pclntab: every layout, every special function, tables that are damaged or too large. */
#include "unit.h"

#include <errno.h>

#include "fixture_go.h"
#include "unwind/elf_cfi.h"
#include "unwind/rule_text.h"

#define PCSP(s) s, sizeof(s)
/* Value from -1 to 0 for one byte, 8 for three, 0x28 for 0x20 bytes, back to 0 for one. */
#define FRAME PCSP("\x02\x01\x10\x03\x40\x20\x4f\x01")

static const struct go_made_func funcs[] = {
	{ 0x000, "main.main", 0, FRAME },
	{ 0x040, "runtime.goexit", 0, FRAME },
	{ 0x080, "runtime.systemstack", 0, FRAME },
	{ 0x0c0, "runtime.sigreturn__sigaction", 0, FRAME },
	{ 0x100, "C function", 0, NULL, 0 },
	{ 0x140, "x.top", GO_TOP_FRAME, FRAME },
	{ 0x180, "x.switches", GO_WRITES_SP, FRAME },
	{ 0x1c0, "runtime.sigtramp", GO_TOP_FRAME, FRAME },
	{ 0x200, "x.negative", 0, PCSP("\x0f\x01\x02\x7f") },
};
enum { N_FUNCS = sizeof(funcs) / sizeof(*funcs), CODE_LEN = 0x280 };

static struct go_made made;

static int rows_of(const void *bytes, size_t len, struct rows **ret)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	int r = elf_image_open_memory(bytes, len, &img);

	return r < 0 ? r : elf_cfi_rows(img, ELF_CFI_ALL, ret);
}

static void expect(const struct rows *t, uint64_t off, const char *cfa, const char *fp)
{
	struct rule_text text = rule_text(ARCH_X86_64, rows_find(t, GO_CODE + off));

	if (strcmp(text.cfa, cfa) || strcmp(text.fp, fp))
		fail_msg("0x%lx: %s %s, not %s %s", off, text.cfa, text.fp, cfa, fp);
}

static void expect_frame(const struct rows *t, uint64_t off)
{
	expect(t, off, "rsp+8", "u");
	expect(t, off + 1, "rsp+16", "c-16");
	expect(t, off + 3, "rsp+16", "c-16");
	expect(t, off + 4, "rsp+48", "c-16");
	expect(t, off + 0x23, "rsp+48", "c-16");
	expect(t, off + 0x24, "rsp+8", "u");
}

static void check(const struct rows *t, bool flags)
{
	expect_frame(t, 0);
	expect(t, 0x30, "rsp+8", "u"); /* padding behind the table's end */
	expect(t, 0x40, "stop", "");
	expect(t, 0x7f, "stop", "");
	expect(t, 0x80, "rsp+8", "u");
	expect(t, 0x81, "rbp+16", "c-16");
	expect(t, 0xa3, "rbp+16", "c-16");
	expect(t, 0xa4, "rsp+8", "u");
	expect(t, 0xbe, "rsp+8", "u");
	expect(t, 0xbf, "signal+160", "*(rsp+120)"); /* a caller's pc - 1 */
	expect(t, 0xff, "signal+160", "*(rsp+120)");
	expect(t, 0x100, "-", "");
	expect(t, 0x13f, "-", "");
	expect(t, 0x1c0 + 4, "rsp+48", "c-16");
	expect(t, 0x200, "-", "");
	expect(t, 0x201, "-", "");
	if (!flags) {
		expect_frame(t, 0x140);
		return;
	}
	expect(t, 0x144, "stop", "");
	expect(t, 0x184, "rbp+16", "c-16");
}

static void every_layout_gives_the_same_rows(void **state)
{
	for (int layout = GO_1_2; layout <= GO_1_20; layout++)
		for (int pie = 0; pie < 2; pie++) {
			struct rows *t = NULL;

			go_make(&made, (enum go_layout)layout, pie, funcs, N_FUNCS, CODE_LEN);
			assert_int_equal(rows_of(made.data, sizeof(made.data), &t), 0);
			check(t, true);
			assert_int_equal(t->stats.go_functions, N_FUNCS);
			assert_int_equal(t->stats.fdes, 0);
			assert_int_equal(t->stats.why[UNWIND_WHY_CFA_RANGE], 2);
			rows_free(t);
		}
}

/* Before Go 1.17 what is the flags' place was 0. */
static void functions_without_flags_are_known_by_name(void **state)
{
	struct go_made_func bare[N_FUNCS];
	struct rows *t = NULL;

	memcpy(bare, funcs, sizeof(bare));
	for (int i = 0; i < N_FUNCS; i++)
		bare[i].flags = 0;
	go_make(&made, GO_1_16, false, bare, N_FUNCS, CODE_LEN);
	assert_int_equal(rows_of(made.data, sizeof(made.data), &t), 0);
	check(t, false);
	rows_free(t);
}

static void code_whose_start_is_unknown_has_no_rows(void **state)
{
	struct rows *t = NULL;

	go_make(&made, GO_1_20, false, funcs, N_FUNCS, CODE_LEN);
	go_put(&made, GO_DATA_AT + 0x100 + 168, GO_CODE + CODE_LEN + 1, 8); /* maxpc is not the table's */
	assert_int_equal(rows_of(made.data, sizeof(made.data), &t), -ENODATA);
	go_make(&made, GO_1_20, true, funcs, N_FUNCS, CODE_LEN);
	go_put(&made, GO_DATA_AT + 0x818, 2 * 24, 8); /* its relocation is not among them */
	assert_int_equal(rows_of(made.data, sizeof(made.data), &t), -ENODATA);
}

static void a_damaged_table_costs_the_rows_it_hits(void **state)
{
	struct rows *t = NULL;

	go_make(&made, GO_1_20, false, funcs, N_FUNCS, CODE_LEN);
	go_put(&made, GO_TABLE_AT + GO_FUNCTAB + 4, UINT32_MAX, 4);         /* main.main's record is nowhere */
	go_put(&made, GO_TABLE_AT + GO_FUNCTAB + 8 * 8, GO_CODE_LEN * 2, 4); /* x.negative is outside */
	assert_int_equal(rows_of(made.data, sizeof(made.data), &t), 0);
	assert_int_equal(t->stats.why[UNWIND_WHY_BAD_FDE], 2); /* and ends before it starts */
	expect(t, 0, "-", "");
	expect(t, 0x40, "stop", "");
	rows_free(t);
	go_make(&made, GO_1_20, false, funcs, N_FUNCS, CODE_LEN);
	memset(made.data + GO_TABLE_AT + GO_PCS + 1 + 4, 0xff, 12); /* a varint without an end */
	assert_int_equal(rows_of(made.data, sizeof(made.data), &t), 0);
	assert_int_equal(t->stats.why[UNWIND_WHY_BAD_CODE], 1);
	expect(t, 1, "rsp+16", "c-16");
	expect(t, 4, "-", "");
	expect(t, 0x3f, "-", "");
	expect(t, 0x40, "stop", "");
	rows_free(t);
}

/* Any prefix, any byte changed: a table that tiles its code, or an error. */
static void no_damage_is_survived_by_luck(void **state)
{
	static struct go_made copy;
	struct rows_cursor at;
	struct rows_span span;
	uint64_t end, tables = 0;

	go_make(&made, GO_1_20, true, funcs, N_FUNCS, CODE_LEN);
	for (size_t i = sizeof(Elf64_Ehdr); i < sizeof(made.data); i++)
		for (int kind = 0; kind < 3; kind++) {
			size_t len = kind ? sizeof(copy.data) : i;
			struct rows *t = NULL;

			if (kind && !made.data[i] && i % 16)
				continue;
			copy = made;
			copy.data[i] ^= kind == 1 ? 0xff : kind == 2 ? 1 : 0;
			if (rows_of(copy.data, len, &t) < 0)
				continue;
			tables++;
			at = (struct rows_cursor){ 0 };
			for (end = t->base; rows_next(t, &at, &span); end = span.end)
				assert_int_equal(span.start, end);
			rows_free(t);
		}
	assert_true(tables > 1000);
}

/* Every function names one long table that stays where it is. */
static void the_steps_of_all_tables_are_bounded(void **state)
{
	enum { N = 3000, STEPS = 12000, LEN = 0x20000, AT = GO_TABLE_AT };
	static uint8_t file[LEN];
	struct rows *t = NULL;

	go_make(&made, GO_1_2, false, funcs, 1, CODE_LEN);
	memcpy(file, made.data, AT + 16);
	((Elf64_Phdr *)(file + sizeof(Elf64_Ehdr)))->p_filesz = LEN;
	memcpy(file + AT + 8, &(uint64_t){ N }, 8);
	for (uint64_t i = 0; i <= N; i++) {
		memcpy(file + AT + 16 + i * 16, &(uint64_t){ GO_CODE + i * 16 }, 8);
		memcpy(file + AT + 24 + i * 16, &(uint64_t){ 0xc000 }, 8);
	}
	memcpy(file + AT + 0xc000 + 8 + 12, &(uint32_t){ 0xd000 }, 4);
	for (int i = 0; i < STEPS; i++)
		memcpy(file + AT + 0xd000 + 2 * i, "\x02", 2);
	assert_int_equal(rows_of(file, sizeof(file), &t), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_gives_the_same_rows),
		cmocka_unit_test(functions_without_flags_are_known_by_name),
		cmocka_unit_test(code_whose_start_is_unknown_has_no_rows),
		cmocka_unit_test(a_damaged_table_costs_the_rows_it_hits),
		cmocka_unit_test(no_damage_is_survived_by_luck),
		cmocka_unit_test(the_steps_of_all_tables_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
