/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/encode.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/gzip.h"
#include "base/wire.h"
#include "pprof/profile.h"

/* Field numbers of each message. */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE, PROFILE_MAPPING, PROFILE_LOCATION, PROFILE_FUNCTION, PROFILE_STRING,
       PROFILE_DROP_FRAMES, PROFILE_KEEP_FRAMES, PROFILE_TIME, PROFILE_DURATION, PROFILE_PERIOD_TYPE, PROFILE_PERIOD,
       PROFILE_COMMENT, PROFILE_DEFAULT_TYPE, PROFILE_DOC_URL };
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STR, LABEL_NUM, LABEL_UNIT };
enum { MAPPING_ID = 1, MAPPING_START, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILE, MAPPING_BUILD_ID, MAPPING_FUNCTIONS,
       MAPPING_FILENAMES, MAPPING_LINES, MAPPING_INLINES };
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE, LOCATION_FOLDED };
enum { LINE_FUNCTION = 1, LINE_LINE, LINE_COLUMN };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILE, FUNCTION_START_LINE };

static void encode_type(struct buf *b, uint32_t field, const struct profile_type *t)
{
	size_t mark = wire_begin(b, field);

	wire_uint(b, TYPE_TYPE, t->type);
	wire_uint(b, TYPE_UNIT, t->unit);
	wire_end(b, mark);
}

enum {
	LABEL_BYTES = 4 * (1 + WIRE_VARINT_MAX), /* at most, so one byte tells its length */
	SAMPLE_BYTES = 3 * (1 + WIRE_VARINT_MAX),
	LOCATION_BYTES = 5, /* of an id below 2^32 + 1 */
};
_Static_assert(LABEL_BYTES < 0x80, "a label's length takes one byte");

static uint8_t *put_field(uint8_t *p, uint32_t field, uint64_t v)
{
	if (!v)
		return p;
	*p++ = (uint8_t)(field << 3);
	return wire_put(p, v);
}

/* A reader drops a label that says nothing, so it is not written. */
static uint8_t *put_label(uint8_t *p, const struct profile_label *l)
{
	uint8_t *start = p + 2;

	if (!l->str && !l->num && !l->unit)
		return p;
	p = put_field(start, LABEL_KEY, l->key);
	p = put_field(p, LABEL_STR, l->str);
	p = put_field(p, LABEL_NUM, l->str ? 0 : (uint64_t)l->num);
	p = put_field(p, LABEL_UNIT, l->str ? 0 : l->unit);
	start[-2] = SAMPLE_LABEL << 3 | WIRE_LEN;
	start[-1] = (uint8_t)(p - start);
	return p;
}

/* Packed: the length is known afterwards, and stands before. */
static uint8_t *put_length(uint8_t *start, uint8_t *end)
{
	uint8_t len[WIRE_VARINT_MAX];
	size_t content = (size_t)(end - start), n = (size_t)(wire_put(len, content) - len);

	if (n > 1)
		memmove(start + n - 1, start, content);
	memcpy(start - 1, len, n);
	return end + n - 1;
}

static uint8_t *put_frames(uint8_t *p, const uint32_t *locations, size_t first, uint32_t n)
{
	uint8_t *start = p + 2;

	if (!n)
		return p;
	*p = SAMPLE_LOCATION << 3 | WIRE_LEN;
	p = start;
	for (uint32_t i = 0; i < n; i++)
		p = wire_put(p, (uint64_t)locations[first + i] + 1);
	return put_length(start, p);
}

static uint8_t *put_values(uint8_t *p, const int64_t *values, size_t first, uint32_t n)
{
	uint8_t *start = p + 2;

	*p = SAMPLE_VALUE << 3 | WIRE_LEN;
	p = start;
	for (uint32_t i = 0; i < n; i++)
		p = wire_put(p, (uint64_t)values[first + i]);
	return put_length(start, p);
}

/* The hot one: what it may take is reserved once. */
static void encode_sample(struct buf *b, const struct profile *p, uint32_t i)
{
	const struct profile_sample *s = &p->samples.v[i];
	uint8_t *start = buf_reserve(b, SAMPLE_BYTES + (size_t)s->n_frames * LOCATION_BYTES + (size_t)p->types.n * WIRE_VARINT_MAX +
						(size_t)s->n_labels * (2 + LABEL_BYTES));
	uint8_t *end;

	if (!start)
		return;
	*start = PROFILE_SAMPLE << 3 | WIRE_LEN;
	end = put_frames(start + 2, p->frames.v, s->first_frame, s->n_frames);
	end = put_values(end, p->values.v, (size_t)i * p->types.n, p->types.n);
	for (uint32_t k = 0; k < s->n_labels; k++)
		end = put_label(end, &p->labels.v[s->first_label + k]);
	end = put_length(start + 2, end);
	b->len = (size_t)(end - b->data);
}

static void encode_mapping(struct buf *b, const struct profile_mapping *m, uint32_t id)
{
	size_t mark = wire_begin(b, PROFILE_MAPPING);

	wire_uint(b, MAPPING_ID, id);
	wire_uint(b, MAPPING_START, m->start);
	wire_uint(b, MAPPING_LIMIT, m->limit);
	wire_uint(b, MAPPING_OFFSET, m->offset);
	wire_uint(b, MAPPING_FILE, m->file);
	wire_uint(b, MAPPING_BUILD_ID, m->build_id);
	wire_bool(b, MAPPING_FUNCTIONS, m->has_functions);
	wire_bool(b, MAPPING_FILENAMES, m->has_filenames);
	wire_bool(b, MAPPING_LINES, m->has_line_numbers);
	wire_bool(b, MAPPING_INLINES, m->has_inline_frames);
	wire_end(b, mark);
}

static void encode_line(struct buf *b, const struct profile_line *l)
{
	size_t mark = wire_begin(b, LOCATION_LINE);

	wire_uint(b, LINE_FUNCTION, (uint64_t)l->function + 1);
	wire_int(b, LINE_LINE, l->line);
	wire_int(b, LINE_COLUMN, l->column);
	wire_end(b, mark);
}

static void encode_location(struct buf *b, const struct profile *p, uint32_t i)
{
	const struct profile_location *l = &p->locations.v[i];
	size_t mark = wire_begin(b, PROFILE_LOCATION);

	wire_uint(b, LOCATION_ID, (uint64_t)i + 1);
	wire_uint(b, LOCATION_MAPPING, l->mapping == PROFILE_NO_MAPPING ? 0 : (uint64_t)l->mapping + 1);
	wire_uint(b, LOCATION_ADDRESS, l->address);
	for (uint32_t k = 0; k < l->n_lines; k++)
		encode_line(b, &p->lines.v[l->first_line + k]);
	wire_bool(b, LOCATION_FOLDED, l->folded);
	wire_end(b, mark);
}

static void encode_function(struct buf *b, const struct profile_function *f, uint32_t id)
{
	size_t mark = wire_begin(b, PROFILE_FUNCTION);

	wire_uint(b, FUNCTION_ID, id);
	wire_uint(b, FUNCTION_NAME, f->name);
	wire_uint(b, FUNCTION_SYSTEM_NAME, f->system_name);
	wire_uint(b, FUNCTION_FILE, f->file);
	wire_int(b, FUNCTION_START_LINE, f->start_line);
	wire_end(b, mark);
}

/*
 * Strings of protobuf are UTF-8; symbols, paths and thread names are any bytes. One that is not would cost
 * the whole profile: Pyroscope refuses it. So what is no UTF-8 becomes U+FFFD.
 */
static void encode_string(struct buf *b, const char *s, size_t len)
{
	size_t good = utf8_prefix(s, len), mark;

	if (good == len) {
		wire_bytes(b, PROFILE_STRING, s, len);
		return;
	}
	mark = wire_begin(b, PROFILE_STRING);
	buf_append_utf8(b, s, len);
	wire_end(b, mark);
}

static void encode_strings(struct buf *b, const struct profile *p)
{
	if (!p->strings.entries.n)
		wire_bytes(b, PROFILE_STRING, "", 0);
	vec_foreach(e, &p->strings.entries)
		encode_string(b, e->s, e->len);
}

static void encode_header(struct buf *b, const struct profile *p)
{
	wire_uint(b, PROFILE_DROP_FRAMES, p->drop_frames);
	wire_uint(b, PROFILE_KEEP_FRAMES, p->keep_frames);
	wire_int(b, PROFILE_TIME, p->time_ns);
	wire_int(b, PROFILE_DURATION, p->duration_ns);
	encode_type(b, PROFILE_PERIOD_TYPE, &p->period_type);
	wire_int(b, PROFILE_PERIOD, p->period);
	vec_foreach(c, &p->comments)
		wire_uint(b, PROFILE_COMMENT, *c);
	wire_uint(b, PROFILE_DEFAULT_TYPE, p->default_type);
	wire_uint(b, PROFILE_DOC_URL, p->doc_url);
}

int pprof_encode(const struct profile *p, struct buf *out)
{
	if (profile_error(p) < 0)
		return profile_error(p);
	/* One allocation instead of a dozen doublings: stacks, locations and strings are most of it. */
	buf_reserve(out, p->samples.n * 32ull + p->frames.n * 2ull + p->locations.n * 24ull +
				 p->functions.n * 12ull + p->strings.arena.used_bytes + 4096);
	vec_foreach(t, &p->types)
		encode_type(out, PROFILE_SAMPLE_TYPE, t);
	for (uint32_t i = 0; i < p->samples.n; i++)
		encode_sample(out, p, i);
	for (uint32_t i = 0; i < p->mappings.n; i++)
		encode_mapping(out, &p->mappings.v[i], i + 1);
	for (uint32_t i = 0; i < p->locations.n; i++)
		encode_location(out, p, i);
	for (uint32_t i = 0; i < p->functions.n; i++)
		encode_function(out, &p->functions.v[i], i + 1);
	encode_header(out, p);
	encode_strings(out, p);
	return buf_error(out);
}

int pprof_encode_gzip(const struct profile *p, int level, struct buf *out)
{
	_cleanup_(buf_fini) struct buf raw = BUF_INIT;
	int r = pprof_encode(p, &raw);

	return r < 0 ? r : gzip_compress(raw.data, raw.len, level, out);
}
