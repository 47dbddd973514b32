/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/decode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/gunzip.h"
#include "pprof/profile.h"
#include "pprof/profile.pb-c.h"

#define pb_profile Perftools__Profiles__Profile /* the generator's name is a line long */

/* Ids of one kind: id -> index. */
struct ids {
	struct htable index;
	vec(uint64_t) v;
};

struct decoder {
	const pb_profile *pb;
	struct profile *p;
	uint32_t *strings; /* by index in the file: id in p->strings */
	struct ids mappings, locations, functions;
	char *err;
	size_t err_len;
};

static int bad(struct decoder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int bad(struct decoder *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->err, d->err_len, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

struct id_query {
	const struct ids *ids;
	uint64_t id;
};

static bool same_id(const void *ctx, uint32_t at)
{
	const struct id_query *q = ctx;

	return q->ids->v.v[at] == q->id;
}

static uint32_t find_id(const struct ids *ids, uint64_t id)
{
	return htable_find(&ids->index, hash_u64(id), same_id, &(struct id_query){ ids, id });
}

static int add_id(struct decoder *d, struct ids *ids, uint64_t id, const char *what)
{
	uint64_t *slot;

	if (!id)
		return bad(d, "%s %u has id 0", what, ids->v.n + 1);
	if (find_id(ids, id) != HTABLE_NONE)
		return bad(d, "two %ss have the id %" PRIu64, what, id);
	slot = vec_push(&ids->v);
	if (!slot)
		return -ENOMEM;
	*slot = id;
	return htable_insert(&ids->index, hash_u64(id), ids->v.n - 1);
}

/* A string field; the field's name goes into the message. */
static int str(struct decoder *d, int64_t index, const char *what, uint32_t *ret)
{
	if (index < 0 || (uint64_t)index >= d->pb->n_string_table)
		return bad(d, "%s refers to string %" PRId64 " of %zu", what, index, d->pb->n_string_table);
	*ret = d->strings[index];
	return 0;
}

static int read_strings(struct decoder *d)
{
	size_t n = d->pb->n_string_table;

	if (!n || d->pb->string_table[0][0])
		return bad(d, "the string table does not begin with an empty string");
	d->strings = calloc(n, sizeof(*d->strings));
	if (!d->strings)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		d->strings[i] = strpool_add(&d->p->strings, d->pb->string_table[i]);
	return strpool_error(&d->p->strings);
}

static int read_type(struct decoder *d, const Perftools__Profiles__ValueType *t, struct profile_type *ret)
{
	int r = t ? str(d, t->type, "a type", &ret->type) : 0;

	return r < 0 || !t ? r : str(d, t->unit, "a unit", &ret->unit);
}

static int read_header(struct decoder *d)
{
	const pb_profile *pb = d->pb;
	struct profile *p = d->p;
	int r = read_type(d, pb->period_type, &p->period_type);

	p->period = pb->period;
	p->time_ns = pb->time_nanos;
	p->duration_ns = pb->duration_nanos;
	for (size_t i = 0; i < pb->n_sample_type && r >= 0; i++) {
		struct profile_type *t = vec_push(&p->types);

		r = t ? read_type(d, pb->sample_type[i], t) : -ENOMEM;
	}
	for (size_t i = 0; i < pb->n_comment && r >= 0; i++) {
		uint32_t *c = vec_push(&p->comments);

		r = c ? str(d, pb->comment[i], "a comment", c) : -ENOMEM;
	}
	if (r < 0 || (r = str(d, pb->default_sample_type, "default_sample_type", &p->default_type)) < 0 ||
	    (r = str(d, pb->drop_frames, "drop_frames", &p->drop_frames)) < 0 ||
	    (r = str(d, pb->keep_frames, "keep_frames", &p->keep_frames)) < 0)
		return r;
	return str(d, pb->doc_url, "doc_url", &p->doc_url);
}

static int read_mapping(struct decoder *d, const Perftools__Profiles__Mapping *m)
{
	struct profile_mapping out = { .start = m->memory_start, .limit = m->memory_limit, .offset = m->file_offset,
				       .has_functions = m->has_functions, .has_filenames = m->has_filenames,
				       .has_line_numbers = m->has_line_numbers,
				       .has_inline_frames = m->has_inline_frames };
	int r = add_id(d, &d->mappings, m->id, "mapping");

	if (r < 0 || (r = str(d, m->filename, "a mapping's file name", &out.file)) < 0 ||
	    (r = str(d, m->build_id, "a mapping's build id", &out.build_id)) < 0)
		return r;
	profile_add_mapping(d->p, &out);
	return 0;
}

static int read_function(struct decoder *d, const Perftools__Profiles__Function *f)
{
	struct profile_function *slot;
	struct profile_function out = { .start_line = f->start_line };
	int r = add_id(d, &d->functions, f->id, "function");

	if (r < 0 || (r = str(d, f->name, "a function's name", &out.name)) < 0 ||
	    (r = str(d, f->system_name, "a function's system name", &out.system_name)) < 0 ||
	    (r = str(d, f->filename, "a function's file", &out.file)) < 0)
		return r;
	slot = vec_push(&d->p->functions); /* not interned: index = order in the file */
	if (!slot)
		return -ENOMEM;
	*slot = out;
	return 0;
}

static int read_lines(struct decoder *d, const Perftools__Profiles__Location *l, struct profile_line *lines)
{
	for (size_t i = 0; i < l->n_line; i++) {
		uint32_t f = find_id(&d->functions, l->line[i]->function_id);

		if (f == HTABLE_NONE)
			return bad(d, "location %" PRIu64 " refers to function %" PRIu64 ", which does not exist", l->id,
				   l->line[i]->function_id);
		lines[i] = (struct profile_line){ .function = f, .line = l->line[i]->line, .column = l->line[i]->column };
	}
	return 0;
}

static int read_location(struct decoder *d, const Perftools__Profiles__Location *l)
{
	_cleanup_(freep) struct profile_line *lines = calloc(l->n_line + 1, sizeof(*lines));
	struct profile_location out = { .address = l->address, .mapping = PROFILE_NO_MAPPING, .folded = l->is_folded };
	int r = lines ? add_id(d, &d->locations, l->id, "location") : -ENOMEM;

	if (r >= 0)
		r = read_lines(d, l, lines);
	if (r < 0)
		return r;
	out.mapping = l->mapping_id ? find_id(&d->mappings, l->mapping_id) : PROFILE_NO_MAPPING;
	if (out.mapping != PROFILE_NO_MAPPING)
		out.kind = profile_guess_kind(profile_str(d->p, d->p->mappings.v[out.mapping].file));
	else
		out.kind = l->n_line ? FRAME_NATIVE : FRAME_UNKNOWN;
	profile_add_location(d->p, &out, lines, (uint32_t)l->n_line);
	return 0;
}
_Static_assert(PROFILE_NO_MAPPING == HTABLE_NONE, "a mapping that is not found is none");

static int read_labels(struct decoder *d, const Perftools__Profiles__Sample *s, struct profile_sample *out)
{
	int r = 0;

	out->first_label = d->p->labels.n;
	for (size_t i = 0; i < s->n_label && r >= 0; i++) {
		struct profile_label l = { .num = s->label[i]->num };

		if ((r = str(d, s->label[i]->key, "a label's key", &l.key)) < 0 ||
		    (r = str(d, s->label[i]->str, "a label's value", &l.str)) < 0 ||
		    (r = str(d, s->label[i]->num_unit, "a label's unit", &l.unit)) < 0)
			return r;
		profile_add_labels(d->p, &l, 1);
	}
	out->n_labels = (uint32_t)s->n_label;
	return r;
}

static int read_sample(struct decoder *d, size_t i)
{
	const Perftools__Profiles__Sample *s = d->pb->sample[i];
	struct profile_sample out = { .first_frame = d->p->frames.n, .n_frames = (uint32_t)s->n_location_id };
	int r;

	if (s->n_value != d->p->types.n)
		return bad(d, "sample %zu has %zu values for %u types", i + 1, s->n_value, d->p->types.n);
	if (vec_reserve(&d->p->frames, s->n_location_id) < 0)
		return -ENOMEM;
	for (size_t k = 0; k < s->n_location_id; k++) {
		uint32_t l = find_id(&d->locations, s->location_id[k]);

		if (l == HTABLE_NONE)
			return bad(d, "sample %zu refers to location %" PRIu64 ", which does not exist", i + 1,
				   s->location_id[k]);
		d->p->frames.v[d->p->frames.n++] = l;
	}
	r = read_labels(d, s, &out);
	if (r >= 0)
		profile_add_sample(d->p, &out, s->value);
	return r;
}

static int read_tables(struct decoder *d)
{
	const pb_profile *pb = d->pb;
	int r = read_strings(d);

	if (r >= 0)
		r = read_header(d);
	if (r >= 0 && pb->n_sample && !pb->n_sample_type)
		r = bad(d, "there are samples but no sample type");
	for (size_t i = 0; i < pb->n_mapping && r >= 0; i++)
		r = read_mapping(d, pb->mapping[i]);
	for (size_t i = 0; i < pb->n_function && r >= 0; i++)
		r = read_function(d, pb->function[i]);
	for (size_t i = 0; i < pb->n_location && r >= 0; i++)
		r = read_location(d, pb->location[i]);
	for (size_t i = 0; i < pb->n_sample && r >= 0; i++)
		r = read_sample(d, i);
	return r < 0 ? r : profile_error(d->p);
}

/*
 * protobuf-c makes a message of 50 to 100 bytes out of 2: its allocations get a bound of their own.
 */
struct budget {
	size_t left;
	bool out_of_memory;
};

static void *budget_alloc(void *ctx, size_t size)
{
	struct budget *b = ctx;
	void *p = size <= b->left ? malloc(size) : NULL;

	if (p)
		b->left -= size;
	else if (size <= b->left)
		b->out_of_memory = true;
	return p;
}

static void budget_free(void *ctx, void *p)
{
	free(p);
}

static void decoder_fini(struct decoder *d)
{
	profile_free(d->p);
	free(d->strings);
	struct ids *ids[] = { &d->mappings, &d->locations, &d->functions };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		htable_fini(&ids[i]->index);
		vec_fini(&ids[i]->v);
	}
}

static int decode_raw(const void *data, size_t len, struct profile **ret, char *err, size_t err_len)
{
	struct budget budget = { .left = 4ul << 30 };
	ProtobufCAllocator allocator = { budget_alloc, budget_free, &budget };
	_cleanup_(decoder_fini) struct decoder d = { .p = profile_new(), .err = err, .err_len = err_len };
	pb_profile *pb = d.p ? perftools__profiles__profile__unpack(&allocator, len, data) : NULL;
	int r;

	if (!pb) {
		snprintf(err, err_len, "it is no pprof profile, or cut short");
		return d.p && !budget.out_of_memory ? -EBADMSG : -ENOMEM;
	}
	d.pb = pb;
	r = read_tables(&d);
	perftools__profiles__profile__free_unpacked(pb, &allocator);
	if (r >= 0)
		*ret = take_ptr(d.p);
	return r;
}

int pprof_decode(const void *data, size_t len, struct profile **ret, char *err, size_t err_len)
{
	_cleanup_(buf_fini) struct buf raw = BUF_INIT;
	int r;

	snprintf(err, err_len, "out of memory");
	if (len < 2) {
		snprintf(err, err_len, len ? "one byte is no profile" : "the file is empty");
		return -EBADMSG;
	}
	if (len > PPROF_MAX_BYTES) {
		snprintf(err, err_len, "it is larger than %u MiB", PPROF_MAX_BYTES >> 20);
		return -EFBIG;
	}
	if (!is_gzip(data, len))
		return decode_raw(data, len, ret, err, err_len);
	r = gunzip(data, len, PPROF_MAX_BYTES, &raw, err, err_len);
	return r < 0 ? r : decode_raw(raw.data, raw.len, ret, err, err_len);
}
