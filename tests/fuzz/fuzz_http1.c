/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any stream, in pieces of any size: what is said of it does not depend on them, nor on heads that were there before, adds up, and nothing
 * outside is read or written; and a parser whose memory holds anything at all stays in the window too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bpf_host.h"

#include "bpf/http1_again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* All that was said, in one number, and what it adds up to. */
struct said {
	uint64_t sum;
	uint64_t framing, body; /* of all messages that ended, and what there is of the last */
	uint32_t heads, ends, nots;
};

static void check(int is_so)
{
	if (!is_so)
		abort();
}

static void add(struct said *s, uint64_t v)
{
	s->sum = (s->sum ^ v) * 0x100000001b3ull;
}

static void on_events(struct said *s, const struct http1 *m, uint32_t events, size_t at)
{
	if (!events)
		return;
	add(s, events);
	add(s, events & HTTP1_NOT ? 0 : at); /* where it is noticed depends on the pieces */
	s->heads += events & HTTP1_HEAD ? 1 : 0;
	s->ends += events & HTTP1_END ? 1 : 0;
	s->nots += events & HTTP1_NOT ? 1 : 0;
	check(s->ends <= s->heads && s->nots <= 1);
	if (events & HTTP1_HEAD) {
		add(s, m->code | (uint64_t)m->flags << 16);
		add(s, m->flags & HTTP1_REQUESTS ? m->path : 0);
		add(s, m->path_at | (uint64_t)m->path_len << 16 | (uint64_t)m->framing << 32);
		check(m->flags & HTTP1_RESPONSES ? m->code >= 100 && m->code < 1000
						 : m->code < HTTP1_METHOD_MAX);
		check(m->path_at + m->path_len <= m->framing);
		check((m->flags & (HTTP1_REQUESTS | HTTP1_RESPONSES)) !=
		      (HTTP1_REQUESTS | HTTP1_RESPONSES));
	}
	if (events & HTTP1_END || (events & HTTP1_HEAD && m->code < 200 &&
				   m->flags & HTTP1_RESPONSES && m->code != 101)) {
		s->framing += m->framing;
		s->body += m->body;
		check(s->framing + s->body == at);
	}
}

/* As bpf/trace_stream.h does it. */
static uint32_t next(struct http1 *m, struct http1_window *w, struct http1_again *a)
{
	int begins = a && !w->at && http1_begins(m);
	uint32_t events;

	if (begins)
		a += http1_again_place(w);
	events = begins ? http1_next_again(m, w, a) : 0;

	if (events)
		return events;
	events = http1_next(m, w);
	if (begins && (events & HTTP1_HEAD))
		http1_keep(a, m, w, events);
	return events;
}

/* a: heads before, by place; NULL: all are read. */
static void run(struct said *s, const uint8_t *data, size_t len, size_t piece, struct http1_again *a)
{
	static struct http1_window w;
	struct http1 m = { 0 };
	size_t at = 0, n;

	*s = (struct said){ 0 };
	while (at < len) {
		uint64_t unseen = http1_unseen(&m);

		n = len - at < piece ? len - at : piece;
		if (unseen) {
			n = unseen < n ? unseen : n;
			at += n;
			on_events(s, &m, http1_pass(&m, n), at);
			continue;
		}
		memset(w.bytes, (int)at, sizeof(w.bytes));
		memcpy(w.bytes, data + at, n);
		w.at = 0;
		w.end = (uint32_t)n;
		at += n;
		while (w.at < w.end) {
			uint32_t was = w.at, events = next(&m, &w, a);

			check(w.at > was || events);
			on_events(s, &m, events, at - (w.end - w.at));
		}
		check(w.at == w.end);
	}
}

static void run_with_any_memory(const uint8_t *data, size_t len)
{
	static struct http1_window w;
	struct http1 m;
	uint32_t was;

	if (len < sizeof(m) + 4)
		return;
	memcpy(&m, data, sizeof(m));
	data += sizeof(m);
	len -= sizeof(m);
	w.at = data[0] | (data[1] & 3) << 8;
	w.end = data[2] | (data[3] & 3) << 8;
	memcpy(w.bytes, data + 4, len - 4 < sizeof(w.bytes) ? len - 4 : sizeof(w.bytes));
	while (w.at < w.end && w.end <= HTTP1_WINDOW) {
		was = w.at;
		if (!http1_next(&m, &w))
			check(w.at > was || m.state > HTTP1_IN_ELSE ||
			      (m.state >= HTTP1_IN_BODY && !http1_unseen(&m)));
		if (w.at == was)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 8, 9, 15, 16, 24, 25, 63, 64, 65, 100, 511 };
	struct said whole, cut;

	run(&whole, data, len, HTTP1_WINDOW, NULL);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		static struct http1_again a[HTTP1_PLACES];

		memset(a, 0, sizeof(a));
		run(&cut, data, len, pieces[i], NULL);
		check(!memcmp(&whole, &cut, sizeof(cut)));
		for (int again = 0; again < 2; again++) {
			run(&cut, data, len, pieces[i], a);
			check(!memcmp(&whole, &cut, sizeof(cut)));
		}
	}
	run_with_any_memory(data, len);
	return 0;
}
