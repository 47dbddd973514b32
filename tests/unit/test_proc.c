/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings, images and processes, driven by events as the side-band would bring them. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/units.h"
#include "proc/image.h"
#include "proc/maps.h"
#include "proc/process.h"
#include "proc/scan.h"
#include "proc/sideband.h"

struct world {
	struct images *images;
	struct processes *processes;
};

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(images_new(&w->images), 0);
	assert_int_equal(processes_new(w->images, &w->processes), 0);
	*state = w;
	return 0;
}

/* Whatever a test did: when the processes are gone, only the kernel's image is left. */
static int end_world(void **state)
{
	struct world *w = *state;
	uint32_t left;

	processes_free(w->processes);
	left = images_live(w->images);
	images_free(w->images);
	free(w);
	return left == 1 ? 0 : -1;
}

static struct process_mmap file(const char *path, uint64_t ino, uint64_t start, uint64_t len, uint64_t pgoff)
{
	return (struct process_mmap){ .start = start, .len = len, .pgoff = pgoff, .ino = ino, .dev = 1, .path = path };
}

static void mmap_at(struct world *w, uint32_t pid, uint64_t time, const char *path, uint64_t ino, uint64_t start,
		    uint64_t len, uint64_t pgoff)
{
	struct process_mmap m = file(path, ino, start, len, pgoff);

	assert_int_equal(process_mmap(w->processes, pid, &m, time), 0);
}

/* "path+offset" of an address, "" where nothing is mapped. */
static const char *where(struct world *w, uint32_t pid, uint64_t addr)
{
	static char text[128];
	struct process *p = process_find(w->processes, pid);
	const struct mapping *m = p ? maps_find(p->maps, addr) : NULL;

	if (!m)
		return "";
	snprintf(text, sizeof(text), "%s+%llx", image_get(w->images, m->image)->path,
		 (unsigned long long)(addr - m->start + m->pgoff));
	return text;
}

static void a_new_mapping_replaces_what_it_overlaps(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 1);
	mmap_at(w, 7, 2, "/a", 1, 0x1000, 0x8000, 0x100000);
	mmap_at(w, 7, 3, "/b", 2, 0x3000, 0x1000, 0);
	assert_string_equal(where(w, 7, 0x1000), "/a+100000");
	assert_string_equal(where(w, 7, 0x2fff), "/a+101fff");
	assert_string_equal(where(w, 7, 0x3000), "/b+0");
	assert_string_equal(where(w, 7, 0x4000), "/a+103000");
	assert_string_equal(where(w, 7, 0x8fff), "/a+107fff");
	assert_string_equal(where(w, 7, 0x9000), "");
	mmap_at(w, 7, 4, "/c", 3, 0x0, 0x10000, 0);
	assert_int_equal(maps_count(process_find(w->processes, 7)->maps), 1);
	assert_string_equal(where(w, 7, 0x3000), "/c+3000");
	assert_int_equal(images_live(w->images), 2); /* the kernel and /c */
}

/* Against an array with one entry per page, over many random insertions. */
static void random_mappings_agree_with_a_page_array(void **state)
{
	struct world *w = *state;
	struct {
		int file;
		uint64_t off;
	} pages[64] = { 0 };
	unsigned int seed = 1;

	process_add(w->processes, 7, 1);
	for (int n = 1; n < 3000; n++) {
		unsigned int start = (unsigned int)rand_r(&seed) % 64, len = 1 + (unsigned int)rand_r(&seed) % 8;
		int which = 1 + rand_r(&seed) % 5;
		uint64_t off = ((uint64_t)rand_r(&seed) % 100) * 0x1000;
		char path[8];

		len = start + len > 64 ? 64 - start : len;
		snprintf(path, sizeof(path), "/f%d", which);
		mmap_at(w, 7, 2, path, (uint64_t)which, start * 0x1000ull, len * 0x1000ull, off);
		for (unsigned int i = 0; i < len; i++) {
			pages[start + i].file = which;
			pages[start + i].off = off + i * 0x1000ull;
		}
		for (unsigned int i = 0; i < 64; i++) {
			char want[32] = "";

			if (pages[i].file)
				snprintf(want, sizeof(want), "/f%d+%llx", pages[i].file,
					 (unsigned long long)(pages[i].off + 5));
			assert_string_equal(where(w, 7, i * 0x1000ull + 5), want);
		}
	}
}

static void a_fork_shares_and_then_goes_its_own_way(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 1);
	mmap_at(w, 7, 2, "/a", 1, 0x1000, 0x1000, 0);
	assert_int_equal(process_fork(w->processes, 8, 7, 3), 0);
	assert_string_equal(where(w, 8, 0x1000), "/a+0");
	mmap_at(w, 8, 4, "/b", 2, 0x1000, 0x1000, 0);
	mmap_at(w, 7, 5, "/c", 3, 0x5000, 0x1000, 0);
	assert_string_equal(where(w, 7, 0x1000), "/a+0");
	assert_string_equal(where(w, 8, 0x1000), "/b+0");
	assert_string_equal(where(w, 8, 0x5000), "");
}

static void an_exec_forgets_every_mapping(void **state)
{
	struct world *w = *state;
	uint64_t key;

	process_add(w->processes, 7, 1);
	key = process_find(w->processes, 7)->key;
	mmap_at(w, 7, 2, "/a", 1, 0x1000, 0x1000, 0);
	assert_int_equal(process_exec(w->processes, 7, "new", 3), 0);
	assert_string_equal(where(w, 7, 0x1000), "");
	assert_string_equal(process_find(w->processes, 7)->comm, "new");
	assert_int_not_equal(process_find(w->processes, 7)->key, key);
}

static void a_pid_used_again_has_nothing_of_the_old_one(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 1);
	mmap_at(w, 7, 2, "/a", 1, 0x1000, 0x1000, 0);
	process_exit(w->processes, 7, 3);
	process_add(w->processes, 9, 1);
	assert_int_equal(process_fork(w->processes, 7, 9, 4), 0);
	assert_string_equal(where(w, 7, 0x1000), "");
	process_reap(w->processes, 100); /* the old one's exit must not take the new one */
	assert_non_null(process_find(w->processes, 7));
}

static void an_exited_process_stays_for_its_late_samples_then_goes(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 1);
	process_exit(w->processes, 7, 50);
	process_reap(w->processes, 50);
	assert_non_null(process_find(w->processes, 7));
	process_reap(w->processes, 51);
	assert_null(process_find(w->processes, 7));
}

/* start_ns and exec_id as a sample has them. */
static bool is(struct world *w, uint32_t pid, uint64_t start_ns, uint64_t exec_id, uint64_t time_ns)
{
	return process_is(w->processes, process_find(w->processes, pid), start_ns, exec_id, time_ns);
}

static void a_sample_of_another_program_is_not_taken_for_this_one(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 10);
	assert_true(is(w, 7, 5, 3, 20)); /* nothing is known against it */
	assert_false(is(w, 7, 11, 3, 20)); /* began after this one was announced: the pid was used again */
	assert_false(is(w, 7, 5, 3, 9)); /* before it was read from /proc: it may have been another one */
	process_note_program(process_find(w->processes, 7), 5, 3);
	assert_true(is(w, 7, 5, 3, 20));
	assert_false(is(w, 7, 6, 3, 20));
	assert_false(is(w, 7, 5, 4, 20)); /* an exec that was not heard of */
	process_exec(w->processes, 7, "new", 30);
	assert_true(is(w, 7, 5, 4, 31));
	assert_false(is(w, 7, 5, 3, 31));
	process_fork(w->processes, 8, 7, 40);
	assert_true(is(w, 8, 39, 4, 41));
	assert_false(is(w, 8, 39, 5, 41));
	assert_false(is(w, 8, 41, 4, 42));
}

static void after_a_loss_only_what_a_sample_told_is_believed(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 10);
	process_add(w->processes, 8, 10);
	process_note_program(process_find(w->processes, 7), 5, 3);
	processes_doubt(w->processes, 50);
	assert_true(is(w, 7, 5, 3, 60));
	assert_false(is(w, 8, 5, 3, 60));
	process_fork(w->processes, 9, 8, 60); /* of a process that may have become another one */
	assert_false(is(w, 9, 60, 3, 70));
	process_exec(w->processes, 8, "new", 70);
	assert_true(is(w, 8, 5, 4, 71));
}

static void a_process_whose_exit_was_lost_goes(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 4194303, 10);
	process_add(w->processes, (uint32_t)getpid(), 10);
	process_reap(w->processes, 100 * NSEC_PER_SEC);
	assert_non_null(process_find(w->processes, 4194303));
	processes_doubt(w->processes, 101 * NSEC_PER_SEC);
	process_reap(w->processes, 101 * NSEC_PER_SEC);
	process_reap(w->processes, 102 * NSEC_PER_SEC);
	assert_null(process_find(w->processes, 4194303));
	assert_non_null(process_find(w->processes, (uint32_t)getpid()));
}

static void a_million_short_processes_leave_no_trace(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 1, 1);
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t pid = 2 + i % 30000;

		process_fork(w->processes, pid, 1, i + 2);
		process_exec(w->processes, pid, "short", i + 2);
		if (i % 50 == 0)
			mmap_at(w, pid, i + 2, "//anon", 0, 0x1000, 0x1000, 0);
		process_exit(w->processes, pid, i + 2);
		process_reap(w->processes, i > 100 ? i - 100 : 0);
	}
	process_reap(w->processes, UINT64_MAX);
	assert_int_equal(processes_count(w->processes), 1);
	assert_int_equal(images_live(w->images), 1);
}

static void jit_pages_join_and_belong_to_one_process(void **state)
{
	struct world *w = *state;

	process_add(w->processes, 7, 1);
	process_add(w->processes, 8, 1);
	for (uint64_t page = 0; page < 100; page++)
		mmap_at(w, 7, 2, "//anon", 0, 0x10000 + page * 0x1000, 0x1000, 0);
	mmap_at(w, 8, 2, "//anon", 0, 0x10000, 0x1000, 0);
	assert_int_equal(maps_count(process_find(w->processes, 7)->maps), 1);
	assert_string_equal(where(w, 7, 0x10000 + 50 * 0x1000), "[anon]+42000");
	assert_int_equal(images_live(w->images), 3);
}

static void a_jitdump_is_known_by_its_name(void **state)
{
	assert_true(image_is_dump("/tmp/jit-1.dump"));
	assert_true(image_is_dump("/home/x/.debug/jit/y/jit-4711.dump (deleted)"));
	assert_false(image_is_dump("/tmp/jit-.dump"));
	assert_false(image_is_dump("/tmp/jit-1.dump.so"));
	assert_false(image_is_dump("/tmp/xjit-1.dump"));
	assert_false(image_is_dump("jit-1.dump"));
}

/* We map a jitdump as a JIT does, and look at ourselves. */
static void open_our_dump(struct world *w, uid_t owner, bool deleted, int *ret_fd, bool *ret_same)
{
	char path[] = "/tmp/hotspan-dump-XXXXXX", file[64];
	struct process *p;
	struct stat mine, found;
	void *map;
	int fd;

	assert_non_null(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/jit-%d.dump", path, (int)getpid());
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fchown(fd, owner, (gid_t)-1), 0);
	map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(map != MAP_FAILED);
	if (deleted)
		unlink(file);
	assert_int_equal(scan_process(w->processes, getpid(), getpid()), 0);
	p = process_find(w->processes, (uint32_t)getpid());
	assert_int_not_equal(p->jit_image, IMAGE_ID_NONE);
	image_open(w->images, p->jit_image, &(struct image_owner){ getpid(), 0, 0 });
	*ret_fd = image_get(w->images, p->jit_image)->dump_fd;
	*ret_same = *ret_fd >= 0 && !fstat(fd, &mine) && !fstat(*ret_fd, &found) && mine.st_ino == found.st_ino;
	munmap(map, 4096);
	close(fd);
	unlink(file);
	rmdir(path);
}

static void a_jitdump_is_found_by_its_mapping(void **state)
{
	bool same;
	int fd;

	open_our_dump(*state, getuid(), false, &fd, &same);
	assert_true(same);
	if (getuid()) /* map_files is root's: the way of a deleted file */
		return;
	open_our_dump(*state, getuid(), true, &fd, &same);
	assert_true(same);
	open_our_dump(*state, 12345, false, &fd, &same);
	assert_int_equal(fd, -1);
}

/* A JIT may be told to write its map at any time. We are the JIT. */
static void a_perf_map_that_appears_later_is_found(void **state)
{
	struct world *w = *state;
	const struct image_owner owner = { .pid = getpid() };
	char path[64];
	uint32_t id;
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	assert_int_equal(image_intern(w->images, &(struct image_key){ .kind = IMAGE_JIT, .gen = 7 }, "[anon]", &id), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(image_open(w->images, id, &owner), -ENOENT);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	for (int i = 5; i < 8; i++) /* looked for the 1st, 2nd, 4th, 8th time it is wanted */
		assert_int_equal(image_open(w->images, id, &owner), i < 7 ? -ENOENT : 0);
	assert_true(image_get(w->images, id)->fd >= 0);
	close(fd);
	unlink(path);
	image_unref(w->images, id);
}

static void events_a_scan_has_seen_are_ignored(void **state)
{
	struct world *w = *state;
	struct process *p = process_add(w->processes, 7, 10);
	struct process_mmap m = file("/new", 2, 0x1000, 0x1000, 0);

	p->scanned_ns = 10;
	assert_int_equal(process_map(w->processes, p, &m), 0);
	mmap_at(w, 7, 9, "/old", 1, 0x1000, 0x1000, 0);
	assert_int_equal(process_exec(w->processes, 7, "old", 10), 0);
	assert_string_equal(where(w, 7, 0x1000), "/new+0");
	mmap_at(w, 7, 11, "/newer", 3, 0x1000, 0x1000, 0);
	assert_string_equal(where(w, 7, 0x1000), "/newer+0");
}

/* Our own executable, scanned, opened and identified: dev, inode and build id are ours. */
static void a_scan_of_ourselves_finds_this_very_function(void **state)
{
	struct world *w = *state;
	uint64_t pc = (uint64_t)(uintptr_t)a_scan_of_ourselves_finds_this_very_function;
	const struct mapping *m;
	struct image *image;

	assert_int_equal(scan_process(w->processes, getpid(), getpid()), 0);
	m = maps_find(process_find(w->processes, (uint32_t)getpid())->maps, pc);
	assert_non_null(m);
	assert_int_equal(image_open(w->images, m->image, &(struct image_owner){ getpid(), m->vma_start, m->vma_end }), 0);
	image = image_get(w->images, m->image);
	assert_true(image->fd >= 0);
	assert_non_null(strstr(image->path, "test_proc"));
	assert_int_equal(image->id.kind, BUILD_ID_GNU);
	assert_int_equal(image->root_fd, -1);
}

static void a_pid_that_is_not_there_is_said_to_be_gone(void **state)
{
	struct world *w = *state;

	assert_int_equal(scan_process(w->processes, 4194303, 4194303), -ESRCH);
	assert_null(process_find(w->processes, 4194303));
}

static void records_cut_short_change_nothing(void **state)
{
	struct world *w = *state;
	struct {
		struct perf_event_header h;
		unsigned char rest[160];
	} rec;
	const uint32_t types[] = { PERF_RECORD_MMAP2, PERF_RECORD_COMM, PERF_RECORD_FORK, PERF_RECORD_EXIT,
				   PERF_RECORD_LOST };

	memset(&rec, 0xff, sizeof(rec)); /* no text in it ends */
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		for (uint16_t len = sizeof(rec.h) + 16; len < 24 + 16; len += 8) {
			rec.h = (struct perf_event_header){ .type = types[t], .size = len };
			assert_int_equal(sideband_apply(w->processes, &rec, len, 1), 0);
		}
		if (types[t] != PERF_RECORD_MMAP2 && types[t] != PERF_RECORD_COMM)
			continue;
		rec.h.size = sizeof(rec);
		assert_int_equal(sideband_apply(w->processes, &rec, sizeof(rec), 1), 0);
	}
	assert_int_equal(processes_count(w->processes), 0);
}

static void the_kernels_own_changes_are_counted(void **state)
{
	struct world *w = *state;
	struct {
		struct perf_event_header h;
		uint64_t addr;
		uint32_t len;
		uint16_t type, flags;
		char name[8];
		uint64_t trailer[2];
	} rec = { .h = { .type = PERF_RECORD_KSYMBOL, .size = sizeof(rec) }, .type = 1, .name = "bpf_p" };

	assert_int_equal(image_get(w->images, IMAGE_ID_KERNEL)->changes, 0);
	assert_int_equal(sideband_apply(w->processes, &rec, sizeof(rec), 1), 0);
	assert_int_equal(image_get(w->images, IMAGE_ID_KERNEL)->changes, 1);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_new_mapping_replaces_what_it_overlaps),
		IN_WORLD(random_mappings_agree_with_a_page_array),
		IN_WORLD(a_fork_shares_and_then_goes_its_own_way),
		IN_WORLD(an_exec_forgets_every_mapping),
		IN_WORLD(a_pid_used_again_has_nothing_of_the_old_one),
		IN_WORLD(an_exited_process_stays_for_its_late_samples_then_goes),
		IN_WORLD(a_sample_of_another_program_is_not_taken_for_this_one),
		IN_WORLD(after_a_loss_only_what_a_sample_told_is_believed),
		IN_WORLD(a_process_whose_exit_was_lost_goes),
		IN_WORLD(a_million_short_processes_leave_no_trace),
		IN_WORLD(jit_pages_join_and_belong_to_one_process),
		cmocka_unit_test(a_jitdump_is_known_by_its_name),
		IN_WORLD(a_jitdump_is_found_by_its_mapping),
		IN_WORLD(a_perf_map_that_appears_later_is_found),
		IN_WORLD(events_a_scan_has_seen_are_ignored),
		IN_WORLD(a_scan_of_ourselves_finds_this_very_function),
		IN_WORLD(a_pid_that_is_not_there_is_said_to_be_gone),
		IN_WORLD(records_cut_short_change_nothing),
		IN_WORLD(the_kernels_own_changes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
