/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/otlp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/wire.h"
#include "pprof/otlp_dictionary.h"
#include "pprof/profile.h"

/* Field numbers of each message. */
enum { REQUEST_RESOURCE_PROFILES = 1, REQUEST_DICTIONARY };
enum { RESOURCE_PROFILES_RESOURCE = 1, RESOURCE_PROFILES_SCOPE_PROFILES };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_PROFILES_SCOPE = 1, SCOPE_PROFILES_PROFILES };
enum { SCOPE_NAME = 1, SCOPE_VERSION };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE };
enum { ANY_STRING = 1, ANY_ARRAY = 5 };
enum { ARRAY_VALUES = 1 };
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLES, PROFILE_TIME, PROFILE_DURATION, PROFILE_PERIOD_TYPE, PROFILE_PERIOD, PROFILE_ID,
       PROFILE_ATTRIBUTES = 11 };
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_STACK = 1 }; /* the others: fields_of() */

struct otlp {
	enum otlp_layout layout;
	const char *scope_name, *scope_version;
	struct dictionary dictionary;
	struct buf profiles; /* ResourceProfiles so far */
	uint32_t n_profiles;
};

/* Lengths that are filled in when the messages around a sample end, the dictionary's own, and what it has beside entries. */
enum { REST_BYTES = 64 + DICTIONARY_REST_BYTES };

/* What was in a request at some time. */
struct mark {
	struct dictionary_mark dictionary;
	size_t profiles;
};

/* One profile on its way in. */
struct adding {
	struct otlp *o;
	const struct profile *p;
	struct dictionary_profile in;
	uint32_t count_type, cost_type; /* indices into the profile's types */
	uint32_t from, n;               /* the samples that go in; n: so far */
	bool says_something;            /* one of them counts */
	size_t max_bytes;
	int64_t carried;                /* of the cost, what rounding has left so far */
	struct buf attributes, value;   /* of the sample at hand, packed */
};

int otlp_new(enum otlp_layout layout, const char *scope_name, const char *scope_version, struct otlp **ret)
{
	struct otlp *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->layout = layout;
	o->scope_name = scope_name;
	o->scope_version = scope_version;
	*ret = o;
	return 0;
}

struct otlp *otlp_free(struct otlp *o)
{
	if (!o)
		return NULL;
	dictionary_fini(&o->dictionary);
	buf_fini(&o->profiles);
	free(o);
	return NULL;
}

/* ---- samples ---- */

struct sample_fields {
	uint32_t attributes, link, values;
};

static struct sample_fields fields_of(enum otlp_layout layout)
{
	return layout == OTLP_1_9 ? (struct sample_fields){ .values = 2, .attributes = 3, .link = 4 } : (struct sample_fields){ .attributes = 2, .link = 3, .values = 4 };
}

static const char *attribute_name(const char *label)
{
	static const struct {
		const char *label, *name;
	} known[] = { { "comm", "thread.name" }, { "pid", "process.pid" }, { "tid", "thread.id" } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].label, label))
			return known[i].name;
	return label;
}

static bool is_span(const struct adding *a, const struct profile_label *l)
{
	return l->str && !strcmp(profile_str(a->p, l->key), "span_id");
}

/* 0: none. */
static uint32_t add_link(struct adding *a, const struct profile_sample *s)
{
	for (uint32_t k = 0; s->trace && k < s->n_labels; k++) {
		const struct profile_label *l = &a->p->labels.v[s->first_label + k];

		if (is_span(a, l))
			return dictionary_link(&a->o->dictionary, profile_str(a->p, s->trace), profile_str(a->p, l->str));
	}
	return 0;
}

static void add_labels(struct adding *a, const struct profile_sample *s, bool linked, struct buf *packed)
{
	for (uint32_t k = 0; k < s->n_labels; k++) {
		const struct profile_label *l = &a->p->labels.v[s->first_label + k];
		uint32_t key, unit;

		if (!l->str && !l->num && !l->unit) /* says nothing: as in pprof */
			continue;
		if (linked && is_span(a, l)) /* the link says it */
			continue;
		key = dictionary_text(&a->o->dictionary, attribute_name(profile_str(a->p, l->key)));
		unit = l->str ? 0 : dictionary_string(&a->in, l->unit);
		wire_varint(packed, dictionary_attribute(&a->o->dictionary, key, l->str ? profile_str(a->p, l->str) : NULL, l->num, unit));
	}
}

static bool has_cost(const struct adding *a)
{
	return a->cost_type != a->count_type && a->p->period > 0;
}

/* Of the samples that went into other requests. */
static int64_t carried_before(const struct adding *a)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < a->from && has_cost(a); i++)
		sum = profile_sum(a->p->values.v[(size_t)i * a->p->types.n + a->cost_type], sum) %
		      a->p->period;
	return sum;
}

/* In periods: what the cost says, since a rate that changed makes of n samples another time than n periods. */
static int64_t count_of(struct adding *a, uint32_t i)
{
	const int64_t *values = a->p->values.v + (size_t)i * a->p->types.n;
	int64_t cost, n;

	if (!has_cost(a))
		return values[a->count_type];
	cost = profile_sum(values[a->cost_type], a->carried);
	n = cost / a->p->period;
	a->carried = cost - n * a->p->period;
	return n;
}

static void put_sample(struct adding *a, uint32_t i, struct buf *out)
{
	struct buf *attributes = &a->attributes, *value = &a->value;
	struct sample_fields f = fields_of(a->o->layout);
	const struct profile_sample *s = &a->p->samples.v[i];
	int64_t n = count_of(a, i);
	uint32_t stack, link;
	size_t mark;

	if (!n)
		return;
	stack = dictionary_stack(&a->in, s->first_frame, s->n_frames);
	buf_reset(attributes);
	buf_reset(value);
	link = add_link(a, s);
	add_labels(a, s, link, attributes);
	wire_varint(value, (uint64_t)n);
	mark = wire_begin(out, PROFILE_SAMPLES);
	wire_uint(out, SAMPLE_STACK, stack);
	if (f.values < f.attributes)
		wire_packed(out, f.values, value);
	wire_packed(out, f.attributes, attributes);
	wire_uint(out, f.link, link);
	if (f.values > f.attributes)
		wire_packed(out, f.values, value);
	wire_end(out, mark);
	if (buf_error(attributes) || buf_error(value))
		out->error = -ENOMEM;
}

static struct mark mark_of(const struct otlp *o)
{
	return (struct mark){ .dictionary = dictionary_mark(&o->dictionary),
			      .profiles = o->profiles.len };
}

static void rewind_to(struct otlp *o, const struct mark *m)
{
	dictionary_rewind(&o->dictionary, &m->dictionary);
	o->profiles.len = m->profiles;
}

static void put_samples(struct adding *a, struct buf *out)
{
	for (uint32_t i = a->from; i < a->p->samples.n; i++, a->n++) {
		struct mark before = mark_of(a->o);

		put_sample(a, i, out);
		if (otlp_bytes(a->o) > a->max_bytes) {
			rewind_to(a->o, &before);
			return;
		}
		a->says_something |= out->len > before.profiles;
	}
}

/* ---- profiles ---- */

static void put_type(struct otlp *o, uint32_t field, const char *type, const char *unit, struct buf *out)
{
	uint32_t t = dictionary_text(&o->dictionary, type), u = dictionary_text(&o->dictionary, unit);
	size_t mark = wire_begin(out, field);

	wire_uint(out, TYPE_TYPE, t);
	wire_uint(out, TYPE_UNIT, u);
	wire_end(out, mark);
}

/* What the profile says of itself, as one attribute of many strings. */
static uint32_t add_comments(struct adding *a)
{
	_cleanup_(buf_fini) struct buf any = BUF_INIT;
	size_t array;

	if (!a->p->comments.n)
		return 0;
	array = wire_begin(&any, ANY_ARRAY);
	vec_foreach(c, &a->p->comments)
	{
		size_t value = wire_begin(&any, ARRAY_VALUES), text = wire_begin(&any, ANY_STRING);

		buf_append_utf8(&any, profile_str(a->p, *c), strpool_len(&a->p->strings, *c));
		wire_end(&any, text);
		wire_end(&any, value);
	}
	wire_end(&any, array);
	return dictionary_value(&a->o->dictionary, dictionary_text(&a->o->dictionary, "pprof.profile.comment"), &any);
}

static void put_profile(struct adding *a, struct buf *out)
{
	const struct profile *p = a->p;
	const struct profile_type *count = &p->types.v[a->count_type];
	uint8_t id[16];
	uint32_t comments = add_comments(a);

	put_type(a->o, PROFILE_SAMPLE_TYPE, profile_str(p, count->type),
		 profile_str(p, count->unit), out);
	wire_fixed64(out, PROFILE_TIME, (uint64_t)p->time_ns);
	wire_int(out, PROFILE_DURATION, p->duration_ns);
	put_type(a->o, PROFILE_PERIOD_TYPE, profile_str(p, p->period_type.type), profile_str(p, p->period_type.unit), out);
	wire_int(out, PROFILE_PERIOD, p->period);
	if (getrandom(id, sizeof(id), 0) == sizeof(id))
		wire_bytes(out, PROFILE_ID, id, sizeof(id));
	buf_reset(&a->in.indices);
	if (comments)
		wire_varint(&a->in.indices, comments);
	wire_packed(out, PROFILE_ATTRIBUTES, &a->in.indices);
	put_samples(a, out); /* last: how many go in depends on all that is there */
}

/* Keys stand in full: what refers to the dictionary is not read by all who receive it. */
static void put_resource(const struct strmap *attributes, struct buf *out)
{
	size_t resource = wire_begin(out, RESOURCE_PROFILES_RESOURCE);

	vec_foreach(e, &attributes->v)
	{
		size_t attribute = wire_begin(out, RESOURCE_ATTRIBUTES), value;

		wire_string(out, KEY_VALUE_KEY, e->key);
		value = wire_begin(out, KEY_VALUE_VALUE);
		wire_bytes(out, ANY_STRING, e->value, strlen(e->value));
		wire_end(out, value);
		wire_end(out, attribute);
	}
	wire_end(out, resource);
}

static void put_resource_profiles(struct adding *a, const struct strmap *attributes, struct buf *out)
{
	size_t all = wire_begin(out, REQUEST_RESOURCE_PROFILES), scoped, scope, profile;

	put_resource(attributes, out);
	scoped = wire_begin(out, RESOURCE_PROFILES_SCOPE_PROFILES);
	scope = wire_begin(out, SCOPE_PROFILES_SCOPE);
	wire_string(out, SCOPE_NAME, a->o->scope_name);
	wire_string(out, SCOPE_VERSION, a->o->scope_version);
	wire_end(out, scope);
	profile = wire_begin(out, SCOPE_PROFILES_PROFILES);
	put_profile(a, out);
	wire_end(out, profile);
	wire_end(out, scoped);
	wire_end(out, all);
}

static uint32_t find_type(const struct profile *p, const char *unit, uint32_t otherwise)
{
	for (uint32_t i = 0; i < p->types.n; i++)
		if (!strcmp(profile_str(p, p->types.v[i].unit), unit))
			return i;
	return otherwise;
}

static int error_of(const struct otlp *o)
{
	return buf_error(&o->profiles) ? buf_error(&o->profiles) : dictionary_error(&o->dictionary);
}

/* Memory of what is rewound may have run out: an error stays one. */
static void add(struct adding *a, const struct strmap *resource)
{
	struct mark before = mark_of(a->o);

	a->carried = carried_before(a);
	put_resource_profiles(a, resource, &a->o->profiles);
	if (a->says_something)
		a->o->n_profiles++;
	else
		rewind_to(a->o, &before);
}

int otlp_add(struct otlp *o, const struct strmap *resource, const struct profile *p, uint32_t from,
	     size_t max_bytes, uint32_t *ret)
{
	struct adding a = { .o = o, .p = p, .from = from, .max_bytes = max_bytes };
	int r = profile_error(p);

	*ret = 0;
	if (r < 0 || from >= p->samples.n || !p->types.n)
		return r;
	a.count_type = find_type(p, "count", 0);
	a.cost_type = find_type(p, profile_str(p, p->period_type.unit), a.count_type);
	r = dictionary_begin(&a.in, &o->dictionary, p);
	if (r >= 0)
		add(&a, resource);
	if (r >= 0)
		r = buf_error(&a.in.indices) ? -ENOMEM : error_of(o);
	buf_fini(&a.attributes);
	buf_fini(&a.value);
	dictionary_end(&a.in);
	if (r >= 0)
		*ret = a.n;
	return r;
}

size_t otlp_bytes(const struct otlp *o)
{
	return o->profiles.len ? o->profiles.len + o->dictionary.bytes + REST_BYTES : 0;
}

uint32_t otlp_profiles(const struct otlp *o)
{
	return o->n_profiles;
}

int otlp_finish(struct otlp *o, struct buf *out)
{
	int r = error_of(o);
	size_t mark;

	if (r >= 0) {
		buf_append(out, o->profiles.data, o->profiles.len);
		mark = wire_begin(out, REQUEST_DICTIONARY);
		dictionary_put(&o->dictionary, out);
		wire_end(out, mark);
		r = buf_error(out);
	}
	buf_reset(&o->profiles);
	o->n_profiles = 0;
	dictionary_reset(&o->dictionary);
	return r;
}
