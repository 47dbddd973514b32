/* SPDX-License-Identifier: Apache-2.0 */
/* Relabelling: what Prometheus' documentation says of each action, and how wrong rules are refused. */
#include "unit.h"

#include "base/buf.h"
#include "base/strmap.h"
#include "proc/relabel.h"
#include "proc/relabel_text.h"

enum { MAX_LABELS = 12 };

/* "name=value" each, up to NULL. */
typedef const char *const labels[MAX_LABELS];

static void set_all(struct strmap *m, labels from)
{
	for (size_t i = 0; i < MAX_LABELS && from[i]; i++) {
		char *copy = strdup(from[i]), *eq = strchr(copy, '=');

		*eq = '\0';
		assert_int_equal(strmap_set(m, copy, eq + 1), 0);
		free(copy);
	}
}

#define SOURCES(...) .source_labels = (const char *const[]){ __VA_ARGS__ }, .n_source_labels = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)

/* want NULL: dropped. */
static void becomes(const struct relabel_rule *rules, size_t n, labels from, labels want)
{
	struct strmap got = { 0 }, wanted = { 0 };
	struct relabel *r;
	char err[256] = "";
	size_t bad;

	set_all(&got, from);
	if (relabel_new(rules, n, &r, &bad, err, sizeof(err)) < 0)
		fail_msg("rule %zu: %s", bad, err);
	assert_int_equal(relabel_apply(r, &got), want ? 1 : 0);
	if (want) {
		set_all(&wanted, want);
		vec_foreach(e, &got.v)
			if (!strmap_equal(&got, &wanted))
				print_message("%s=%s\n", e->key, e->value);
		assert_true(strmap_equal(&got, &wanted));
	}
	relabel_free(r);
	strmap_fini(&got);
	strmap_fini(&wanted);
}

static void rule_becomes(struct relabel_rule rule, labels from, labels want)
{
	becomes(&rule, 1, from, want);
}

static void replace_takes_parts_of_the_match(void **state)
{
	rule_becomes((struct relabel_rule){ SOURCES("a"), .regex = "f(.*)", .target_label = "d", .replacement = "ch${1}-ch$1" },
		     (labels){ "a=foo", "b=bar" }, (labels){ "a=foo", "b=bar", "d=choo-choo" });
	rule_becomes((struct relabel_rule){ SOURCES("a", "b"), .regex = "(f).*;(?P<second>b).*", .target_label = "x_$1", .replacement = "$second" },
		     (labels){ "a=foo", "b=bar" }, (labels){ "a=foo", "b=bar", "x_f=b" });
}

static void replace_without_a_match_changes_nothing(void **state)
{
	rule_becomes((struct relabel_rule){ SOURCES("a"), .regex = "oo", .target_label = "d", .replacement = "x" }, (labels){ "a=foo" }, (labels){ "a=foo" });
}

static void an_empty_replacement_takes_the_label_away(void **state)
{
	rule_becomes((struct relabel_rule){ SOURCES("a"), .regex = ".*", .target_label = "a", .replacement = "" }, (labels){ "a=foo", "b=x" }, (labels){ "b=x" });
}

static void labels_that_are_missing_are_empty(void **state)
{
	rule_becomes((struct relabel_rule){ SOURCES("none", "a"), .separator = "-", .target_label = "d" }, (labels){ "a=foo" }, (labels){ "a=foo", "d=-foo" });
}

static void keep_and_drop_look_at_the_whole_text(void **state)
{
	struct relabel_rule keep = { .action = RELABEL_KEEP, SOURCES("a"), .regex = "foo" }, drop = { .action = RELABEL_DROP, SOURCES("a"), .regex = "foo" };

	rule_becomes(keep, (labels){ "a=foo" }, (labels){ "a=foo" });
	rule_becomes(keep, (labels){ "a=food" }, NULL);
	rule_becomes(drop, (labels){ "a=foo" }, NULL);
	rule_becomes(drop, (labels){ "a=food" }, (labels){ "a=food" });
}

static void equal_labels_are_kept_or_dropped(void **state)
{
	struct relabel_rule keep = { .action = RELABEL_KEEPEQUAL, SOURCES("a"), .target_label = "b" };
	struct relabel_rule drop = { .action = RELABEL_DROPEQUAL, SOURCES("a"), .target_label = "b" };

	rule_becomes(keep, (labels){ "a=1", "b=1" }, (labels){ "a=1", "b=1" });
	rule_becomes(keep, (labels){ "a=1", "b=2" }, NULL);
	rule_becomes(drop, (labels){ "a=1", "b=1" }, NULL);
	rule_becomes(drop, (labels){ "a=1" }, (labels){ "a=1" });
}

static void hashmod_is_md5s_last_eight_bytes(void **state)
{
	/* MD5("foo") = acbd18db4cc2f85cedef654fccc4a4d8 */
	assert_true(relabel_hash("foo", 3) == 0xedef654fccc4a4d8ull);
	rule_becomes((struct relabel_rule){ .action = RELABEL_HASHMOD, SOURCES("a"), .target_label = "d", .modulus = 1000 }, (labels){ "a=foo" },
		     (labels){ "a=foo", "d=696" });
}

static void labels_are_mapped_dropped_and_kept_by_name(void **state)
{
	rule_becomes((struct relabel_rule){ .action = RELABEL_LABELMAP, .regex = "__meta_(.+)" }, (labels){ "__meta_a=1", "__meta_b=2" },
		     (labels){ "__meta_a=1", "__meta_b=2", "a=1", "b=2" });
	rule_becomes((struct relabel_rule){ .action = RELABEL_LABELDROP, .regex = "__meta_.+" }, (labels){ "__meta_a=1", "b=2" }, (labels){ "b=2" });
	rule_becomes((struct relabel_rule){ .action = RELABEL_LABELKEEP, .regex = "__meta_.+" }, (labels){ "__meta_a=1", "b=2" }, (labels){ "__meta_a=1" });
}

static void cases_change_in_every_script(void **state)
{
	rule_becomes((struct relabel_rule){ .action = RELABEL_UPPERCASE, SOURCES("a"), .target_label = "d" }, (labels){ "a=größe αβγ" }, (labels){ "a=größe αβγ", "d=GRÖßE ΑΒΓ" });
	rule_becomes((struct relabel_rule){ .action = RELABEL_LOWERCASE, SOURCES("a"), .target_label = "a" }, (labels){ "a=FOO" }, (labels){ "a=foo" });
}

static void rules_see_what_those_before_them_made(void **state)
{
	const struct relabel_rule rules[] = {
		{ SOURCES("__meta_container_id"), .regex = "(.{4}).*", .target_label = "container" },
		{ .action = RELABEL_LABELDROP, .regex = "__.*" },
		{ .action = RELABEL_KEEP, SOURCES("container"), .regex = ".+" },
	};

	becomes(rules, 3, (labels){ "__meta_container_id=abcdef", "x=1" }, (labels){ "container=abcd", "x=1" });
	becomes(rules, 3, (labels){ "x=1" }, NULL);
}

static void a_name_that_is_none_is_not_set(void **state)
{
	rule_becomes((struct relabel_rule){ SOURCES("a"), .target_label = "$1" }, (labels){ "a=1-2" }, (labels){ "a=1-2" });
}

static void wrong_rules_are_refused_with_the_key(void **state)
{
	const struct {
		struct relabel_rule rule;
		const char *says;
	} rows[] = {
		{ { .action = RELABEL_REPLACE }, "target_label" },
		{ { .action = RELABEL_REPLACE, .target_label = "a-b" }, "'a-b'" },
		{ { .action = RELABEL_HASHMOD, .target_label = "a" }, "modulus" },
		{ { .action = RELABEL_LABELMAP, .replacement = "$1-x" }, "replacement" },
		{ { .action = RELABEL_LOWERCASE, .target_label = "a", .replacement = "x" }, "lowercase takes no replacement" },
		{ { .action = RELABEL_KEEPEQUAL, .target_label = "a", .regex = "x" }, "nothing else" },
		{ { .action = RELABEL_LABELDROP, .regex = "x", .separator = "," }, "nothing else" },
		{ { .action = RELABEL_KEEP, .regex = "a(b" }, "regex 'a(b'" },
		{ { .action = RELABEL_KEEP, .source_labels = (const char *const[]){ "a b" }, .n_source_labels = 1 }, "source_labels: 'a b'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct relabel *r;
		char err[256] = "";
		size_t bad = 9;

		assert_int_equal(relabel_new(&rows[i].rule, 1, &r, &bad, err, sizeof(err)), -EINVAL);
		assert_int_equal(bad, 0);
		if (!strstr(err, rows[i].says))
			fail_msg("row %zu: %s", i, err);
	}
}

static void a_match_that_does_not_end_is_none(void **state)
{
	struct relabel_rule rule = { .action = RELABEL_KEEP, SOURCES("a"), .regex = "(x+x+)+(x+x+)+[yz]" };
	struct strmap m = { 0 };
	struct relabel_losses lost = { 0 };
	struct relabel *r;
	char err[256], text[64];
	size_t bad;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(strmap_set(&m, "a", text), 0);
	assert_int_equal(relabel_new(&rule, 1, &r, &bad, err, sizeof(err)), 0);
	assert_int_equal(relabel_apply(r, &m), 0);
	relabel_losses(r, &lost);
	assert_int_equal(lost.too_long, 1);
	assert_int_equal(lost.too_large, 0);
	relabel_free(r);
	strmap_fini(&m);
}

/* Each rule doubles: without a limit these were 2^40 bytes and 2^12 labels. */
static void what_rules_make_stays_within_the_limits(void **state)
{
	static const char *const a[] = { "a" };
	struct relabel_rule rules[52];
	struct relabel_losses lost = { 0 };
	struct strmap m = { 0 };
	struct relabel *r;
	char err[256], names[ARRAY_SIZE(rules)][8];
	size_t bad;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		snprintf(names[i], sizeof(names[i]), "_%zu$1", i);
		rules[i] = i < 40 ? (struct relabel_rule){ .source_labels = a, .n_source_labels = 1, .target_label = "a", .replacement = "$1$1" } :
				    (struct relabel_rule){ .action = RELABEL_LABELMAP, .replacement = names[i] };
	}
	assert_int_equal(strmap_set(&m, "a", "x"), 0);
	assert_int_equal(relabel_new(rules, ARRAY_SIZE(rules), &r, &bad, err, sizeof(err)), 0);
	assert_int_equal(relabel_apply(r, &m), 1);
	assert_int_equal(strlen(strmap_get(&m, "a")), RELABEL_MAX_BYTES);
	assert_int_equal(m.v.n, RELABEL_MAX_LABELS);
	relabel_losses(r, &lost);
	assert_int_equal(lost.too_large, 40 - 16 + 2 * RELABEL_MAX_LABELS); /* the last two maps add none */
	relabel_free(r);
	strmap_fini(&m);
}

/* Whether a text matches is what Go says of it; tests/unit/relabel_oracle.py asks. */
static void expressions_are_read_as_re2_reads_them(void **state)
{
	static const struct {
		const char *regex, *text;
		bool match;
	} rows[] = {
		{ "a\\sb", "a b", true },
		{ "a\\sb", "a\vb", false },
		{ "a[\\s-z]b", "a-b", true },
		{ "a\\Sb", "a\vb", true },
		{ "a[^\\S]b", "a\tb", true },
		{ "a\\vb", "a\vb", true },
		{ "a\\vb", "a\nb", false },
		{ "a{,5}", "a{,5}", true },
		{ "a{,5}", "aaa", false },
		{ "a{2,3}?", "aaa", true },
		{ "\\Qa.b*\\E+", "a.b**", true },
		{ "\\p{Greek}", "\u03b1", true },
		{ "\\p{Greek}", "\u0342", false }, /* its extensions have it */
		{ "\\p{^Greek}\\PN\\pL", "aaa", true },
		{ "[^]a]", "b", true },
		{ "[]a]", "]", true },
		{ "[[:alpha:]-9]+", "a-9", true },
		{ "[[.a.]]", ".]", true },
		{ "[\u00e0-\u00e9-z]+", "\u00e4-z", true },
		{ "\\x41\\x{1F600}", "A\U0001F600", true },
		{ "foo$", "foo\n", false },
		{ "(?-s).+", "a\rb", true },
		{ "(?-s).+", "a\nb", false },
		{ "(?i:FOO)(?U)o*", "fooo", true },
		{ "(?P<a>x)(?<b>y)", "xy", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct relabel_rule rule = { .action = RELABEL_KEEP, SOURCES("a"), .regex = rows[i].regex };
		struct strmap m = { 0 };
		struct relabel *r;
		char err[256];
		size_t bad;

		assert_int_equal(strmap_set(&m, "a", rows[i].text), 0);
		if (relabel_new(&rule, 1, &r, &bad, err, sizeof(err)) < 0)
			fail_msg("row %zu: %s", i, err);
		if (relabel_apply(r, &m) != rows[i].match)
			fail_msg("row %zu: %s on %s", i, rows[i].regex, rows[i].text);
		relabel_free(r);
		strmap_fini(&m);
	}
}

static void what_re2_does_not_have_is_refused_by_its_name(void **state)
{
	static const struct {
		const char *regex, *says;
	} rows[] = {
		{ "a(?=b)", "'(?=' begins no group of RE2's" },
		{ "(?<!a)b", "'(?<!' begins no group of RE2's" },
		{ "(?>a)", "'(?>' begins no group of RE2's" },
		{ "(?x)a", "'(?x' begins no group of RE2's" },
		{ "(?i-)a", "'(?i' begins no group of RE2's" },
		{ "(*UCP)a", "'(*' has nothing to repeat" },
		{ "(a)\\1", "'\\1' is a back reference, which RE2 has not, or octal: write \\x{..}" },
		{ "\\K", "'\\K' is no escape of RE2's" },
		{ "[\\b]", "'\\b' is no escape of RE2's" },
		{ "[a-\\d]", "'\\d' is no escape of RE2's" },
		{ "a\\", "'\\' is no escape of RE2's" },
		{ "a++", "'+' repeats a repetition" },
		{ "a{2}{3}", "'{3}' repeats a repetition" },
		{ "a{1001}", "'{1001}' is no repetition of RE2's: at most 1000, and the smaller number first" },
		{ "a{3,2}", "'{3,2}' is no repetition of RE2's: at most 1000, and the smaller number first" },
		{ "\\x4", "'\\x4' has no hexadecimal digits: write \\x41 or \\x{1F600}" },
		{ "\\p{1}", "'\\p{' names no class: write \\pL or \\p{Greek}" },
		{ "*", "quantifier does not follow a repeatable item" },
		{ "a)", "unmatched closing parenthesis" },
		{ "[a", "missing terminating ] for character class" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct relabel_rule rule = { .action = RELABEL_KEEP, .regex = rows[i].regex };
		struct relabel *r;
		char err[256], want[256];
		size_t bad;

		snprintf(want, sizeof(want), "regex '%s': %s", rows[i].regex, rows[i].says);
		assert_int_equal(relabel_new(&rule, 1, &r, &bad, err, sizeof(err)), -EINVAL);
		assert_string_equal(err, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replace_takes_parts_of_the_match),
		cmocka_unit_test(replace_without_a_match_changes_nothing),
		cmocka_unit_test(an_empty_replacement_takes_the_label_away),
		cmocka_unit_test(labels_that_are_missing_are_empty),
		cmocka_unit_test(keep_and_drop_look_at_the_whole_text),
		cmocka_unit_test(equal_labels_are_kept_or_dropped),
		cmocka_unit_test(hashmod_is_md5s_last_eight_bytes),
		cmocka_unit_test(labels_are_mapped_dropped_and_kept_by_name),
		cmocka_unit_test(cases_change_in_every_script),
		cmocka_unit_test(rules_see_what_those_before_them_made),
		cmocka_unit_test(a_name_that_is_none_is_not_set),
		cmocka_unit_test(wrong_rules_are_refused_with_the_key),
		cmocka_unit_test(a_match_that_does_not_end_is_none),
		cmocka_unit_test(what_rules_make_stays_within_the_limits),
		cmocka_unit_test(expressions_are_read_as_re2_reads_them),
		cmocka_unit_test(what_re2_does_not_have_is_refused_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
