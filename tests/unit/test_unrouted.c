/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "bpf/events.h"
#include "collect/unrouted.h"
#include "collect/whose.h"
#include "collect/window.h"
#include "proc/image.h"

static const char *route_text(void *ctx, uint32_t route)
{
	return route == 1 ? "/dear" : route == 2 ? "/cheap" : "";
}

static const struct whose_requests requests = { .route = route_text };

struct world {
	struct images *images;
	struct window *w;
	struct unrouted u;
};

static struct world begin(size_t max_bytes)
{
	struct world t = { 0 };

	assert_int_equal(images_new(&t.images), 0);
	assert_int_equal(window_new(t.images, max_bytes, &t.w), 0);
	return t;
}

static void end(struct world *t)
{
	unrouted_fini(&t->u);
	window_free(t->w);
	images_free(t->images);
}

/* A sample of a request whose route was not known, with this stack. */
static void sample(struct world *t, uint64_t span_id, uint64_t stack)
{
	const struct ev_sample ev = { .span_id = span_id, .weight = 2, .period_ns = 10 };
	const struct window_frame frame = { .offset = stack, .image = IMAGE_ID_NONE };
	int row = window_add(t->w, &frame, 1, &(struct window_labels){ .pid = 7 }, ev.weight, ev.period_ns);

	assert_true(row >= 0);
	unrouted_note(&t->u, &ev, (uint32_t)row);
}

/* Samples on this route, "" for none; their CPU time goes with them. */
static uint64_t on(const struct world *t, const char *route)
{
	uint64_t n = 0;

	vec_foreach(row, &t->w->rows) {
		const struct window_labels *l = &t->w->labels.v[row->labels];

		assert_int_equal(row->cpu_ns, row->samples * 10);
		assert_int_equal(l->pid, 7);
		n += strcmp(strpool_str(&t->w->strings, l->route), route) ? 0 : row->samples;
	}
	return n;
}

static void samples_get_their_route_when_their_request_has_ended(void **state)
{
	struct world t = begin(1 << 20);

	sample(&t, 11, 1);
	sample(&t, 11, 2);
	sample(&t, 22, 1);
	sample(&t, 33, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	assert_int_equal(on(&t, ""), 8);
	unrouted_tell(&t.u, 22, 90, 2);
	unrouted_tell(&t.u, 11, 80, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	assert_int_equal(on(&t, "/dear"), 4);
	assert_int_equal(on(&t, "/cheap"), 2);
	assert_int_equal(on(&t, ""), 2); /* the third has not ended */
	unrouted_tell(&t.u, 33, 110, 1);
	unrouted_settle(&t.u, t.w, &requests, 200);
	assert_int_equal(on(&t, "/dear"), 6);
	assert_int_equal(t.u.notes.n + t.u.told.n, 0);
	assert_int_equal(t.w->samples, 8);
	end(&t);
}

static void a_row_whose_samples_have_all_moved_is_none(void **state)
{
	struct world t = begin(1 << 20);

	sample(&t, 11, 1);
	sample(&t, 22, 2);
	unrouted_tell(&t.u, 11, 80, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	window_seal(t.w);
	assert_int_equal(t.w->rows.n, 2);
	assert_int_equal(on(&t, "/dear"), 2);
	assert_int_equal(on(&t, ""), 2);
	end(&t);
}

static void a_request_is_heard_until_its_last_sample_has_come(void **state)
{
	struct world t = begin(1 << 20);

	unrouted_tell(&t.u, 11, 150, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	sample(&t, 11, 1);
	unrouted_settle(&t.u, t.w, &requests, 149);
	sample(&t, 11, 1);
	unrouted_settle(&t.u, t.w, &requests, 150);
	assert_int_equal(on(&t, "/dear"), 4);
	assert_int_equal(t.u.told.n, 0);
	end(&t);
}

static void samples_of_a_window_that_is_gone_stay_without(void **state)
{
	struct world t = begin(1 << 20);

	sample(&t, 11, 1);
	window_free(t.w);
	unrouted_turn(&t.u);
	assert_int_equal(window_new(t.images, 1 << 20, &t.w), 0);
	sample(&t, 22, 1);
	unrouted_tell(&t.u, 11, 80, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	assert_int_equal(on(&t, ""), 2);
	assert_int_equal(on(&t, "/dear"), 0);
	end(&t);
}

static void requests_that_never_end_take_no_more_than_their_room(void **state)
{
	struct world t = begin(1 << 20);

	for (uint64_t i = 0; i < 200000; i++) {
		sample(&t, 1000 + i, i % 50);
		unrouted_tell(&t.u, 1, UINT64_MAX, 1);
	}
	sample(&t, 11, 1);
	assert_true(t.u.notes.cap <= 100000 && t.u.told.cap <= 100000);
	t.u.told.n = 0;
	unrouted_tell(&t.u, 11, 80, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	assert_int_equal(on(&t, "/dear"), 2);
	assert_int_equal(on(&t, ""), 2 * 200000);
	end(&t);
}

static void what_a_full_window_has_no_room_for_stays_where_it_is(void **state)
{
	struct world t = begin(1 << 20);

	sample(&t, 11, 1);
	t.w->max_bytes = 1;
	unrouted_tell(&t.u, 11, 80, 1);
	unrouted_settle(&t.u, t.w, &requests, 100);
	assert_int_equal(on(&t, ""), 2);
	assert_int_equal(t.w->rows.n, 1);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_get_their_route_when_their_request_has_ended),
		cmocka_unit_test(a_row_whose_samples_have_all_moved_is_none),
		cmocka_unit_test(a_request_is_heard_until_its_last_sample_has_come),
		cmocka_unit_test(samples_of_a_window_that_is_gone_stay_without),
		cmocka_unit_test(requests_that_never_end_take_no_more_than_their_room),
		cmocka_unit_test(what_a_full_window_has_no_room_for_stays_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
