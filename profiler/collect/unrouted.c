/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/unrouted.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/events.h"
#include "collect/whose.h"
#include "collect/window.h"

enum { MAX_NOTES = 65536, MAX_TOLD = 65536 };

/* Of requests that never end, or whose end was lost, notes stay: they must not be in the way of new ones. */
static void make_room(struct unrouted *u)
{
	if (u->notes.n < MAX_NOTES)
		return;
	u->notes.n /= 2;
	memmove(u->notes.v, u->notes.v + u->notes.n, u->notes.n * sizeof(*u->notes.v));
}

void unrouted_note(struct unrouted *u, const struct ev_sample *ev, uint32_t row)
{
	struct unrouted_note *n;

	make_room(u);
	n = vec_push(&u->notes);
	if (n)
		*n = (struct unrouted_note){ .span_id = ev->span_id, .cpu_ns = (uint64_t)ev->weight * ev->period_ns, .row = row, .samples = ev->weight };
}

void unrouted_tell(struct unrouted *u, uint64_t span_id, uint64_t end_ns, uint32_t route)
{
	struct unrouted_told *t = u->told.n < MAX_TOLD ? vec_push(&u->told) : NULL;

	if (t)
		*t = (struct unrouted_told){ .span_id = span_id, .end_ns = end_ns, .route = route };
}

static int by_span(const void *a, const void *b)
{
	uint64_t x = ((const struct unrouted_told *)a)->span_id, y = ((const struct unrouted_told *)b)->span_id;

	return x < y ? -1 : x > y;
}

static void move_noted(struct unrouted *u, struct window *w, const struct whose_requests *r)
{
	uint32_t kept = 0;

	vec_foreach(n, &u->notes) {
		const struct unrouted_told key = { .span_id = n->span_id };
		const struct unrouted_told *t = bsearch(&key, u->told.v, u->told.n, sizeof(key), by_span);

		if (!t || window_move(w, n->row, n->samples, n->cpu_ns, r->route(r->ctx, t->route)) < 0)
			u->notes.v[kept++] = *n;
	}
	u->notes.n = kept;
}

void unrouted_settle(struct unrouted *u, struct window *w, const struct whose_requests *r, uint64_t complete_ns)
{
	uint32_t kept = 0;

	if (!u->told.n)
		return;
	qsort(u->told.v, u->told.n, sizeof(*u->told.v), by_span);
	move_noted(u, w, r);
	vec_foreach(t, &u->told)
		if (t->end_ns > complete_ns)
			u->told.v[kept++] = *t;
	u->told.n = kept;
}

void unrouted_turn(struct unrouted *u)
{
	u->notes.n = 0;
}

void unrouted_fini(struct unrouted *u)
{
	vec_fini(&u->notes);
	vec_fini(&u->told);
}
