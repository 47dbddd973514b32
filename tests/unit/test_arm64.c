/* SPDX-License-Identifier: Apache-2.0 */
/* arm64's CFI: its registers, the link register, signed return addresses, the kernel's signal frame. */
#include "unit.h"

#include <elf.h>
#include <errno.h>

#include "fixture_arm64.h"
#include "unwind/rows.h"
#include "unwind/rule_text.h"

static void expect_text(const struct unwind_rule *rule, const char *cfa, const char *fp, const char *ra)
{
	struct rule_text t = rule_text(ARCH_ARM64, rule);

	assert_string_equal(t.cfa, cfa);
	assert_string_equal(t.fp, fp);
	assert_string_equal(t.ra, ra);
}

static void captured_code_has_the_rows_that_readelf_shows(void **state)
{
	static const struct {
		uint64_t end;
		const char *cfa, *fp, *ra;
	} rows[] = {
		{ 0x340, "sp+0", "u", "u" }, /* leaf; frame, before and behind the instruction that signs */
		{ 0x34c, "sp+80", "u", "u" },
		{ 0x360, "x29+32", "c-32", "c-24" },
		{ 0x36c, "sp+80", "c-32", "c-24" },
		{ 0x370, "sp+0", "c-32", "c-24" },
		{ 0x37c, "sp+0", "u", "u" },
		{ 0x388, "sp+48", "u", "u" },
		{ 0x3ac, "x29+48", "c-48", "c-40" }, /* large */
		{ 0x3b8, "sp+48", "c-48", "c-40" },
		{ 0x3bc, "sp+0", "c-48", "c-40" },
		{ 0x3c8, "sp+0", "u", "u" },
		{ 0x3d0, "sp+32", "u", "u" },
		{ 0x400, "x29+32", "c-32", "c-24" }, /* moving */
		{ 0x408, "sp+32", "c-32", "c-24" },
		{ 0x40c, "sp+0", "c-32", "c-24" },
		{ 0x410, "sp+0", "u", "u" },
		{ 0x418, "stop", "", "" },
		{ 0x424, "signal+560", "*(sp+544)", "*(sp+568)" },
		{ 0x428, "sp+0", "u", "u" },
		{ 0x430, "sp+16", "u", "c-16" }, /* only_lr */
		{ 0x434, "sp+0", "u", "u" },
	};
	struct cfi_section s = { .data = arm64_eh_frame, .len = sizeof(arm64_eh_frame), .vaddr = ARM64_EH_FRAME, .arch = ARCH_ARM64 };
	uint64_t pc = ARM64_CODE;
	struct rows *t;

	assert_int_equal(rows_build(&(struct rows_source){ &s, 1, ARM64_CODE, ARM64_CODE_END }, &t), 0);
	assert_int_equal(t->arch, ARCH_ARM64);
	for (int i = 0; i < UNWIND_WHY_MAX; i++)
		assert_int_equal(t->stats.why[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (; pc < rows[i].end; pc++)
			expect_text(rows_find(t, pc), rows[i].cfa, rows[i].fp, rows[i].ra);
	rows_free(t);
}

static enum unwind_why rule_at(int64_t fp, int64_t ra, bool fp_saved, struct unwind_rule *ret)
{
	struct cfi_state s = { .cfa = { .kind = CFI_REGISTER, .reg = 31, .off = 16 }, .ra = { .kind = CFI_OFFSET, .off = ra } };
	enum unwind_why why;

	if (fp_saved)
		s.fp = (struct cfi_value){ .kind = CFI_OFFSET, .off = fp };
	*ret = rule_of(ARCH_ARM64, &s, false, &why);
	return why;
}

/* A frame record at the far end of a frame, and a link register saved alone there. */
static void the_return_address_may_lie_anywhere_in_the_frame(void **state)
{
	char fp_text[32], ra_text[32];
	struct unwind_rule r;

	for (int64_t size = 16; size <= 256 << 10; size += 16) {
		assert_int_equal(rule_at(-size, -size + 8, true, &r), UNWIND_WHY_NONE);
		snprintf(fp_text, sizeof(fp_text), "c%+d", (int)-size);
		snprintf(ra_text, sizeof(ra_text), "c%+d", (int)-size + 8);
		expect_text(&r, "sp+16", fp_text, ra_text);
		assert_int_equal(rule_at(0, -size, false, &r), UNWIND_WHY_NONE);
		snprintf(ra_text, sizeof(ra_text), "c%+d", (int)-size);
		expect_text(&r, "sp+16", "u", ra_text);
	}
	assert_int_equal(rule_at(-1000, -1064, true, &r), UNWIND_WHY_NONE);
	expect_text(&r, "sp+16", "c-1000", "c-1064");
	assert_int_equal(rule_at(-1000, -1072, true, &r), UNWIND_WHY_RA);
	assert_int_equal(rule_at(-1000, -936, true, &r), UNWIND_WHY_RA);
	assert_int_equal(rule_at(-1000, -996, true, &r), UNWIND_WHY_RA);
	assert_int_equal(rule_at(-(256 << 10) - 8, -(256 << 10), true, &r), UNWIND_WHY_FP_RANGE);
	assert_int_equal(rule_at(INT64_MIN, INT64_MAX, true, &r), UNWIND_WHY_RA);
	assert_int_equal(rule_at(INT64_MAX, INT64_MIN, false, &r), UNWIND_WHY_RA);
}

static void registers_beyond_the_sixteenth_are_nobodys_base(void **state)
{
	struct cfi_state s = { .cfa = { .kind = CFI_REGISTER, .reg = 9 }, .ra = { .kind = CFI_REGISTER, .reg = 30 } };
	enum unwind_why why;
	struct unwind_rule r = rule_of(ARCH_ARM64, &s, false, &why);

	expect_text(&r, "x9+0", "u", "u");
	s.ra.reg = 15; /* the column of glibc's rawmemchr */
	r = rule_of(ARCH_ARM64, &s, false, &why);
	expect_text(&r, "x9+0", "u", "x15");
	s.cfa.reg = 19;
	rule_of(ARCH_ARM64, &s, false, &why);
	assert_int_equal(why, UNWIND_WHY_CFA_REGISTER);
	s.cfa.reg = 6; /* x86-64's rbp is a register like others here */
	r = rule_of(ARCH_ARM64, &s, false, &why);
	assert_int_equal(unwind_cfa(&r), UNWIND_REG);
}

static void a_machine_is_known_by_its_elf_number(void **state)
{
	assert_int_equal(arch_of_elf(EM_X86_64), ARCH_X86_64);
	assert_int_equal(arch_of_elf(EM_AARCH64), ARCH_ARM64);
	assert_int_equal(arch_of_elf(EM_RISCV), -ENOTSUP);
	assert_int_equal(arch_of_elf(EM_NONE), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_code_has_the_rows_that_readelf_shows),
		cmocka_unit_test(the_return_address_may_lie_anywhere_in_the_frame),
		cmocka_unit_test(registers_beyond_the_sixteenth_are_nobodys_base),
		cmocka_unit_test(a_machine_is_known_by_its_elf_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
