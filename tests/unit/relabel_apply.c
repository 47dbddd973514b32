/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relabel_apply: rules and label sets on standard input, what becomes of them on standard output; tests/unit/gorelabel
 * does the same with Prometheus' own package, tests/unit/relabel_oracle.py says how.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proc/relabel.h"

enum { RULES = 16, FIELDS = 24 };

struct given {
	struct relabel_rule rules[RULES];
	const char *sources[RULES][FIELDS];
	char *lines[RULES];
	size_t n;
	bool bad;
	struct strmap labels;
};

/* "-": not given; else behind the first character. */
static const char *optional(const char *field)
{
	return *field == '-' ? NULL : field + 1;
}

static void read_rule(struct given *g, const char *line)
{
	struct relabel_rule *r = &g->rules[g->n];
	char *rest = g->lines[g->n] = strdup(line), *f[FIELDS] = { 0 };
	int n = 0, action;

	while (n < FIELDS && (f[n] = strsep(&rest, "\t")))
		n++;
	action = relabel_action_find(f[1]);
	g->bad |= action < 0;
	*r = (struct relabel_rule){ .action = (enum relabel_action)action, .separator = optional(f[2]), .regex = optional(f[3]),
				    .modulus = strtoull(f[4], NULL, 10), .target_label = optional(f[5]), .replacement = optional(f[6]),
				    .source_labels = g->sources[g->n] };
	for (int i = 7; i < n; i++)
		g->sources[g->n][r->n_source_labels++] = f[i];
	g->n++;
}

static void apply(struct given *g)
{
	struct relabel_losses lost = { 0 };
	struct relabel *r = NULL;
	char err[256];
	size_t bad;
	int answer = g->bad ? -EINVAL : relabel_new(g->rules, g->n, &r, &bad, err, sizeof(err));

	if (answer >= 0)
		answer = relabel_apply(r, &g->labels);
	relabel_losses(r, &lost);
	if (answer < 0)
		puts("bad");
	else if (lost.too_long)
		puts("too long");
	else if (!answer)
		puts("drop");
	else
		vec_foreach(e, &g->labels.v)
			printf("%s=%s\n", e->key, e->value);
	puts(".");
	relabel_free(r);
	strmap_fini(&g->labels);
	for (size_t i = 0; i < g->n; i++)
		free(g->lines[i]);
	*g = (struct given){ .n = 0 };
}

int main(void)
{
	static struct given g;
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		char *value;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'R' && g.n < RULES) {
			read_rule(&g, line);
		} else if (line[0] == 'L' && (value = strchr(line + 2, '\t'))) {
			*value = '\0';
			if (strmap_set(&g.labels, line + 2, value + 1) < 0)
				return 1;
		} else if (line[0] == '.') {
			apply(&g);
		}
	}
	return 0;
}
