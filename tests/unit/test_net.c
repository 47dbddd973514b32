/* SPDX-License-Identifier: Apache-2.0 */
/* The network thread against a server that misbehaves on request. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/strmap.h"
#include "base/units.h"
#include "base/wire.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
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
static bool told(enum net_event_kind kind, const char *a, const char *b)
{
	bool found = false;

	pthread_mutex_lock(&events_lock);
	for (int i = 0; i < n_events; i++)
		found |= events[i].kind == kind && strstr(events[i].text, a) && strstr(events[i].text, b);
	pthread_mutex_unlock(&events_lock);
	return found;
}

static struct receiver_opts to(const char *name, const char *url)
{
	return (struct receiver_opts){ .name = (char *)name,
				       .type = "pyroscope",
				       .send = 1u << PARCEL_PROFILES,
				       .url = (char *)url,
				       .timeout_ns = 5 * SEC,
				       .queue_bytes = 64 * MIB,
				       .max_tries = 4 };
}

static void set(const struct receiver_opts *o, size_t n)
{
	char err[256];

	assert_int_equal(net_set_receivers(net, o, n, err, sizeof(err)), 0);
}

static void put_type(struct buf *b, uint32_t field, uint64_t type, uint64_t unit)
{
	size_t mark = wire_begin(b, field);

	wire_uint(b, 1, type);
	wire_uint(b, 2, unit);
	wire_end(b, mark);
}

static void put_pair(struct buf *b, uint32_t field, uint32_t second, uint64_t value)
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
static void put_pprof(struct buf *b)
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
static struct parcel *parcel(const char *service, size_t padding)
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

static void send_one(const char *service, size_t padding)
{
	struct parcel *p = parcel(service, padding);

	assert_int_equal(net_send(net, p), 0);
	parcel_unref(p);
}

static struct net_receiver_stats stats_of(const char *name)
{
	struct net_receiver_stats rows[8];
	size_t n = net_stats(net, rows, ARRAY_SIZE(rows));

	for (size_t i = 0; i < n && i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return rows[i];
	fail_msg("there is no receiver %s", name);
	return rows[0];
}

static struct net_receiver_stats stats(void)
{
	return stats_of("prod");
}

static void sleep_ms(uint64_t ms)
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

static int begin(void **state)
{
	struct net_opts opts = { .on_event = on_event, .user_agent = "hotspan/test" };

	n_events = 0;
	if (!fake.pid)
		fake_start(&fake);
	fake_post(&fake, "/fake/reset", "");
	return net_new(&opts, &net);
}

static int end(void **state)
{
	uint64_t before = time_boot_ns();

	net = net_free(net);
	return time_boot_ns() - before < 2 * SEC ? 0 : -1; /* no request in flight holds it up */
}

static void one_receiver(void)
{
	struct receiver_opts o = to("prod", fake.url);

	set(&o, 1);
}

static void all_is_delivered(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.tenant = "team";
	assert_int_equal(strmap_set(&o.headers, "X-More", "1"), 0);
	set(&o, 1);
	strmap_fini(&o.headers);
	for (int i = 0; i < 40; i++)
		send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().delivered, 40);
	assert_int_equal(stats().queued, 0);
	assert_int_equal(stats().queued_bytes, 0);
	assert_int_equal(fake_stored(&fake, "web"), 40);
	assert_int_equal(fake_number(&fake, "hotspan/test"), 40);
	assert_int_equal(fake_number(&fake, "team"), 40);
	assert_int_equal(fake_number(&fake, "Expect header"), -1);
	assert_int_equal(n_events, 0);
}

static void a_trailing_slash_and_a_wrong_path_are_told_apart(void **state)
{
	char slash[80], wrong[80];
	struct receiver_opts o[] = { to("prod", slash), to("lost", wrong) };

	snprintf(slash, sizeof(slash), "%s///", fake.url);
	snprintf(wrong, sizeof(wrong), "%s/prefix", fake.url);
	set(o, 2);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().delivered, 1);
	assert_int_equal(stats_of("lost").dropped[NET_DROP_REFUSED], 1);
	assert_true(told(NET_DROPPED, "receiver lost: ", "HTTP 404"));
}

static void a_server_that_is_down_loses_nothing(void **state)
{
	fake_stop(&fake);
	one_receiver();
	/* All of them fail at once; that is one failure, not eight. */
	for (int i = 0; i < 20; i++)
		send_one("web", 0);
	sleep_ms(1200);
	assert_int_equal(stats().queued, 20);
	assert_true(stats().failed_tries[RETRY_CONNECT] > 0);
	assert_true(told(NET_TROUBLE, "receiver prod: http://127.0.0.1:", "connect"));
	assert_true(told(NET_TROUBLE, " of 65536 KiB), next try in 0.", ""));
	fake_start(&fake);
	WAIT(5, s.delivered == 20);
	assert_int_equal(fake_stored(&fake, "web"), 20);
	assert_true(told(NET_RECOVERED, "receiver prod: delivering again", ""));
}

static void a_restarted_server_is_found_again(void **state)
{
	one_receiver();
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	fake_stop(&fake);
	fake_start(&fake);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().delivered, 2);
	assert_int_equal(fake_stored(&fake, "web"), 1);
}

static long gap_ms(void)
{
	_cleanup_(buf_fini) struct buf state = BUF_INIT;
	const char *first, *second;

	fake_state(&fake, &state);
	first = strstr((char *)state.data, "\"at_ms\":");
	assert_non_null(first);
	second = strstr(first + 1, "\"at_ms\":");
	assert_non_null(second);
	return strtol(second + 8, NULL, 10) - strtol(first + 8, NULL, 10);
}

static void retry_after_is_respected(void **state)
{
	one_receiver();
	fake_faults(&fake, "status=429 retry_after=2 count=1");
	send_one("web", 0);
	WAIT(5, s.delivered == 1);
	assert_true(gap_ms() >= 2000 && gap_ms() < 3500);
	assert_int_equal(stats().failed_tries[RETRY_THROTTLED], 1);
	assert_true(told(NET_TROUBLE, "HTTP 429", "1 profile waits"));
	assert_true(told(NET_TROUBLE, "next try in 2.0 s", ""));
}

static void an_absurd_retry_after_is_bounded(void **state)
{
	one_receiver();
	fake_faults(&fake, "status=429 retry_after=2000000000 count=1");
	send_one("web", 0);
	WAIT(5, s.failed_tries[RETRY_THROTTLED] == 1);
	sleep_ms(50);
	assert_true(told(NET_TROUBLE, "next try in 300.0 s", ""));
	one_receiver();
	WAIT(2, s.delivered == 1); /* a new configuration may be what sets it right */
	fake_faults(&fake, "status=429 retry_after=200 count=1");
	send_one("web", 0);
	WAIT(5, s.failed_tries[RETRY_THROTTLED] == 2);
	assert_int_equal(net_flush(net, 5 * SEC), 0); /* the last chance does not wait either */
}

/* Others of this service go through until one has been tried too often. */
static void send_until_given_up(const char *service, double seconds)
{
	uint64_t until = time_boot_ns() + (uint64_t)(seconds * 1e9);

	while (!stats().dropped[NET_DROP_TRIES] && time_boot_ns() < until) {
		send_one(service, 0);
		sleep_ms(100);
	}
	assert_int_equal(stats().dropped[NET_DROP_TRIES], 1);
}

static void a_profile_the_server_chokes_on_is_given_up(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.max_tries = 3;
	set(&o, 1);
	fake_faults(&fake, "status=500 service=poison message=it makes me choke");
	send_one("poison", 0);
	send_one("web", 0);
	WAIT(1, s.delivered == 1); /* the others do not wait for it */
	send_until_given_up("web", 8);
	assert_int_equal(stats().failed_tries[RETRY_SERVER], 4); /* of the first nobody knew whose fault it was */
	assert_true(told(NET_DROPPED, "profile of poison: tried too often, dropped", "HTTP 500: it makes me choke"));
}

/* It answers 503 to this one only: the others are not held up by it for long. */
static void a_profile_that_passes_for_an_outage_is_given_up(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.max_tries = 3;
	set(&o, 1);
	fake_faults(&fake, "status=503 service=poison");
	send_one("poison", 0);
	send_until_given_up("web", 12);
	WAIT(3, !s.queued);
	assert_true(stats().delivered > 5);
}

/* Those behind it, of its own series, pass it in the end. */
static void a_profile_that_blocks_its_series_is_given_up(void **state)
{
	const char *const faults[] = { "status=503 service=poison", "status=500 service=poison", "cut=stored service=poison" };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct receiver_opts o = to("prod", fake.url);
		struct parcel *p = parcel("poison", 0);

		o.max_tries = 2;
		set(&o, 1);
		fake_faults(&fake, faults[i]);
		strcpy(p->what, "web");
		assert_int_equal(net_send(net, p), 0);
		parcel_unref(p);
		send_until_given_up("web", 15);
		WAIT(3, !s.queued);
		assert_int_equal(stats().dropped[NET_DROP_TRIES], 1);
		set(NULL, 0);
		WAIT_GONE();
	}
}

/* Answers that say nothing of the parcel, more of them than tries. */
static void an_outage_that_answers_loses_nothing(void **state)
{
	const char *const faults[] = { "status=503", "status=500", "status=429", "cut=stored" };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct receiver_opts o = to("prod", fake.url);

		o.max_tries = 1;
		set(&o, 1);
		fake_faults(&fake, faults[i]);
		for (int j = 0; j < 6; j++)
			send_one(j % 2 ? "web" : "db", 0);
		WAIT(10, s.failed_tries[RETRY_SERVER] + s.failed_tries[RETRY_THROTTLED] + s.failed_tries[RETRY_SILENCE] >= 4);
		fake_faults(&fake, "");
		WAIT(12, s.delivered == 6);
		set(NULL, 0);
		WAIT_GONE();
	}
}

static void a_busy_server_is_asked_again(void **state)
{
	one_receiver();
	fake_faults(&fake, "status=503 count=2 message=starting\ndelay=10");
	send_one("web", 0);
	WAIT(5, s.delivered == 1);
	assert_int_equal(fake_stored(&fake, "web"), 1);
	assert_int_equal(stats().failed_tries[RETRY_SERVER], 2);
	assert_true(told(NET_TROUBLE, "HTTP 503: starting; 1 profile waits", ""));
	assert_true(told(NET_RECOVERED, "", ""));
}

static void one_request_feels_the_way_in_trouble(void **state)
{
	one_receiver();
	fake_faults(&fake, "status=503");
	send_one("web", 0);
	WAIT(2, s.failed_tries[RETRY_SERVER] == 1);
	for (int i = 0; i < 50; i++)
		send_one("web", 0);
	sleep_ms(1800);
	assert_true(fake_number(&fake, "pushes") < 5);
	fake_faults(&fake, "");
	WAIT(5, s.delivered == 51);
}

static void a_refused_profile_is_dropped_and_others_pass(void **state)
{
	one_receiver();
	fake_faults(&fake, "status=400 service=bad message=it \"smells\" <\033[31m>");
	send_one("bad", 0);
	send_one("bad", 0);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().delivered, 1);
	assert_int_equal(stats().dropped[NET_DROP_REFUSED], 2);
	assert_true(told(NET_DROPPED, "receiver prod: profile of bad: the server refused it for good", "HTTP 400: it \"smells\" <?[31m>"));
	assert_int_equal(n_events, 1); /* the second within a minute is only counted */
}

static void a_redirect_is_not_followed(void **state)
{
	one_receiver();
	fake_faults(&fake, "status=307 count=1 location=/fake/reset");
	send_one("web", 0);
	WAIT(5, s.delivered == 1);
	assert_int_equal(stats().failed_tries[RETRY_MOVED], 1);
	assert_int_equal(fake_number(&fake, "pushes"), 2);
}

static void cut_while_sending_it_is_sent_again(void **state)
{
	one_receiver();
	fake_faults(&fake, "cut=body count=1");
	send_one("web", 16 << 20);
	WAIT(5, s.delivered == 1);
	assert_int_equal(fake_stored(&fake, "web"), 1);
	assert_int_equal(stats().failed_tries[RETRY_CONNECT], 1);
}

/* At least once: the server may have stored it before it died. On a fresh connection and on one that was used
 * before: there libcurl would try again by itself, uncounted. */
static void a_connection_that_ends_without_an_answer_is_tried_once_more(void **state)
{
	const char *const faults[] = { "cut=stored count=1", "cut=head count=1", "garbage=1 count=1" };

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		for (int used = 0; used < 2; used++) {
			struct net_receiver_stats before;

			one_receiver();
			fake_post(&fake, "/fake/reset", "");
			for (int j = 0; j < used; j++)
				send_one("before", 0);
			assert_int_equal(net_flush(net, 5 * SEC), 0);
			before = stats();
			fake_faults(&fake, faults[i]);
			send_one("web", i ? 0 : 100000);
			assert_int_equal(net_flush(net, 5 * SEC), 0);
			if (fake_stored(&fake, "web") != 2)
				fail_msg("%s, used %d: stored %ld times", faults[i], used, fake_stored(&fake, "web"));
			assert_int_equal(stats().dropped[NET_DROP_UNANSWERED] - before.dropped[NET_DROP_UNANSWERED], 0);
			assert_int_equal(stats().failed_tries[RETRY_SILENCE] - before.failed_tries[RETRY_SILENCE], 1);
		}
}

static void a_request_that_ends_every_connection_is_given_up_in_the_end(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.max_tries = 2;
	set(&o, 1);
	fake_faults(&fake, "cut=stored service=poison");
	send_one("poison", 0);
	send_until_given_up("web", 10);
}

static void an_answer_cut_short_counts_by_its_status(void **state)
{
	one_receiver();
	fake_faults(&fake, "cut=answer");
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().delivered, 1);
	assert_int_equal(fake_stored(&fake, "web"), 1);
}

static void a_server_that_falls_silent_costs_one_profile_at_a_time(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.timeout_ns = SEC / 2;
	set(&o, 1);
	fake_faults(&fake, "stall=1");
	send_one("first", 0);
	WAIT(3, s.dropped[NET_DROP_UNANSWERED] == 1);
	for (int i = 0; i < 10; i++)
		send_one("web", 0);
	sleep_ms(700);
	assert_true(stats().queued >= 9);
	fake_faults(&fake, "");
	WAIT(5, s.queued == 0);
	assert_int_equal(fake_stored(&fake, "first"), 1);
	assert_int_equal(fake_stored(&fake, "web"), 10);
}

/* A network that is cut: our kernel has all of it, theirs has not. */
static void what_nobody_acknowledged_is_not_taken_for_sent(void **state)
{
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct receiver_opts o;
	char url[64];
	int room = 4096;

	/* Nobody reads, and there is little room. */
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(at.sin_port));
	o = to("prod", url);
	o.timeout_ns = 3 * SEC;
	set(&o, 1);
	send_one("web", 100000);
	WAIT(5, s.failed_tries[RETRY_SILENCE] == 1);
	assert_int_equal(stats().dropped[NET_DROP_UNANSWERED], 0);
	o.url = fake.url;
	set(&o, 1);
	WAIT(5, s.delivered == 1);
}

static void what_is_older_than_servers_take_is_dropped(void **state)
{
	struct parcel *p = parcel("old", 0);

	one_receiver();
	p->time_ns -= 56 * 60 * SEC;
	assert_int_equal(net_send(net, p), 0);
	parcel_unref(p);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().dropped[NET_DROP_TOO_OLD], 1);
	assert_int_equal(fake_number(&fake, "pushes"), 0);
}

static void the_oldest_goes_when_the_queue_is_full(void **state)
{
	struct receiver_opts o = to("prod", fake.url);
	char name[16];
	long stored;

	fake_stop(&fake);
	o.queue_bytes = 64 * KIB;
	set(&o, 1);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		send_one(name, 4096);
		assert_true(stats().queued_bytes <= 64 * KIB);
	}
	assert_int_equal(stats().dropped[NET_DROP_QUEUE_FULL] + stats().queued, 100);
	assert_true(stats().queued > 10 && stats().queued < 17);
	assert_true(told(NET_DROPPED, "receiver prod: profile of s",
			 "the queue is full, the oldest is dropped"));
	stored = (long)stats().queued;
	fake_start(&fake);
	WAIT(8, s.queued == 0);
	assert_int_equal(fake_stored(&fake, "s99"), 1);
	assert_int_equal(fake_number(&fake, "pushes"), stored);
}

static void a_flush_ends_in_time(void **state)
{
	uint64_t before = time_boot_ns();

	one_receiver();
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_true(time_boot_ns() - before < SEC);
	fake_faults(&fake, "stall=1");
	send_one("web", 0);
	before = time_boot_ns();
	assert_int_equal(net_flush(net, 300 * NSEC_PER_MSEC), -ETIMEDOUT);
	assert_true(time_boot_ns() - before < SEC);
	assert_int_equal(stats().queued, 1);
}

static void a_receiver_that_is_removed_sends_no_more(void **state)
{
	one_receiver();
	fake_faults(&fake, "delay=300");
	for (int i = 0; i < 60; i++)
		send_one("web", 0);
	sleep_ms(100);
	set(NULL, 0);
	assert_int_equal(net_stats(net, NULL, 0), 0);
	assert_int_equal(net_flush(net, 3 * SEC), 0);
	assert_true(told(NET_DROPPED, "the receiver is no longer configured", ""));
	assert_true(fake_stored(&fake, "web") <= 8); /* those in flight */
	one_receiver();
	fake_faults(&fake, "");
	send_one("web", 0);
	assert_int_equal(net_flush(net, 3 * SEC), 0);
	assert_int_equal(stats().delivered, 1);
}

static void send_packed(enum parcel_signal signal, uint8_t encoding, uint32_t formats, uint32_t items)
{
	_cleanup_(buf_fini)
	struct buf body = BUF_INIT, packed = BUF_INIT;
	struct parcel *p;

	buf_puts(&body, "x");
	assert_int_equal(otlp_pack(encoding, &body, &packed), 0);
	p = parcel_new(&packed, parcel_format(signal, encoding));
	assert_non_null(p);
	p->time_ns = time_utc_ns();
	p->items = items;
	p->formats = formats;
	assert_int_equal(net_send(net, p), 0);
	parcel_unref(p);
}

static void send_signal(enum parcel_signal signal, uint8_t encoding, uint32_t items)
{
	send_packed(signal, encoding, 0, items);
}

/* Nobody is there: it stays in the queue of who takes it. */
static void a_signal_goes_to_whom_it_was_asked_for(void **state)
{
	const uint8_t gzip = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP,
		      grpc = gzip | PARCEL_FORMAT_GRPC;
	struct receiver_opts o[] = { to("profiles", "http://127.0.0.1:9"),
				     to("traces", "http://127.0.0.1:9"),
				     to("both", "http://127.0.0.1:9") };

	o[0].type = o[1].type = o[2].type = "otlp";
	o[1].send = 1u << PARCEL_TRACES;
	o[2].send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS;
	o[2].protocol = "grpc";
	set(o, 3);
	assert_int_equal(net_formats(net, PARCEL_PROFILES), 1u << gzip);
	assert_int_equal(net_formats(net, PARCEL_TRACES), 1u << gzip | 1u << grpc);
	assert_int_equal(net_formats(net, PARCEL_METRICS), 1u << grpc);
	send_signal(PARCEL_TRACES, gzip, 3);
	send_signal(PARCEL_TRACES, grpc, 3);
	send_signal(PARCEL_METRICS, grpc, 2);
	send_signal(PARCEL_METRICS, gzip, 1);
	assert_int_equal(stats_of("profiles").queued, 0);
	assert_int_equal(stats_of("traces").queued, 3);
	assert_int_equal(stats_of("both").queued, 5);
	assert_int_equal(stats_of("both").signals[PARCEL_TRACES].queued, 3);
	assert_int_equal(stats_of("both").signals[PARCEL_METRICS].queued, 2);
	assert_int_equal(stats_of("both").signals[PARCEL_PROFILES].queued, 0);
	assert_int_equal(stats_of("both").send, o[2].send);
	set(o, 2);
	for (int i = 0;
	     i < 500 &&
	     !told(NET_DROPPED,
		   "receiver both: request of 3 spans: the receiver is no longer configured", "");
	     i++)
		sleep_ms(10);
	assert_true(told(NET_DROPPED,
			 "receiver both: request of 3 spans: the receiver is no longer configured",
			 ""));
}

static void what_is_dropped_counts_for_its_signal(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.type = "otlp"; /* which the server is not: it answers 404 */
	o.send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS;
	set(&o, 1);
	send_signal(PARCEL_TRACES, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 3);
	WAIT(5, s.signals[PARCEL_TRACES].dropped[NET_DROP_REFUSED] == 3);
	assert_true(told(NET_DROPPED,
			 "receiver prod: request of 3 spans: the server refused it for good",
			 "HTTP 404"));
	send_signal(PARCEL_METRICS, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 2);
	WAIT(5, s.signals[PARCEL_METRICS].dropped[NET_DROP_REFUSED] == 2);
	assert_int_equal(stats().dropped[NET_DROP_REFUSED], 5);
	assert_int_equal(stats().signals[PARCEL_PROFILES].dropped[NET_DROP_REFUSED], 0);
}

/* What waits is packed anew for a receiver that takes it otherwise, as spans still; one that takes none gets none. */
static void what_waits_stays_of_its_signal(void **state)
{
	struct receiver_opts o = to("prod", "http://127.0.0.1:9");

	o.type = "otlp";
	o.send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS;
	o.proto = "1.9"; /* of profiles only */
	set(&o, 1);
	send_signal(PARCEL_TRACES, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 3);
	send_signal(PARCEL_METRICS, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 2);
	for (int i = 0;
	     i < 500 && !told(NET_TROUBLE, "receiver prod: http://127.0.0.1:9", "3 spans"); i++)
		sleep_ms(10);
	assert_true(told(NET_TROUBLE, "receiver prod: http://127.0.0.1:9", "3 spans"));
	o.send = 1u << PARCEL_TRACES;
	o.compression = "none";
	o.url = fake.url; /* which knows no spans, and answers 404 */
	set(&o, 1);
	WAIT(5, s.queued == 0);
	assert_int_equal(stats().signals[PARCEL_TRACES].dropped[NET_DROP_REFUSED], 3);
	assert_int_equal(stats().signals[PARCEL_METRICS].dropped[NET_DROP_FORMAT], 2);
	assert_true(told(NET_DROPPED, "receiver prod: request of 3 spans: ", "HTTP 404"));
	assert_true(told(NET_DROPPED, "receiver prod: request of 2 data points: made for", ""));
	assert_int_equal(stats().signals[PARCEL_METRICS].queued, 0);
}

/* A server refuses a compression while the interval is being packed in it. */
static void what_was_packed_before_the_encoding_changed_arrives_once(void **state)
{
	const uint8_t gzip = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, plain = PARCEL_FORMAT_OTLP;
	struct receiver_opts o = to("prod", "http://127.0.0.1:9");

	o.type = "otlp";
	o.send = 1u << PARCEL_TRACES;
	o.compression = "gzip";
	set(&o, 1);
	o.compression = "none";
	set(&o, 1);
	send_packed(PARCEL_TRACES, gzip, 1u << gzip, 3);
	assert_int_equal(stats().queued, 3);
	send_packed(PARCEL_TRACES, gzip, 1u << gzip | 1u << plain, 5); /* for somebody else */
	assert_int_equal(stats().queued, 3);
	send_packed(PARCEL_TRACES, plain, 1u << gzip | 1u << plain, 5);
	assert_int_equal(stats().queued, 8);
	set(NULL, 0);
}

static void a_path_of_its_own_is_what_is_asked_for(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.type = "otlp";
	o.send = 1u << PARCEL_METRICS;
	o.path =
		PYROSCOPE_PUSH_PATH; /* which is there, and knows the request for none of its own */
	set(&o, 1);
	send_signal(PARCEL_METRICS, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, 2);
	WAIT(5, s.dropped[NET_DROP_REFUSED] == 2);
	assert_true(told(NET_DROPPED, "2 data points", "HTTP 4"));
	assert_false(told(NET_DROPPED, "2 data points", "HTTP 404"));
}

static void a_slow_receiver_holds_back_only_itself(void **state)
{
	struct fake slow = { 0 };
	struct receiver_opts o[2];

	fake_start(&slow);
	fake_faults(&slow, "delay=1000");
	o[0] = to("slow", slow.url);
	o[1] = to("prod", fake.url);
	set(o, 2);
	for (int i = 0; i < 16; i++) {
		char name[16];

		snprintf(name, sizeof(name), "web%d", i); /* those of one series go one after the other */
		send_one(name, 0);
	}
	WAIT(0.9, s.delivered == 16);
	assert_int_equal(stats_of("slow").delivered, 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats_of("slow").delivered, 16);
	fake_stop(&slow);
}

static void an_unknown_name_is_asked_for_again(void **state)
{
	struct receiver_opts o = to("prod", "http://does-not-exist.invalid:4040");

	set(&o, 1);
	send_one("web", 0);
	/* Slow or absent resolvers: the answer may take the whole time-out of the try. */
	WAIT(12, s.failed_tries[RETRY_CONNECT] > 0);
	assert_int_equal(stats().queued, 1);
	assert_true(told(NET_TROUBLE, "receiver prod: http://does-not-exist.invalid:4040: ", "1 profile waits"));
	o.url = fake.url;
	set(&o, 1);
	WAIT(5, s.delivered == 1);
}

static void write_file(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void a_token_is_read_again_when_its_file_changes(void **state)
{
	struct receiver_opts o = to("prod", fake.url);
	char path[128];

	snprintf(path, sizeof(path), "%s/token", dir);
	unlink(path);
	o.bearer_token_file = path;
	set(&o, 1);
	fake_faults(&fake, "authorization=Bearer right");
	send_one("web", 0);
	WAIT(2, s.failed_tries[RETRY_CREDENTIALS] == 1);
	assert_true(told(NET_TROUBLE, "cannot read ", "token: No such file or directory"));
	write_file(path, "wrong\n");
	WAIT(3, s.failed_tries[RETRY_CREDENTIALS] >= 2 && fake_number(&fake, "401") > 0);
	write_file(path, "right\n");
	WAIT(8, s.delivered == 1);
	assert_int_equal(fake_stored(&fake, "web"), 1);
	assert_int_equal(fake_number(&fake, "Bearer right"), 1);
}

static void a_password_is_sent(void **state)
{
	struct receiver_opts o = to("prod", fake.url);

	o.username = "user";
	o.password = "pass word";
	set(&o, 1);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(fake_number(&fake, "Basic dXNlcjpwYXNzIHdvcmQ="), 1);
}

static const char *path_of(char *out, const char *file)
{
	snprintf(out, 128, "%s/%s", dir, file);
	return out;
}

/* Certificates for the name "localhost", and one authority nobody asked. */
static void make_certificates(void)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "cd %s && exec >log 2>&1 && set -ex\n"
		 "new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
		 "for ca in ca other; do openssl req -x509 $new -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done\n"
		 "echo subjectAltName=DNS:localhost,DNS:fake.test >ext\n"
		 "for who in server client; do\n"
		 "openssl req $new -subj /CN=$who -keyout $who.key -out $who.csr\n"
		 "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $who.pem\n"
		 "done\n", dir);
	if (system(command))
		fail_msg("openssl failed, see %s/log", dir);
}

static void a_certificate_is_checked_and_set_right(void **state)
{
	char other[128], ca[128];
	struct fake tls = { .tls = dir };
	struct receiver_opts o;

	make_certificates();
	fake_start(&tls);
	o = to("prod", tls.url);
	o.ca_file = (char *)path_of(other, "other.pem");
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_TLS] > 0);
	assert_true(told(NET_TROUBLE, "receiver prod: https://localhost:", "certificate"));
	o.ca_file = "/nonexistent/ca.pem";
	set(&o, 1);
	WAIT(3, s.failed_tries[RETRY_TLS] > 1);
	assert_int_equal(stats().delivered, 0);
	o.ca_file = (char *)path_of(ca, "ca.pem");
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	assert_int_equal(fake_stored(&tls, "web"), 1);
	fake_stop(&tls);
}

static void a_name_other_than_the_urls_is_checked(void **state)
{
	char ca[128], url[64];
	struct fake tls = { .tls = dir };
	struct receiver_opts o;

	fake_start(&tls);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", tls.port);
	o = to("prod", url);
	o.ca_file = (char *)path_of(ca, "ca.pem");
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_TLS] > 0);
	o.server_name = "fake.test";
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	o.server_name = NULL;
	o.insecure_skip_verify = true;
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.delivered == 2);
	fake_stop(&tls);
}

/* Under TLS 1.3 the server complains only after the client has begun to talk; its alert may be
 * lost in the reset. */
static void a_missing_client_certificate_loses_nothing(void **state)
{
	char ca[128], cert[128], key[128];
	struct fake tls = { .tls = dir, .client_ca = true };
	struct receiver_opts o;

	fake_start(&tls);
	o = to("prod", tls.url);
	o.ca_file = (char *)path_of(ca, "ca.pem");
	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_TLS] + s.failed_tries[RETRY_SILENCE] + s.failed_tries[RETRY_CONNECT] > 0);
	assert_int_equal(stats().queued, 1);
	o.cert_file = (char *)path_of(cert, "client.pem");
	o.key_file = (char *)path_of(key, "client.key");
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	assert_int_equal(fake_stored(&tls, "web"), 1);
	fake_stop(&tls);
}

/* A receiver that is away, whose parcels wait in dir/prod. */
static struct receiver_opts spooling(const char *url, uint64_t bytes)
{
	struct receiver_opts o = to("prod", url);

	o.spool = dir;
	o.spool_bytes = bytes;
	o.spool_age_ns = 3600 * SEC;
	return o;
}

static void a_spool_outlives_us_and_keeps_its_bound(void **state)
{
	struct receiver_opts o = spooling("http://127.0.0.1:9", 100 * KIB);
	struct net_opts opts = { .on_event = on_event, .user_agent = "hotspan/test" };

	set(&o, 1);
	for (int i = 0; i < 20; i++)
		send_one(i < 12 ? "early" : "late", 10 * KIB);
	WAIT(3, s.failed_tries[RETRY_CONNECT] > 0);
	assert_true(stats().spooled == 9 || stats().spooled == 10);
	assert_true(stats().spooled_bytes <= 100 * KIB);
	assert_int_equal(stats().dropped[NET_DROP_QUEUE_FULL], 20 - stats().spooled);
	net = net_free(net);
	assert_int_equal(net_new(&opts, &net), 0);
	o.url = fake.url;
	set(&o, 1);
	WAIT(5, s.delivered >= 9 && !s.queued);
	assert_true(stats().spool.found >= 9 && stats().spool.maybe_twice <= 8);
	assert_int_equal(fake_stored(&fake, "late"), 8); /* the oldest went */
	set(NULL, 0);
}

/* As OTLP has it: a request of many profiles. */
static void send_many(const char *service, uint32_t items)
{
	struct parcel *p = parcel(service, 0);

	p->what[0] = '\0';
	p->items = items;
	assert_int_equal(net_send(net, p), 0);
	parcel_unref(p);
}

static void a_parcel_counts_as_many_as_it_holds(void **state)
{
	struct receiver_opts o = spooling("http://127.0.0.1:9", MIB);
	struct net_opts opts = { .on_event = on_event, .user_agent = "hotspan/test" };

	set(&o, 1);
	send_many("bad", 12);
	send_many("good", 5);
	WAIT(3, s.failed_tries[RETRY_CONNECT] > 0);
	assert_int_equal(stats().queued, 17);
	assert_int_equal(stats().spooled, 17);
	net = net_free(net);
	assert_int_equal(net_new(&opts, &net), 0);
	fake_faults(&fake, "status=400 service=bad");
	o.url = fake.url;
	set(&o, 1);
	WAIT(5, !s.queued);
	assert_int_equal(stats().spool.found, 17);
	assert_int_equal(stats().delivered, 5);
	assert_int_equal(stats().dropped[NET_DROP_REFUSED], 12);
	assert_int_equal(stats().spooled, 0);
	assert_true(told(NET_DROPPED,
			 "receiver prod: request of 12 profiles: the server refused it", ""));
	set(NULL, 0);
}

static int count_files(void)
{
	char command[256];
	FILE *f;
	int n = -1;

	snprintf(command, sizeof(command), "ls %s/prod | grep -c -e parcel -e sent", dir);
	f = popen(command, "re");
	assert_true(f && fscanf(f, "%d", &n) == 1);
	pclose(f);
	return n;
}

static void empty_spool(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s/prod", dir);
	assert_int_equal(system(command), 0);
}

static void the_end_does_not_wait_for_what_is_on_disk(void **state)
{
	struct receiver_opts o = spooling("http://127.0.0.1:9", MIB);
	uint64_t before;

	set(&o, 1);
	send_one("web", 0);
	WAIT(3, s.failed_tries[RETRY_CONNECT] > 0);
	before = time_boot_ns();
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_true(time_boot_ns() - before < SEC / 2);
	assert_int_equal(count_files(), 1);
	net_free(net);
	/* What is old may be much: it stays. */
	assert_int_equal(net_new(&(struct net_opts){ .on_event = on_event, .user_agent = "hotspan/test" }, &net), 0);
	o = spooling(fake.url, MIB);
	fake_faults(&fake, "stall=1");
	set(&o, 1);
	before = time_boot_ns();
	assert_int_equal(net_flush(net, SEC), -ETIMEDOUT); /* it is of now, and the server may take it */
	assert_true(time_boot_ns() - before >= SEC);
	set(NULL, 0);
	net = net_free(net);
	assert_int_equal(count_files(), 1);
	empty_spool();
	assert_int_equal(net_new(&(struct net_opts){ .on_event = on_event, .user_agent = "hotspan/test" }, &net), 0);
	fake_faults(&fake, "");
	set(&o, 1);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0); /* where the server takes it, the last goes */
	assert_int_equal(stats().delivered, 1);
}

static void a_list_with_a_spool_that_cannot_be_had_changes_nothing(void **state)
{
	struct receiver_opts o[] = { to("prod", "http://127.0.0.1:9"), to("new", fake.url), to("bad", fake.url) };
	char err[256];

	one_receiver();
	o[2].spool = "/nonexistent/spool";
	assert_int_equal(net_set_receivers(net, o, 3, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/spool/bad"));
	assert_int_equal(net_set_receivers(net, o + 1, 2, err, sizeof(err)), -ENOENT);
	assert_int_equal(net_stats(net, NULL, 0), 1);
	send_one("web", 0);
	assert_int_equal(net_flush(net, 5 * SEC), 0);
	assert_int_equal(stats().delivered, 1); /* to where it was */
}

static void a_receiver_that_comes_back_at_once_meets_its_own_spool(void **state)
{
	struct receiver_opts o = spooling(fake.url, MIB);

	set(&o, 1);
	fake_faults(&fake, "delay=1000");
	send_one("web", 0);
	sleep_ms(200);
	set(NULL, 0);
	sleep_ms(100);
	set(&o, 1);
	WAIT(3, s.delivered == 1 && !s.queued);
	assert_int_equal(fake_stored(&fake, "web"), 1);
	set(NULL, 0);
}

static void what_is_under_way_of_a_receiver_taken_out_stays_on_disk(void **state)
{
	struct receiver_opts o = spooling(fake.url, MIB);

	set(&o, 1);
	fake_faults(&fake, "status=503 delay=500");
	send_one("web", 0);
	sleep_ms(200);
	set(NULL, 0);
	sleep_ms(1000);
	assert_int_equal(count_files(), 1);
	fake_faults(&fake, "");
	set(&o, 1);
	WAIT(3, s.delivered == 1);
	set(NULL, 0);
}

static void a_file_that_cannot_be_read_is_skipped_and_named(void **state)
{
	struct receiver_opts o = spooling("http://127.0.0.1:9", MIB);
	char command[256];

	set(&o, 1);
	for (int i = 0; i < 3; i++)
		send_one("web", 0);
	snprintf(command, sizeof(command), "cd %s/prod && f=$(ls | grep -e parcel -e sent | tail -n 1) && rm $f", dir);
	assert_int_equal(system(command), 0);
	o.url = fake.url;
	set(&o, 1);
	WAIT(5, s.delivered == 2 && s.dropped[NET_DROP_UNREADABLE] == 1 && !s.queued);
	assert_int_equal(stats().spool.unreadable, 1);
	assert_true(told(NET_DROPPED, "cannot be read, skipped", ": No such file or directory"));
	set(NULL, 0);
}

static void what_was_refused_or_is_damaged_is_no_longer_there(void **state)
{
	struct receiver_opts o = spooling(fake.url, MIB);
	char command[256];

	fake_post(&fake, "/fake/faults", "status=400 service=bad");
	set(&o, 1);
	send_one("bad", 0);
	send_one("good", 0);
	WAIT(5, s.delivered == 1 && s.dropped[NET_DROP_REFUSED] == 1 && !s.queued);
	set(NULL, 0);
	fake_post(&fake, "/fake/faults", "");
	snprintf(command, sizeof(command), "cd %s/prod && test -z \"$(ls | grep -e parcel -e sent)\"", dir);
	assert_int_equal(system(command), 0);
	o = spooling("http://127.0.0.1:9", MIB);
	WAIT_GONE();
	set(&o, 1);
	send_one("one", 0);
	send_one("two", 0);
	snprintf(command, sizeof(command), "cd %s/prod && f=$(ls | grep -e parcel -e sent | tail -n 1) && truncate -s -1 $f && truncate -s +1 $f", dir);
	assert_int_equal(system(command), 0);
	o = spooling(fake.url, MIB);
	set(&o, 1);
	WAIT(5, s.delivered == 1 && s.dropped[NET_DROP_DAMAGED] == 1 && !s.queued);
	assert_int_equal(fake_stored(&fake, "one"), 1);
	set(NULL, 0);
}

static int first(void **state)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		unsetenv(proxies[i]);
	return mkdtemp(dir) ? 0 : -1;
}

static int last(void **state)
{
	char command[256];

	fake_stop(&fake);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* An argument is a pattern: only the tests it fits are run. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_delivered),
		TEST(a_trailing_slash_and_a_wrong_path_are_told_apart),
		TEST(a_server_that_is_down_loses_nothing),
		TEST(a_restarted_server_is_found_again),
		TEST(retry_after_is_respected),
		TEST(an_absurd_retry_after_is_bounded),
		TEST(a_profile_the_server_chokes_on_is_given_up),
		TEST(a_profile_that_passes_for_an_outage_is_given_up),
		TEST(a_profile_that_blocks_its_series_is_given_up),
		TEST(an_outage_that_answers_loses_nothing),
		TEST(a_busy_server_is_asked_again),
		TEST(one_request_feels_the_way_in_trouble),
		TEST(a_refused_profile_is_dropped_and_others_pass),
		TEST(a_redirect_is_not_followed),
		TEST(cut_while_sending_it_is_sent_again),
		TEST(a_connection_that_ends_without_an_answer_is_tried_once_more),
		TEST(a_request_that_ends_every_connection_is_given_up_in_the_end),
		TEST(an_answer_cut_short_counts_by_its_status),
		TEST(a_server_that_falls_silent_costs_one_profile_at_a_time),
		TEST(what_nobody_acknowledged_is_not_taken_for_sent),
		TEST(what_is_older_than_servers_take_is_dropped),
		TEST(the_oldest_goes_when_the_queue_is_full),
		TEST(a_flush_ends_in_time),
		TEST(a_receiver_that_is_removed_sends_no_more),
		TEST(a_signal_goes_to_whom_it_was_asked_for),
		TEST(what_is_dropped_counts_for_its_signal),
		TEST(what_waits_stays_of_its_signal),
		TEST(what_was_packed_before_the_encoding_changed_arrives_once),
		TEST(a_path_of_its_own_is_what_is_asked_for),
		TEST(a_slow_receiver_holds_back_only_itself),
		TEST(an_unknown_name_is_asked_for_again),
		TEST(a_token_is_read_again_when_its_file_changes),
		TEST(a_password_is_sent),
		TEST(a_certificate_is_checked_and_set_right),
		TEST(a_name_other_than_the_urls_is_checked),
		TEST(a_missing_client_certificate_loses_nothing),
		TEST(a_spool_outlives_us_and_keeps_its_bound),
		TEST(a_parcel_counts_as_many_as_it_holds),
		TEST(the_end_does_not_wait_for_what_is_on_disk),
		TEST(a_list_with_a_spool_that_cannot_be_had_changes_nothing),
		TEST(a_receiver_that_comes_back_at_once_meets_its_own_spool),
		TEST(what_is_under_way_of_a_receiver_taken_out_stays_on_disk),
		TEST(a_file_that_cannot_be_read_is_skipped_and_named),
		TEST(what_was_refused_or_is_damaged_is_no_longer_there),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, first, last);
}
