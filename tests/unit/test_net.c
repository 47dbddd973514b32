/* SPDX-License-Identifier: Apache-2.0 */
/* Queues and receivers of the network thread: each at its own pace, bounded, and gone when it is taken out. */
#include "unit/fixture_net.h"

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_delivered),
		TEST(a_trailing_slash_and_a_wrong_path_are_told_apart),
		TEST(what_is_older_than_servers_take_is_dropped),
		TEST(the_oldest_goes_when_the_queue_is_full),
		TEST(a_flush_ends_in_time),
		TEST(a_receiver_that_is_removed_sends_no_more),
		TEST(a_slow_receiver_holds_back_only_itself),
	};

	return net_main(argc, argv, tests);
}
