/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that end or fall silent in the middle of a request, of which nobody knows whether it has arrived. */
#include "unit/fixture_net.h"

#include <netinet/in.h>
#include <sys/socket.h>

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(cut_while_sending_it_is_sent_again),
		TEST(a_connection_that_ends_without_an_answer_is_tried_once_more),
		TEST(a_request_that_ends_every_connection_is_given_up_in_the_end),
		TEST(an_answer_cut_short_counts_by_its_status),
		TEST(a_server_that_falls_silent_costs_one_profile_at_a_time),
		TEST(what_nobody_acknowledged_is_not_taken_for_sent),
	};

	return net_main(argc, argv, tests);
}
