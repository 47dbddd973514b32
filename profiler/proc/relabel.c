/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "proc/relabel.h"

#include <errno.h>
#include <pcre2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proc/relabel_regex.h"
#include "proc/relabel_text.h"

/* Steps and memory of one match: some milliseconds. */
enum { MATCH_LIMIT = 200000, HEAP_KIB = 4096 };

struct rule {
	enum relabel_action action;
	vec(char *) sources;
	char *separator, *target, *replacement;
	uint64_t modulus;
	pcre2_code *regex;
};

struct relabel {
	vec(struct rule) rules;
	pcre2_match_context *limits;
	pcre2_match_data *match; /* room for the groups of any rule */
	struct relabel_losses losses;
};

static const char *const names[RELABEL_ACTIONS] = { "replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap",
						    "labeldrop", "labelkeep", "lowercase", "uppercase" };

const char *relabel_action_name(enum relabel_action a)
{
	return names[a];
}

int relabel_action_find(const char *name)
{
	for (int i = 0; i < RELABEL_ACTIONS; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/* ---- making rules ---- */

static void free_context(pcre2_compile_context **c)
{
	pcre2_compile_context_free(*c);
}

struct complaint {
	char *text;
	size_t len;
};

static int complain(const struct complaint *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int complain(const struct complaint *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->text, c->len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool writes_one_label(enum relabel_action a)
{
	return a == RELABEL_KEEPEQUAL || a == RELABEL_DROPEQUAL || a == RELABEL_HASHMOD || a == RELABEL_LOWERCASE || a == RELABEL_UPPERCASE;
}

static int check_target(const struct relabel_rule *r, const struct complaint *c)
{
	const char *action = names[r->action], *target = r->target_label;

	if ((r->action == RELABEL_REPLACE || writes_one_label(r->action)) && (!target || !*target))
		return complain(c, "action %s needs a target_label", action);
	if (r->action == RELABEL_REPLACE && !relabel_is_name_template(target))
		return complain(c, "target_label '%s' is no label's name: letters, digits and _, not a digit first; $1 for a part of the match", target);
	if (writes_one_label(r->action) && !relabel_is_name(target, strlen(target)))
		return complain(c, "target_label '%s' is no label's name: letters, digits and _, not a digit first", target);
	if (r->action == RELABEL_LABELMAP && r->replacement && !relabel_is_name_template(r->replacement))
		return complain(c, "replacement '%s' makes no label's name: letters, digits and _, not a digit first; $1 for a part of the match", r->replacement);
	return 0;
}

static bool is_given(const char *value, const char *otherwise)
{
	return value && strcmp(value, otherwise) != 0;
}

/* Keys that an action does not know are mistakes. */
static int check_keys(const struct relabel_rule *r, const struct complaint *c)
{
	const char *action = names[r->action];
	bool equal = r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL;
	bool cases = r->action == RELABEL_LOWERCASE || r->action == RELABEL_UPPERCASE;
	bool by_name = r->action == RELABEL_LABELDROP || r->action == RELABEL_LABELKEEP;

	if (r->action == RELABEL_HASHMOD && !r->modulus)
		return complain(c, "action hashmod needs a modulus above 0");
	if ((equal || cases) && is_given(r->replacement, "$1"))
		return complain(c, "action %s takes no replacement", action);
	if (equal && (r->regex || r->modulus || is_given(r->separator, ";")))
		return complain(c, "action %s takes source_labels and target_label, and nothing else", action);
	if (by_name && (r->n_source_labels || is_given(r->target_label, "") || r->modulus || is_given(r->separator, ";") || is_given(r->replacement, "$1")))
		return complain(c, "action %s takes regex, and nothing else", action);
	return 0;
}

static int check_sources(const struct relabel_rule *r, const struct complaint *c)
{
	for (size_t i = 0; i < r->n_source_labels; i++)
		if (!relabel_is_name(r->source_labels[i], strlen(r->source_labels[i])))
			return complain(c, "source_labels: '%s' is no label's name: letters, digits and _, not a digit first", r->source_labels[i]);
	return 0;
}

/* A dollar is the end alone, and a line ends with a line feed, as in RE2. */
static int compile(struct rule *rule, const char *regex, const struct complaint *c)
{
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX | PCRE2_UTF |
				 PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	_cleanup_(free_context) pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR why[128];
	PCRE2_SIZE at;
	char refused[128];
	int error, r = relabel_regex(regex, &text, refused, sizeof(refused));

	if (r == -EINVAL)
		return complain(c, "regex '%s': %s", regex, refused);
	if (r < 0 || !context)
		return -ENOMEM;
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	rule->regex = pcre2_compile(text.len ? text.data : (PCRE2_SPTR) "", text.len, options, &error, &at, context);
	if (rule->regex)
		return 0;
	if (error == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	pcre2_get_error_message(error, why, sizeof(why));
	return complain(c, "regex '%s': %s", regex, (const char *)why);
}

static char *copy(const char *s, const char *otherwise)
{
	return strdup(s ? s : otherwise);
}

static int fill(struct rule *rule, const struct relabel_rule *r, const struct complaint *c)
{
	rule->action = r->action;
	rule->modulus = r->modulus;
	for (size_t i = 0; i < r->n_source_labels; i++) {
		char **slot = vec_push(&rule->sources);

		if (!slot || !(*slot = strdup(r->source_labels[i])))
			return -ENOMEM;
	}
	rule->separator = copy(r->separator, ";");
	rule->target = copy(r->target_label, "");
	rule->replacement = copy(r->replacement, "$1");
	if (!rule->separator || !rule->target || !rule->replacement)
		return -ENOMEM;
	return compile(rule, r->regex ? r->regex : "(.*)", c);
}

static int add(struct relabel *re, const struct relabel_rule *r, const struct complaint *c)
{
	struct rule *rule;
	int err = check_sources(r, c);

	if (err >= 0)
		err = check_target(r, c);
	if (err >= 0)
		err = check_keys(r, c);
	if (err < 0)
		return err;
	rule = vec_push(&re->rules);
	return rule ? fill(rule, r, c) : -ENOMEM;
}

/* Room for the most groups that a rule has. */
static int make_room(struct relabel *re)
{
	uint32_t most = 0;

	vec_foreach(rule, &re->rules)
	{
		uint32_t n = 0;

		pcre2_pattern_info(rule->regex, PCRE2_INFO_CAPTURECOUNT, &n);
		most = n > most ? n : most;
	}
	re->match = pcre2_match_data_create(most + 1, NULL);
	re->limits = pcre2_match_context_create(NULL);
	if (!re->match || !re->limits)
		return -ENOMEM;
	pcre2_set_match_limit(re->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(re->limits, HEAP_KIB);
	return 0;
}

int relabel_new(const struct relabel_rule *rules, size_t n, struct relabel **ret, size_t *ret_bad, char *err, size_t err_len)
{
	struct relabel *re = calloc(1, sizeof(*re));
	struct complaint c = { err, err_len };
	int r = re ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r >= 0; i++) {
		*ret_bad = i;
		r = add(re, &rules[i], &c);
	}
	if (r >= 0)
		r = make_room(re);
	if (r < 0) {
		relabel_free(re);
		return r;
	}
	*ret = re;
	return 0;
}

static void rule_fini(struct rule *rule)
{
	vec_foreach(s, &rule->sources)
		free(*s);
	vec_fini(&rule->sources);
	free(rule->separator);
	free(rule->target);
	free(rule->replacement);
	pcre2_code_free(rule->regex);
}

struct relabel *relabel_free(struct relabel *r)
{
	if (!r)
		return NULL;
	vec_foreach(rule, &r->rules)
		rule_fini(rule);
	vec_fini(&r->rules);
	pcre2_match_data_free(r->match);
	pcre2_match_context_free(r->limits);
	free(r);
	return NULL;
}

void relabel_losses(const struct relabel *r, struct relabel_losses *sum)
{
	sum->too_long += r ? r->losses.too_long : 0;
	sum->too_large += r ? r->losses.too_large : 0;
}

/* ---- applying them ---- */

/* One rule at work on a set. */
struct work {
	struct relabel *re;
	const struct rule *rule;
	struct strmap *labels;
	const char *text; /* what was matched */
};

static bool matches(struct work *w, const char *text, size_t len)
{
	int n = pcre2_match(w->rule->regex, (PCRE2_SPTR)text, len, 0, 0, w->re->match, w->re->limits);

	w->text = text;
	w->re->losses.too_long += n < 0 && n != PCRE2_ERROR_NOMATCH;
	return n > 0;
}

static const char *group(void *ctx, int number, const char *name, size_t name_len, size_t *ret_len)
{
	const struct work *w = ctx;
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(w->re->match);
	uint32_t most = 0;
	char text[64];

	pcre2_pattern_info(w->rule->regex, PCRE2_INFO_CAPTURECOUNT, &most);
	if (number < 0 && name_len < sizeof(text)) {
		memcpy(text, name, name_len);
		text[name_len] = '\0';
		number = pcre2_substring_number_from_name(w->rule->regex, (PCRE2_SPTR)text);
	}
	if (number < 0 || (uint32_t)number > most || at[2 * number] == PCRE2_UNSET)
		return NULL;
	*ret_len = at[2 * number + 1] - at[2 * number];
	return w->text + at[2 * number];
}

/* An empty value takes the label away. */
static int set(struct work *w, const char *name, const char *value)
{
	if (!*value) {
		strmap_unset(w->labels, name);
		return 0;
	}
	if (strlen(name) <= RELABEL_MAX_BYTES && strlen(value) <= RELABEL_MAX_BYTES &&
	    (w->labels->v.n < RELABEL_MAX_LABELS || strmap_get(w->labels, name)))
		return strmap_set(w->labels, name, value);
	w->re->losses.too_large++;
	return 0;
}

/* A value ends at its first NUL. */
static int set_made(struct work *w, const char *name, struct buf *value)
{
	buf_putc(value, '\0');
	return buf_error(value) ? -ENOMEM : set(w, name, (const char *)value->data);
}

static int do_replace(struct work *w, const struct buf *joined)
{
	_cleanup_(buf_fini) struct buf name = BUF_INIT, value = BUF_INIT;

	if (!matches(w, (const char *)joined->data, joined->len))
		return 0;
	relabel_expand(w->rule->target, group, w, &name);
	relabel_expand(w->rule->replacement, group, w, &value);
	buf_putc(&name, '\0');
	if (buf_error(&name))
		return -ENOMEM;
	if (!relabel_is_name((const char *)name.data, strlen((const char *)name.data)))
		return 0;
	return set_made(w, (const char *)name.data, &value);
}

static int do_hashmod(struct work *w, const struct buf *joined)
{
	_cleanup_(buf_fini) struct buf value = BUF_INIT;

	buf_printf(&value, "%llu", (unsigned long long)(relabel_hash((const char *)joined->data, joined->len) % w->rule->modulus));
	return set_made(w, w->rule->target, &value);
}

static int do_case(struct work *w, const struct buf *joined)
{
	_cleanup_(buf_fini) struct buf value = BUF_INIT;

	relabel_change_case((const char *)joined->data, joined->len, w->rule->action == RELABEL_UPPERCASE, &value);
	return set_made(w, w->rule->target, &value);
}

/* Over a copy: what is added is not looked at again. */
static int do_labelmap(struct work *w)
{
	_cleanup_(strmap_fini) struct strmap before = { 0 };
	int r = strmap_copy(w->labels, &before);

	vec_foreach(e, &before.v)
	{
		_cleanup_(buf_fini) struct buf name = BUF_INIT;

		if (r < 0 || !matches(w, e->key, strlen(e->key)))
			continue;
		relabel_expand(w->rule->replacement, group, w, &name);
		buf_putc(&name, '\0');
		if (buf_error(&name))
			r = -ENOMEM;
		else if (name.data[0])
			r = set(w, (const char *)name.data, e->value);
	}
	return r;
}

static void do_labeldrop(struct work *w)
{
	bool drop = w->rule->action == RELABEL_LABELDROP;

	for (uint32_t i = 0; i < w->labels->v.n;) {
		const char *name = w->labels->v.v[i].key;

		if (matches(w, name, strlen(name)) == drop)
			strmap_unset(w->labels, name);
		else
			i++;
	}
}

static int join(const struct rule *rule, const struct strmap *labels, struct buf *out)
{
	vec_foreach(s, &rule->sources)
	{
		const char *value = strmap_get(labels, *s);

		if (s > rule->sources.v)
			buf_puts(out, rule->separator);
		buf_puts(out, value ? value : "");
	}
	buf_putc(out, '\0'); /* a text of no bytes has an address too */
	out->len -= !buf_error(out);
	return buf_error(out);
}

static bool is_equal(const struct work *w, const struct buf *joined)
{
	const char *value = strmap_get(w->labels, w->rule->target);

	return !strcmp(value ? value : "", (const char *)joined->data);
}

/* 1: the set goes on; 0: it does not; -ENOMEM. */
static int apply(struct work *w)
{
	_cleanup_(buf_fini) struct buf joined = BUF_INIT;
	int r = join(w->rule, w->labels, &joined);

	if (r < 0)
		return r;
	switch (w->rule->action) {
	case RELABEL_KEEP:
		return matches(w, (const char *)joined.data, joined.len);
	case RELABEL_DROP:
		return !matches(w, (const char *)joined.data, joined.len);
	case RELABEL_KEEPEQUAL:
		return is_equal(w, &joined);
	case RELABEL_DROPEQUAL:
		return !is_equal(w, &joined);
	case RELABEL_REPLACE:
		r = do_replace(w, &joined);
		break;
	case RELABEL_HASHMOD:
		r = do_hashmod(w, &joined);
		break;
	case RELABEL_LOWERCASE:
	case RELABEL_UPPERCASE:
		r = do_case(w, &joined);
		break;
	case RELABEL_LABELMAP:
		r = do_labelmap(w);
		break;
	default:
		do_labeldrop(w);
	}
	return r < 0 ? r : 1;
}

int relabel_apply(struct relabel *re, struct strmap *labels)
{
	int r = 1;

	vec_foreach(rule, &re->rules)
	{
		struct work w = { .re = re, .rule = rule, .labels = labels };

		r = apply(&w);
		if (r <= 0)
			break;
	}
	return r;
}
