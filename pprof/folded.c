/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/folded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "pprof/profile.h"
#include "pprof/request.h"

/* Deeper than any real stack; a line of separators must not cost a frame each without bound. */
enum { MAX_FRAMES = 8192 };

static const char *suffix(const struct profile_location *l, uint32_t line)
{
	if (line + 1 < l->n_lines)
		return "_[i]";
	return l->kind == FRAME_KERNEL ? "_[k]" : l->kind == FRAME_JIT ? "_[j]" : "";
}

/* The separators of the format cannot stand inside a name. */
static void clean(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++) {
		if (b->data[i] == ';')
			b->data[i] = ':';
		else if (b->data[i] == '\n' || b->data[i] == '\r' || b->data[i] == '\0')
			b->data[i] = ' ';
	}
}

static void put_frame(const struct profile *p, uint32_t location, uint32_t line, struct buf *out)
{
	size_t from;

	if (out->len)
		buf_putc(out, ';');
	from = out->len;
	profile_location_name(p, location, line, out);
	buf_puts(out, suffix(&p->locations.v[location], line));
	clean(out, from);
}

static void put_label(const struct profile *p, const struct profile_sample *s, const char *key, struct buf *out)
{
	const struct profile_label *l = profile_sample_label(p, s, key);

	if (l && l->str)
		buf_puts(out, profile_str(p, l->str));
}

static void put_route(const struct profile *p, const struct profile_sample *s, struct buf *out)
{
	size_t from = out->len;

	if (from)
		buf_putc(out, ';');
	if (request_route(p, s, out))
		clean(out, from ? from + 1 : 0);
	else
		out->len = from;
}

static void put_stack(const struct profile *p, const struct profile_sample *s, struct buf *out)
{
	put_label(p, s, "comm", out);
	if (!out->len)
		put_label(p, s, "service_name", out);
	clean(out, 0);
	put_route(p, s, out);
	for (uint32_t i = s->n_frames; i-- > 0;) {
		uint32_t location = p->frames.v[s->first_frame + i];
		uint32_t n = p->locations.v[location].n_lines;

		for (uint32_t line = n ? n : 1; line-- > 0;)
			put_frame(p, location, line, out);
	}
}

int folded_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(buf_fini) struct buf line = BUF_INIT;
	_cleanup_(strpool_fini) struct strpool stacks = { 0 };
	vec(int64_t) counts = { 0 };
	int r = profile_error(p);

	for (uint32_t i = 0; i < p->samples.n && p->types.n && r >= 0; i++) {
		uint32_t id;

		buf_reset(&line);
		put_stack(p, &p->samples.v[i], &line);
		id = strpool_add_len(&stacks, (char *)line.data, line.len);
		while (r >= 0 && counts.n <= id)
			r = vec_push(&counts) ? 0 : -ENOMEM;
		if (r >= 0)
			counts.v[id] = profile_sum(counts.v[id], p->values.v[(size_t)i * p->types.n]);
		if (buf_error(&line) || strpool_error(&stacks))
			r = -ENOMEM;
	}
	for (uint32_t id = 0; id < counts.n && r >= 0; id++)
		if (counts.v[id] && id) /* id 0: samples without any frame or label have no line */
			buf_printf(out, "%s %lld\n", strpool_str(&stacks, id), (long long)counts.v[id]);
	vec_fini(&counts);
	return r < 0 ? r : buf_error(out);
}

struct reader {
	struct profile *p;
	vec(uint32_t) location_of; /* by string id of the raw frame text; index + 1 */
	struct strpool texts;
	uint32_t stack[MAX_FRAMES];
};

static uint8_t take_suffix(const char *s, size_t *len)
{
	static const struct {
		const char *text;
		uint8_t kind;
	} suffixes[] = { { "_[k]", FRAME_KERNEL }, { "_[j]", FRAME_JIT }, { "_[i]", FRAME_NATIVE } };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (*len <= 4 || memcmp(s + *len - 4, suffixes[i].text, 4))
			continue;
		*len -= 4;
		return suffixes[i].kind;
	}
	return FRAME_NATIVE;
}

static uint32_t location_of(struct reader *rd, const char *s, size_t len)
{
	uint32_t text = strpool_add_len(&rd->texts, s, len);
	struct profile_location loc = { .mapping = PROFILE_NO_MAPPING };
	struct profile_function f = { 0 };
	struct profile_line line = { 0 };

	while (rd->location_of.n <= text)
		if (!vec_push(&rd->location_of)) {
			rd->p->error = -ENOMEM;
			return 0;
		}
	if (!rd->location_of.v[text]) {
		loc.kind = take_suffix(s, &len);
		f.name = f.system_name = strpool_add_len(&rd->p->strings, s, len);
		line.function = profile_add_function(rd->p, &f);
		rd->location_of.v[text] = profile_add_location(rd->p, &loc, &line, 1) + 1;
	}
	return rd->location_of.v[text] - 1;
}

/* The count behind the last space: digits only. */
static int take_count(const char *s, size_t *len, int64_t *ret)
{
	const char *space = memrchr(s, ' ', *len), *end = s + *len;
	int64_t v = 0;

	if (!space || space + 1 == end)
		return -EINVAL;
	for (const char *c = space + 1; c < end; c++) {
		if (*c < '0' || *c > '9' || v > (INT64_MAX - 9) / 10)
			return -EINVAL;
		v = v * 10 + (*c - '0');
	}
	*len = (size_t)(space - s);
	*ret = v;
	return 0;
}

static const char *read_line(struct reader *rd, const char *s, size_t len)
{
	struct profile_sample sample = { 0 };
	int64_t count;
	uint32_t n = 0;

	if (take_count(s, &len, &count) < 0)
		return "a line must end in a space and a number";
	/* Leaf first, as the model has it: read from the back. */
	for (size_t end = len;;) {
		const char *semicolon = memrchr(s, ';', end);
		size_t start = semicolon ? (size_t)(semicolon - s) + 1 : 0;

		if (n == MAX_FRAMES)
			return "more than 8192 frames in one stack";
		rd->stack[n++] = location_of(rd, s + start, end - start);
		if (!semicolon)
			break;
		end = start - 1;
	}
	sample.first_frame = profile_add_frames(rd->p, rd->stack, n);
	sample.n_frames = n;
	profile_add_sample(rd->p, &sample, &count);
	return NULL;
}

static const char *line_end(const char *s, const char *end)
{
	const char *newline = memchr(s, '\n', (size_t)(end - s));

	return newline ? newline : end;
}

/* Without what an editor on another system left at its end. */
static size_t line_len(const char *s, const char *stop)
{
	return (size_t)(stop - s) - (stop > s && stop[-1] == '\r');
}

bool folded_looks_like(const char *text, size_t len)
{
	const char *s = text, *end = text + len;

	while (s < end) {
		const char *stop = line_end(s, end);
		size_t n = line_len(s, stop);
		int64_t count;

		if (n && s[0] != '#')
			return take_count(s, &n, &count) == 0;
		s = stop + 1;
	}
	return false;
}

static void reader_fini(struct reader *rd)
{
	profile_free(rd->p);
	vec_fini(&rd->location_of);
	strpool_fini(&rd->texts);
}

int folded_decode(const char *text, size_t len, struct profile **ret, char *err, size_t err_len)
{
	_cleanup_(reader_fini) struct reader rd = { .p = profile_new() };
	const char *s = text, *end = text + len;
	uint64_t line = 1;

	snprintf(err, err_len, "out of memory");
	if (!rd.p)
		return -ENOMEM;
	profile_add_type(rd.p, "samples", "count");
	for (; s < end && !profile_error(rd.p) && !strpool_error(&rd.texts); line++) {
		const char *stop = line_end(s, end), *why = NULL;
		size_t n = line_len(s, stop);

		if (n && s[0] != '#')
			why = read_line(&rd, s, n);
		if (why) {
			snprintf(err, err_len, "line %llu: %s", (unsigned long long)line, why);
			return -EBADMSG;
		}
		s = stop + 1;
	}
	if (profile_error(rd.p) || strpool_error(&rd.texts))
		return -ENOMEM;
	*ret = take_ptr(rd.p);
	return 0;
}
