/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/profile.h"

enum { FOCUSED = 1, IGNORED = 2 };

static bool matches(const regex_t *re, const char *name)
{
	return re && !regexec(re, name, 0, NULL, 0);
}

/* Regular expressions run once per name, not per stack. */
static int judge_location(const struct profile *p, const struct filter *f, uint32_t location, struct buf *name,
			  uint8_t *ret)
{
	uint32_t lines = p->locations.v[location].n_lines;

	for (uint32_t i = 0; i < (lines ? lines : 1); i++) {
		buf_reset(name);
		profile_location_name(p, location, i, name);
		buf_putc(name, '\0');
		if (buf_error(name))
			return -ENOMEM;
		*ret |= matches(f->focus, (char *)name->data) ? FOCUSED : 0;
		*ret |= matches(f->ignore, (char *)name->data) ? IGNORED : 0;
	}
	return 0;
}

static bool keeps_stack(const struct profile *p, const struct filter *f, const struct profile_sample *s,
			const uint8_t *verdicts)
{
	uint8_t seen = 0;

	for (uint32_t i = 0; i < s->n_frames; i++)
		seen |= verdicts[p->frames.v[s->first_frame + i]];
	return (!f->focus || seen & FOCUSED) && !(seen & IGNORED);
}

static bool has_value(const struct profile *p, const struct profile_label *l, const char *value)
{
	char number[24];

	if (l->str)
		return !strcmp(profile_str(p, l->str), value);
	snprintf(number, sizeof(number), "%lld", (long long)l->num);
	return !strcmp(number, value);
}

/* A key may stand on a sample more than once. */
static bool has_label(const struct profile *p, const struct profile_sample *s, const struct filter_label *want)
{
	for (uint32_t i = 0; i < s->n_labels; i++) {
		const struct profile_label *l = &p->labels.v[s->first_label + i];

		if (!strcmp(profile_str(p, l->key), want->key) && has_value(p, l, want->value))
			return true;
	}
	return false;
}

static bool keeps(const struct profile *p, const struct filter *f, const struct profile_sample *s,
		  const uint8_t *verdicts)
{
	for (uint32_t i = 0; i < f->n_labels; i++)
		if (!has_label(p, s, &f->labels[i]))
			return false;
	return keeps_stack(p, f, s, verdicts);
}

int filter_samples(struct profile *p, const struct filter *f)
{
	_cleanup_(freep) uint8_t *verdicts = calloc(p->locations.n + 1u, 1);
	_cleanup_(buf_fini) struct buf name = BUF_INIT;
	uint32_t n = p->types.n, kept = 0;

	if (!verdicts)
		return -ENOMEM;
	for (uint32_t i = 0; (f->focus || f->ignore) && i < p->locations.n; i++)
		if (judge_location(p, f, i, &name, &verdicts[i]) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < p->samples.n; i++) {
		if (!keeps(p, f, &p->samples.v[i], verdicts))
			continue;
		p->samples.v[kept] = p->samples.v[i];
		if (n)
			memmove(p->values.v + (size_t)kept * n, p->values.v + (size_t)i * n, n * sizeof(int64_t));
		kept++;
	}
	p->samples.n = kept;
	p->values.n = kept * n;
	return 0;
}

void filter_inlined(struct profile *p)
{
	vec_foreach(l, &p->locations) {
		if (l->n_lines < 2)
			continue;
		l->first_line += l->n_lines - 1;
		l->n_lines = 1;
	}
	vec_foreach(m, &p->mappings)
		m->has_inline_frames = false;
}

int filter_type(struct profile *p, const char *type)
{
	uint32_t at = 0, n = p->types.n;

	while (at < n && strcmp(profile_str(p, p->types.v[at].type), type))
		at++;
	if (at == n)
		return -ENOENT;
	p->types.v[0] = p->types.v[at];
	p->types.n = 1;
	for (uint32_t i = 0; i < p->samples.n; i++)
		p->values.v[i] = p->values.v[(size_t)i * n + at];
	p->values.n = p->samples.n;
	p->default_type = 0;
	return 0;
}
