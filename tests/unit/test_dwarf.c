/* SPDX-License-Identifier: Apache-2.0 */
/* DWARF entries that are odd, damaged or a lie: what can be read is there, the rest is counted, nothing hangs. */
#include "unit.h"

#include <time.h>

#include "fixture_scan.h"

static void an_inlined_call_is_named_by_an_entry_that_comes_later(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t patch[2];

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	fix_function(&f, "outer", 0x2000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_BLOCK);
	patch[0] = fix_inlined(&f, 0, 0x2010, 0x20, 11);
	fix_uleb(&f.s[DWARF_INFO], FIX_BLOCK);
	patch[1] = fix_inlined(&f, 0, 0x2014, 4, 12);
	for (int i = 0; i < 5; i++)
		fix_null(&f);
	fix_patch32(&f.s[DWARF_INFO], patch[0], fix_abstract(&f, "middle", 3));
	fix_patch32(&f.s[DWARF_INFO], patch[1], fix_abstract(&f, "inner", 4));
	fix_unit_end(&f);
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_string_equal(scanned_at(&s, 0x2000), "outer:0");
	assert_string_equal(scanned_at(&s, 0x2010), "_Zmiddle:0<outer:11");
	assert_string_equal(scanned_at(&s, 0x2015), "_Zinner:0<_Zmiddle:12<outer:11");
	assert_int_equal(scanned_start_line(&s, 0x2015), 4);
	assert_int_equal(scanned_start_line(&s, 0x2000), 7);
	assert_string_equal(scanned_at(&s, 0x2030), "outer:0");
	assert_string_equal(scanned_at(&s, 0x2100), "");
	scanned_done(&s, &f);
}

static void references_reach_into_units_before_and_behind(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t first, second;
	size_t patch;

	fix_abbrevs(&f);
	fix_unit(&f, "one", 0);
	first = (uint32_t)f.unit + fix_abstract(&f, "early", 1);
	fix_function(&f, "a", 0x2000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_FAR);
	patch = f.s[DWARF_INFO].len;
	fix_u32(&f.s[DWARF_INFO], 0);
	fix_u64(&f.s[DWARF_INFO], 0x2000);
	fix_u64(&f.s[DWARF_INFO], 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	fix_unit(&f, "two", 0);
	second = (uint32_t)f.unit + fix_abstract(&f, "late", 2);
	fix_function(&f, "b", 0x3000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_FAR);
	fix_u32(&f.s[DWARF_INFO], first);
	fix_u64(&f.s[DWARF_INFO], 0x3000);
	fix_u64(&f.s[DWARF_INFO], 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	fix_patch32(&f.s[DWARF_INFO], patch, second);
	s = scan(&f);
	assert_int_equal(s.stats.units, 2);
	assert_string_equal(scanned_at(&s, 0x2001), "_Zlate:0<a:0");
	assert_string_equal(scanned_at(&s, 0x3001), "_Zearly:0<b:0");
	scanned_done(&s, &f);
}

static void origins_that_lead_in_a_circle_name_nothing(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t a, b, self;
	struct buf *info = &f.s[DWARF_INFO];

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	a = fix_here(&f);
	fix_uleb(info, FIX_ORIGIN);
	fix_u32(info, a + 5);
	b = fix_here(&f);
	fix_uleb(info, FIX_ORIGIN);
	fix_u32(info, a);
	self = fix_here(&f);
	fix_uleb(info, FIX_ORIGIN);
	fix_u32(info, self);
	fix_function(&f, "outer", 0x2000, 0x100);
	fix_inlined(&f, a, 0x2000, 0x10, 1);
	fix_null(&f);
	fix_inlined(&f, b, 0x2010, 0x10, 2);
	fix_null(&f);
	fix_inlined(&f, self, 0x2020, 0x10, 3);
	fix_null(&f);
	fix_inlined(&f, 0xffffff, 0x2030, 0x10, 4); /* beyond the unit */
	fix_null(&f);
	fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_string_equal(scanned_at(&s, 0x2000), ":0<outer:1");
	assert_string_equal(scanned_at(&s, 0x2010), ":0<outer:2");
	assert_string_equal(scanned_at(&s, 0x2020), ":0<outer:3");
	assert_string_equal(scanned_at(&s, 0x2030), ":0<outer:4");
	scanned_done(&s, &f);
}

static void a_call_without_ranges_stays_in_the_chain(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t one, two;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	one = fix_abstract(&f, "one", 1);
	two = fix_abstract(&f, "two", 2);
	fix_function(&f, "outer", 0x2000, 0x100);
	fix_uleb(&f.s[DWARF_INFO], FIX_NO_RANGES);
	fix_u32(&f.s[DWARF_INFO], one);
	buf_putc(&f.s[DWARF_INFO], 9);
	fix_inlined(&f, two, 0x2010, 0x10, 10);
	for (int i = 0; i < 3; i++)
		fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_string_equal(scanned_at(&s, 0x2010), "_Ztwo:0<_Zone:10<outer:9");
	scanned_done(&s, &f);
}

static void a_definition_takes_what_its_declaration_says(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t decl;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	decl = fix_abstract(&f, "method", 77);
	fix_uleb(&f.s[DWARF_INFO], FIX_SPEC);
	fix_u32(&f.s[DWARF_INFO], decl);
	fix_u64(&f.s[DWARF_INFO], 0x2000);
	fix_u64(&f.s[DWARF_INFO], 0x10);
	fix_unit_end(&f);
	s = scan(&f);
	assert_string_equal(scanned_at(&s, 0x2000), "_Zmethod:0");
	assert_int_equal(scanned_start_line(&s, 0x2000), 77);
	scanned_done(&s, &f);
}

static void what_the_linker_dropped_is_left_out(void **state)
{
	static const uint64_t dead[] = { 0, 1, 0x10, UINT64_MAX, UINT64_MAX - 1, FIX_TEXT_END, FIX_TEXT - 1 };
	struct fix f = { 0 };
	struct scanned s;
	struct buf *ranges = &f.s[DWARF_RANGES];

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0x2000);
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		fix_function(&f, "dead", dead[i], 0x10);
		fix_null(&f);
	}
	fix_uleb(&f.s[DWARF_INFO], FIX_RANGES);
	fix_text(&f.s[DWARF_INFO], "parts");
	fix_u32(&f.s[DWARF_INFO], 0);
	fix_uleb(&f.s[DWARF_INFO], FIX_RANGES);
	fix_text(&f.s[DWARF_INFO], "nowhere");
	fix_u32(&f.s[DWARF_INFO], 0xffff);
	fix_unit_end(&f);
	fix_u64(ranges, 0x10); /* from the unit's base */
	fix_u64(ranges, 0x20);
	fix_u64(ranges, 5);
	fix_u64(ranges, 5);
	fix_u64(ranges, UINT64_MAX - 1); /* lld's mark */
	fix_u64(ranges, UINT64_MAX - 1);
	fix_u64(ranges, UINT64_MAX); /* another base */
	fix_u64(ranges, 0x4000);
	fix_u64(ranges, 0);
	fix_u64(ranges, 8);
	fix_u64(ranges, FIX_TEXT_END - 0x4000 - 4); /* cut at the segment's end */
	fix_u64(ranges, FIX_TEXT_END);
	s = scan(&f); /* the list has no end */
	assert_int_equal(s.stats.dead_ranges, ARRAY_SIZE(dead));
	assert_int_equal(s.stats.ranges, 3);
	assert_string_equal(scanned_at(&s, 0x2010), "parts:0");
	assert_string_equal(scanned_at(&s, 0x2005), "");
	assert_string_equal(scanned_at(&s, 0x4007), "parts:0");
	assert_string_equal(scanned_at(&s, FIX_TEXT_END - 1), "parts:0");
	assert_string_equal(scanned_at(&s, FIX_TEXT_END), "");
	scanned_done(&s, &f);
}

static void entries_that_run_over_their_unit_cost_only_the_rest_of_it(void **state)
{
	struct fix f = { 0 };
	struct scanned s;

	fix_abbrevs(&f);
	fix_unit(&f, "lie", 0);
	fix_function(&f, "good", 0x2000, 0x10);
	fix_null(&f);
	fix_function(&f, "cut", 0x3000, 0x10);
	fix_unit_end(&f);
	/* The unit ends in the middle of its second function: what follows is no unit. */
	fix_patch32(&f.s[DWARF_INFO], f.unit, (uint32_t)(f.s[DWARF_INFO].len - f.unit - 4 - 20));
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_string_equal(scanned_at(&s, 0x2000), "good:0");
	assert_string_equal(scanned_at(&s, 0x3000), "");
	assert_true(s.stats.damaged_units >= 1);
	scanned_done(&s, &f);
}

static void units_that_overlap_are_read_as_they_say(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	size_t outer;

	fix_abbrevs(&f);
	fix_unit(&f, "outer", 0);
	outer = f.unit;
	fix_function(&f, "one", 0x2000, 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	fix_unit(&f, "inner", 0);
	fix_function(&f, "two", 0x3000, 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	/* The first claims to reach to the end of the second: it is one unit with strange entries. */
	fix_patch32(&f.s[DWARF_INFO], outer, (uint32_t)(f.s[DWARF_INFO].len - outer - 4));
	s = scan(&f);
	assert_int_equal(s.stats.units, 1);
	assert_string_equal(scanned_at(&s, 0x2000), "one:0");
	scanned_done(&s, &f);
}

/* As ld leaves them of an inline function compiled twice: the first copy's code is what runs, and the second was inlined otherwise. */
static void copies_at_one_address_are_read_as_the_first_one(void **state)
{
	struct fix f = { 0 };
	struct scanned s;

	fix_abbrevs(&f);
	for (int copy = 0; copy < 2; copy++) {
		uint32_t into;

		fix_unit(&f, "u", 0);
		into = fix_abstract(&f, "into", 3);
		fix_function(&f, "f", 0x2000, 0x20);
		fix_inlined(&f, into, 0x2000, copy ? 0x10 : 0x8, 7);
		fix_null(&f);
		fix_null(&f);
		fix_unit_end(&f);
	}
	s = scan(&f);
	assert_string_equal(scanned_at(&s, 0x2007), "_Zinto:0<f:7");
	assert_string_equal(scanned_at(&s, 0x2008), "f:0");
	scanned_done(&s, &f);
}

static void a_code_without_an_abbreviation_ends_its_unit(void **state)
{
	struct fix f = { 0 };
	struct scanned s;

	fix_abbrevs(&f);
	for (int i = 0; i < 2; i++) {
		fix_unit(&f, "u", 0);
		fix_function(&f, i ? "second" : "first", 0x2000 + 0x1000 * (uint64_t)i, 0x10);
		fix_null(&f);
		fix_uleb(&f.s[DWARF_INFO], 4711);
		fix_function(&f, "lost", 0x8000, 0x10);
		fix_unit_end(&f);
	}
	s = scan(&f);
	assert_int_equal(s.stats.damaged_units, 2);
	assert_string_equal(scanned_at(&s, 0x2000), "first:0");
	assert_string_equal(scanned_at(&s, 0x3000), "second:0");
	assert_string_equal(scanned_at(&s, 0x8000), "");
	scanned_done(&s, &f);
}

static void abbreviations_that_lie_are_refused(void **state)
{
	static const uint16_t huge[] = { DW_AT_name, 0x7777 }, zero[] = { DW_AT_name, 0 },
			      twice[] = { DW_AT_name, DW_FORM_string, DW_AT_name, DW_FORM_string };
	static const struct {
		const uint16_t *pairs;
		size_t n;
	} lies[] = { { huge, 1 }, { zero, 1 }, { twice, 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct fix f = { 0 };
		struct scanned s;

		fix_abbrevs(&f);
		fix_abbrev(&f, FIX_ODD, DW_TAG_subprogram, false, lies[i].pairs, lies[i].n);
		fix_unit(&f, "u", 0);
		fix_function(&f, "before", 0x2000, 0x10);
		fix_null(&f);
		fix_uleb(&f.s[DWARF_INFO], FIX_ODD);
		fix_text(&f.s[DWARF_INFO], "x");
		fix_text(&f.s[DWARF_INFO], "y");
		fix_function(&f, "behind", 0x3000, 0x10);
		fix_null(&f);
		fix_unit_end(&f);
		s = scan(&f);
		assert_string_equal(scanned_at(&s, 0x2000), "before:0");
		/* Two names are odd, but their sizes are known. */
		assert_string_equal(scanned_at(&s, 0x3000), lies[i].n == 2 ? "behind:0" : "");
		scanned_done(&s, &f);
	}
}

static void nesting_has_a_bound(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	const int deep = 200000;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	fix_function(&f, "outer", 0x2000, 0x100);
	for (int i = 0; i < deep; i++)
		fix_uleb(&f.s[DWARF_INFO], FIX_BLOCK);
	fix_function(&f, "in the deep", 0x3000, 0x10);
	for (int i = 0; i < deep + 2; i++)
		fix_null(&f);
	fix_function(&f, "behind", 0x4000, 0x10);
	fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_string_equal(scanned_at(&s, 0x2000), "outer:0");
	assert_string_equal(scanned_at(&s, 0x3000), "in the deep:0");
	assert_string_equal(scanned_at(&s, 0x4000), "behind:0");
	scanned_done(&s, &f);
}

static void calls_nest_deeper_than_any_chain(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	uint32_t origin;

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	origin = fix_abstract(&f, "again", 1);
	fix_function(&f, "outer", 0x2000, 0x1000);
	for (int i = 0; i < 1000; i++)
		fix_inlined(&f, origin, 0x2000, 0x1000 - (uint64_t)i, 5);
	for (int i = 0; i < 1001; i++)
		fix_null(&f);
	fix_unit_end(&f);
	s = scan(&f);
	assert_int_equal(s.result, 0);
	assert_true(strlen(scanned_at(&s, 0x2000)) > 1000);
	scanned_done(&s, &f);
}

static void a_sibling_leads_forward_or_nowhere(void **state)
{
	for (int backward = 0; backward < 2; backward++) {
		struct fix f = { 0 };
		struct scanned s;
		size_t patch;

		fix_abbrevs(&f);
		fix_unit(&f, "u", 0);
		fix_uleb(&f.s[DWARF_INFO], FIX_ENUM);
		patch = f.s[DWARF_INFO].len;
		fix_u32(&f.s[DWARF_INFO], 11);
		fix_abstract(&f, "enumerator", 1);
		fix_null(&f);
		if (!backward)
			fix_patch32(&f.s[DWARF_INFO], patch, fix_here(&f));
		fix_function(&f, "behind", 0x2000, 0x10);
		fix_null(&f);
		fix_unit_end(&f);
		s = scan(&f);
		assert_int_equal(s.stats.damaged_units, 0);
		assert_string_equal(scanned_at(&s, 0x2000), "behind:0");
		scanned_done(&s, &f);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 40,000 entries that share one list of 100,000 ranges would be 4 billion of them. */
static void what_is_shared_too_often_is_left_out(void **state)
{
	struct fix f = { 0 };
	struct scanned s;
	double begin = seconds();

	fix_abbrevs(&f);
	fix_unit(&f, "u", 0);
	for (int i = 0; i < 40000; i++) {
		fix_uleb(&f.s[DWARF_INFO], FIX_RANGES);
		fix_text(&f.s[DWARF_INFO], "f");
		fix_u32(&f.s[DWARF_INFO], 0);
	}
	fix_unit_end(&f);
	for (int i = 0; i < 100000; i++) {
		fix_u64(&f.s[DWARF_RANGES], 1); /* dead: the builder does not fill */
		fix_u64(&f.s[DWARF_RANGES], 2);
	}
	s = scan(&f);
	assert_true(s.stats.budget_spent);
	assert_true(seconds() - begin < 5);
	scanned_done(&s, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inlined_call_is_named_by_an_entry_that_comes_later),
		cmocka_unit_test(references_reach_into_units_before_and_behind),
		cmocka_unit_test(origins_that_lead_in_a_circle_name_nothing),
		cmocka_unit_test(a_call_without_ranges_stays_in_the_chain),
		cmocka_unit_test(a_definition_takes_what_its_declaration_says),
		cmocka_unit_test(what_the_linker_dropped_is_left_out),
		cmocka_unit_test(entries_that_run_over_their_unit_cost_only_the_rest_of_it),
		cmocka_unit_test(units_that_overlap_are_read_as_they_say),
		cmocka_unit_test(copies_at_one_address_are_read_as_the_first_one),
		cmocka_unit_test(a_code_without_an_abbreviation_ends_its_unit),
		cmocka_unit_test(abbreviations_that_lie_are_refused),
		cmocka_unit_test(nesting_has_a_bound),
		cmocka_unit_test(calls_nest_deeper_than_any_chain),
		cmocka_unit_test(a_sibling_leads_forward_or_nowhere),
		cmocka_unit_test(what_is_shared_too_often_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
