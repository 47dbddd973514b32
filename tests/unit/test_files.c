/* SPDX-License-Identifier: Apache-2.0 */
/* Receivers that are directories: names, bounds, what lies there already, full disks, and what is told of them. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/units.h"
#include "exporter/archive.h"
#include "exporter/files.h"
#include "exporter/parcel.h"
#include "fixture_folder.h"

static const struct archive_limits wide = { .files = 1000, .bytes = MIB };

/* 2026-11-24 10:15:00 UTC */
#define TIME_NS (1795515300ull * NSEC_PER_SEC)

static struct archive *open_it(void)
{
	struct archive *a;
	int pid;

	assert_int_equal(archive_open(folder, &a, &pid), 0);
	return a;
}

static struct parcel *parcel(const char *service, uint64_t time_ns, size_t len)
{
	struct buf b = BUF_INIT;
	struct parcel *p;

	assert_non_null(buf_reserve(&b, len));
	memset(b.data, 'x', len);
	b.len = len;
	p = parcel_new(&b, 0);
	assert_non_null(p);
	p->time_ns = time_ns;
	snprintf(p->what, sizeof(p->what), "%s", service);
	return p;
}

static int put(struct archive *a, const struct archive_limits *l, const char *service, uint64_t time_ns, size_t len)
{
	struct parcel *p = parcel(service, time_ns, len);
	int r = archive_put(a, l, p, time_ns);

	parcel_unref(p);
	return r;
}

static int by_text(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* All that is there but the lock, sorted, with spaces between. */
static void there_is(const char *want)
{
	char found[4096] = "";
	struct dirent **names;
	int n = scandir(folder, &names, NULL, by_text);

	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;

		if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, "lock"))
			strcat(strcat(found, *found ? " " : ""), name);
		free(names[i]);
	}
	free(names);
	assert_string_equal(found, want);
}

static void has(const struct archive *a, uint64_t files, uint64_t bytes, uint64_t removed)
{
	struct archive_stats s;

	archive_stats(a, &s);
	assert_int_equal(s.files, files);
	assert_int_equal(s.bytes, bytes);
	assert_int_equal(s.removed, removed);
}

static void names_are_the_time_and_the_service(void **state)
{
	struct archive *a = open_it();

	assert_int_equal(put(a, &wide, "checkout", TIME_NS, 10), 0);
	assert_int_equal(put(a, &wide, "checkout", TIME_NS + 1, 20), 0);
	assert_int_equal(put(a, &wide, "shop/../web \n\xc3\xa4", TIME_NS + NSEC_PER_SEC, 30), 0);
	assert_int_equal(put(a, &wide, "", TIME_NS - NSEC_PER_SEC, 40), 0);
	assert_int_equal(put(a, &wide, "a-service-whose-name-is-longer-than-what-a-parcel-says-of-itself-as-is", 0, 1), 0);
	there_is("19700101T000000Z-a-service-whose-name-is-longer-than-what-a-parcel-says-of-itsel.pb.gz 20261124T101459Z-unknown.pb.gz "
		 "20261124T101500Z-checkout-2.pb.gz 20261124T101500Z-checkout.pb.gz 20261124T101501Z-shop_.._web____.pb.gz");
	has(a, 5, 101, 0);
	archive_close(a);
}

static void files_and_their_directory_are_ours_alone(void **state)
{
	struct archive *a;
	char path[256];
	struct stat st;
	mode_t before = umask(0);

	a = open_it();
	assert_int_equal(put(a, &wide, "a", TIME_NS, 10), 0);
	umask(before);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/20261124T101500Z-a.pb.gz", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	archive_close(a);
}

static void the_oldest_make_room(void **state)
{
	const struct archive_limits three = { .files = 3, .bytes = MIB }, small = { .files = 100, .bytes = 25 };
	const struct archive_limits young = { .files = 100, .bytes = MIB, .age_ns = 3 * NSEC_PER_SEC };
	struct archive *a = open_it();

	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(put(a, &three, "a", TIME_NS + i * NSEC_PER_SEC, 10), 0);
	there_is("20261124T101502Z-a.pb.gz 20261124T101503Z-a.pb.gz 20261124T101504Z-a.pb.gz");
	has(a, 3, 30, 2);
	archive_close(a);
	a = open_it(); /* another run goes on with what is there */
	has(a, 3, 30, 0);
	assert_int_equal(put(a, &small, "b", TIME_NS + 5 * NSEC_PER_SEC, 12), 0);
	there_is("20261124T101504Z-a.pb.gz 20261124T101505Z-b.pb.gz");
	archive_trim(a, &young, TIME_NS + 7 * NSEC_PER_SEC);
	has(a, 2, 22, 2);
	archive_trim(a, &young, TIME_NS + 8 * NSEC_PER_SEC);
	there_is("20261124T101505Z-b.pb.gz");
	archive_trim(a, &young, TIME_NS + 3600 * NSEC_PER_SEC);
	there_is("");
	has(a, 0, 0, 4);
	archive_close(a);
}

/* One that comes late, from a window that took long, is still the oldest. */
static void order_is_by_time_not_by_arrival(void **state)
{
	const struct archive_limits two = { .files = 2, .bytes = MIB };
	struct archive *a = open_it();

	assert_int_equal(put(a, &two, "b", TIME_NS + NSEC_PER_SEC, 1), 0);
	assert_int_equal(put(a, &two, "a", TIME_NS, 1), 0);
	assert_int_equal(put(a, &two, "c", TIME_NS + 2 * NSEC_PER_SEC, 1), 0);
	there_is("20261124T101501Z-b.pb.gz 20261124T101502Z-c.pb.gz");
	archive_close(a);
}

static void what_is_not_ours_is_neither_followed_nor_touched(void **state)
{
	const struct archive_limits one = { .files = 1, .bytes = MIB };
	_cleanup_(buf_fini) struct buf target = BUF_INIT;
	struct archive *a;
	char path[96];

	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(run("cd %s; echo precious >../target; ln -s ../target 20200101T000000Z-a.pb.gz; ln -s ../target 20261124T101500Z-a.pb.gz; "
			     "ln -s ../target .20261124T101500Z-a-2.pb.gz.part; mkdir 20200101T000000Z-b.pb.gz; echo x >notes.txt; echo x >2026-a.pb.gz; "
			     "echo x >.20200101T000000Z-c.pb.gz.part; echo x >.other.part", folder), 0);
	a = open_it();
	has(a, 0, 0, 0);
	assert_int_equal(put(a, &one, "a", TIME_NS, 10), 0);
	assert_int_equal(put(a, &one, "b", TIME_NS, 10), 0);
	has(a, 1, 10, 1);
	there_is(".other.part 20200101T000000Z-a.pb.gz 20200101T000000Z-b.pb.gz 2026-a.pb.gz 20261124T101500Z-a.pb.gz 20261124T101500Z-b.pb.gz notes.txt");
	snprintf(path, sizeof(path), "%s/target", root);
	assert_int_equal(file_read_path(AT_FDCWD, path, 100, &target), 0);
	assert_int_equal(target.len, strlen("precious\n"));
	archive_close(a);
}

static void directories_that_are_not_ours_and_other_agents_are_refused(void **state)
{
	struct archive *a, *b;
	char other[128];
	int pid = 0;

	snprintf(other, sizeof(other), "%s/there/profiles", root);
	assert_int_equal(archive_open(other, &b, &pid), -ENOENT);
	a = open_it();
	assert_int_equal(archive_open(folder, &b, &pid), -EBUSY);
	assert_int_equal(pid, getpid());
	archive_close(a);
	assert_int_equal(chmod(folder, 0770), 0);
	assert_int_equal(archive_open(folder, &b, &pid), -EPERM);
	snprintf(other, sizeof(other), "%s/link", root);
	assert_int_equal(symlink(folder, other), 0);
	assert_true(archive_open(other, &b, &pid) == -ENOTDIR || archive_open(other, &b, &pid) == -ELOOP);
}

/* ---- receivers ---- */

static char told[4096];

static void hear(void *ctx, const struct net_event *ev)
{
	static const char *const kinds[] = { [NET_TROUBLE] = "trouble", [NET_RECOVERED] = "recovered", [NET_DROPPED] = "dropped" };

	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s: %s\n", kinds[ev->kind], ev->text);
}

static struct receiver_opts receiver(const char *name, uint64_t queue_bytes)
{
	return (struct receiver_opts){ .name = (char *)name, .type = "file", .path = folder, .max_files = 100, .max_bytes = MIB, .queue_bytes = queue_bytes };
}

static struct files *files(void)
{
	struct files *f;

	told[0] = '\0';
	assert_int_equal(files_new(&(struct net_opts){ .on_event = hear }, &f), 0);
	assert_false(files_wanted(f));
	return f;
}

static void set(struct files *f, const struct receiver_opts *o, size_t n)
{
	char err[256];

	if (files_set_receivers(f, o, n, err, sizeof(err)) < 0)
		fail_msg("%s", err);
}

static void send(struct files *f, uint32_t second, size_t len)
{
	struct parcel *p = parcel("a", TIME_NS + second * NSEC_PER_SEC, len);

	assert_int_equal(files_send(f, p), 0);
	parcel_unref(p);
}

static void what_is_sent_is_written_by_every_receiver(void **state)
{
	struct receiver_opts o[] = { receiver("one", MIB), receiver("two", MIB), { .name = "server", .type = "pyroscope", .url = "http://h" } };
	struct net_receiver_stats s[4];
	struct files *f = files();
	char other[128];

	snprintf(other, sizeof(other), "%s/other", root);
	o[1].path = other;
	set(f, o, 3);
	assert_true(files_wanted(f));
	for (uint32_t i = 0; i < 20; i++)
		send(f, i, 100);
	assert_int_equal(files_flush(f, 10 * NSEC_PER_SEC), 0);
	assert_int_equal(files_stats(f, s, 4), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s[i].delivered, 20);
		assert_int_equal(s[i].delivered_bytes, 2000);
		assert_int_equal(s[i].archive.files, 20);
		assert_int_equal(s[i].queued, 0);
	}
	set(f, o, 1); /* a reload without the second one */
	assert_int_equal(files_stats(f, s, 1), 1);
	assert_string_equal(s[0].name, "one");
	assert_int_equal(s[0].delivered, 20);
	o[0].name = "renamed"; /* the directory is free for it at once */
	set(f, o, 1);
	assert_int_equal(files_stats(f, s, 1), 1);
	assert_int_equal(s[0].archive.files, 20);
	files_free(f);
	assert_string_equal(told, "");
}

static void two_receivers_in_one_directory_are_refused(void **state)
{
	const struct receiver_opts o[] = { receiver("one", MIB), receiver("two", MIB) };
	struct files *f = files();
	char err[256], want[256];

	assert_int_equal(files_set_receivers(f, o, 2, err, sizeof(err)), -EBUSY);
	snprintf(want, sizeof(want), "path: %s is in use by another agent, process %d: give each one its own", folder, getpid());
	assert_string_equal(err, want);
	files_free(f);
}

/* Where mounting is possible: a file system of 64 KiB. */
static void a_full_disk_is_counted_told_and_waited_for(void **state)
{
	const struct receiver_opts o = receiver("disk", 40000);
	struct net_receiver_stats s;
	struct files *f;
	char waste[128];

	assert_int_equal(mkdir(folder, 0700), 0);
	if (mount("tmpfs", folder, "tmpfs", 0, "size=64k,mode=700") < 0)
		skip();
	snprintf(waste, sizeof(waste), "%s/waste", folder);
	assert_int_equal(run("head -c 50000 /dev/zero >%s", waste), 0);
	f = files();
	set(f, &o, 1);
	for (uint32_t i = 0; i < 4; i++)
		send(f, i, 15000);
	assert_int_equal(files_flush(f, NSEC_PER_SEC / 5), -ETIMEDOUT);
	files_stats(f, &s, 1);
	assert_int_equal(s.delivered, 0);
	assert_true(s.failed_tries[RETRY_DISK_FULL] >= 1);
	assert_int_equal(s.failed_tries[RETRY_DISK], 0);
	assert_int_equal(s.dropped[NET_DROP_QUEUE_FULL], 2); /* 40,000 bytes hold two */
	assert_int_equal(s.queued, 2);
	assert_non_null(strstr(told, "trouble: receiver disk: /tmp/hotspan-test-"));
	assert_non_null(strstr(told, "No space left on device; "));
	assert_non_null(strstr(told, "dropped: receiver disk: profile of a: the queue is full, the oldest profile is dropped (queue_bytes)\n"));
	there_is("waste");
	assert_int_equal(unlink(waste), 0);
	assert_int_equal(files_flush(f, 10 * NSEC_PER_SEC), 0);
	files_stats(f, &s, 1);
	assert_int_equal(s.delivered, 2);
	there_is("20261124T101502Z-a.pb.gz 20261124T101503Z-a.pb.gz");
	assert_non_null(strstr(told, "recovered: receiver disk: writing again; "));
	files_free(f);
}

int main(void)
{
#define FILES_TEST(f) cmocka_unit_test_setup_teardown(f, folder_begin, folder_end)
	const struct CMUnitTest tests[] = {
		FILES_TEST(names_are_the_time_and_the_service),
		FILES_TEST(files_and_their_directory_are_ours_alone),
		FILES_TEST(the_oldest_make_room),
		FILES_TEST(order_is_by_time_not_by_arrival),
		FILES_TEST(what_is_not_ours_is_neither_followed_nor_touched),
		FILES_TEST(directories_that_are_not_ours_and_other_agents_are_refused),
		FILES_TEST(what_is_sent_is_written_by_every_receiver),
		FILES_TEST(two_receivers_in_one_directory_are_refused),
		FILES_TEST(a_full_disk_is_counted_told_and_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
