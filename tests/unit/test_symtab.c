/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of names from every text source: aliases, gaps, kallsyms. */
#include "unit.h"

#include <errno.h>

#include "symbolize/demangle.h"
#include "symbolize/kallsyms.h"
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

/*
 * Marks of the linker script have no size, like all of kallsyms: one before loaded code must not reach into it, nor
 * stand before a function at its own address. Each kind of loaded code says what it is.
 */
static void loaded_code_is_not_shadowed_by_marks_of_vmlinux(void **state)
{
	static const struct {
		uint64_t addr;
		const char *name, *module;
	} cases[] = {
		{ 0xffffffff81000008, "startup_64", "" },
		{ 0xffffffff81200010, "bpf_prog_6deef7357e7b4530_sd_fw_egress", "bpf" },
		{ 0xffffffff812000c0, "bpf_trampoline_6442536467", "bpf" },
		{ 0xffffffff81200140, "bpf_dispatcher_xdp", "bpf" },
		{ 0xffffffff81201000, "ftrace_trampoline", "__builtin__ftrace" },
		{ 0xffffffff81202000, "kprobe_insn_page", "__builtin__kprobes" },
		{ 0xffffffff81203000, "nf_hook", "nf_tables" },
	};
	struct symtab t = { 0 };

	assert_int_equal(kallsyms("ffffffff81000000 T _stext\n"
				  "ffffffff81000000 T _text\n"
				  "ffffffff81000000 T startup_64\n"
				  "ffffffff811fffff T _einittext\n"
				  "ffffffff81200000 T __end_of_kernel_reserve\n"
				  "ffffffff81203000 t nf_hook\t[nf_tables]\n"
				  "ffffffff81201000 t ftrace_trampoline\t[__builtin__ftrace]\n"
				  "ffffffff81200000 t bpf_prog_6deef7357e7b4530_sd_fw_egress\t[bpf]\n"
				  "ffffffff812000c0 t bpf_trampoline_6442536467\t[bpf]\n"
				  "ffffffff81200140 t bpf_dispatcher_xdp\t[bpf]\n"
				  "ffffffff81202000 t kprobe_insn_page\t[__builtin__kprobes]\n", &t), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct symbol *s = symtab_find(&t, cases[i].addr);

		assert_non_null(s);
		assert_string_equal(symtab_str(&t, s->name), cases[i].name);
		assert_string_equal(symtab_str(&t, s->module), cases[i].module);
	}
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
		cmocka_unit_test(loaded_code_is_not_shadowed_by_marks_of_vmlinux),
		cmocka_unit_test(kallsyms_without_addresses_says_so),
		cmocka_unit_test(names_read_as_their_language_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
