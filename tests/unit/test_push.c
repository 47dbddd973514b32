/* SPDX-License-Identifier: Apache-2.0 */
/* A window becomes series, none larger than servers take, and none of it goes missing on the way. */
#include "unit.h"

#include "agent/name.h"
#include "agent/push.h"
#include "base/strmap.h"
#include "base/units.h"
#include "collect/window.h"
#include "exporter/net.h"
#include "exporter/pyroscope.h"
#include "pprof/otlp.h"
#include "symbolize/symbolizer.h"
#include "unit/fixture_fake.h"

static struct fake fake;
static struct images *images;
static struct symbolizer *symbols;
static struct net *net;
static struct push *push;

static int begin(void **state)
{
	struct receiver_opts to = { .name = "prod",
				    .type = "pyroscope",
				    .send = 1u << PARCEL_PROFILES,
				    .timeout_ns = 10 * NSEC_PER_SEC,
				    .queue_bytes = 64 * MIB,
				    .max_tries = 4 };
	struct strmap labels = { 0 };
	char err[256];

	fake_start(&fake);
	to.url = fake.url;
	assert_int_equal(images_new(&images), 0);
	assert_int_equal(symbolizer_new(NULL, &symbols), 0);
	assert_int_equal(net_new(&(struct net_opts){ .user_agent = "test" }, &net), 0);
	assert_int_equal(net_set_receivers(net, &to, 1, err, sizeof(err)), 0);
	assert_int_equal(strmap_set(&labels, "env", "test"), 0);
	assert_int_equal(push_new(net, NULL, NULL, &labels, &push), 0);
	strmap_fini(&labels);
	return 0;
}

static int end(void **state)
{
	push_free(push);
	net_free(net);
	symbolizer_free(symbols);
	images_free(images);
	fake_stop(&fake);
	return 0;
}

static struct window *window(void)
{
	struct window *w;

	assert_int_equal(window_new(images, 512 * MIB, &w), 0);
	w->start_utc_ns = time_utc_ns();
	w->start_boot_ns = time_boot_ns();
	w->end_boot_ns = w->start_boot_ns + NSEC_PER_SEC;
	w->period_ns = 10 * NSEC_PER_MSEC;
	return w;
}

/* n stacks of this depth, no two alike: frames in no image, which get names all the same. */
static void add(struct window *w, const char *service, uint32_t n, uint32_t depth)
{
	_cleanup_(buf_fini) struct buf target = BUF_INIT;
	struct window_labels labels = { 0 };
	struct window_frame frames[600] = { 0 };

	buf_puts(&target, "service_name=");
	buf_puts(&target, service);
	buf_puts(&target, "\n");
	labels.target = strpool_add_len(&w->strings, (char *)target.data, target.len);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < depth; k++)
			frames[k] = (struct window_frame){ .image = IMAGE_ID_NONE, .offset = k ? 0x1000 + k + (uint64_t)i % 7 * 1000 : 0x100000 + i };
		assert_true(window_add(w, frames, depth, &labels, 1 + i % 3, w->period_ns) >= 0);
	}
}

static void send(struct window *w)
{
	_cleanup_(namer_freep) struct namer *n = NULL;

	window_seal(w);
	assert_int_equal(namer_new(w, symbols, &(struct name_opts){ .name_unnamed = true }, &n), 0);
	assert_int_equal(push_window(push, n, w), 0);
	assert_int_equal(net_flush(net, 30 * NSEC_PER_SEC), 0);
}

static void nothing_but_200(void)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct net_receiver_stats s;

	assert_int_equal(net_stats(net, &s, 1), 1);
	for (int i = 0; i < RETRY_CAUSES; i++)
		assert_int_equal(s.failed_tries[i], 0);
	fake_state(&fake, &b);
	buf_putc(&b, '\0');
	assert_non_null(strstr((char *)b.data, "\"nameless\":0"));
	assert_null(strstr((char *)b.data, "without a line"));
}

/* The state's totals of CPU time, added up. */
static int64_t cpu_stored(void)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	static const char key[] = "\"totals\":{";
	int64_t sum = 0;

	fake_state(&fake, &b);
	buf_putc(&b, '\0');
	for (const char *s = (char *)b.data; (s = strstr(s, key)); s++)
		sum += strtoll(strstr(s, "cpu:nanoseconds\":") + strlen("cpu:nanoseconds\":"), NULL, 10);
	return sum;
}

static void more_stacks_than_a_server_takes_are_cut_in_parts(void **state)
{
	struct window *w = window();
	struct push_stats st;

	add(w, "many", 2 * PYROSCOPE_MAX_SAMPLES + 1000, 3);
	send(w);
	push_stats(push, &st);
	assert_true(st.splits >= 2);
	assert_int_equal(st.services, 1);
	assert_int_equal(cpu_stored(), (int64_t)(w->samples * w->period_ns));
	nothing_but_200();
	window_free(w);
}

static void a_profile_larger_than_a_server_takes_is_cut_in_parts(void **state)
{
	struct window *w = window();
	struct push_stats st;

	add(w, "deep", 6000, 600);
	add(w, "small", 1, 3);
	send(w);
	push_stats(push, &st);
	assert_true(st.splits >= 1);
	assert_int_equal(st.services, 2);
	assert_int_equal(st.too_large, 0);
	assert_int_equal(fake_stored(&fake, "small"), 1);
	assert_int_equal(cpu_stored(), (int64_t)(w->samples * w->period_ns));
	nothing_but_200();
	window_free(w);
}

/* Nobody is there: what was sent waits. */
static void push_otlp_only(struct window *w, struct push_stats *ret)
{
	struct receiver_opts to = { .name = "prod",
				    .type = "otlp",
				    .send = 1u << PARCEL_PROFILES,
				    .url = "http://127.0.0.1:9",
				    .compression = "none",
				    .timeout_ns = 10 * NSEC_PER_SEC,
				    .queue_bytes = 64 * MIB,
				    .max_tries = 4 };
	_cleanup_(namer_freep) struct namer *n = NULL;
	struct net_receiver_stats s;
	char err[256];

	assert_int_equal(net_set_receivers(net, &to, 1, err, sizeof(err)), 0);
	window_seal(w);
	assert_int_equal(namer_new(w, symbols, &(struct name_opts){ .name_unnamed = true }, &n), 0);
	assert_int_equal(push_window(push, n, w), 0);
	push_stats(push, ret);
	assert_int_equal(net_stats(net, &s, 1), 1);
	assert_int_equal(s.queued, ret->profiles);
	assert_int_equal(s.queued_bytes, ret->bytes);
}

/* tests/unit/otlp_oracle.py: what is in the parts. */
static void an_otlp_request_holds_what_a_collector_takes_and_no_more(void **state)
{
	struct window *w = window();
	struct push_stats st;

	add(w, "deep", 6000, 600);
	for (int i = 0; i < 10; i++)
		add(w, (char[]){ 's', (char)('0' + i), '\0' }, 10, 3);
	push_otlp_only(w, &st);
	assert_in_range(st.bytes, 2 * OTLP_MAX_BYTES, 3 * OTLP_MAX_BYTES);
	assert_int_equal(st.splits, 2);
	assert_int_equal(st.profiles, 1 + 10 + st.splits);
	assert_int_equal(st.services, 11);
	assert_int_equal(st.too_large, 0);
	window_free(w);
}

static void what_no_otlp_request_holds_is_counted(void **state)
{
	_cleanup_(freep) char *name = calloc(1, OTLP_MAX_BYTES + 1);
	struct window *w = window();
	struct push_stats st;

	memset(name, 'x', OTLP_MAX_BYTES);
	add(w, "before", 2, 3);
	add(w, name, 3, 3);
	add(w, "after", 2, 3);
	push_otlp_only(w, &st);
	assert_int_equal(st.profiles, 2);
	assert_int_equal(st.too_large, 1 + 2 + 3);
	window_free(w);
}

static void a_window_without_samples_sends_nothing(void **state)
{
	struct window *w = window();

	send(w);
	assert_int_equal(fake_number(&fake, "pushes"), 0);
	window_free(w);
}

int main(void)
{
#define PUSH_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		PUSH_TEST(more_stacks_than_a_server_takes_are_cut_in_parts),
		PUSH_TEST(a_profile_larger_than_a_server_takes_is_cut_in_parts),
		PUSH_TEST(an_otlp_request_holds_what_a_collector_takes_and_no_more),
		PUSH_TEST(what_no_otlp_request_holds_is_counted),
		PUSH_TEST(a_window_without_samples_sends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
