/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table of routes: what is added up, what is left over, what a person and a machine read of it. */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "cmd/route_print.h"
#include "cmd/route_table.h"
#include "cmd/text.h"
#include "trace/red.h"

enum { GET, POST = 2 };

#define SECOND 1000000000ull

static struct red_series series(uint16_t status, uint64_t count, uint64_t cpu_ns)
{
	struct red_series s = { .key = { .status = status, .method = GET, .side = TRACE_SERVER }, .count = count, .cpu_ns = cpu_ns,
				.duration_ns = count * 2000000 };

	s.durations[0] = count;
	return s;
}

static void add(struct route_table *t, const char *service, const char *route, struct red_series s)
{
	assert_int_equal(route_table_add(t, service, route, &s), 0);
}

static const struct route_row *row_of(const struct route_table *t, const char *service, const char *route, uint8_t status)
{
	vec_foreach(r, &t->rows)
		if (r->kind == ROUTE_SERVED && r->status == status && !strcmp(strpool_str(&t->strings, r->service), service) &&
		    !strcmp(strpool_str(&t->strings, r->route), route))
			return r;
	return NULL;
}

static uint64_t cpu_of(const struct route_table *t, const char *service, enum route_kind kind)
{
	uint64_t ns = 0;

	vec_foreach(r, &t->rows)
		if (r->kind == kind && !strcmp(strpool_str(&t->strings, r->service), service))
			ns += r->cpu_ns;
	return ns;
}

static void fill(struct route_table *t)
{
	_cleanup_(route_cpu_fini) struct route_cpu cpu = { 0 };
	struct red_series of_client = series(200, 50, SECOND);

	of_client.key.side = TRACE_CLIENT;
	add(t, "shop", "/dear", series(200, 90, 3 * SECOND));
	add(t, "shop", "/dear", series(201, 6, SECOND));
	add(t, "shop", "/dear", series(503, 3, SECOND));
	add(t, "shop", "/dear", series(0, 1, 0));
	add(t, "shop", "/cheap", series(200, 10, SECOND / 2));
	add(t, "shop", "/cheap", series(404, 10, SECOND / 2));
	add(t, "shop", "/elsewhere", of_client);
	add(t, "shop", "", series(200, 0, 0));
	add(t, "unsampled", "/", series(200, 1, 0));
	route_cpu_count(&cpu, "shop", 7 * SECOND, true);
	route_cpu_count(&cpu, "shop", 2 * SECOND, false);
	route_cpu_count(&cpu, "compiler", 5 * SECOND, false);
	assert_int_equal(route_table_end(t, &cpu), 0);
}

static void rows_of_a_service_add_up_to_its_cpu_time(void **state)
{
	_cleanup_(route_table_fini) struct route_table t = { 0 };

	fill(&t);
	assert_int_equal(cpu_of(&t, "shop", ROUTE_SERVED), 6 * SECOND);
	assert_int_equal(cpu_of(&t, "shop", ROUTE_OPEN), SECOND); /* sampled on requests, 6 of 7 s on those that ended */
	assert_int_equal(cpu_of(&t, "shop", ROUTE_UNATTRIBUTED), 2 * SECOND);
	assert_int_equal(t.cpu_ns, 9 * SECOND);
	assert_int_equal(t.other_ns, 5 * SECOND);
	assert_int_equal(t.requests, 121);
	assert_true(row_of(&t, "shop", "/dear", 2)->share > 44.4 && row_of(&t, "shop", "/dear", 2)->share < 44.5);
	for (uint32_t i = 1; i < t.rows.n; i++)
		assert_true(t.rows.v[i - 1].cpu_ns >= t.rows.v[i].cpu_ns);
}

static void statuses_of_a_class_are_a_row_and_errors_are_of_the_route(void **state)
{
	_cleanup_(route_table_fini) struct route_table t = { 0 };

	fill(&t);
	assert_int_equal(row_of(&t, "shop", "/dear", 2)->requests, 96);
	assert_int_equal(row_of(&t, "shop", "/dear", 2)->cpu_ns, 4 * SECOND);
	assert_int_equal(row_of(&t, "shop", "/dear", 5)->requests, 3);
	assert_int_equal(row_of(&t, "shop", "/dear", 0)->requests, 1);
	assert_int_equal(row_of(&t, "shop", "/dear", 2)->route_errors, 4);
	assert_int_equal(row_of(&t, "shop", "/dear", 5)->route_requests, 100);
	assert_int_equal(row_of(&t, "shop", "/cheap", 4)->route_errors, 0); /* it is the client's */
	assert_null(row_of(&t, "shop", "/elsewhere", 2));
	assert_null(row_of(&t, "shop", "", 2));
	assert_non_null(row_of(&t, "unsampled", "/", 2));
}

/* Counted in the kernel on its request, and lost on the way here. */
static void a_lost_sample_takes_nothing_below_zero(void **state)
{
	_cleanup_(route_table_fini) struct route_table t = { 0 };
	_cleanup_(route_cpu_fini) struct route_cpu cpu = { 0 };

	add(&t, "shop", "/", series(200, 1, 2 * SECOND));
	route_cpu_count(&cpu, "shop", SECOND, true);
	assert_int_equal(route_table_end(&t, &cpu), 0);
	assert_int_equal(cpu_of(&t, "shop", ROUTE_OPEN), 0);
	assert_int_equal(cpu_of(&t, "shop", ROUTE_UNATTRIBUTED), 0);
	assert_int_equal(t.cpu_ns, 2 * SECOND);
	assert_int_equal(t.other_ns, 0);
}

static void quantiles_are_the_bound_of_their_bucket(void **state)
{
	struct route_row row = { .requests = 100, .durations = { [0] = 50, [2] = 44, [3] = 1, [14] = 5 } };

	assert_int_equal(route_row_at_most(&row, 50), 5000000);
	assert_int_equal(route_row_at_most(&row, 51), 25000000);
	assert_int_equal(route_row_at_most(&row, 95), 50000000);
	assert_true(route_row_at_most(&row, 96) == UINT64_MAX);
}

/* No line is wider; an ellipsis has three bytes. */
static void fits(struct buf *b, size_t width)
{
	char *line, *rest;

	buf_putc(b, 0);
	assert_null(strchr((char *)b->data, '\033'));
	for (rest = (char *)b->data; (line = strsep(&rest, "\n"));)
		assert_true(strlen(line) <= width + 4);
	buf_reset(b);
}

static void text_is_fit_for_a_terminal(void **state)
{
	_cleanup_(route_table_fini) struct route_table t = { 0 };
	_cleanup_(route_cpu_fini) struct route_cpu cpu = { 0 };
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	text_init(1);
	add(&t, "a-service-of-a-long-name", "/\033[2J/a/route/that/is/longer/than/any/line/of/a/hundred/and/twenty/columns", series(200, 12345, SECOND));
	add(&t, "b", "/b", series(503, 1, 0));
	assert_int_equal(route_table_end(&t, &cpu), 0);
	route_print_text(&t, 10 * SECOND, 3, ROUTE_WIDTH, &b);
	buf_putc(&b, 0);
	assert_non_null(strstr((char *)b.data, " 1234.5 "));
	assert_non_null(strstr((char *)b.data, "   5ms     5ms    2.0 ms   2xx  a-service-of-a-"));
	assert_non_null(strstr((char *)b.data, "3 of 4 rows"));
	fits(&b, ROUTE_WIDTH);
	route_print_text(&t, 10 * SECOND, 4, 80, &b);
	fits(&b, 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_a_service_add_up_to_its_cpu_time),
		cmocka_unit_test(statuses_of_a_class_are_a_row_and_errors_are_of_the_route),
		cmocka_unit_test(a_lost_sample_takes_nothing_below_zero),
		cmocka_unit_test(quantiles_are_the_bound_of_their_bucket),
		cmocka_unit_test(text_is_fit_for_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
