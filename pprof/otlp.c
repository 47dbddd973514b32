/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/otlp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/wire.h"
#include "pprof/profile.h"

/* Field numbers of each message. */
enum { REQUEST_RESOURCE_PROFILES = 1, REQUEST_DICTIONARY };
enum { RESOURCE_PROFILES_RESOURCE = 1, RESOURCE_PROFILES_SCOPE_PROFILES };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_PROFILES_SCOPE = 1, SCOPE_PROFILES_PROFILES };
enum { SCOPE_NAME = 1, SCOPE_VERSION };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE };
enum { ANY_STRING = 1, ANY_INT = 3, ANY_ARRAY = 5 };
enum { ARRAY_VALUES = 1 };
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLES, PROFILE_TIME, PROFILE_DURATION, PROFILE_PERIOD_TYPE, PROFILE_PERIOD, PROFILE_ID,
       PROFILE_ATTRIBUTES = 11 };
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_STACK = 1 }; /* the others: fields_of() */
enum { STACK_LOCATIONS = 1 };
enum { LOCATION_MAPPING = 1, LOCATION_ADDRESS, LOCATION_LINES, LOCATION_ATTRIBUTES };
enum { LINE_FUNCTION = 1, LINE_LINE, LINE_COLUMN };
enum { FUNCTION_NAME = 1, FUNCTION_SYSTEM_NAME, FUNCTION_FILE, FUNCTION_START_LINE };
enum { MAPPING_START = 1, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILE, MAPPING_ATTRIBUTES };
enum { ATTRIBUTE_KEY = 1, ATTRIBUTE_VALUE, ATTRIBUTE_UNIT };

/* The dictionary's tables, by their field numbers in it; links there are none. */
enum table { TABLE_MAPPINGS = 1, TABLE_LOCATIONS, TABLE_FUNCTIONS, TABLE_LINKS, TABLE_STRINGS, TABLE_ATTRIBUTES, TABLE_STACKS, TABLES };

struct otlp {
	enum otlp_layout layout;
	const char *scope_name, *scope_version;
	struct strpool tables[TABLES]; /* entry 0 of each is none, and of no bytes */
	struct buf profiles;           /* ResourceProfiles so far */
	struct buf scratch;            /* an entry being made */
	size_t dictionary_bytes;
};

/* What the indices of one profile are in the dictionary; 0: not asked yet. */
struct maps {
	uint32_t *strings, *mappings, *functions, *locations;
};

/* One profile on its way in. */
struct adding {
	struct otlp *o;
	const struct profile *p;
	struct maps maps;
	uint32_t count_type, cost_type; /* indices into the profile's types */
	int64_t carried;                /* of the cost, what rounding has left so far */
	struct buf indices;             /* packed, of the message at hand */
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
	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		strpool_fini(&o->tables[t]);
	buf_fini(&o->profiles);
	buf_fini(&o->scratch);
	free(o);
	return NULL;
}

/* ---- the dictionary ---- */

static uint32_t intern(struct otlp *o, enum table t, const void *bytes, size_t len)
{
	bool is_new;
	uint32_t id = len ? strpool_intern(&o->tables[t], bytes, len, &is_new) : 0;

	if (len && is_new)
		o->dictionary_bytes += len + 3;
	return id;
}

/* The entry in o->scratch. */
static uint32_t intern_scratch(struct otlp *o, enum table t)
{
	return buf_error(&o->scratch) ? 0 : intern(o, t, o->scratch.data, o->scratch.len);
}

static uint32_t add_text(struct otlp *o, const char *s, size_t len)
{
	if (utf8_prefix(s, len) == len)
		return intern(o, TABLE_STRINGS, s, len);
	buf_reset(&o->scratch);
	buf_append_utf8(&o->scratch, s, len);
	return intern_scratch(o, TABLE_STRINGS);
}

static uint32_t add_literal(struct otlp *o, const char *s)
{
	return add_text(o, s, strlen(s));
}

static uint32_t add_string(struct adding *a, uint32_t id)
{
	uint32_t *at = &a->maps.strings[id];

	if (!*at && id)
		*at = add_text(a->o, profile_str(a->p, id), strpool_len(&a->p->strings, id));
	return *at;
}

/* {key, string} or {key, number, unit}. text NULL: the number. */
static uint32_t add_attribute(struct otlp *o, uint32_t key, const char *text, int64_t number, uint32_t unit)
{
	_cleanup_(buf_fini) struct buf value = BUF_INIT;

	if (text) {
		size_t mark = wire_begin(&value, ANY_STRING);

		buf_append_utf8(&value, text, strlen(text));
		wire_end(&value, mark);
	} else {
		/* A oneof: zero is written too. */
		wire_varint(&value, ANY_INT << 3 | WIRE_VARINT);
		wire_varint(&value, (uint64_t)number);
	}
	buf_reset(&o->scratch);
	wire_uint(&o->scratch, ATTRIBUTE_KEY, key);
	wire_bytes(&o->scratch, ATTRIBUTE_VALUE, value.data, value.len);
	wire_uint(&o->scratch, ATTRIBUTE_UNIT, unit);
	return buf_error(&value) ? 0 : intern_scratch(o, TABLE_ATTRIBUTES);
}

static uint32_t add_function(struct adding *a, uint32_t i)
{
	const struct profile_function *f = &a->p->functions.v[i];
	uint32_t *at = &a->maps.functions[i];
	uint32_t name, system_name, file;

	if (*at)
		return *at;
	name = add_string(a, f->name);
	system_name = add_string(a, f->system_name);
	file = add_string(a, f->file);
	buf_reset(&a->o->scratch);
	wire_uint(&a->o->scratch, FUNCTION_NAME, name);
	wire_uint(&a->o->scratch, FUNCTION_SYSTEM_NAME, system_name);
	wire_uint(&a->o->scratch, FUNCTION_FILE, file);
	wire_int(&a->o->scratch, FUNCTION_START_LINE, f->start_line);
	return *at = intern_scratch(a->o, TABLE_FUNCTIONS);
}

/* A repeated integer field, packed. */
static void put_indices(struct buf *b, uint32_t field, const struct buf *indices)
{
	if (indices->len)
		wire_bytes(b, field, indices->data, indices->len);
}

static uint32_t add_mapping(struct adding *a, uint32_t i)
{
	const struct profile_mapping *m = &a->p->mappings.v[i];
	uint32_t *at = &a->maps.mappings[i];
	uint32_t file, build_id = 0;

	if (*at)
		return *at;
	file = add_string(a, m->file);
	if (m->build_id)
		build_id = add_attribute(a->o, add_literal(a->o, "process.executable.build_id.gnu"), profile_str(a->p, m->build_id), 0, 0);
	buf_reset(&a->indices);
	if (build_id)
		wire_varint(&a->indices, build_id);
	buf_reset(&a->o->scratch);
	wire_uint(&a->o->scratch, MAPPING_START, m->start);
	wire_uint(&a->o->scratch, MAPPING_LIMIT, m->limit);
	wire_uint(&a->o->scratch, MAPPING_OFFSET, m->offset);
	wire_uint(&a->o->scratch, MAPPING_FILE, file);
	put_indices(&a->o->scratch, MAPPING_ATTRIBUTES, &a->indices);
	return *at = intern_scratch(a->o, TABLE_MAPPINGS);
}

/* What the conventions have a word for; which interpreter or run-time made a frame is not known here. */
static const char *frame_type(uint8_t kind)
{
	return kind == FRAME_KERNEL ? "kernel" : kind == FRAME_NATIVE ? "native" : NULL;
}

static void put_lines(struct adding *a, const struct profile_location *l, struct buf *out)
{
	for (uint32_t k = 0; k < l->n_lines; k++) {
		const struct profile_line *line = &a->p->lines.v[l->first_line + k];
		uint32_t function = add_function(a, line->function);
		size_t mark = wire_begin(out, LOCATION_LINES);

		wire_uint(out, LINE_FUNCTION, function);
		wire_int(out, LINE_LINE, line->line);
		wire_int(out, LINE_COLUMN, line->column);
		wire_end(out, mark);
	}
}

static uint32_t add_location(struct adding *a, uint32_t i)
{
	_cleanup_(buf_fini) struct buf entry = BUF_INIT;
	const struct profile_location *l = &a->p->locations.v[i];
	const char *type = frame_type(l->kind);
	uint32_t *at = &a->maps.locations[i];

	if (*at)
		return *at;
	wire_uint(&entry, LOCATION_MAPPING, l->mapping == PROFILE_NO_MAPPING ? 0 : add_mapping(a, l->mapping));
	wire_uint(&entry, LOCATION_ADDRESS, l->address);
	put_lines(a, l, &entry);
	buf_reset(&a->indices);
	if (type)
		wire_varint(&a->indices, add_attribute(a->o, add_literal(a->o, "profile.frame.type"), type, 0, 0));
	put_indices(&entry, LOCATION_ATTRIBUTES, &a->indices);
	if (buf_error(&entry) < 0)
		return 0;
	/* One that says nothing is still a frame. */
	if (!entry.len)
		buf_append(&entry, "\x10\0", 2);
	return *at = intern(a->o, TABLE_LOCATIONS, entry.data, entry.len);
}

/* A stack without frames is none. */
static uint32_t add_stack(struct adding *a, const struct profile_sample *s)
{
	_cleanup_(buf_fini) struct buf packed = BUF_INIT;

	if (!s->n_frames)
		return 0;
	for (uint32_t i = 0; i < s->n_frames; i++)
		wire_varint(&packed, add_location(a, a->p->frames.v[s->first_frame + i]));
	buf_reset(&a->o->scratch);
	put_indices(&a->o->scratch, STACK_LOCATIONS, &packed);
	return buf_error(&packed) ? 0 : intern_scratch(a->o, TABLE_STACKS);
}

/* ---- samples ---- */

struct sample_fields {
	uint32_t attributes, values;
};

static struct sample_fields fields_of(enum otlp_layout layout)
{
	return layout == OTLP_1_9 ? (struct sample_fields){ .values = 2, .attributes = 3 } : (struct sample_fields){ .attributes = 2, .values = 4 };
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

static void add_labels(struct adding *a, const struct profile_sample *s, struct buf *packed)
{
	for (uint32_t k = 0; k < s->n_labels; k++) {
		const struct profile_label *l = &a->p->labels.v[s->first_label + k];
		uint32_t key = add_literal(a->o, attribute_name(profile_str(a->p, l->key)));
		uint32_t unit = l->str ? 0 : add_string(a, l->unit);

		if (!l->str && !l->num && !l->unit) /* says nothing: as in pprof */
			continue;
		wire_varint(packed, add_attribute(a->o, key, l->str ? profile_str(a->p, l->str) : NULL, l->num, unit));
	}
}

/* In periods: what the cost says, since a rate that changed makes of n samples another time than n periods. */
static int64_t count_of(struct adding *a, uint32_t i)
{
	const int64_t *values = a->p->values.v + (size_t)i * a->p->types.n;
	int64_t cost, n;

	if (a->cost_type == a->count_type || a->p->period <= 0)
		return values[a->count_type];
	cost = profile_sum(values[a->cost_type], a->carried);
	n = cost / a->p->period;
	a->carried = cost - n * a->p->period;
	return n;
}

static void put_sample(struct adding *a, uint32_t i, struct buf *out)
{
	_cleanup_(buf_fini) struct buf attributes = BUF_INIT, value = BUF_INIT;
	struct sample_fields f = fields_of(a->o->layout);
	const struct profile_sample *s = &a->p->samples.v[i];
	uint32_t stack = add_stack(a, s);
	int64_t n = count_of(a, i);
	size_t mark;

	if (!n)
		return;
	add_labels(a, s, &attributes);
	wire_varint(&value, (uint64_t)n);
	mark = wire_begin(out, PROFILE_SAMPLES);
	wire_uint(out, SAMPLE_STACK, stack);
	if (f.values < f.attributes)
		put_indices(out, f.values, &value);
	put_indices(out, f.attributes, &attributes);
	if (f.values > f.attributes)
		put_indices(out, f.values, &value);
	wire_end(out, mark);
	if (buf_error(&attributes) || buf_error(&value))
		out->error = -ENOMEM;
}

/* ---- profiles ---- */

static void put_type(struct otlp *o, uint32_t field, const char *type, const char *unit, struct buf *out)
{
	uint32_t t = add_literal(o, type), u = add_literal(o, unit);
	size_t mark = wire_begin(out, field);

	wire_uint(out, TYPE_TYPE, t);
	wire_uint(out, TYPE_UNIT, u);
	wire_end(out, mark);
}

/* What the profile says of itself, as one attribute of many strings. */
static uint32_t add_comments(struct adding *a)
{
	_cleanup_(buf_fini) struct buf any = BUF_INIT;
	uint32_t key = add_literal(a->o, "pprof.profile.comment");
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
	buf_reset(&a->o->scratch);
	wire_uint(&a->o->scratch, ATTRIBUTE_KEY, key);
	wire_bytes(&a->o->scratch, ATTRIBUTE_VALUE, any.data, any.len);
	return buf_error(&any) ? 0 : intern_scratch(a->o, TABLE_ATTRIBUTES);
}

static void put_profile(struct adding *a, struct buf *out)
{
	const struct profile *p = a->p;
	const struct profile_type *count = &p->types.v[a->count_type];
	uint8_t id[16];
	uint32_t comments = add_comments(a);

	put_type(a->o, PROFILE_SAMPLE_TYPE, profile_str(p, count->type), profile_str(p, count->unit), out);
	for (uint32_t i = 0; i < p->samples.n; i++)
		put_sample(a, i, out);
	wire_fixed64(out, PROFILE_TIME, (uint64_t)p->time_ns);
	wire_int(out, PROFILE_DURATION, p->duration_ns);
	put_type(a->o, PROFILE_PERIOD_TYPE, profile_str(p, p->period_type.type), profile_str(p, p->period_type.unit), out);
	wire_int(out, PROFILE_PERIOD, p->period);
	if (getrandom(id, sizeof(id), 0) == sizeof(id))
		wire_bytes(out, PROFILE_ID, id, sizeof(id));
	buf_reset(&a->indices);
	if (comments)
		wire_varint(&a->indices, comments);
	put_indices(out, PROFILE_ATTRIBUTES, &a->indices);
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

static int make_maps(const struct profile *p, struct maps *m)
{
	*m = (struct maps){ .strings = calloc(p->strings.entries.n + 1u, sizeof(uint32_t)), .mappings = calloc(p->mappings.n + 1u, sizeof(uint32_t)),
			    .functions = calloc(p->functions.n + 1u, sizeof(uint32_t)), .locations = calloc(p->locations.n + 1u, sizeof(uint32_t)) };
	return m->strings && m->mappings && m->functions && m->locations ? 0 : -ENOMEM;
}

static void adding_fini(struct adding *a)
{
	free(a->maps.strings);
	free(a->maps.mappings);
	free(a->maps.functions);
	free(a->maps.locations);
	buf_fini(&a->indices);
}

static int error_of(const struct otlp *o)
{
	int r = buf_error(&o->profiles) ? buf_error(&o->profiles) : buf_error(&o->scratch);

	for (int t = TABLE_MAPPINGS; t < TABLES && !r; t++)
		r = strpool_error(&o->tables[t]);
	return r;
}

int otlp_add(struct otlp *o, const struct strmap *resource, const struct profile *p)
{
	_cleanup_(adding_fini) struct adding a = { .o = o, .p = p };
	int r = profile_error(p);

	if (r < 0 || !p->samples.n || !p->types.n)
		return r;
	a.count_type = find_type(p, "count", 0);
	a.cost_type = find_type(p, profile_str(p, p->period_type.unit), a.count_type);
	r = make_maps(p, &a.maps);
	if (r >= 0)
		put_resource_profiles(&a, resource, &o->profiles);
	if (r >= 0)
		r = buf_error(&a.indices) ? -ENOMEM : error_of(o);
	return r;
}

size_t otlp_bytes(const struct otlp *o)
{
	return o->profiles.len ? o->profiles.len + o->dictionary_bytes : 0;
}

/* Links: none, written in full because some decoders want ids of their whole length. */
static void put_no_link(struct buf *out)
{
	static const uint8_t zero[16];
	size_t mark = wire_begin(out, TABLE_LINKS);

	wire_bytes(out, 1, zero, 16);
	wire_bytes(out, 2, zero, 8);
	wire_end(out, mark);
}

static void put_table(const struct otlp *o, enum table t, struct buf *out)
{
	const struct strpool *pool = &o->tables[t];

	if (t == TABLE_LINKS) {
		put_no_link(out);
		return;
	}
	wire_bytes(out, t, "", 0);
	for (uint32_t i = 1; i < pool->entries.n; i++)
		wire_bytes(out, t, pool->entries.v[i].s, pool->entries.v[i].len);
}

static void reset(struct otlp *o)
{
	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		strpool_reset(&o->tables[t]);
	buf_reset(&o->profiles);
	buf_reset(&o->scratch);
	o->dictionary_bytes = 0;
}

int otlp_finish(struct otlp *o, struct buf *out)
{
	int r = error_of(o);
	size_t mark;

	if (r >= 0) {
		buf_append(out, o->profiles.data, o->profiles.len);
		mark = wire_begin(out, REQUEST_DICTIONARY);
		for (int t = TABLE_MAPPINGS; t < TABLES; t++)
			put_table(o, (enum table)t, out);
		wire_end(out, mark);
		r = buf_error(out);
	}
	reset(o);
	return r;
}
