/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules over labels, both from the input, a field a line: action, source label, separator, regex, target_label,
 * replacement, then the same of a second rule, then name=value each. What comes out is within the limits and sorted.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "proc/relabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { RULES = 2 };

static const char *next(char **rest)
{
	const char *line = strsep(rest, "\n");

	return line ? line : "";
}

/* Fields that are not there are the defaults. */
static const char *optional(char **rest)
{
	const char *line = next(rest);

	return strcmp(line, "-") ? line : NULL;
}

static void read_rule(char **rest, struct relabel_rule *ret, const char **source)
{
	int action = relabel_action_find(next(rest));

	*source = optional(rest);
	*ret = (struct relabel_rule){ .action = action < 0 ? RELABEL_REPLACE : (enum relabel_action)action,
				      .source_labels = source, .n_source_labels = *source != NULL, .separator = optional(rest),
				      .regex = optional(rest), .target_label = optional(rest), .replacement = optional(rest), .modulus = 7 };
	if (ret->action != RELABEL_HASHMOD)
		ret->modulus = 0;
}

static void read_labels(char **rest, struct strmap *to)
{
	while (*rest) {
		char *line = strsep(rest, "\n"), *value = strchr(line, '=');

		if (!value || value == line || !value[1])
			continue;
		*value = '\0';
		if (strmap_set(to, line, value + 1) < 0)
			abort();
	}
}

static void check(const struct strmap *m)
{
	if (m->v.n > RELABEL_MAX_LABELS)
		abort();
	for (uint32_t i = 0; i < m->v.n; i++)
		if (!*m->v.v[i].key || !*m->v.v[i].value || strlen(m->v.v[i].value) > RELABEL_MAX_BYTES ||
		    (i && strcmp(m->v.v[i - 1].key, m->v.v[i].key) >= 0))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct relabel_rule rules[RULES];
	const char *sources[RULES];
	struct strmap labels = { 0 };
	struct relabel *r = NULL;
	char *text, *rest, err[256];
	size_t bad;
	int made;

	if (len > 4096)
		return 0;
	text = rest = strndup((const char *)data, len);
	for (size_t i = 0; i < RULES; i++)
		read_rule(&rest, &rules[i], &sources[i]);
	read_labels(&rest, &labels);
	made = relabel_new(rules, RULES, &r, &bad, err, sizeof(err));
	if (made == -EINVAL && (bad >= RULES || !*err))
		abort();
	if (made >= 0 && relabel_apply(r, &labels) < 0)
		abort();
	if (made >= 0)
		check(&labels);
	relabel_free(r);
	strmap_fini(&labels);
	free(text);
	return 0;
}
