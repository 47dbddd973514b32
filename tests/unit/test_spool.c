/* SPDX-License-Identifier: Apache-2.0 */
/* The spool: order, restarts, kills at any moment, damage of every kind, and folders that are not ours. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "exporter/spool.h"
#include "fixture_folder.h"

enum { KILLS = 200, DAMAGED_BYTES = 200 };

static struct spool_left left; /* what was there when it was opened last */

static int end(void **state)
{
	vec_fini(&left);
	return folder_end(state);
}

static struct spool *open_it(void)
{
	struct spool *s;
	int pid;

	vec_fini(&left);
	assert_int_equal(spool_open(folder, &s, &left, &pid), 0);
	return s;
}

static int open_fails(int *ret_pid)
{
	struct spool *s;
	int r = spool_open(folder, &s, &left, ret_pid);

	if (r >= 0)
		spool_close(s);
	return r;
}

/* Says its number, as often as it is long. */
static struct parcel *parcel(uint32_t number, uint32_t words)
{
	struct buf b = BUF_INIT;
	struct parcel *p;

	for (uint32_t i = 0; i < words; i++)
		buf_append(&b, &number, sizeof(number));
	p = parcel_new(&b, 5);
	p->time_ns = 1000 + number;
	snprintf(p->what, sizeof(p->what), "service %u", number);
	return p;
}

static int put(struct spool *s, uint32_t number, uint32_t words, uint64_t *ret)
{
	struct parcel *p = parcel(number, words);
	int r = spool_put(s, p, ret);

	parcel_unref(p);
	return r;
}

static uint32_t number_in(const struct parcel *p)
{
	uint32_t first, other;

	assert_true(p->bytes.len >= sizeof(first) && p->bytes.len % sizeof(first) == 0);
	memcpy(&first, p->bytes.data, sizeof(first));
	for (size_t at = 0; at < p->bytes.len; at += sizeof(other)) {
		memcpy(&other, p->bytes.data + at, sizeof(other));
		assert_int_equal(other, first);
	}
	assert_int_equal(p->time_ns, 1000 + first);
	assert_int_equal(p->format, 5);
	return first;
}

static void what_is_put_comes_back_after_a_restart_in_order(void **state)
{
	struct spool *s = open_it();
	struct spool_stats st;
	uint64_t n[5];

	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(put(s, i, 10 + i, &n[i]), 0);
	assert_int_equal(spool_try(s, n[0]), 0);
	assert_int_equal(spool_try(s, n[1]), 0);
	spool_done(s, n[1]);
	spool_close(s);
	s = open_it();
	spool_stats(s, &st);
	assert_int_equal(st.found, 4);
	assert_int_equal(st.maybe_twice, 1);
	assert_int_equal(left.n, 4);
	for (uint32_t i = 0, want = 0; i < 4; i++, want += want == 0 ? 2 : 1) {
		const struct spool_entry *e = &left.v[i];
		struct parcel *p;

		assert_int_equal(e->tried, want == 0);
		assert_int_equal(e->bytes, 4 * (10 + want));
		assert_int_equal(spool_get(s, e->number, &p), 0);
		assert_int_equal(number_in(p), want);
		parcel_unref(p);
	}
	assert_int_equal(put(s, 99, 1, &n[0]), 0);
	assert_true(n[0] > n[4]);
	spool_close(s);
}

/* A parcel of metrics is one when it is sent after a restart, too. */
static void a_parcel_keeps_its_signal(void **state)
{
	struct buf b = BUF_INIT;
	struct spool *s = open_it();
	const struct spool_entry *e;
	struct parcel *p, *q;
	uint64_t n;

	buf_puts(&b, "metrics");
	p = parcel_new(&b, parcel_format(PARCEL_METRICS, PARCEL_FORMATS - 1));
	assert_int_equal(spool_put(s, p, &n), 0);
	spool_close(s);
	s = open_it();
	assert_int_equal(left.n, 1);
	e = left.v;
	assert_int_equal(e->format, p->format);
	assert_int_equal(e->key, parcel_key(p->format, ""));
	assert_int_equal(spool_get(s, e->number, &q), 0);
	assert_int_equal(q->format, p->format);
	assert_int_equal(parcel_format_signal(q->format), PARCEL_METRICS);
	parcel_unref(p);
	parcel_unref(q);
	spool_close(s);
}

/* The child says on a pipe what it is about to do and what it has done; then it is killed. */
struct word {
	uint32_t number;
	char what; /* p: put; d: about to be done; D: done */
};

static void say(int fd, char what, uint32_t number)
{
	struct word w = { .number = number, .what = what };

	if (write(fd, &w, sizeof(w)) != sizeof(w))
		_exit(1);
}

/* Puts parcels; of those there are, the oldest is tried and acknowledged, two behind. */
static void work(int fd, uint32_t first)
{
	struct spool *s = open_it();
	uint32_t oldest = 0;

	for (uint32_t i = first;; i++) {
		struct spool_entry *e = vec_push(&left);
		struct parcel *p;

		if (put(s, i, 1 + i % 50, &e->number) < 0)
			_exit(1);
		say(fd, 'p', i);
		e = &left.v[oldest];
		if (left.n - oldest < 3 || spool_get(s, e->number, &p) < 0)
			continue;
		oldest++;
		spool_try(s, e->number);
		say(fd, 'd', number_in(p));
		spool_done(s, e->number);
		say(fd, 'D', number_in(p));
		parcel_unref(p);
	}
}

struct account {
	uint8_t state[1 << 20]; /* of each number: 0, p, d, D */
	uint32_t next;
};

static void read_words(int fd, struct account *a)
{
	struct word w;

	while (read(fd, &w, sizeof(w)) == sizeof(w)) {
		a->state[w.number] = (uint8_t)w.what;
		if (w.number >= a->next)
			a->next = w.number + 1;
	}
}

/* Nothing acknowledged is there, nothing else is missing, but for the one that was being put or done. */
static void check(struct account *a)
{
	struct spool *s = open_it();
	uint32_t last = 0, unsure = 0;
	uint8_t *there = calloc(1, sizeof(a->state));
	struct spool_stats st;

	vec_foreach(e, &left)
	{
		struct parcel *p;
		uint32_t n;

		assert_int_equal(spool_get(s, e->number, &p), 0);
		n = number_in(p);
		assert_true(e == left.v || n > last);
		assert_int_not_equal(a->state[n], 'D');
		there[last = n] = 1;
		if (n >= a->next)
			a->next = n + 1;
		parcel_unref(p);
	}
	for (uint32_t n = 0; n < a->next; n++) {
		if (a->state[n] == 'p')
			assert_int_equal(there[n], 1);
		unsure += a->state[n] == 'd' && !there[n];
		if (a->state[n] == 'd') /* who restarts finds it, or it is gone */
			a->state[n] = there[n] ? 'p' : 'D';
		if (there[n] && !a->state[n])
			a->state[n] = 'p';
	}
	assert_true(unsure <= 1);
	spool_stats(s, &st);
	assert_true(st.maybe_twice <= 1);
	assert_int_equal(st.damaged, 0);
	spool_close(s);
	free(there);
}

static void a_kill_at_any_moment_loses_nothing_and_repeats_at_most_one(void **state)
{
	struct account *a = calloc(1, sizeof(*a));
	unsigned int seed = 1;

	for (int i = 0; i < KILLS; i++) {
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		pid = fork();
		if (!pid)
			work(fds[1], a->next);
		close(fds[1]);
		usleep(200 + (useconds_t)rand_r(&seed) % 4000);
		kill(pid, SIGKILL);
		read_words(fds[0], a);
		waitpid(pid, NULL, 0);
		close(fds[0]);
		check(a);
	}
	print_message("%u parcels\n", a->next);
	assert_true(a->next > KILLS);
	free(a);
}

static void path_of(char *out, size_t len, const char *name)
{
	snprintf(out, len, "%s/%s", folder, name);
}

/* The only parcel's file: its bytes, or what they are replaced by. */
static void overwrite(const void *bytes, size_t len)
{
	char path[160];
	int fd;

	path_of(path, sizeof(path), "0000000000000000.parcel");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static size_t one_file(struct buf *ret)
{
	struct spool *s = open_it();
	char path[160];
	uint64_t n;

	assert_int_equal(put(s, 7, 20, &n), 0);
	spool_close(s);
	path_of(path, sizeof(path), "0000000000000000.parcel");
	assert_int_equal(file_read_path(AT_FDCWD, path, 1 << 20, ret), 0);
	return ret->len;
}

/* Put aside, and what comes after it is not in its way. */
static void is_put_aside(void)
{
	struct spool *s = open_it();
	struct spool_stats st;
	struct parcel *p;
	uint64_t n;

	assert_int_equal(put(s, 8, 3, &n), 0);
	if (left.n)
		assert_int_equal(spool_get(s, left.v[0].number, &p), -EBADMSG);
	spool_stats(s, &st);
	assert_int_equal(st.damaged, 1);
	assert_int_equal(spool_get(s, n, &p), 0);
	assert_int_equal(number_in(p), 8);
	parcel_unref(p);
	spool_done(s, n);
	spool_close(s);
	spool_close(open_it());
	assert_int_equal(left.n, 0);
}

static void a_file_cut_anywhere_is_put_aside(void **state)
{
	_cleanup_(buf_fini) struct buf file = BUF_INIT;
	size_t len = one_file(&file);

	for (size_t n = 0; n < len; n++) {
		overwrite(file.data, n);
		is_put_aside();
	}
	overwrite("trailing", 8);
	is_put_aside();
}

static void a_file_with_any_bit_flipped_is_put_aside(void **state)
{
	_cleanup_(buf_fini) struct buf file = BUF_INIT;
	size_t len = one_file(&file);

	for (size_t bit = 0; bit < 8 * len && bit < 8 * DAMAGED_BYTES; bit++) {
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		overwrite(file.data, len);
		is_put_aside();
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* Only a few are kept. */
	assert_int_equal(run("test $(ls %s | grep -c bad) -le 8", folder), 0);
}

static void another_agent_is_refused_by_its_number(void **state)
{
	struct spool *s = open_it();
	int pid = 0;

	assert_int_equal(open_fails(&pid), -EBUSY);
	assert_int_equal(pid, getpid());
	spool_close(s);
	spool_close(open_it());
}

static void folders_that_are_not_ours_are_refused(void **state)
{
	int pid;

	assert_int_equal(run("mkdir %s && chmod 777 %s", folder, folder), 0);
	assert_int_equal(open_fails(&pid), -EPERM);
	assert_int_equal(run("chmod 700 %s && chown 65534 %s", folder, folder), 0);
	assert_int_equal(open_fails(&pid), -EPERM);
	assert_int_equal(run("rmdir %s && ln -s /tmp %s", folder, folder), 0);
	assert_true(open_fails(&pid) == -ELOOP || open_fails(&pid) == -ENOTDIR);
	assert_int_equal(run("rm %s && touch %s", folder, folder), 0);
	assert_int_equal(open_fails(&pid), -ENOTDIR);
	assert_int_equal(run("rm %s", folder), 0);
	snprintf(folder, sizeof(folder), "%s/none/prod", root);
	assert_int_equal(open_fails(&pid), -ENOENT);
}

/* Root may read everything: nobody asks. The file stays, and what is left of it is said. */
static void a_file_that_may_not_be_read_is_counted_and_stays(void **state)
{
	struct spool *s;
	struct spool_stats st;
	struct parcel *p;
	uint64_t n[3];
	int pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(run("chmod 755 %s && mkdir -m 700 %s && chown 65534 %s", root, folder, folder), 0);
	assert_int_equal(seteuid(65534), 0);
	s = open_it();
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(put(s, i, 5, &n[i]), 0);
	assert_int_equal(run("chmod 0 %s/*1.parcel", folder), 0);
	assert_int_equal(spool_get(s, n[1], &p), -EACCES); /* while we run */
	spool_stats(s, &st);
	assert_int_equal(st.unreadable, 1);
	spool_close(s);
	vec_fini(&left);
	assert_int_equal(spool_open(folder, &s, &left, &pid), 0); /* at start */
	spool_stats(s, &st);
	spool_close(s);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(left.n, 2);
	assert_int_equal(st.unreadable, 1);
	assert_int_equal(st.damaged, 0);
	assert_int_equal(st.unreadable_error, EACCES);
	assert_string_equal(st.unreadable_name, "0000000000000001.parcel");
	assert_int_equal(run("test -s %s/0000000000000001.parcel", folder), 0);
}

/* Nothing of it is followed, opened without end, or removed. */
static void strange_files_are_left_alone_or_put_aside(void **state)
{
	struct spool *s;
	struct spool_stats st;

	assert_int_equal(run("mkdir -m 700 %s; cd %s && mkfifo 0000000000000001.parcel && ln -s /etc/passwd 0000000000000002.sent && mkdir 0000000000000003.parcel && "
			     "touch README zzzzzzzzzzzzzzzz.parcel -- -00000000000001f.parcel && truncate -s 1T 0000000000000004.parcel && touch 0000000000000005.tmp",
			     folder, folder), 0);
	s = open_it();
	assert_int_equal(left.n, 0);
	spool_stats(s, &st);
	assert_int_equal(st.damaged, 4);
	spool_close(s);
	assert_int_equal(run("cd %s && test -e README && test ! -e 0000000000000005.tmp && test -s /etc/passwd", folder), 0);
}

/* Where mounting is possible: a file system of 64 KiB. */
static void a_full_disk_refuses_and_recovers(void **state)
{
	struct spool *s;
	struct spool_stats st;
	uint64_t n, kept[64];
	uint32_t i = 0;
	int r;

	assert_int_equal(mkdir(folder, 0700), 0);
	if (mount("tmpfs", folder, "tmpfs", 0, "size=64k,mode=700") < 0)
		skip();
	s = open_it();
	while (i < 64 && !(r = put(s, i, 1000, &kept[i])))
		i++;
	assert_true(i > 5 && i < 20);
	assert_int_equal(r, -ENOSPC);
	spool_stats(s, &st);
	assert_int_equal(st.failed, 1);
	spool_done(s, kept[0]);
	spool_done(s, kept[1]);
	assert_int_equal(put(s, 70, 1000, &n), 0);
	spool_close(s);
	s = open_it();
	assert_int_equal(left.n, i - 1);
	spool_close(s);
	assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(open_fails(&r), -EROFS);
	umount(folder);
}

int main(void)
{
#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, folder_begin, end)
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(what_is_put_comes_back_after_a_restart_in_order),
		SPOOL_TEST(a_parcel_keeps_its_signal),
		SPOOL_TEST(a_kill_at_any_moment_loses_nothing_and_repeats_at_most_one),
		SPOOL_TEST(a_file_cut_anywhere_is_put_aside),
		SPOOL_TEST(a_file_with_any_bit_flipped_is_put_aside),
		SPOOL_TEST(another_agent_is_refused_by_its_number),
		SPOOL_TEST(folders_that_are_not_ours_are_refused),
		SPOOL_TEST(a_file_that_may_not_be_read_is_counted_and_stays),
		SPOOL_TEST(strange_files_are_left_alone_or_put_aside),
		SPOOL_TEST(a_full_disk_refuses_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
