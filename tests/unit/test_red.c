/* SPDX-License-Identifier: Apache-2.0 */
/* Requests summed up by service: what processes counted stays, what is moved is never missing nor twice. */
#include "unit.h"

#include <stdbool.h>

#include "bpf/http1.h"
#include "trace/red.h"

enum { SHOP = 1, OTHER = 2, OVERFLOW = 99 };

static bool is_known = true; /* what the shop's processes are; else they are taken for another's */

/* Processes below 100 are the shop's, 666 is not wanted, the rest are another service's. */
static uint32_t service_of(void *ctx, uint32_t tgid)
{
	if (!is_known)
		return OTHER;
	return tgid == 666 ? 0 : tgid < 100 ? SHOP : OTHER;
}

static uint32_t overflow_of(void *ctx, uint32_t service)
{
	return OVERFLOW;
}

/* The same number, of another hundred; those below are everybody's. */
static uint32_t route_of(void *ctx, uint32_t service, uint32_t route)
{
	return route < 100 ? route : service * 100 + route % 100;
}

static struct red *make(uint32_t max_series)
{
	struct red *r;

	assert_int_equal(red_new(&(struct red_opts){ .max_series = max_series, .service_of = service_of, .overflow_of = overflow_of, .route_of = route_of }, &r), 0);
	return r;
}

static void count(struct red_cell *c, uint64_t ns, int n)
{
	for (int i = 0; i < n; i++) {
		c->duration_ns += ns;
		c->request_bytes += 10;
		c->response_bytes += 100;
		c->durations[red_duration_bucket(ns)]++;
		c->request_sizes[red_size_bucket(10)]++;
		c->response_sizes[red_size_bucket(100)]++;
	}
}

static void tell(struct red *r, uint32_t tgid, uint32_t route, const struct red_cell *c)
{
	const struct red_key key = { .tgid = tgid, .route = route, .status = 200, .method = HTTP1_METHOD_GET };

	assert_int_equal(red_cell(r, &key, c), 0);
}

static const struct red_series *find(const struct red *r, uint32_t service, uint32_t route)
{
	uint32_t n;
	const struct red_series *s = red_series(r, &n);

	for (uint32_t i = 0; i < n; i++)
		if (s[i].key.service == service && s[i].key.route == route)
			return &s[i];
	return NULL;
}

static uint64_t count_of(const struct red *r, uint32_t service, uint32_t route)
{
	const struct red_series *s = find(r, service, route);

	return s ? s->count : 0;
}

static void bounds_are_part_of_their_bucket(void **state)
{
	assert_int_equal(red_duration_bucket(0), 0);
	assert_int_equal(red_duration_bucket(5000000), 0);
	assert_int_equal(red_duration_bucket(5000001), 1);
	assert_int_equal(red_duration_bucket(10000000000ull), 13);
	assert_int_equal(red_duration_bucket(10000000001ull), 14);
	assert_int_equal(red_duration_bucket(UINT64_MAX), 14);
	assert_int_equal(red_size_bucket(0), 0);
	assert_int_equal(red_size_bucket(1), 1);
	assert_int_equal(red_size_bucket(8192), 9);
	assert_int_equal(red_size_bucket(8193), 10);
}

static void processes_of_a_service_add_up_and_stay(void **state)
{
	struct red *r = make(0);
	struct red_cell a = { 0 }, b = { 0 };

	count(&a, 1000, 3);
	count(&b, 20000000, 2);
	red_begin(r);
	tell(r, 1, 7, &a);
	tell(r, 2, 7, &b);
	tell(r, 200, 7, &a);
	tell(r, 666, 7, &a);
	red_end(r, 1);
	assert_int_equal(count_of(r, SHOP, 7), 5);
	assert_int_equal(count_of(r, OTHER, 7), 3);
	assert_int_equal(find(r, SHOP, 7)->duration_ns, 3 * 1000 + 2 * 20000000);
	assert_int_equal(find(r, SHOP, 7)->durations[0], 3);
	assert_int_equal(find(r, SHOP, 7)->durations[2], 2);
	assert_int_equal(find(r, SHOP, 7)->response_bytes, 500);

	/* 2 has gone; 1 counts on, and the number 2 comes again as another process's. */
	count(&a, 1000, 10);
	red_begin(r);
	tell(r, 1, 7, &a);
	red_end(r, 2);
	assert_int_equal(count_of(r, SHOP, 7), 15);
	memset(&b, 0, sizeof(b));
	count(&b, 1000, 1);
	red_begin(r);
	tell(r, 1, 7, &a);
	tell(r, 2, 7, &b);
	red_end(r, 3);
	assert_int_equal(count_of(r, SHOP, 7), 16);
	red_free(r);
}

static void counters_may_wrap(void **state)
{
	struct red *r = make(0);
	struct red_cell a = { .durations = { UINT32_MAX } };

	red_begin(r);
	tell(r, 1, 7, &a);
	red_end(r, 1);
	a.durations[0] += 3;
	red_begin(r);
	tell(r, 1, 7, &a);
	red_end(r, 1);
	assert_int_equal(count_of(r, SHOP, 7), (uint64_t)UINT32_MAX + 3);
	red_free(r);
}

static void a_move_waits_for_what_it_moves(void **state)
{
	const struct ev_request ev = { .tgid = 1, .status = 200, .method = HTTP1_METHOD_GET, .start_ns = 1000, .end_ns = 2000,
				       .request_bytes = 10, .response_bytes = 100, .flags = TRACE_UNKNOWN };
	struct red *r = make(0);
	struct red_cell a = { 0 };

	assert_int_equal(red_move(r, &ev, 7), 0);
	assert_int_equal(red_move(r, &ev, 7), 0);
	red_begin(r);
	red_end(r, 1);
	assert_int_equal(count_of(r, SHOP, 7), 0);

	count(&a, 1000, 1);
	red_begin(r);
	tell(r, 1, TRACE_ROUTE_UNKNOWN, &a);
	red_end(r, 2);
	assert_int_equal(count_of(r, SHOP, 7), 1);
	assert_int_equal(count_of(r, SHOP, TRACE_ROUTE_UNKNOWN), 0);

	count(&a, 1000, 4);
	red_begin(r);
	tell(r, 1, TRACE_ROUTE_UNKNOWN, &a);
	red_end(r, 3);
	assert_int_equal(count_of(r, SHOP, 7), 2);
	assert_int_equal(count_of(r, SHOP, TRACE_ROUTE_UNKNOWN), 3);
	assert_int_equal(find(r, SHOP, 7)->response_bytes, 200);
	assert_int_equal(find(r, SHOP, 7)->durations[0], 2);
	red_free(r);
}

static void a_move_follows_its_process_to_another_service(void **state)
{
	const struct ev_request ev = { .tgid = 1, .status = 200, .method = HTTP1_METHOD_GET, .start_ns = 1000, .end_ns = 2000,
				       .request_bytes = 10, .response_bytes = 100, .flags = TRACE_UNKNOWN };
	struct red *r = make(0);
	struct red_cell a = { 0 };

	is_known = false;
	assert_int_equal(red_move(r, &ev, 207), 0);
	is_known = true;
	count(&a, 1000, 1);
	red_begin(r);
	tell(r, 1, TRACE_ROUTE_UNKNOWN, &a);
	red_end(r, 1);
	assert_int_equal(count_of(r, SHOP, 107), 1);
	assert_int_equal(count_of(r, SHOP, TRACE_ROUTE_UNKNOWN), 0);
	assert_null(find(r, OTHER, 207));
	red_free(r);
}

static void counts_follow_their_process_to_another_service(void **state)
{
	struct red *r = make(0);
	struct red_cell a = { 0 };

	is_known = false;
	count(&a, 1000, 3);
	red_begin(r);
	tell(r, 1, 207, &a);
	red_end(r, 1);
	is_known = true;
	count(&a, 1000, 2);
	red_begin(r);
	tell(r, 1, 207, &a); /* the path is still taught for what it was taken for */
	red_end(r, 2);
	assert_int_equal(count_of(r, OTHER, 207), 3);
	assert_int_equal(count_of(r, SHOP, 107), 2);
	assert_null(find(r, SHOP, 207));
	red_free(r);
}

static void too_many_series_are_one(void **state)
{
	struct red *r = make(10);
	struct red_cell a = { 0 };
	uint32_t n;

	count(&a, 1000, 1);
	red_begin(r);
	for (uint32_t route = 1; route <= 50; route++)
		tell(r, 1, route, &a);
	red_end(r, 1);
	red_series(r, &n);
	assert_int_equal(n, 11);
	assert_int_equal(count_of(r, SHOP, OVERFLOW), 40);
	red_free(r);
}

static void what_has_no_room_at_all_is_a_number(void **state)
{
	struct red *r = make(10);
	struct red_cell a = { 0 };
	uint32_t n;

	/* Statuses are a server's to invent: overflow has one series of each. */
	count(&a, 1000, 2);
	red_begin(r);
	for (uint16_t status = 0; status < 1000; status++) {
		const struct red_key key = { .tgid = 1, .route = 7, .status = status };

		assert_int_equal(red_cell(r, &key, &a), 0);
	}
	red_end(r, 1);
	red_series(r, &n);
	assert_int_equal(n, 20);
	assert_int_equal(red_lost(r), 2 * (1000 - 20));
	red_free(r);
}

static bool is_of(void *ctx, uint32_t service)
{
	return service == *(uint32_t *)ctx;
}

static void series_go_with_their_service_and_begin_anew(void **state)
{
	uint32_t shop = SHOP;
	struct red *r = make(0);
	struct red_cell a = { 0 };

	count(&a, 1000, 1);
	red_begin(r);
	tell(r, 1, 7, &a);
	tell(r, 200, 7, &a);
	red_end(r, 50);
	assert_int_equal(find(r, SHOP, 7)->start_ns, 0);

	red_forget(r, is_of, &shop);
	assert_null(find(r, SHOP, 7));
	assert_int_equal(count_of(r, OTHER, 7), 1);
	red_begin(r);
	red_end(r, 60);
	red_begin(r);
	tell(r, 3, 7, &a);
	tell(r, 200, 7, &a);
	red_end(r, 70);
	assert_int_equal(count_of(r, SHOP, 7), 1);
	assert_int_equal(find(r, SHOP, 7)->start_ns, 60); /* when nothing of it was there */
	assert_int_equal(find(r, OTHER, 7)->start_ns, 0);
	red_free(r);
}

static void moves_do_not_bring_back_what_has_gone(void **state)
{
	const struct ev_request ev = { .tgid = 1, .status = 200, .method = HTTP1_METHOD_GET, .end_ns = 1000, .flags = TRACE_UNKNOWN };
	uint32_t shop = SHOP, n;
	struct red *r = make(0);

	assert_int_equal(red_move(r, &ev, 7), 0);
	red_forget(r, is_of, &shop);
	red_begin(r);
	red_end(r, 1);
	red_series(r, &n);
	assert_int_equal(n, 0);
	red_free(r);
}

/* A process has ended, its cell is gone, and another one has its number before the next round. */
static void a_dropped_cell_begins_at_nothing(void **state)
{
	struct red *r = make(0);
	struct red_cell a = { 0 }, b = { 0 };

	count(&a, 1000, 5);
	red_begin(r);
	tell(r, 1, 7, &a);
	red_end(r, 1);
	red_drop_cell(r, &(struct red_key){ .tgid = 1, .route = 7, .status = 200, .method = HTTP1_METHOD_GET });
	count(&b, 1000, 2);
	red_begin(r);
	tell(r, 1, 7, &b);
	red_end(r, 2);
	assert_int_equal(count_of(r, SHOP, 7), 7);
	assert_int_equal(find(r, SHOP, 7)->duration_ns, 7000);
	red_free(r);
}

static void an_error_is_the_sides_own(void **state)
{
	char text[RED_ERROR_BYTES];

	assert_null(red_error(TRACE_SERVER, 499, text));
	assert_string_equal(red_error(TRACE_SERVER, 500, text), "500");
	assert_null(red_error(TRACE_CLIENT, 399, text));
	assert_string_equal(red_error(TRACE_CLIENT, 400, text), "400");
	assert_string_equal(red_error(TRACE_CLIENT, UINT16_MAX, text), "65535");
	assert_string_equal(red_error(TRACE_SERVER, TRACE_STATUS_NONE, text), "no_response");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_part_of_their_bucket),
		cmocka_unit_test(processes_of_a_service_add_up_and_stay),
		cmocka_unit_test(counters_may_wrap),
		cmocka_unit_test(a_move_waits_for_what_it_moves),
		cmocka_unit_test(a_move_follows_its_process_to_another_service),
		cmocka_unit_test(counts_follow_their_process_to_another_service),
		cmocka_unit_test(too_many_series_are_one),
		cmocka_unit_test(what_has_no_room_at_all_is_a_number),
		cmocka_unit_test(series_go_with_their_service_and_begin_anew),
		cmocka_unit_test(moves_do_not_bring_back_what_has_gone),
		cmocka_unit_test(a_dropped_cell_begins_at_nothing),
		cmocka_unit_test(an_error_is_the_sides_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
