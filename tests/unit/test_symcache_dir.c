/* SPDX-License-Identifier: Apache-2.0 */
/* The directory keeps what was used last, is safe with several processes, and believes nobody's files but ours. */
#include "unit.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "fixture_tree.h"
#include "symbolize/build_id.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symcache_dir.h"
#include "version.h"

static struct build_id id_of(uint8_t n)
{
	return (struct build_id){ .kind = BUILD_ID_GNU, .len = 4, .bytes = { 0xab, n, 1, 2 } };
}

/* A cache whose only function is called name, padded so that it has about `bytes`. */
static int fill(int fd, const struct build_id *id, const char *name, size_t bytes)
{
	struct symcache_function f = { .file = SYMCACHE_NONE };
	struct symcache_build *b;
	uint32_t fn, node;
	char path[64];
	int r;

	assert_int_equal(symcache_build_new(&b), 0);
	symcache_build_string(b, name, strlen(name), &f.name);
	symcache_build_function(b, &f, &fn);
	symcache_build_node(b, fn, SYMCACHE_NONE, SYMCACHE_NONE, 0, &node);
	symcache_build_range(b, node, 0x1000, 0x2000);
	for (uint32_t i = 0; i < bytes / 64; i++) {
		snprintf(path, sizeof(path), "/%059u", i);
		symcache_build_string(b, path, strlen(path), &fn);
		symcache_build_file(b, fn, &fn);
	}
	r = symcache_build_write(b, fd, id);
	symcache_build_free(b);
	return r;
}

static int put(struct symcache_dir *d, uint8_t n, const char *name, size_t bytes)
{
	const struct build_id id = id_of(n);
	struct symcache_temp t;
	int r = symcache_dir_begin(d, &t);

	if (r < 0)
		return r;
	assert_int_equal(fill(t.fd, &id, name, bytes), 0);
	return symcache_dir_commit(d, &t, &id);
}

static int get(struct symcache_dir *d, uint8_t n, char *name, size_t len)
{
	const struct build_id id = id_of(n);
	struct symcache_frame f;
	struct symcache *c = NULL;
	int r = symcache_dir_get(d, &id, &c, name, len);

	if (!r) {
		assert_int_equal(symcache_find(c, 0x1800, &f, 1), 1);
		snprintf(name, len, "%s", symcache_string(c, f.name));
		symcache_free(c);
	}
	return r;
}

static uint32_t files_in(const char *path)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	uint32_t n = 0;

	for (struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.' || e->d_name[1] == 't';
	return n;
}

static void what_was_put_is_found(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	const char *path = tree_path(&tree, "a/b/symcache");
	struct symcache_dir *d;
	char name[64];
	struct stat st;

	assert_int_equal(symcache_dir_open(path, 0, &d), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(get(d, 1, name, sizeof(name)), -ENOENT);
	assert_int_equal(put(d, 1, "one", 0), 0);
	assert_int_equal(put(d, 2, "two", 0), 0);
	assert_int_equal(get(d, 1, name, sizeof(name)), 0);
	assert_string_equal(name, "one");
	assert_int_equal(put(d, 1, "newer", 0), 0);
	assert_int_equal(get(d, 1, name, sizeof(name)), 0);
	assert_string_equal(name, "newer");
	assert_int_equal(files_in(path), 2);
	symcache_dir_free(d);
	/* Another run finds it, too. */
	assert_int_equal(symcache_dir_open(path, 0, &d), 0);
	assert_int_equal(get(d, 2, name, sizeof(name)), 0);
	assert_string_equal(name, "two");
	symcache_dir_free(d);
}

static void those_used_longest_ago_go_first(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	struct symcache_dir *d;
	char name[64];

	assert_int_equal(symcache_dir_open(tree.path, 1 << 20, &d), 0);
	for (uint8_t n = 1; n <= 8; n++) {
		assert_int_equal(put(d, n, "f", 200 << 10), 0);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		/* The first is used again and again. */
		assert_int_equal(get(d, 1, name, sizeof(name)), 0);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	assert_in_range(files_in(tree.path), 3, 5);
	assert_int_equal(get(d, 1, name, sizeof(name)), 0);
	assert_int_equal(get(d, 2, name, sizeof(name)), -ENOENT);
	assert_int_equal(get(d, 8, name, sizeof(name)), 0);
	/* One that is larger than all that is allowed stays until the next one comes. */
	assert_int_equal(put(d, 9, "large", 3 << 20), 0);
	assert_int_equal(get(d, 9, name, sizeof(name)), 0);
	assert_int_equal(files_in(tree.path), 1);
	symcache_dir_free(d);
}

static void why_there_is_none_is_remembered_for_a_while(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	const struct build_id id = id_of(1);
	struct timespec old[2] = { { .tv_sec = time(NULL) - SYMCACHE_DIR_NONE_S - 10 }, { .tv_sec = time(NULL) - SYMCACHE_DIR_NONE_S - 10 } };
	struct symcache_dir *d;
	char why[64] = "";

	assert_int_equal(symcache_dir_open(tree.path, 0, &d), 0);
	assert_int_equal(symcache_dir_remember(d, &id, "crashed"), 0);
	assert_int_equal(get(d, 1, why, sizeof(why)), -ENODATA);
	assert_string_equal(why, "crashed");
	assert_int_equal(symcache_dir_remember(d, &id, "timed out"), 0);
	assert_int_equal(get(d, 1, why, sizeof(why)), -ENODATA);
	assert_string_equal(why, "timed out");
	assert_int_equal(utimensat(AT_FDCWD, tree_path(&tree, "g-ab010102.2.none"), old, 0), 0);
	assert_int_equal(get(d, 1, why, sizeof(why)), -ENOENT);
	tree_write(&tree, "g-ab010102.2.none", "0.0.0-other crashed\n", 20);
	assert_int_equal(get(d, 1, why, sizeof(why)), -ENOENT);
	assert_int_equal(symcache_dir_remember(d, &id, "crashed"), 0);
	/* One that came after all takes its place. */
	assert_int_equal(put(d, 1, "now", 0), 0);
	assert_int_equal(get(d, 1, why, sizeof(why)), 0);
	assert_int_equal(files_in(tree.path), 1);
	symcache_dir_free(d);
}

static void a_damaged_file_is_removed(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	struct symcache_dir *d;
	char name[64];
	int fd;

	assert_int_equal(symcache_dir_open(tree.path, 0, &d), 0);
	assert_int_equal(put(d, 1, "one", 0), 0);
	fd = open(tree_path(&tree, "g-ab010102.2"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 300), 1);
	close(fd);
	assert_int_equal(get(d, 1, name, sizeof(name)), -ENOENT);
	assert_int_equal(files_in(tree.path), 0);
	/* A link is no file of ours, a folder neither. */
	assert_int_equal(put(d, 2, "two", 0), 0);
	assert_int_equal(symlink("g-ab020102.2", tree_path(&tree, "g-ab010102.2")), 0);
	assert_int_equal(get(d, 1, name, sizeof(name)), -ENOENT);
	assert_int_equal(unlink(tree_path(&tree, "g-ab010102.2")), 0);
	assert_int_equal(mkfifo(tree_path(&tree, "g-ab010102.2"), 0600), 0);
	assert_int_equal(get(d, 1, name, sizeof(name)), -ENOENT);
	symcache_dir_free(d);
}

static void a_directory_of_others_is_refused(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	struct symcache_dir *d = NULL;

	tree_write(&tree, "file", "", 0);
	assert_int_equal(symcache_dir_open(tree_path(&tree, "file"), 0, &d), -ENOTDIR);
	assert_int_equal(symlink(tree.path, tree_path(&tree, "link")), 0);
	assert_true(symcache_dir_open(tree_path(&tree, "link"), 0, &d) < 0);
	assert_int_equal(chmod(tree.path, 0770), 0);
	assert_int_equal(symcache_dir_open(tree.path, 0, &d), -EPERM);
	assert_int_equal(chmod(tree.path, 0707), 0);
	assert_int_equal(symcache_dir_open(tree.path, 0, &d), -EPERM);
	assert_int_equal(chmod(tree.path, 0755), 0);
	assert_int_equal(symcache_dir_open(tree.path, 0, &d), 0);
	symcache_dir_free(d);
	d = NULL;
	if (!geteuid()) {
		assert_int_equal(chown(tree.path, 65534, 65534), 0);
		assert_int_equal(symcache_dir_open(tree.path, 0, &d), -EPERM);
	}
	assert_null(d);
}

static void another_users_file_is_not_believed(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	struct symcache_dir *d;
	char name[64];

	if (geteuid())
		skip();
	assert_int_equal(symcache_dir_open(tree.path, 0, &d), 0);
	assert_int_equal(put(d, 1, "one", 0), 0);
	assert_int_equal(chown(tree_path(&tree, "g-ab010102.2"), 65534, 65534), 0);
	assert_int_equal(get(d, 1, name, sizeof(name)), -ENOENT);
	symcache_dir_free(d);
}

static void what_nobody_finished_is_removed(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	struct timespec old[2] = { { .tv_sec = time(NULL) - 100000 }, { .tv_sec = time(NULL) - 100000 } };
	struct symcache_dir *d;

	assert_int_equal(symcache_dir_open(tree.path, 0, &d), 0);
	tree_write(&tree, ".tmp-4711-0", "x", 1);
	tree_write(&tree, ".tmp-4711-1", "x", 1);
	tree_write(&tree, "README", "x", 1);
	assert_int_equal(utimensat(AT_FDCWD, tree_path(&tree, ".tmp-4711-1"), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, tree_path(&tree, "README"), old, 0), 0);
	assert_int_equal(symcache_dir_trim(d), 0);
	assert_int_equal(access(tree_path(&tree, ".tmp-4711-0"), F_OK), 0);
	assert_int_equal(access(tree_path(&tree, "README"), F_OK), 0);
	assert_int_not_equal(access(tree_path(&tree, ".tmp-4711-1"), F_OK), 0);
	symcache_dir_free(d);
}

/* Each process reads what another may just be replacing or removing: whatever it gets is whole. */
static int one_process(const char *path, uint8_t me)
{
	struct symcache_dir *d;
	char name[64];

	if (symcache_dir_open(path, 600 << 10, &d) < 0)
		return 1;
	for (int i = 0; i < 150; i++) {
		uint8_t n = (uint8_t)((i + me) % 5);
		int r = put(d, n, "f", (size_t)(i % 7) * (20 << 10));

		if (r < 0)
			return 2;
		for (uint8_t k = 0; k < 5; k++) {
			r = get(d, k, name, sizeof(name));
			if (r < 0 ? r != -ENOENT : strcmp(name, "f"))
				return 3;
		}
	}
	symcache_dir_free(d);
	return 0;
}

static void several_processes_share_it(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	pid_t pids[4];

	for (uint8_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(one_process(tree.path, i));
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_in_range(files_in(tree.path), 1, 5);
}

/* A writer that is killed leaves no half of a file behind: at worst a temporary one. */
static void a_killed_writer_leaves_nothing_broken(void **state)
{
	_cleanup_(tree_remove) struct tree tree = tree_new();
	struct symcache_dir *d;
	char name[64];

	assert_int_equal(symcache_dir_open(tree.path, 0, &d), 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int r;

		if (!pid)
			_exit(one_process(tree.path, 0));
		nanosleep(&(struct timespec){ .tv_nsec = 3000000 + i * 700000 }, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		for (uint8_t k = 0; k < 5; k++) {
			char path[32];

			r = get(d, k, name, sizeof(name));
			assert_true(!r || r == -ENOENT);
			snprintf(path, sizeof(path), "g-ab0%d0102.2", k);
			assert_int_equal(!r, !access(tree_path(&tree, path), F_OK));
		}
	}
	symcache_dir_free(d);
}

static void its_place_is_where_caches_are(void **state)
{
	char path[64];

	assert_int_equal(symcache_dir_default(0, "/x", "/root", path, sizeof(path)), 0);
	assert_string_equal(path, "/var/cache/hotspan/symcache");
	assert_int_equal(symcache_dir_default(1000, "/x", "/home/u", path, sizeof(path)), 0);
	assert_string_equal(path, "/x/hotspan/symcache");
	assert_int_equal(symcache_dir_default(1000, "relative", "/home/u", path, sizeof(path)), 0);
	assert_string_equal(path, "/home/u/.cache/hotspan/symcache");
	assert_int_equal(symcache_dir_default(1000, NULL, NULL, path, sizeof(path)), -ENOENT);
	assert_int_equal(symcache_dir_default(1000, NULL, "/home/u", path, 8), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found),
		cmocka_unit_test(those_used_longest_ago_go_first),
		cmocka_unit_test(why_there_is_none_is_remembered_for_a_while),
		cmocka_unit_test(a_damaged_file_is_removed),
		cmocka_unit_test(a_directory_of_others_is_refused),
		cmocka_unit_test(another_users_file_is_not_believed),
		cmocka_unit_test(what_nobody_finished_is_removed),
		cmocka_unit_test(several_processes_share_it),
		cmocka_unit_test(a_killed_writer_leaves_nothing_broken),
		cmocka_unit_test(its_place_is_where_caches_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
