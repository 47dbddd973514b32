/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/jitdump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbolize/bytes.h"

enum {
	LOAD,
	MOVE,
	DEBUG_INFO,
	HEADER_SIZE = 40,
	HEADER_MAX = 4096,
	RECORD_HEADER = 16,
	V8_SHIFT = 64, /* what V8 adds to each address of a line */
};
#define MAGIC 0x4a695444u /* as a number of the writer's order */

struct record {
	uint64_t time;
	uint32_t id;
	uint32_t at, len; /* in the piece, behind the record's header */
};

typedef vec(struct record) records_t;

/* A NUL-terminated string inside the bytes; NULL: it does not end there. */
static const char *take_text(struct bytes *in, size_t *ret_len)
{
	const uint8_t *end = memchr(in->at, 0, bytes_left(in)), *s = in->at;

	if (!end) {
		in->bad = true;
		return NULL;
	}
	in->at = end + 1;
	*ret_len = (size_t)(end - s);
	return (const char *)s;
}

/* Paths are text: what is not, or is nothing, was freed before it was written. */
static bool is_path(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)s[i] < ' ' || (uint8_t)s[i] == 0x7f)
			return false;
	return len > 0;
}

struct entry {
	uint64_t offset;
	uint32_t line;
	const char *file;
	size_t len;
};

/* "\xff" stands for the file of the entry before. */
static bool read_entry(struct bytes *in, uint64_t start, struct entry *e)
{
	const char *file;
	size_t len = 0;

	e->offset = bytes_uint(in, 8) - start;
	e->line = (uint32_t)bytes_uint(in, 4);
	bytes_uint(in, 4); /* column */
	file = take_text(in, &len);
	if (in->bad)
		return false;
	if (len != 1 || (uint8_t)file[0] != 0xff || !e->file) {
		e->file = file;
		e->len = len;
	}
	return e->offset <= UINT32_MAX && is_path(e->file, e->len);
}

/* All entries make sense, or none is believed. */
static bool check_entries(const struct jitdump *d, uint64_t size, uint32_t *min)
{
	struct bytes in = { .at = d->debug.data, .end = d->debug.data + d->debug.len };
	struct entry e = { 0 };

	while (bytes_left(&in)) {
		if (!read_entry(&in, d->debug_start, &e) || e.offset > size + V8_SHIFT)
			return false;
		*min = e.offset < *min ? (uint32_t)e.offset : *min;
	}
	return true;
}

/* The lines of the code added last. */
static int add_lines(struct jitdump *d, uint64_t size)
{
	struct bytes in = { .at = d->debug.data, .end = d->debug.data + d->debug.len };
	uint32_t min = d->min_offset;
	struct entry e = { 0 };
	int r = 0;

	if (!check_entries(d, size, &min)) {
		d->bad++;
		return 0;
	}
	d->min_offset = min;
	while (bytes_left(&in) && r >= 0) {
		read_entry(&in, d->debug_start, &e);
		r = jit_map_add_line(&d->map, (uint32_t)e.offset, e.file, e.len, e.line);
	}
	return r;
}

static int take_load(struct jitdump *d, struct bytes *in)
{
	uint64_t start, size;
	const char *name;
	size_t len = 0;
	int r;

	bytes_take(in, 16); /* pid, tid, where it is mapped */
	start = bytes_uint(in, 8);
	size = bytes_uint(in, 8);
	bytes_uint(in, 8); /* its number */
	name = take_text(in, &len);
	if (in->bad || !size || start + size < start) {
		d->bad++;
		return 0;
	}
	r = jit_map_add(&d->map, start, size, name, len);
	if (r >= 0 && d->debug.len && d->debug_start == start)
		r = add_lines(d, size);
	buf_reset(&d->debug);
	return r;
}

static int take_move(struct jitdump *d, struct bytes *in)
{
	uint64_t from, to, size;
	int r;

	bytes_take(in, 16);
	from = bytes_uint(in, 8);
	to = bytes_uint(in, 8);
	size = bytes_uint(in, 8);
	if (in->bad || !size || to + size < to) {
		d->bad++;
		return 0;
	}
	r = jit_map_move(&d->map, from, to, size);
	d->bad += r == -ENOENT;
	return r == -ENOENT ? 0 : r;
}

/* Kept until its code is loaded. Its count is not needed: entries end where the record does, but for padding. */
static int take_debug_info(struct jitdump *d, struct bytes *in)
{
	uint64_t n;
	const uint8_t *begin;

	d->debug_start = bytes_uint(in, 8);
	n = bytes_uint(in, 8);
	begin = in->at;
	for (uint64_t i = 0; i < n && !in->bad; i++) {
		size_t len;

		bytes_take(in, 16);
		if (!in->bad)
			take_text(in, &len);
	}
	buf_reset(&d->debug);
	if (in->bad) {
		d->bad++;
		return 0;
	}
	buf_append(&d->debug, begin, (size_t)(in->at - begin));
	return buf_error(&d->debug);
}

static int by_time(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int take_records(struct jitdump *d, const uint8_t *data, records_t *records)
{
	int r = 0;

	if (records->n)
		qsort(records->v, records->n, sizeof(*records->v), by_time);
	for (uint32_t i = 0; i < records->n && r >= 0; i++) {
		const struct record *rec = &records->v[i];
		struct bytes in = { .at = data + rec->at, .end = data + rec->at + rec->len };

		r = rec->id == LOAD ? take_load(d, &in) : rec->id == MOVE ? take_move(d, &in) : take_debug_info(d, &in);
		if (r >= 0 && jit_map_is_full(&d->map))
			r = jit_map_settle(&d->map);
	}
	return r;
}

/*
 * The records of a piece that the file has in full; of one larger than a piece, its beginning: names come before
 * code. Returns how many bytes they are.
 */
static int64_t find_records(const uint8_t *data, size_t len, uint64_t left, records_t *ret, bool *ret_damaged)
{
	uint64_t at = 0;

	while (at < len && len - at >= RECORD_HEADER) {
		struct bytes in = { .at = data + at, .end = data + len };
		uint32_t id = (uint32_t)bytes_uint(&in, 4), size = (uint32_t)bytes_uint(&in, 4);
		uint64_t time = bytes_uint(&in, 8), end = at + size;
		struct record *slot;

		*ret_damaged = size < RECORD_HEADER;
		if (*ret_damaged)
			return (int64_t)left; /* where the next one begins is not to be known */
		if (end > left || (end > len && at))
			break;
		if (id <= DEBUG_INFO) {
			slot = vec_push(ret);
			if (!slot)
				return -ENOMEM;
			*slot = (struct record){ .time = time, .id = id, .at = (uint32_t)at + RECORD_HEADER };
			slot->len = (uint32_t)((end < len ? end : len) - slot->at);
		}
		at = end;
	}
	return (int64_t)at;
}

/* How long it is; 0: not there yet. */
static int64_t take_header(const uint8_t *data, size_t len)
{
	struct bytes in = { .at = data, .end = data + len };
	uint32_t magic = (uint32_t)bytes_uint(&in, 4), version = (uint32_t)bytes_uint(&in, 4);
	uint32_t size = (uint32_t)bytes_uint(&in, 4);

	if (len < HEADER_SIZE)
		return 0;
	if (magic != MAGIC || version != 1 || size < HEADER_SIZE || size > HEADER_MAX)
		return -EBADMSG;
	return len < size ? 0 : size;
}

static int64_t take(void *ctx, const uint8_t *data, size_t len, uint64_t left)
{
	struct jitdump *d = ctx;
	records_t records = { 0 };
	int64_t taken;
	int r = 0;

	if (!d->begun) {
		taken = take_header(data, len);
		d->begun = taken > 0;
		d->min_offset = UINT32_MAX;
		return taken;
	}
	taken = find_records(data, len, left, &records, &d->damaged);
	d->bad += d->damaged;
	if (taken >= 0)
		r = take_records(d, data, &records);
	vec_fini(&records);
	return r < 0 ? r : taken;
}

int jitdump_update(struct jitdump *d, int fd)
{
	bool again;
	int r = tail_look(&d->tail, fd, &again), settled;

	if (r < 0)
		return r;
	if (again) {
		jit_map_fini(&d->map);
		buf_reset(&d->debug);
		d->begun = d->damaged = false;
	}
	r = r && !d->damaged ? tail_read(&d->tail, fd, take, d) : 0;
	settled = jit_map_settle(&d->map);
	r = r < 0 ? r : settled;
	if (r == -ENOMEM)
		jitdump_fini(d);
	return r < 0 ? r : d->begun ? 0 : -ENODATA;
}

int jitdump_find(const struct jitdump *d, uint64_t addr, struct jitdump_frame *ret)
{
	uint32_t code = jit_map_find(&d->map, addr);
	const struct jit_line *l;

	if (code == JIT_NO_CODE)
		return -ENOENT;
	*ret = (struct jitdump_frame){ .name = jit_map_name(&d->map, code) };
	l = jit_map_line(&d->map, code, addr + (d->min_offset == V8_SHIFT ? V8_SHIFT : 0));
	if (l) {
		ret->file = jit_map_file(&d->map, l);
		ret->line = l->line;
	}
	return 0;
}

void jitdump_fini(struct jitdump *d)
{
	jit_map_fini(&d->map);
	buf_fini(&d->debug);
	*d = (struct jitdump){ 0 };
}
