/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "pprof/profile.h"
#include "pprof/transfer.h"

struct merger {
	struct transfer t;
	struct strpool samples, comments; /* keys; samples beside the table of t.to */
	struct buf key;
	bool subtract;
	vec(struct profile_label) labels;
};

static void no_memory(struct merger *m)
{
	m->t.to->error = -ENOMEM;
}

static int by_key(const void *a, const void *b)
{
	const struct profile_label *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->str != y->str)
		return x->str < y->str ? -1 : 1;
	if (x->num != y->num)
		return x->num < y->num ? -1 : 1;
	return (x->unit > y->unit) - (x->unit < y->unit);
}

/* Their order says nothing: equal sets compare equal. */
static void copy_labels(struct merger *m, const struct profile_sample *s)
{
	m->labels.n = 0;
	if (vec_reserve(&m->labels, s->n_labels) < 0) {
		no_memory(m);
		return;
	}
	for (uint32_t i = 0; i < s->n_labels; i++) {
		struct profile_label l = m->t.from->labels.v[s->first_label + i];

		l.key = transfer_string(&m->t, l.key);
		l.str = transfer_string(&m->t, l.str);
		l.unit = transfer_string(&m->t, l.unit);
		m->labels.v[m->labels.n++] = l;
	}
	if (m->labels.n)
		qsort(m->labels.v, m->labels.n, sizeof(*m->labels.v), by_key);
}

static int64_t negative(int64_t v)
{
	return v == INT64_MIN ? INT64_MAX : -v;
}

static bool all_zero(const int64_t *values, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (values[i])
			return false;
	return true;
}

static void put_sample_key(struct merger *m, const struct profile_sample *to)
{
	buf_reset(&m->key);
	transfer_key(&m->key, to->n_frames);
	if (to->n_frames)
		buf_append(&m->key, m->t.to->frames.v + to->first_frame, to->n_frames * sizeof(uint32_t));
	vec_foreach(l, &m->labels) {
		transfer_key(&m->key, l->key | (uint64_t)l->str << 32);
		transfer_key(&m->key, l->unit);
		transfer_key(&m->key, (uint64_t)l->num);
	}
}

static void add_sample(struct merger *m, struct profile_sample *to, const int64_t *values)
{
	uint32_t n = m->t.to->types.n;

	to->first_label = profile_add_labels(m->t.to, m->labels.v, m->labels.n);
	to->n_labels = m->labels.n;
	profile_add_sample(m->t.to, to, values);
	for (uint32_t i = 0; m->subtract && !m->t.to->error && i < n; i++)
		m->t.to->values.v[m->t.to->values.n - n + i] = negative(values[i]);
}

static void add_values(struct merger *m, uint32_t sample, const int64_t *values)
{
	int64_t *to = m->t.to->values.v + (size_t)sample * m->t.to->types.n;

	for (uint32_t i = 0; i < m->t.to->types.n; i++)
		to[i] = profile_sum(to[i], m->subtract ? negative(values[i]) : values[i]);
}

/* Frames go right into our table, and out again where the sample is known. */
static void merge_sample(struct merger *m, const struct profile_sample *s, const int64_t *values)
{
	struct profile *p = m->t.to;
	struct profile_sample to = { .first_frame = p->frames.n, .n_frames = s->n_frames };
	uint32_t id;
	bool new;

	if (vec_reserve(&p->frames, s->n_frames) < 0) {
		no_memory(m);
		return;
	}
	for (uint32_t i = 0; i < s->n_frames; i++)
		p->frames.v[p->frames.n++] = transfer_location(&m->t, m->t.from->frames.v[s->first_frame + i]);
	copy_labels(m, s);
	put_sample_key(m, &to);
	id = strpool_intern(&m->samples, m->key.data, m->key.len, &new);
	if (new) {
		add_sample(m, &to, values);
		return;
	}
	p->frames.n = to.first_frame;
	if (id && !profile_error(p))
		add_values(m, id - 1, values);
}

static void merge_comments(struct merger *m)
{
	struct profile *p = m->t.to;

	vec_foreach(c, &m->t.from->comments) {
		const char *text = profile_str(m->t.from, *c);
		bool new;

		strpool_intern(&m->comments, text, strlen(text) + 1, &new);
		if (new)
			profile_comment(p, text);
	}
}

static void merge_header(struct merger *m)
{
	struct profile *p = m->t.to;
	const struct profile *from = m->t.from;

	if (!p->period_type.type && !p->period_type.unit) {
		p->period_type.type = transfer_string(&m->t, from->period_type.type);
		p->period_type.unit = transfer_string(&m->t, from->period_type.unit);
	}
	p->period = from->period > p->period ? from->period : p->period;
	if (from->time_ns && (!p->time_ns || from->time_ns < p->time_ns))
		p->time_ns = from->time_ns;
	p->duration_ns = profile_sum(p->duration_ns, from->duration_ns);
	p->default_type = p->default_type ? p->default_type : transfer_string(&m->t, from->default_type);
	p->doc_url = p->doc_url ? p->doc_url : transfer_string(&m->t, from->doc_url);
	merge_comments(m);
}

static void first_header(struct merger *m)
{
	vec_foreach(t, &m->t.from->types)
		profile_add_type(m->t.to, profile_str(m->t.from, t->type), profile_str(m->t.from, t->unit));
	m->t.to->drop_frames = transfer_string(&m->t, m->t.from->drop_frames);
	m->t.to->keep_frames = transfer_string(&m->t, m->t.from->keep_frames);
}

static int merge_one(struct merger *m, const struct merge_part *part, bool first)
{
	int r = transfer_begin(&m->t, part->p);

	if (r < 0)
		return r;
	m->subtract = part->subtract;
	if (first)
		first_header(m);
	merge_header(m);
	if (!m->t.to->mappings.n) /* the first one is what viewers call the profile's program */
		transfer_mapping(&m->t, 0);
	for (uint32_t i = 0; i < part->p->samples.n && !profile_error(m->t.to); i++) {
		const int64_t *values = part->p->values.v + (size_t)i * part->p->types.n;

		if (!all_zero(values, part->p->types.n))
			merge_sample(m, &part->p->samples.v[i], values);
	}
	if (buf_error(&m->key) || strpool_error(&m->samples) || strpool_error(&m->comments))
		return -ENOMEM;
	return transfer_error(&m->t);
}

static bool same_type(const struct profile *a, const struct profile_type *x, const struct profile *b,
		      const struct profile_type *y)
{
	return !strcmp(profile_str(a, x->type), profile_str(b, y->type)) &&
	       !strcmp(profile_str(a, x->unit), profile_str(b, y->unit));
}

/* Text formats have no period: that is no contradiction. */
bool merge_fits(const struct profile *a, const struct profile *b)
{
	if (a->types.n != b->types.n)
		return false;
	for (uint32_t i = 0; i < a->types.n; i++)
		if (!same_type(a, &a->types.v[i], b, &b->types.v[i]))
			return false;
	return !a->period_type.type || !b->period_type.type || same_type(a, &a->period_type, b, &b->period_type);
}

static bool any_zero(const struct profile *p)
{
	for (uint32_t i = 0; i < p->samples.n; i++)
		if (all_zero(p->values.v + (size_t)i * p->types.n, p->types.n))
			return true;
	return false;
}

static void merger_fini(struct merger *m)
{
	profile_free(m->t.to);
	transfer_fini(&m->t);
	strpool_fini(&m->samples);
	strpool_fini(&m->comments);
	buf_fini(&m->key);
	vec_fini(&m->labels);
}

int profile_merge(const struct merge_part *parts, uint32_t n, struct profile **ret)
{
	_cleanup_(merger_fini) struct merger m = { .t.to = profile_new() };
	int r = m.t.to ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < n && r >= 0; i++)
		r = merge_fits(parts[0].p, parts[i].p) ? merge_one(&m, &parts[i], i == 0) : -EINVAL;
	if (r < 0)
		return r;
	if (any_zero(m.t.to)) /* sums that met at zero: again, without what only they refer to */
		return profile_merge(&(struct merge_part){ .p = m.t.to }, 1, ret);
	*ret = take_ptr(m.t.to);
	return 0;
}
