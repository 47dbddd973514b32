/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/perf_script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "pprof/perf_frames.h"
#include "pprof/perf_line.h"
#include "pprof/profile.h"

enum { MAX_EVENTS = 32 };

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
	struct perf_frames frames;
	struct strpool labels;      /* struct labels_key; beside labels_of */
	vec(struct profile_sample) labels_of;
	vec(struct counted) counts; /* by sample */
	struct profile_sample open;
	struct counted open_count;
	bool is_open;
	uint64_t first_ns, last_ns;
	int64_t first_period;
};

static void close_sample(struct reader *rd)
{
	struct counted *a;

	if (!rd->is_open)
		return;
	perf_frames_end(&rd->frames, &rd->open);
	profile_add_sample(rd->p, &rd->open, NULL);
	a = vec_push(&rd->counts);
	if (!a)
		rd->p->error = -ENOMEM;
	else
		*a = rd->open_count;
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
		perf_frames_read(&rd->frames, l->rest.s, l->rest.len);
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
	perf_frames_read(&rd->frames, s, len);
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
	return profile_error(rd->p) || strpool_error(&rd->events) || strpool_error(&rd->frames.images) ||
		       strpool_error(&rd->frames.frames) || strpool_error(&rd->labels) || buf_error(&rd->frames.text) ?
		       -ENOMEM :
		       0;
}

static void reader_fini(struct reader *rd)
{
	profile_free(rd->p);
	strpool_fini(&rd->events);
	perf_frames_fini(&rd->frames);
	strpool_fini(&rd->labels);
	vec_fini(&rd->labels_of);
	vec_fini(&rd->counts);
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
	rd.frames.p = rd.p;
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
