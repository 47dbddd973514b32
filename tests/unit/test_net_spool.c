/* SPDX-License-Identifier: Apache-2.0 */
/* What waits on disk for a receiver that is away: it outlives us, is sent once, and what cannot be is named. */
#include "unit/fixture_net.h"

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_spool_outlives_us_and_keeps_its_bound),
		TEST(a_parcel_counts_as_many_as_it_holds),
		TEST(the_end_does_not_wait_for_what_is_on_disk),
		TEST(a_list_with_a_spool_that_cannot_be_had_changes_nothing),
		TEST(a_receiver_that_comes_back_at_once_meets_its_own_spool),
		TEST(what_is_under_way_of_a_receiver_taken_out_stays_on_disk),
		TEST(a_file_that_cannot_be_read_is_skipped_and_named),
		TEST(what_was_refused_or_is_damaged_is_no_longer_there),
	};

	return net_main(argc, argv, tests);
}
