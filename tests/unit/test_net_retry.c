/* SPDX-License-Identifier: Apache-2.0 */
/* What the network thread makes of a server that is down, busy or refuses: again later, or given up. */
#include "unit/fixture_net.h"

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_is_down_loses_nothing),
		TEST(a_restarted_server_is_found_again),
		TEST(an_unknown_name_is_asked_for_again),
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
	};

	return net_main(argc, argv, tests);
}
