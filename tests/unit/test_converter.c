/* SPDX-License-Identifier: Apache-2.0 */
/* From an image to its symcache: whatever files its DWARF is spread over, and whatever lies in their place. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/units.h"
#include "fixture_tree.h"
#include "helper_child.h"
#include "symbolize/converter.h"
#include "symbolize/debug_file.h"
#include "symbolize/elf_image.h"
#include "symbolize/fetcher.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_dir.h"

#define CHILD  BUILD_DIR "/tests/unit/helper_child"
#define CORPUS TESTS_DIR "/fuzz/corpus/dwarf/"

struct world {
	struct tree tree;
	struct symcache_dir *dir;
	struct converter *c;
	int exe;
	char debug_dir[128];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->tree = tree_new();
	w->exe = open(CHILD, O_RDONLY | O_CLOEXEC);
	assert_true(w->exe >= 0);
	snprintf(w->debug_dir, sizeof(w->debug_dir), "%s/debug", w->tree.path);
	assert_int_equal(symcache_dir_open(tree_path(&w->tree, "cache"), 0, &w->dir), 0);
	assert_int_equal(converter_new(&(struct converter_opts){ .dir = w->dir, .exe_fd = w->exe, .timeout_s = 20,
								 .debug_dir = w->debug_dir, .queue_max = 3 }, &w->c), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	converter_free(w->c);
	symcache_dir_free(w->dir);
	close(w->exe);
	tree_remove(&w->tree);
	free(w);
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

static struct converted next(struct world *w)
{
	struct converted done = { .result = HELPER_RESULTS };

	while (!converter_next(w->c, time_boot_ns(), &done)) {
		if (!converter_pending(w->c))
			fail_msg("nothing is pending");
		converter_wait(w->c, time_boot_ns(), 1000000000);
	}
	return done;
}

/* Of a file in the tree, with the identity it has. */
static struct converted convert(struct world *w, const char *name, struct build_id *ret_id)
{
	_cleanup_(closep) int fd = open(tree_path(&w->tree, name), O_RDONLY | O_CLOEXEC);
	struct converter_source src = { .fd = fd, .root_fd = -1, .path = tree_path(&w->tree, name) };

	assert_int_equal(build_id_of_file(fd, &src.id), 0);
	assert_int_equal(converter_add(w->c, &src, 0), 0);
	if (ret_id)
		*ret_id = src.id;
	return next(w);
}

static int run(const char *format, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return system(command);
}

static int deed(struct world *w, uint8_t what, uint8_t number)
{
	_cleanup_(closep) int fd = open(CHILD, O_RDONLY | O_CLOEXEC);
	struct converter_source src = { .id = CHILD_ID(what, number),
					.fd = fd, .root_fd = -1, .path = CHILD };

	return converter_add(w->c, &src, 0);
}

static void an_image_with_dwarf_is_converted(void **state)
{
	struct world *w = *state;
	struct converted done;
	struct symcache *c;
	struct build_id id;

	tree_copy(&w->tree, "image", CHILD);
	done = convert(w, "image", &id);
	assert_int_equal(done.result, HELPER_OK);
	assert_true(done.stats.nodes > 10 && done.stats.rows > 100);
	assert_true(build_id_equal(&done.id, &id));
	assert_int_equal(symcache_dir_get(w->dir, &id, &c, NULL, 0), 0);
	symcache_free(c);
}

/* Also after an upgrade has replaced the file. */
static void hotspan_itself_is_the_helper(void **state)
{
	struct world *w = *state;
	_cleanup_(closep) int exe = -1;

	tree_copy(&w->tree, "hotspan", BUILD_DIR "/hotspan");
	exe = open(tree_path(&w->tree, "hotspan"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(unlink(tree_path(&w->tree, "hotspan")), 0);
	w->c = converter_free(w->c);
	assert_int_equal(converter_new(&(struct converter_opts){ .dir = w->dir, .exe_fd = exe }, &w->c), 0);
	tree_copy(&w->tree, "image", CHILD);
	assert_int_equal(convert(w, "image", NULL).result, HELPER_OK);
}

static void an_image_is_tried_once(void **state)
{
	struct world *w = *state;
	struct build_id id = CHILD_ID(CHILD_CRASH, 1);
	struct symcache *c;
	char why[32] = "";

	assert_int_equal(deed(w, CHILD_CRASH, 1), 0);
	assert_int_equal(deed(w, CHILD_CRASH, 1), -EALREADY);
	assert_int_equal(next(w).result, HELPER_CRASHED);
	assert_int_equal(deed(w, CHILD_CRASH, 1), -EALREADY);
	assert_int_equal(symcache_dir_get(w->dir, &id, &c, why, sizeof(why)), -ENODATA);
	assert_string_equal(why, "crashed");
	assert_int_equal(deed(w, CHILD_NO_DWARF, 1), 0);
	assert_int_equal(next(w).result, HELPER_NO_DEBUG_INFO);
	id.bytes[0] = CHILD_NO_DWARF;
	assert_int_equal(symcache_dir_get(w->dir, &id, &c, why, sizeof(why)), -ENODATA);
	assert_string_equal(why, "no debug info");
}

static void what_had_no_debug_information_has_another_chance_after_an_hour(void **state)
{
	struct world *w = *state;
	_cleanup_(closep) int fd = -1;
	struct converter_source src = { .root_fd = -1 };
	struct build_id id;

	assert_int_equal(run("strip -o %s %s", tree_path(&w->tree, "image"), CHILD), 0);
	assert_int_equal(convert(w, "image", &id).result, HELPER_NO_DEBUG_INFO);
	src.fd = fd = open(tree_path(&w->tree, "image"), O_RDONLY | O_CLOEXEC);
	src.id = id;
	assert_int_equal(converter_add(w->c, &src, CONVERTER_AGAIN_NS - 1), -EALREADY);
	assert_int_equal(converter_add(w->c, &src, CONVERTER_AGAIN_NS), 0);
	assert_int_equal(converter_add(w->c, &src, 3 * CONVERTER_AGAIN_NS), -EALREADY); /* it still waits */
	assert_int_equal(next(w).result, HELPER_NO_DEBUG_INFO);
}

static void a_helper_that_lies_is_found_out(void **state)
{
	struct world *w = *state;

	assert_int_equal(deed(w, CHILD_LIE, 1), 0);
	assert_int_equal(next(w).result, HELPER_CRASHED);
}

static void the_queue_is_bounded_and_goes_on_after_a_crash(void **state)
{
	struct world *w = *state;
	static const uint8_t deeds[] = { CHILD_CRASH, CHILD_CONVERT, CHILD_LIE };

	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(deed(w, deeds[i], 7), 0);
	assert_int_equal(deed(w, CHILD_CONVERT, 9), -EBUSY);
	assert_int_equal(converter_pending(w->c), 3);
	assert_int_equal(next(w).result, HELPER_CRASHED);
	assert_int_equal(deed(w, CHILD_CONVERT, 9), 0);
	assert_int_equal(next(w).result, HELPER_OK);
	assert_int_equal(next(w).result, HELPER_CRASHED);
	assert_int_equal(next(w).result, HELPER_OK);
	assert_int_equal(converter_pending(w->c), 0);
}

static void freeing_ends_what_runs_and_what_waits(void **state)
{
	struct world *w = *state;
	struct converted done;

	assert_int_equal(deed(w, CHILD_SPIN, 1), 0);
	assert_int_equal(deed(w, CHILD_SPIN, 2), 0);
	assert_false(converter_next(w->c, time_boot_ns(), &done));
}

static void another_files_names_are_not_taken(void **state)
{
	struct world *w = *state;
	_cleanup_(closep) int fd = open(CHILD, O_RDONLY | O_CLOEXEC);
	struct converter_source src = { .id = { .kind = BUILD_ID_GNU, .len = 20, .bytes = { 9 } }, .fd = fd, .root_fd = -1 };

	assert_int_equal(converter_add(w->c, &src, 0), 0);
	assert_int_equal(next(w).result, HELPER_FAILED);
	src.id.kind = BUILD_ID_NONE;
	assert_int_equal(converter_add(w->c, &src, 0), -EINVAL);
}

static void without_dwarf_no_helper_is_started(void **state)
{
	struct world *w = *state;
	struct converted done;
	struct symcache *c;
	struct build_id id;

	assert_int_equal(run("strip -o %s %s", tree_path(&w->tree, "image"), CHILD), 0);
	done = convert(w, "image", &id);
	assert_int_equal(done.result, HELPER_NO_DEBUG_INFO);
	assert_int_equal(symcache_dir_get(w->dir, &id, &c, NULL, 0), -ENOENT);
	tree_write(&w->tree, "no-elf", "#!/bin/sh", 9);
}

static void the_debug_file_is_found(void **state)
{
	struct world *w = *state;
	const char *image = tree_path(&w->tree, "bin/image"), *debug = tree_path(&w->tree, "bin/.debug/image.debug");
	struct converted done;

	assert_int_equal(run("objcopy --only-keep-debug %s %s && strip -o %s %s && objcopy --add-gnu-debuglink=%s %s", CHILD,
			     debug, image, CHILD, debug, image), 0);
	done = convert(w, "bin/image", NULL);
	assert_int_equal(done.result, HELPER_OK);
	assert_true(done.stats.nodes > 10 && done.stats.rows > 100 && done.stats.symbols > 10);
}

/* CHILD's. */
static void install_debug_file(struct world *w)
{
	char hex[BUILD_ID_HEX_LEN], name[128];
	struct build_id id;
	_cleanup_(closep) int fd = open(CHILD, O_RDONLY | O_CLOEXEC);

	assert_int_equal(build_id_of_file(fd, &id), 0);
	build_id_hex(&id, hex);
	snprintf(name, sizeof(name), "debug/.build-id/%.2s/%s.debug", hex, hex + 2);
	assert_int_equal(run("objcopy --only-keep-debug %s %s", CHILD, tree_path(&w->tree, name)), 0);
}

static void a_file_that_is_gone_is_named_by_its_debug_file(void **state)
{
	struct world *w = *state;
	_cleanup_(closep) int fd = open(CHILD, O_RDONLY | O_CLOEXEC);
	struct converter_source src = { .fd = -1, .root_fd = -1 };
	struct converted done;

	assert_int_equal(build_id_of_file(fd, &src.id), 0);
	install_debug_file(w);
	assert_int_equal(converter_add(w->c, &src, 0), 0);
	done = next(w);
	assert_int_equal(done.result, HELPER_OK);
	assert_true(done.stats.rows > 100);
}

/* Nobody listens at the servers' ports. */
static struct fetcher *deaf_fetcher(struct world *w)
{
	const struct debuginfod_opts o = { .urls = "http://127.0.0.1:1", .dir = tree_path(&w->tree, "debuginfod") };
	struct fetcher *f;

	assert_int_equal(fetcher_new(&o, &f), 0);
	w->c = converter_free(w->c);
	assert_int_equal(converter_new(&(struct converter_opts){ .dir = w->dir, .exe_fd = w->exe, .debug_dir = w->debug_dir,
								 .fetcher = f, .queue_max = 1 }, &w->c), 0);
	return f;
}

static void add_stripped(struct world *w, const char *name)
{
	_cleanup_(closep) int fd = -1;
	struct converter_source src = { .root_fd = -1 };

	assert_int_equal(run("strip -o %s %s", tree_path(&w->tree, name), name), 0);
	src.fd = fd = open(tree_path(&w->tree, name), O_RDONLY | O_CLOEXEC);
	assert_int_equal(build_id_of_file(fd, &src.id), 0);
	assert_int_equal(converter_add(w->c, &src, 0), 0);
}

/* Nothing is done until then. */
static void step_until_later(struct world *w, uint64_t now_ns)
{
	struct converted done;

	do {
		assert_false(converter_next(w->c, now_ns, &done));
		converter_wait(w->c, now_ns, 1000000000);
	} while (converter_pending(w->c));
	assert_int_equal(converter_later(w->c), 1);
}

static void servers_that_were_down_are_asked_again(void **state)
{
	const uint64_t later = 600 * NSEC_PER_SEC;
	struct world *w = *state;
	struct fetcher *f = deaf_fetcher(w);
	struct debuginfod_stats st;
	struct converted done;

	add_stripped(w, CHILD);
	step_until_later(w, 1);
	assert_false(converter_next(w->c, later, &done));
	assert_int_equal(converter_pending(w->c), 0);
	step_until_later(w, later + 1);
	fetcher_stats(f, &st);
	assert_int_equal(st.failed, 1);
	assert_int_equal(st.held_off, 1);
	w->c = converter_free(w->c);
	fetcher_free(f);
}

static void a_debug_package_installed_meanwhile_is_found(void **state)
{
	struct world *w = *state;
	struct fetcher *f = deaf_fetcher(w);
	struct converted done;

	add_stripped(w, CHILD);
	step_until_later(w, 1);
	install_debug_file(w);
	while (!converter_next(w->c, 1 + 600 * NSEC_PER_SEC, &done))
		converter_wait(w->c, 1 + 600 * NSEC_PER_SEC, 1000000000);
	assert_int_equal(done.result, HELPER_OK);
	assert_int_equal(converter_later(w->c), 0);
	w->c = converter_free(w->c);
	fetcher_free(f);
}

static void no_more_than_so_many_wait_for_servers(void **state)
{
	struct world *w = *state;
	struct fetcher *f = deaf_fetcher(w);
	struct converted done;

	add_stripped(w, CHILD);
	step_until_later(w, 1);
	add_stripped(w, BUILD_DIR "/hotspan");
	assert_true(converter_next(w->c, 2, &done));
	assert_int_equal(done.result, HELPER_FAILED);
	assert_int_equal(converter_later(w->c), 1);
	w->c = converter_free(w->c);
	fetcher_free(f);
}

/* The seed carries the units of its .dwo itself. */
static void a_dwo_is_found_by_its_names(void **state)
{
	struct world *w = *state;
	_cleanup_(closep) int root = -1;
	struct converter_source src = { .path = "/bin/image" };
	struct converted done;

	tree_copy(&w->tree, "root/bin/image", CORPUS "split5-gcc");
	tree_copy(&w->tree, "root/tmp/hdw/seeds/sp.dwo", CORPUS "split5-gcc");
	root = open(tree_path(&w->tree, "root"), O_PATH | O_CLOEXEC);
	src.root_fd = root;
	src.fd = open(tree_path(&w->tree, "root/bin/image"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(build_id_of_file(src.fd, &src.id), 0);
	assert_int_equal(converter_add(w->c, &src, 0), 0);
	close(src.fd);
	done = next(w);
	assert_int_equal(done.result, HELPER_OK);
	assert_int_equal(done.stats.missing_dwos, 0);
	assert_true(done.stats.nodes > 0);
}

static void a_missing_dwo_costs_its_unit(void **state)
{
	struct world *w = *state;
	struct converted done;

	tree_copy(&w->tree, "image", CORPUS "split4-clang");
	done = convert(w, "image", NULL);
	assert_int_equal(done.result, HELPER_OK);
	assert_true(done.stats.missing_dwos > 0);
}

static void a_package_is_found_beside_the_image(void **state)
{
	struct world *w = *state;
	struct converted done;

	tree_copy(&w->tree, "image", CORPUS "dwp5");
	tree_copy(&w->tree, "image.dwp", CORPUS "dwp5");
	done = convert(w, "image", NULL);
	assert_int_equal(done.result, HELPER_OK);
	assert_int_equal(done.stats.missing_dwos, 0);
	assert_true(done.stats.nodes > 0);
}

/* dwz's file with the id that the link in the seed names. */
static void put_alt(struct world *w, const char *name)
{
	static const uint8_t note[] = { 4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xfd, 0xf2, 0xf7, 0x40, 0x6e, 0xa7,
					0x40, 0xd2, 0x9d, 0x1b, 0xe0, 0xbd, 0x87, 0xe0, 0xaf, 0xf3, 0x19, 0x1f, 0xfc, 0x14 };

	tree_write(&w->tree, "note", note, sizeof(note));
	assert_int_equal(run("objcopy --add-section .note.gnu.build-id=%s %s %s", tree_path(&w->tree, "note"), CORPUS "dwzalt",
			     tree_path(&w->tree, name)), 0);
}

static int find_alt(struct world *w, const char *image, int root_fd, const char *path)
{
	_cleanup_(closep) int fd = open(tree_path(&w->tree, image), O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	const struct debug_file_search search = { .debug_dir = w->debug_dir, .root_fd = root_fd, .path = path };
	struct debug_files files;
	struct build_id id;
	int alt;

	assert_int_equal(elf_image_open(fd, &img), 0);
	assert_int_equal(build_id_of_file(fd, &id), 0);
	assert_int_equal(debug_files_open(img, &id, &search, &files), 0);
	alt = files.alt;
	debug_files_close(&files);
	return alt;
}

static void the_dwz_file_is_found(void **state)
{
	struct world *w = *state;
	const char *image;
	struct converted done;

	tree_copy(&w->tree, "bin/image", CORPUS "dwz");
	image = tree_path(&w->tree, "bin/image");
	assert_true(find_alt(w, "bin/image", -1, image) < 0);
	/* One of another build is no help. */
	tree_copy(&w->tree, "bin/alt", CORPUS "dwzalt");
	assert_true(find_alt(w, "bin/image", -1, image) < 0);
	put_alt(w, "bin/alt");
	assert_true(find_alt(w, "bin/image", -1, image) >= 0);
	unlink(tree_path(&w->tree, "bin/alt"));
	put_alt(w, "debug/.build-id/fd/f2f7406ea740d29d1be0bd87e0aff3191ffc14.debug");
	assert_true(find_alt(w, "bin/image", -1, image) >= 0);
	done = convert(w, "bin/image", NULL);
	assert_int_equal(done.result, HELPER_OK);
	assert_true(done.stats.nodes > 0);
}

static bool opens(const struct debug_file_search *search, const char *dir, const char *name)
{
	_cleanup_(closep) int fd = debug_file_open_dwo(search, dir, name);

	return fd >= 0;
}

/* Whatever lies where a file should: it is not opened, and nothing waits for it. */
static void tricks_do_nothing(void **state)
{
	struct world *w = *state;
	const struct debug_file_search host = { .debug_dir = w->debug_dir, .root_fd = -1 };
	_cleanup_(closep) int root = -1;
	struct debug_file_search inside = host;
	const char *dir = tree_path(&w->tree, "root");

	tree_copy(&w->tree, "root/good.dwo", CORPUS "gcc5");
	tree_copy(&w->tree, "outside.dwo", CORPUS "gcc5");
	root = open(dir, O_PATH | O_CLOEXEC);
	inside.root_fd = root;
	assert_int_equal(mkfifo(tree_path(&w->tree, "root/fifo.dwo"), 0666), 0);
	assert_int_equal(symlink("good.dwo", tree_path(&w->tree, "root/link.dwo")), 0);
	assert_int_equal(symlink("/", tree_path(&w->tree, "root/up")), 0);
	assert_int_equal(mkdir(tree_path(&w->tree, "root/folder.dwo"), 0755), 0);
	if (!geteuid() && !mknod(tree_path(&w->tree, "root/dev.dwo"), S_IFCHR | 0666, makedev(1, 3)))
		assert_true(!opens(&host, dir, "dev.dwo"));
	assert_true(opens(&host, dir, "good.dwo"));
	assert_true(!opens(&host, dir, "fifo.dwo"));
	assert_true(!opens(&host, dir, "folder.dwo"));
	assert_true(!opens(&host, dir, "link.dwo"));
	assert_true(!opens(&host, dir, "none.dwo"));
	assert_true(!opens(&host, "relative", "good.dwo"));
	assert_true(!opens(&host, "/etc", "passwd"));
	assert_true(opens(&inside, "/", "good.dwo"));
	assert_true(opens(&inside, "/up", "good.dwo"));
	assert_true(!opens(&inside, "/..", "outside.dwo"));
	assert_true(!opens(&inside, "/up", "../outside.dwo"));
	assert_true(!opens(&inside, "/", "fifo.dwo"));
}

#define converter_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		converter_test(an_image_with_dwarf_is_converted),
		converter_test(hotspan_itself_is_the_helper),
		converter_test(an_image_is_tried_once),
		converter_test(what_had_no_debug_information_has_another_chance_after_an_hour),
		converter_test(a_helper_that_lies_is_found_out),
		converter_test(the_queue_is_bounded_and_goes_on_after_a_crash),
		converter_test(freeing_ends_what_runs_and_what_waits),
		converter_test(another_files_names_are_not_taken),
		converter_test(without_dwarf_no_helper_is_started),
		converter_test(the_debug_file_is_found),
		converter_test(a_file_that_is_gone_is_named_by_its_debug_file),
		converter_test(servers_that_were_down_are_asked_again),
		converter_test(a_debug_package_installed_meanwhile_is_found),
		converter_test(no_more_than_so_many_wait_for_servers),
		converter_test(a_dwo_is_found_by_its_names),
		converter_test(a_missing_dwo_costs_its_unit),
		converter_test(a_package_is_found_beside_the_image),
		converter_test(the_dwz_file_is_found),
		converter_test(tricks_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
