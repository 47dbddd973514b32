/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "pprof/profile.h"

/* Locations of the result have one line each, so that a cut can go between inlined calls. */
struct slicer {
	const struct profile *from;
	struct profile *to;
	bool *is_it;                /* by location of `to`: the function */
	vec(uint32_t) first_of;     /* by location of `from`: its innermost line's location in `to` */
	vec(uint32_t) stack;        /* leaf first */
};

bool slice_names(const char *function, const char *name)
{
	size_t n = strlen(function);

	return !strncmp(name, function, n) && (!name[n] || name[n] == '(');
}

/* `to` begins as a copy of everything but samples: merging does not take over what has none. */
static int split_location(struct slicer *s, uint32_t location)
{
	const struct profile_location *l = &s->from->locations.v[location];
	uint32_t *first = vec_push(&s->first_of);

	if (!first)
		return -ENOMEM;
	*first = s->to->locations.n;
	for (uint32_t i = 0; i < l->n_lines; i++)
		profile_add_location(s->to, l, &s->from->lines.v[l->first_line + i], 1);
	if (!l->n_lines)
		profile_add_location(s->to, l, NULL, 0);
	return profile_error(s->to);
}

static int copy_strings(struct slicer *s)
{
	const struct strpool *from = &s->from->strings;

	/* In the order of ids: they stay what they are. */
	for (uint32_t i = 0; i < from->entries.n; i++)
		if (strpool_add_len(&s->to->strings, from->entries.v[i].s, from->entries.v[i].len) != i)
			return -ENOMEM;
	return strpool_error(&s->to->strings);
}

#define copy_vec(to, from)                                                                         \
	(vec_reserve((to), (from)->n) < 0 ? -ENOMEM                                                \
					  : ((from)->n ? memcpy((to)->v, (from)->v, (from)->n * sizeof(*(to)->v)) : NULL, \
					     (to)->n = (from)->n, 0))

static int copy_tables(struct slicer *s)
{
	struct profile *to = s->to;
	const struct profile *from = s->from;

	to->default_type = from->default_type;
	if (copy_strings(s) < 0 || copy_vec(&to->types, &from->types) < 0 || copy_vec(&to->mappings, &from->mappings) < 0 ||
	    copy_vec(&to->functions, &from->functions) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->locations.n; i++)
		if (split_location(s, i) < 0)
			return -ENOMEM;
	return 0;
}

static int find_function(struct slicer *s, const char *function)
{
	_cleanup_(buf_fini) struct buf name = BUF_INIT;
	bool found = false;

	s->is_it = calloc(s->to->locations.n + 1u, sizeof(*s->is_it));
	if (!s->is_it)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->to->locations.n; i++) {
		buf_reset(&name);
		profile_location_name(s->to, i, 0, &name);
		buf_putc(&name, '\0');
		if (buf_error(&name))
			return -ENOMEM;
		s->is_it[i] = slice_names(function, (char *)name.data);
		found |= s->is_it[i];
	}
	return found ? 0 : -ENOENT;
}

static int unfold(struct slicer *s, const struct profile_sample *sample)
{
	s->stack.n = 0;
	for (uint32_t i = 0; i < sample->n_frames; i++) {
		uint32_t l = s->from->frames.v[sample->first_frame + i], n = s->from->locations.v[l].n_lines;

		if (vec_reserve(&s->stack, n ? n : 1) < 0)
			return -ENOMEM;
		for (uint32_t k = 0; k < (n ? n : 1); k++)
			s->stack.v[s->stack.n++] = s->first_of.v[l] + k;
	}
	return 0;
}

/* Leaf first, as the model has it: the outermost caller comes first, the function last. */
static void cut_callers(struct slicer *s, struct profile_sample *ret)
{
	uint32_t at = 0;

	while (at < s->stack.n && !s->is_it[s->stack.v[at]])
		at++;
	ret->n_frames = s->stack.n - at;
	for (uint32_t i = 0; i < ret->n_frames / 2; i++) {
		uint32_t *a = &s->stack.v[at + i], *b = &s->stack.v[s->stack.n - 1 - i], t = *a;

		*a = *b;
		*b = t;
	}
	/* A sample may have no frames, and then there is no stack to count in. */
	ret->first_frame = profile_add_frames(s->to, ret->n_frames ? s->stack.v + at : NULL, ret->n_frames);
}

static void cut_callees(struct slicer *s, struct profile_sample *ret)
{
	uint32_t n = s->stack.n;

	while (n && !s->is_it[s->stack.v[n - 1]])
		n--;
	ret->n_frames = n;
	ret->first_frame = profile_add_frames(s->to, s->stack.v, n);
}

static void slicer_fini(struct slicer *s)
{
	profile_free(s->to);
	free(s->is_it);
	vec_fini(&s->first_of);
	vec_fini(&s->stack);
}

static int slice(const struct profile *p, const char *function,
		 void (*cut)(struct slicer *s, struct profile_sample *ret), struct profile **ret)
{
	_cleanup_(slicer_fini) struct slicer s = { .from = p, .to = profile_new() };
	int r = s.to ? copy_tables(&s) : -ENOMEM;

	if (r >= 0)
		r = find_function(&s, function);
	for (uint32_t i = 0; i < p->samples.n && r >= 0; i++) {
		struct profile_sample sample = { 0 };

		r = unfold(&s, &p->samples.v[i]);
		if (r < 0)
			break;
		cut(&s, &sample);
		if (sample.n_frames)
			profile_add_sample(s.to, &sample, p->values.v + (size_t)i * p->types.n);
		r = profile_error(s.to);
	}
	if (r >= 0)
		*ret = take_ptr(s.to);
	return r;
}

int slice_callers(const struct profile *p, const char *function, struct profile **ret)
{
	return slice(p, function, cut_callers, ret);
}

int slice_callees(const struct profile *p, const char *function, struct profile **ret)
{
	return slice(p, function, cut_callees, ret);
}
