/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_net - the network thread (exporter/net.h) and a fake server, new for each test; a folder below /tmp for them all.
 *
 *	TEST(name) in a list, which main() hands to net_main()
 *
 * The receiver that most tests have is "prod": stats() and WAIT() are about it.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/strmap.h"
#include "base/units.h"
#include "base/wire.h"
#include "exporter/net.h"
#include "exporter/pyroscope.h"
#include "unit/fixture_fake.h"

#define SEC NSEC_PER_SEC

static struct fake fake;
static struct net *net;
static char dir[] = "/tmp/hotspan-test-net-XXXXXX";

static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static struct net_event events[64];
static int n_events;

static void on_event(void *ctx, const struct net_event *ev)
{
	pthread_mutex_lock(&events_lock);
	if (n_events < (int)ARRAY_SIZE(events))
		events[n_events++] = *ev;
	pthread_mutex_unlock(&events_lock);
	print_message("  %s\n", ev->text);
}

/* An event of this kind whose text holds all these words. */
static inline bool told(enum net_event_kind kind, const char *a, const char *b)
{
	bool found = false;

	pthread_mutex_lock(&events_lock);
	for (int i = 0; i < n_events; i++)
		found |= events[i].kind == kind && strstr(events[i].text, a) && strstr(events[i].text, b);
	pthread_mutex_unlock(&events_lock);
	return found;
}

static inline struct receiver_opts to(const char *name, const char *url)
{
	return (struct receiver_opts){ .name = (char *)name,
				       .type = "pyroscope",
				       .send = 1u << PARCEL_PROFILES,
				       .url = (char *)url,
				       .timeout_ns = 5 * SEC,
				       .queue_bytes = 64 * MIB,
				       .max_tries = 4 };
}

static inline void set(const struct receiver_opts *o, size_t n)
{
	char err[256];

	assert_int_equal(net_set_receivers(net, o, n, err, sizeof(err)), 0);
}

static inline void put_type(struct buf *b, uint32_t field, uint64_t type, uint64_t unit)
{
	size_t mark = wire_begin(b, field);

	wire_uint(b, 1, type);
	wire_uint(b, 2, unit);
	wire_end(b, mark);
}

static inline void put_pair(struct buf *b, uint32_t field, uint32_t second, uint64_t value)
{
	size_t mark = wire_begin(b, field), line;

	wire_uint(b, 1, 1);
	if (second == 4) {
		line = wire_begin(b, 4);
		wire_uint(b, 1, value);
		wire_end(b, line);
	} else {
		wire_uint(b, second, value);
	}
	wire_end(b, mark);
}

/* One sample of 10 ns in main. */
static inline void put_pprof(struct buf *b)
{
	const char *const strings[] = { "", "cpu", "nanoseconds", "main" };

	put_type(b, 1, 1, 2);
	put_pair(b, 2, 2, 10); /* location 1, value 10 */
	put_pair(b, 4, 4, 1);
	put_pair(b, 5, 2, 3);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		wire_bytes(b, 6, strings[i], strlen(strings[i]));
	wire_uint(b, 9, time_utc_ns());
	put_type(b, 11, 1, 2);
}

/* A push of a service; padding makes it large without the server minding. */
static inline struct parcel *parcel(const char *service, size_t padding)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };
	_cleanup_(buf_fini) struct buf pprof = BUF_INIT, body = BUF_INIT;
	_cleanup_(freep) char *zeros = calloc(1, padding + 1);
	struct parcel *p;

	assert_int_equal(strmap_set(&labels, "__name__", "process_cpu"), 0);
	assert_int_equal(strmap_set(&labels, "service_name", service), 0);
	put_pprof(&pprof);
	assert_int_equal(pyroscope_push_encode(&labels, pprof.data, pprof.len, "id", &body), 0);
	if (padding)
		wire_bytes(&body, 100, zeros, padding);
	p = parcel_new(&body, PARCEL_FORMAT_PYROSCOPE);
	assert_non_null(p);
	p->time_ns = time_utc_ns();
	snprintf(p->what, sizeof(p->what), "%s", service);
	return p;
}

static inline void send_one(const char *service, size_t padding)
{
	struct parcel *p = parcel(service, padding);

	assert_int_equal(net_send(net, p), 0);
	parcel_unref(p);
}

static inline struct net_receiver_stats stats_of(const char *name)
{
	struct net_receiver_stats rows[8];
	size_t n = net_stats(net, rows, ARRAY_SIZE(rows));

	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return rows[i];
	fail_msg("there is no receiver %s", name);
	return rows[0];
}

static inline struct net_receiver_stats stats(void)
{
	return stats_of("prod");
}

static inline void sleep_ms(uint64_t ms)
{
	nanosleep(&(struct timespec){ .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * NSEC_PER_MSEC) }, NULL);
}

/* Waits for a condition over `s`, the receiver's statistics. */
#define WAIT(seconds, condition)                                                                   \
	do {                                                                                       \
		uint64_t until_ = time_boot_ns() + (uint64_t)((seconds) * 1e9);                    \
		struct net_receiver_stats s = stats();                                             \
		for (; !(condition) && time_boot_ns() < until_; s = stats())                       \
			sleep_ms(10);                                                              \
		if (!(condition))                                                                  \
			fail_msg("after %g s: not " #condition, (double)(seconds));                \
	} while (0)

/* Until the network thread has let the last receiver go. */
#define WAIT_GONE() sleep_ms(300)

static inline int begin(void **state)
{
	struct net_opts opts = { .on_event = on_event, .user_agent = "hotspan/test" };

	n_events = 0;
	if (!fake.pid)
		fake_start(&fake);
	fake_post(&fake, "/fake/reset", "");
	return net_new(&opts, &net);
}

static inline int end(void **state)
{
	uint64_t before = time_boot_ns();

	net = net_free(net);
	return time_boot_ns() - before < 2 * SEC ? 0 : -1; /* no request in flight holds it up */
}

static inline void one_receiver(void)
{
	struct receiver_opts o = to("prod", fake.url);

	set(&o, 1);
}

/* Others of this service go through until one has been tried too often. */
static inline void send_until_given_up(const char *service, double seconds)
{
	uint64_t until = time_boot_ns() + (uint64_t)(seconds * 1e9);

	while (!stats().dropped[NET_DROP_TRIES] && time_boot_ns() < until) {
		send_one(service, 0);
		sleep_ms(100);
	}
	assert_int_equal(stats().dropped[NET_DROP_TRIES], 1);
}

static inline int first(void **state)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		unsetenv(proxies[i]);
	return mkdtemp(dir) ? 0 : -1;
}

static inline int last(void **state)
{
	char command[256];

	fake_stop(&fake);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* An argument is a pattern: only the tests it fits are run. */
#define net_main(argc, argv, tests) \
	((argc) > 1 ? cmocka_set_test_filter((argv)[1]) : (void)0, cmocka_run_group_tests(tests, first, last))
