/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/perf_script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "pprof/perf_line.h"
#include "pprof/profile.h"

enum { MAX_EVENTS = 32, MAX_INLINED = 256 };

/* What a sample counts, until all events are known and with them the types. */
struct counted {
	uint32_t event; /* index in events; UINT32_MAX: none is printed, or without a period */
	int64_t period;
};

struct labels_key {
	int64_t pid, tid;
	uint32_t comm, zero;
};

struct reader {
	struct profile *p;
	struct strpool events;      /* names */
	struct strpool images;      /* beside p->mappings */
	struct strpool frames;      /* a frame's lines as they stand; beside p->locations */
	struct strpool labels;      /* struct labels_key; beside labels_of */
	vec(struct profile_sample) labels_of;
	vec(struct counted) counts; /* by sample */
	vec(uint32_t) stack;        /* of the open sample, leaf first */
	struct buf frame;           /* lines of the frame that is coming: inlined ones, then its own */
	struct perf_frame_line inlined[MAX_INLINED];
	uint32_t n_inlined;
	struct profile_sample open;
	struct counted open_count;
	bool is_open;
	uint64_t first_ns, last_ns;
	int64_t first_period;
};

static uint32_t mapping_of(struct reader *rd, const struct perf_text *image)
{
	struct profile_mapping m = { .has_functions = true }; /* all names there are; nobody is to look for more */
	uint32_t id;
	bool new;

	if (!image->len)
		return PROFILE_NO_MAPPING;
	id = strpool_intern(&rd->images, image->s, image->len, &new);
	if (!new)
		return id - 1;
	m.file = strpool_add_len(&rd->p->strings, image->s, image->len);
	return profile_add_mapping(rd->p, &m);
}

static uint32_t function_of(struct reader *rd, const struct perf_text *symbol)
{
	struct profile_function f = { 0 };

	f.name = f.system_name = strpool_add_len(&rd->p->strings, symbol->s, symbol->len);
	return profile_add_function(rd->p, &f);
}

static uint8_t kind_of(const struct reader *rd, const struct profile_location *l, bool named)
{
	if (l->mapping < rd->p->mappings.n)
		return profile_guess_kind(profile_str(rd->p, rd->p->mappings.v[l->mapping].file));
	if (l->address >> 63)
		return FRAME_KERNEL;
	return named ? FRAME_NATIVE : FRAME_UNKNOWN;
}

static uint32_t add_location(struct reader *rd, const struct perf_frame_line *f)
{
	struct profile_location l = { .address = f->address, .mapping = mapping_of(rd, &f->image) };
	struct profile_line lines[MAX_INLINED + 1] = { 0 };
	uint32_t n = 0;

	for (; n < rd->n_inlined; n++)
		lines[n].function = function_of(rd, &rd->inlined[n].symbol);
	if (f->symbol.len)
		lines[n++].function = function_of(rd, &f->symbol);
	l.kind = kind_of(rd, &l, n > 0);
	return profile_add_location(rd->p, &l, lines, n);
}

/* The frame is whole: rd->frame holds its lines. */
static void push_frame(struct reader *rd, const struct perf_frame_line *f)
{
	bool new;
	uint32_t id = strpool_intern(&rd->frames, rd->frame.data, rd->frame.len, &new), *slot = vec_push(&rd->stack);

	if (!slot || buf_error(&rd->frame)) {
		rd->p->error = -ENOMEM;
		return;
	}
	*slot = new ? add_location(rd, f) : id - 1;
	rd->n_inlined = 0;
	buf_reset(&rd->frame);
}

static void read_frame(struct reader *rd, const char *s, size_t len)
{
	struct perf_frame_line f;

	if (!perf_frame_line(s, len, &f))
		return; /* a source line, or the payload of a tracepoint over several lines */
	buf_append(&rd->frame, s, len);
	buf_putc(&rd->frame, '\n');
	if (f.inlined && f.symbol.len && rd->n_inlined < MAX_INLINED)
		rd->inlined[rd->n_inlined++] = f;
	else
		push_frame(rd, &f);
}

static void close_sample(struct reader *rd)
{
	struct counted *a;

	if (!rd->is_open)
		return;
	if (rd->n_inlined) { /* the function they were inlined into is missing: the last stands for it */
		struct perf_frame_line f = rd->inlined[--rd->n_inlined];

		push_frame(rd, &f);
	}
	rd->open.first_frame = profile_add_frames(rd->p, rd->stack.v, rd->stack.n);
	rd->open.n_frames = rd->stack.n;
	profile_add_sample(rd->p, &rd->open, NULL);
	a = vec_push(&rd->counts);
	if (!a)
		rd->p->error = -ENOMEM;
	else
		*a = rd->open_count;
	rd->stack.n = 0;
	rd->is_open = false;
}

static void add_label(struct reader *rd, const char *key, uint32_t str, int64_t num, struct profile_sample *s)
{
	struct profile_label l = { .key = strpool_add(&rd->p->strings, key), .str = str, .num = num };

	if (!str)
		l.unit = strpool_add(&rd->p->strings, "id");
	profile_add_labels(rd->p, &l, 1);
	s->n_labels++;
}

static struct profile_sample labels_of(struct reader *rd, const struct perf_event_line *l)
{
	struct labels_key key = { .pid = l->pid, .tid = l->tid,
				  .comm = strpool_add_len(&rd->p->strings, l->comm.s, l->comm.len) };
	struct profile_sample *s;
	bool new;
	uint32_t id = strpool_intern(&rd->labels, &key, sizeof(key), &new);

	if (!new)
		return id ? rd->labels_of.v[id - 1] : (struct profile_sample){ 0 };
	s = vec_push(&rd->labels_of);
	if (!s) {
		rd->p->error = -ENOMEM;
		return (struct profile_sample){ 0 };
	}
	s->first_label = rd->p->labels.n;
	add_label(rd, "comm", key.comm, 0, s);
	if (l->pid >= 0)
		add_label(rd, "pid", 0, l->pid, s);
	if (l->tid >= 0)
		add_label(rd, "tid", 0, l->tid, s);
	return *s;
}

static const char *open_sample(struct reader *rd, const struct perf_event_line *l)
{
	uint32_t id = 0;
	bool new;

	if (l->event.len && l->period >= 0)
		id = strpool_intern(&rd->events, l->event.s, l->event.len, &new);
	if (id > MAX_EVENTS)
		return "more than 32 different events";
	rd->open = labels_of(rd, l);
	rd->open_count = (struct counted){ id - 1, l->period };
	rd->is_open = true;
	if (!rd->counts.n) {
		rd->first_ns = l->time_ns;
		rd->first_period = l->period;
	}
	rd->first_ns = l->time_ns < rd->first_ns ? l->time_ns : rd->first_ns;
	rd->last_ns = l->time_ns > rd->last_ns ? l->time_ns : rd->last_ns;
	if (l->rest.len && l->rest.s[l->rest.len - 1] == ')') /* else a tracepoint's payload */
		read_frame(rd, l->rest.s, l->rest.len);
	return NULL;
}

static const char *read_line(struct reader *rd, const char *s, size_t len)
{
	struct perf_event_line l;

	if (!perf_text_trim(s, len).len) {
		close_sample(rd);
		return NULL;
	}
	if (perf_event_line(s, len, &l)) {
		close_sample(rd);
		return l.record ? NULL : open_sample(rd, &l);
	}
	if (s[0] == '#')
		return NULL;
	if (!rd->is_open || (s[0] != ' ' && s[0] != '\t'))
		return "neither an event nor a frame of perf script";
	read_frame(rd, s, len);
	return NULL;
}

/* "cpu-clock:u": the modifiers do not change what is counted. */
static bool counts_time(const char *event)
{
	size_t n = strcspn(event, ":");

	return (n == 9 && !memcmp(event, "cpu-clock", 9)) || (n == 10 && !memcmp(event, "task-clock", 10));
}

static void set_types(struct reader *rd)
{
	struct profile *p = rd->p;
	uint32_t n = rd->events.entries.n;

	profile_add_type(p, "samples", "count");
	for (uint32_t i = 1; i < n; i++) {
		const char *name = strpool_str(&rd->events, i);
		bool time = counts_time(name);

		profile_add_type(p, time && n == 2 ? "cpu" : name, time ? "nanoseconds" : "count");
	}
	if (n == 2 && p->types.n == 2) {
		p->period_type = p->types.v[1];
		p->period = rd->first_period;
	}
	p->duration_ns = (int64_t)(rd->last_ns - rd->first_ns);
}

static void set_values(struct reader *rd)
{
	uint32_t n = rd->p->types.n;

	if (vec_reserve(&rd->p->values, (size_t)rd->counts.n * n) < 0) {
		rd->p->error = -ENOMEM;
		return;
	}
	vec_foreach(a, &rd->counts) {
		int64_t *values = rd->p->values.v + rd->p->values.n;

		memset(values, 0, n * sizeof(*values));
		values[0] = 1;
		if (a->event != UINT32_MAX)
			values[1 + a->event] = a->period;
		rd->p->values.n += n;
	}
}

static int reader_error(const struct reader *rd)
{
	return profile_error(rd->p) || strpool_error(&rd->events) || strpool_error(&rd->images) ||
		       strpool_error(&rd->frames) || strpool_error(&rd->labels) || buf_error(&rd->frame) ?
		       -ENOMEM :
		       0;
}

static void reader_fini(struct reader *rd)
{
	profile_free(rd->p);
	strpool_fini(&rd->events);
	strpool_fini(&rd->images);
	strpool_fini(&rd->frames);
	strpool_fini(&rd->labels);
	vec_fini(&rd->labels_of);
	vec_fini(&rd->counts);
	vec_fini(&rd->stack);
	buf_fini(&rd->frame);
}

static size_t line_len(const char *s, const char *end)
{
	const char *newline = memchr(s, '\n', (size_t)(end - s));

	return (size_t)((newline ? newline : end) - s);
}

bool perf_script_looks_like(const char *text, size_t len)
{
	const char *s = text, *end = text + len;
	struct perf_event_line l;

	while (s < end) {
		size_t n = line_len(s, end);

		if (perf_text_trim(s, n).len && (s[0] != '#' || perf_event_line(s, n, &l)))
			return perf_event_line(s, n, &l);
		s += n + 1;
	}
	return false;
}

int perf_script_decode(const char *text, size_t len, struct profile **ret, char *err, size_t err_len)
{
	_cleanup_(reader_fini) struct reader rd = { .p = profile_new() };
	const char *s = text, *end = text + len;

	snprintf(err, err_len, "out of memory");
	if (!rd.p)
		return -ENOMEM;
	for (uint64_t line = 1; s < end && !reader_error(&rd); line++) {
		size_t n = line_len(s, end);
		const char *why = read_line(&rd, s, n);

		if (why) {
			snprintf(err, err_len, "line %llu: %s", (unsigned long long)line, why);
			return -EBADMSG;
		}
		s += n + 1;
	}
	if (reader_error(&rd))
		return -ENOMEM;
	close_sample(&rd);
	set_types(&rd);
	set_values(&rd);
	if (reader_error(&rd))
		return -ENOMEM;
	*ret = take_ptr(rd.p);
	return 0;
}
