/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/otlp_dictionary.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/wire.h"
#include "pprof/profile.h"

/* Field numbers of each message. */
enum { ANY_STRING = 1, ANY_INT = 3 };
enum { STACK_LOCATIONS = 1 };
enum { LOCATION_MAPPING = 1, LOCATION_ADDRESS, LOCATION_LINES, LOCATION_ATTRIBUTES };
enum { LINE_FUNCTION = 1, LINE_LINE, LINE_COLUMN };
enum { FUNCTION_NAME = 1, FUNCTION_SYSTEM_NAME, FUNCTION_FILE, FUNCTION_START_LINE };
enum { MAPPING_START = 1, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILE, MAPPING_ATTRIBUTES };
enum { LINK_TRACE = 1, LINK_SPAN };
enum { ATTRIBUTE_KEY = 1, ATTRIBUTE_VALUE, ATTRIBUTE_UNIT };

static int make_maps(const struct profile *p, struct dictionary_maps *m)
{
	*m = (struct dictionary_maps){ .strings = calloc(p->strings.entries.n + 1u, sizeof(uint32_t)), .mappings = calloc(p->mappings.n + 1u, sizeof(uint32_t)),
				       .functions = calloc(p->functions.n + 1u, sizeof(uint32_t)), .locations = calloc(p->locations.n + 1u, sizeof(uint32_t)) };
	return m->strings && m->mappings && m->functions && m->locations ? 0 : -ENOMEM;
}

int dictionary_begin(struct dictionary_profile *a, struct dictionary *d, const struct profile *p)
{
	*a = (struct dictionary_profile){ .d = d, .p = p };
	return make_maps(p, &a->maps);
}

void dictionary_end(struct dictionary_profile *a)
{
	free(a->maps.strings);
	free(a->maps.mappings);
	free(a->maps.functions);
	free(a->maps.locations);
	buf_fini(&a->indices);
	buf_fini(&a->stack);
	buf_fini(&a->location);
}

/* Of an entry: its tag, its length, itself. */
static size_t encoded_bytes(size_t len)
{
	return 1 + (len < 0x80 ? 1u : len < 0x4000 ? 2u : 5u) + len;
}

static uint32_t intern(struct dictionary *d, enum table t, const void *bytes, size_t len)
{
	bool is_new;
	uint32_t id = len ? strpool_intern(&d->tables[t], bytes, len, &is_new) : 0;

	if (len && is_new)
		d->bytes += encoded_bytes(len);
	return id;
}

/* An entry that was made in a buffer. */
static uint32_t intern_made(struct dictionary *d, enum table t, const struct buf *entry)
{
	if (buf_error(entry)) {
		d->error = buf_error(entry);
		return 0;
	}
	return intern(d, t, entry->data, entry->len);
}

static uint32_t intern_scratch(struct dictionary *d, enum table t)
{
	return intern_made(d, t, &d->scratch);
}

static uint32_t add_attribute(struct dictionary *d, uint32_t key, const struct buf *value, uint32_t unit)
{
	if (buf_error(value)) {
		d->error = buf_error(value);
		return 0;
	}
	buf_reset(&d->scratch);
	wire_uint(&d->scratch, ATTRIBUTE_KEY, key);
	wire_bytes(&d->scratch, ATTRIBUTE_VALUE, value->data, value->len);
	wire_uint(&d->scratch, ATTRIBUTE_UNIT, unit);
	return intern_scratch(d, TABLE_ATTRIBUTES);
}

static uint32_t add_text(struct dictionary *d, const char *s, size_t len)
{
	if (utf8_prefix(s, len) == len)
		return intern(d, TABLE_STRINGS, s, len);
	buf_reset(&d->scratch);
	buf_append_utf8(&d->scratch, s, len);
	return intern_scratch(d, TABLE_STRINGS);
}

uint32_t dictionary_text(struct dictionary *d, const char *s)
{
	return add_text(d, s, strlen(s));
}

uint32_t dictionary_string(struct dictionary_profile *a, uint32_t id)
{
	uint32_t *at = &a->maps.strings[id];

	if (!*at && id)
		*at = add_text(a->d, profile_str(a->p, id), strpool_len(&a->p->strings, id));
	return *at;
}

uint32_t dictionary_attribute(struct dictionary *d, uint32_t key, const char *text, int64_t number, uint32_t unit)
{
	struct buf *value = &d->value;

	buf_reset(value);
	if (text) {
		size_t mark = wire_begin(value, ANY_STRING);

		buf_append_utf8(value, text, strlen(text));
		wire_end(value, mark);
	} else {
		/* A oneof: zero is written too. */
		wire_varint(value, ANY_INT << 3 | WIRE_VARINT);
		wire_varint(value, (uint64_t)number);
	}
	return add_attribute(d, key, value, unit);
}

static uint32_t add_function(struct dictionary_profile *a, uint32_t i)
{
	const struct profile_function *f = &a->p->functions.v[i];
	uint32_t *at = &a->maps.functions[i];
	uint32_t name, system_name, file;

	if (*at)
		return *at;
	name = dictionary_string(a, f->name);
	system_name = dictionary_string(a, f->system_name);
	file = dictionary_string(a, f->file);
	buf_reset(&a->d->scratch);
	wire_uint(&a->d->scratch, FUNCTION_NAME, name);
	wire_uint(&a->d->scratch, FUNCTION_SYSTEM_NAME, system_name);
	wire_uint(&a->d->scratch, FUNCTION_FILE, file);
	wire_int(&a->d->scratch, FUNCTION_START_LINE, f->start_line);
	return *at = intern_scratch(a->d, TABLE_FUNCTIONS);
}

static uint32_t add_mapping(struct dictionary_profile *a, uint32_t i)
{
	const struct profile_mapping *m = &a->p->mappings.v[i];
	uint32_t *at = &a->maps.mappings[i];
	uint32_t file, build_id = 0;

	if (*at)
		return *at;
	file = dictionary_string(a, m->file);
	if (m->build_id)
		build_id = dictionary_attribute(a->d, dictionary_text(a->d, "process.executable.build_id.gnu"), profile_str(a->p, m->build_id), 0, 0);
	buf_reset(&a->indices);
	if (build_id)
		wire_varint(&a->indices, build_id);
	buf_reset(&a->d->scratch);
	wire_uint(&a->d->scratch, MAPPING_START, m->start);
	wire_uint(&a->d->scratch, MAPPING_LIMIT, m->limit);
	wire_uint(&a->d->scratch, MAPPING_OFFSET, m->offset);
	wire_uint(&a->d->scratch, MAPPING_FILE, file);
	wire_packed(&a->d->scratch, MAPPING_ATTRIBUTES, &a->indices);
	return *at = intern_scratch(a->d, TABLE_MAPPINGS);
}

/* What the conventions have a word for; which interpreter or run-time made a frame is not known here. */
static const char *frame_type(uint8_t kind)
{
	return kind == FRAME_KERNEL ? "kernel" : kind == FRAME_NATIVE ? "native" : NULL;
}

static void put_lines(struct dictionary_profile *a, const struct profile_location *l, struct buf *out)
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

static uint32_t add_location(struct dictionary_profile *a, uint32_t i)
{
	struct buf *entry = &a->location;
	const struct profile_location *l = &a->p->locations.v[i];
	const char *type = frame_type(l->kind);
	uint32_t *at = &a->maps.locations[i];

	if (*at)
		return *at;
	buf_reset(entry);
	wire_uint(entry, LOCATION_MAPPING, l->mapping == PROFILE_NO_MAPPING ? 0 : add_mapping(a, l->mapping));
	wire_uint(entry, LOCATION_ADDRESS, l->address);
	put_lines(a, l, entry);
	buf_reset(&a->indices);
	if (type)
		wire_varint(&a->indices, dictionary_attribute(a->d, dictionary_text(a->d, "profile.frame.type"), type, 0, 0));
	wire_packed(entry, LOCATION_ATTRIBUTES, &a->indices);
	/* One that says nothing is still a frame. */
	if (!entry->len)
		buf_append(entry, "\x10\0", 2);
	return *at = intern_made(a->d, TABLE_LOCATIONS, entry);
}

/* A stack without frames is none. */
uint32_t dictionary_stack(struct dictionary_profile *a, uint32_t first_frame, uint32_t n_frames)
{
	struct buf *packed = &a->stack;

	if (!n_frames)
		return 0;
	buf_reset(packed);
	for (uint32_t i = 0; i < n_frames; i++)
		wire_varint(packed, add_location(a, a->p->frames.v[first_frame + i]));
	buf_reset(&a->d->scratch);
	wire_packed(&a->d->scratch, STACK_LOCATIONS, packed);
	return intern_scratch(a->d, TABLE_STACKS);
}

uint32_t dictionary_value(struct dictionary *d, uint32_t key, const struct buf *value)
{
	return add_attribute(d, key, value, 0);
}

static bool read_hex(const char *s, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isxdigit((unsigned char)s[2 * i]) || !isxdigit((unsigned char)s[2 * i + 1]) || sscanf(s + 2 * i, "%2hhx", &out[i]) != 1)
			return false;
	return !s[2 * n];
}

static void put_link(struct buf *out, const uint8_t trace[16], const uint8_t span[8])
{
	wire_bytes(out, LINK_TRACE, trace, 16);
	wire_bytes(out, LINK_SPAN, span, 8);
}

uint32_t dictionary_link(struct dictionary *d, const char *trace_id, const char *span_id)
{
	uint8_t trace[16], span[8];

	if (!read_hex(trace_id, trace, sizeof(trace)) || !read_hex(span_id, span, sizeof(span)))
		return 0;
	buf_reset(&d->scratch);
	put_link(&d->scratch, trace, span);
	return intern_scratch(d, TABLE_LINKS);
}

struct dictionary_mark dictionary_mark(const struct dictionary *d)
{
	struct dictionary_mark m = { .bytes = d->bytes };

	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		m.entries[t] = d->tables[t].entries.n;
	return m;
}

void dictionary_rewind(struct dictionary *d, const struct dictionary_mark *m)
{
	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		strpool_truncate(&d->tables[t], m->entries[t]);
	d->bytes = m->bytes;
}

/* The link that is none, written in full because some decoders want ids of their whole length. */
static void put_no_link(struct buf *out)
{
	static const uint8_t zero[16];
	size_t mark = wire_begin(out, TABLE_LINKS);

	put_link(out, zero, zero);
	wire_end(out, mark);
}

static void put_table(const struct dictionary *d, enum table t, struct buf *out)
{
	const struct strpool *pool = &d->tables[t];

	if (t == TABLE_LINKS)
		put_no_link(out);
	else
		wire_bytes(out, t, "", 0);
	for (uint32_t i = 1; i < pool->entries.n; i++)
		wire_bytes(out, t, pool->entries.v[i].s, pool->entries.v[i].len);
}

void dictionary_put(const struct dictionary *d, struct buf *out)
{
	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		put_table(d, (enum table)t, out);
}

int dictionary_error(const struct dictionary *d)
{
	int r = d->error;

	for (int t = TABLE_MAPPINGS; t < TABLES && !r; t++)
		r = strpool_error(&d->tables[t]);
	return r;
}

void dictionary_reset(struct dictionary *d)
{
	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		strpool_reset(&d->tables[t]);
	d->bytes = 0;
	d->error = 0;
}

void dictionary_fini(struct dictionary *d)
{
	for (int t = TABLE_MAPPINGS; t < TABLES; t++)
		strpool_fini(&d->tables[t]);
	buf_fini(&d->scratch);
	buf_fini(&d->value);
}
