/* SPDX-License-Identifier: Apache-2.0 */
/* Images' rows in slabs, and processes' mappings: loaded, found by the walker's own search, evicted, let go. */
#include "bpf/space_find.h" /* first: it bounds the tables' reads to slabs */

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/units.h"
#include "proc/image.h"
#include "proc/process.h"
#include "symbolize/elf_image.h"
#include "unwind/elf_cfi.h"
#include "unwind/slabs.h"
#include "unwind/spaces.h"
#include "unwind/tables.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define IDLE (60 * NSEC_PER_SEC)

enum { PID = 77 };

struct world {
	struct images *images;
	struct processes *processes;
	struct slabs *slabs;
	struct tables *tables;
	struct spaces *spaces;
};

static const __u8 *slab_of(const void *slabs, __u32 at)
{
	return slabs_at(slabs, at & ~(SLAB_BYTES - 1));
}

static struct world *make_world(size_t max_bytes)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(images_new(&w->images), 0);
	assert_int_equal(processes_new(w->images, &w->processes), 0);
	assert_int_equal(slabs_new(-1, &w->slabs), 0);
	assert_int_equal(tables_new(w->slabs, w->images, max_bytes, &w->tables), 0);
	assert_int_equal(spaces_new(-1, w->slabs, w->tables, w->processes, &w->spaces), 0);
	return w;
}

/* Whatever a test did: what it took is given back, but for the kernel's image. */
static void end_world(struct world *w)
{
	spaces_free(w->spaces);
	tables_free(w->tables);
	slabs_free(w->slabs);
	processes_free(w->processes);
	assert_int_equal(images_live(w->images), 1);
	images_free(w->images);
	free(w);
}

/* An image as if a process had mapped it and image_open() had found its file; the caller's reference. */
static uint32_t open_image(struct world *w, const char *path)
{
	struct image_key key = { .kind = IMAGE_FILE };
	struct stat st;
	uint32_t id;

	assert_int_equal(stat(path, &st), 0);
	key.dev = st.st_dev;
	key.ino = st.st_ino;
	assert_int_equal(image_intern(w->images, &key, path, &id), 0);
	image_get(w->images, id)->fd = open(path, O_RDONLY | O_CLOEXEC);
	image_get(w->images, id)->opened = true;
	return id;
}

static const struct space_image *head_of(struct world *w, uint32_t image, uint64_t now)
{
	uint32_t at;

	assert_int_equal(tables_head(w->tables, image, now, &at), 0);
	return slabs_at(w->slabs, at);
}

/* Waits as the loop does. */
static void load(struct world *w, uint32_t image, uint64_t now)
{
	int r;

	while ((r = tables_want(w->tables, image, now)) == -EAGAIN) {
		struct pollfd fd = { .fd = tables_fd(w->tables), .events = POLLIN };

		assert_int_equal(poll(&fd, 1, 20000), 1);
	}
	assert_int_equal(r, 0);
}

static struct tables_stats stats_of(struct world *w)
{
	struct tables_stats s;

	tables_stats(w->tables, &s);
	return s;
}

static void expect_rows(struct world *w, uint32_t image, uint32_t how)
{
	assert_int_equal(head_of(w, image, 0)->how, how);
}

static struct rows *rows_of(int fd, struct elf_image **ret)
{
	struct rows *t;

	assert_int_equal(elf_image_open(fd, ret), 0);
	assert_int_equal(elf_cfi_rows(*ret, ELF_CFI_ALL, &t), 0);
	return t;
}

/* Every byte of the code, mapped somewhere: the program finds the rule that was built. */
static void check_code(struct world *w, uint32_t image, const struct elf_segment *s,
		       const struct rows *rows)
{
	const uint64_t bias = 0x7f0000000000 - s->offset;
	uint32_t head;

	assert_int_equal(tables_head(w->tables, image, 1, &head), 0);
	for (uint64_t skip = 0; skip < s->filesz; skip++) {
		struct space_code code = { .bias = bias, .image = head };
		uint64_t pc = bias + s->offset + skip;
		struct unwind_rule rule;

		space_load_image(w->slabs, pc, &code);
		assert_int_equal(space_rule(w->slabs, &code, pc, &rule), 1);
		if (memcmp(&rule, rows_find(rows, s->vaddr + skip), sizeof(rule)))
			fail_msg("another rule at 0x%lx", s->vaddr + skip);
	}
}

static void a_loaded_table_says_what_was_built(void **state)
{
	const char *const files[] = { LIBC, "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/bin/true",
				      BUILD_DIR "/workloads/w_spin_nopie" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct world *w = make_world(64 * MIB);
		uint32_t image = open_image(w, files[i]), checked = 0;
		_cleanup_(elf_image_freep)
		struct elf_image *elf = NULL;
		_cleanup_(rows_freep)
		struct rows *rows = rows_of(image_get(w->images, image)->fd, &elf);

		expect_rows(w, image, SPACE_UNKNOWN);
		load(w, image, 1);
		expect_rows(w, image, SPACE_ROWS);
		for (uint32_t k = 0; k < elf->n_segments; k++) {
			if (!(elf->segments[k].flags & PF_X))
				continue;
			check_code(w, image, &elf->segments[k], rows);
			checked++;
		}
		assert_true(checked > 0);
		assert_int_equal(stats_of(w).rows, rows->stats.rows);
		assert_true(stats_of(w).bytes >= rows_bytes(rows) && stats_of(w).loaded == 1);
		image_unref(w->images, image);
		end_world(w);
	}
}

static void an_image_has_one_place_for_all_processes(void **state)
{
	struct world *w = make_world(MIB);
	uint32_t image = open_image(w, "/bin/true"), other = open_image(w, LIBC), a, b;

	assert_int_equal(tables_head(w->tables, image, 1, &a), 0);
	assert_int_equal(image_get(w->images, image)->refs, 2);
	assert_int_equal(tables_head(w->tables, other, 1, &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(tables_head(w->tables, image, 2, &b), 0);
	assert_int_equal(a, b);
	assert_int_equal(image_get(w->images, image)->refs, 2);
	image_unref(w->images, image);
	image_unref(w->images, other);
	end_world(w);
}

static void what_has_no_rows_is_said_to_have_none(void **state)
{
	struct world *w = make_world(MIB);
	uint32_t junk = open_image(w, "/etc/passwd"), lost = open_image(w, "/bin/true"), jit;

	close(image_get(w->images, lost)->fd);
	image_get(w->images, lost)->fd = -1;
	assert_int_equal(image_intern(w->images, &(struct image_key){ .kind = IMAGE_JIT, .gen = 5 },
				      "[anon]", &jit),
			 0);
	expect_rows(w, jit, SPACE_NO_ROWS);
	load(w, lost, 1);
	expect_rows(w, lost, SPACE_NO_ROWS);
	assert_int_equal(stats_of(w).failed, 0);
	load(w, junk, 1);
	expect_rows(w, junk, SPACE_NO_ROWS);
	assert_int_equal(stats_of(w).failed, 1);
	assert_int_equal(stats_of(w).loaded, 0);
	image_unref(w->images, junk);
	image_unref(w->images, lost);
	image_unref(w->images, jit);
	end_world(w);
}

static void above_the_cap_the_table_used_longest_ago_goes(void **state)
{
	struct world *w = make_world(4 * KIB); /* two of three */
	uint32_t a = open_image(w, "/bin/true"), b = open_image(w, "/bin/false"),
		 c = open_image(w, "/bin/echo");

	load(w, a, 1);
	load(w, b, 2);
	assert_int_equal(stats_of(w).evicted, 0);
	tables_touch(w->tables, a, 3);
	load(w, c, 4);
	assert_int_equal(stats_of(w).evicted, 1);
	expect_rows(w, a, SPACE_ROWS);
	expect_rows(w, b, SPACE_UNKNOWN);
	expect_rows(w, c, SPACE_ROWS);
	assert_true(stats_of(w).loaded == 2 && stats_of(w).bytes <= 4 * KIB);
	image_unref(w->images, a);
	image_unref(w->images, b);
	image_unref(w->images, c);
	end_world(w);
}

static void a_table_larger_than_the_cap_stays_while_it_is_the_last(void **state)
{
	struct world *w = make_world(4 * KIB);
	uint32_t small = open_image(w, "/bin/true"), libc = open_image(w, LIBC);

	load(w, small, 1);
	load(w, libc, 2);
	expect_rows(w, small, SPACE_UNKNOWN);
	expect_rows(w, libc, SPACE_ROWS);
	load(w, small, 3);
	expect_rows(w, small, SPACE_ROWS);
	expect_rows(w, libc, SPACE_UNKNOWN);
	assert_int_equal(stats_of(w).evicted, 2);
	image_unref(w->images, small);
	image_unref(w->images, libc);
	end_world(w);
}

static void an_evicted_table_gives_its_bytes_back(void **state)
{
	struct world *w = make_world(8 * KIB);
	uint32_t small = open_image(w, "/bin/true"), libc = open_image(w, LIBC);
	size_t before;

	load(w, small, 1);
	before = slabs_used_bytes(w->slabs);
	for (uint64_t round = 1; round < 6; round++) {
		load(w, libc, round * NSEC_PER_SEC);
		load(w, small, round * NSEC_PER_SEC + 1);
		slabs_reap(w->slabs, round * NSEC_PER_SEC + NSEC_PER_SEC / 2);
		assert_int_equal(slabs_used_bytes(w->slabs), before + 128); /* and libc's place */
	}
	image_unref(w->images, small);
	image_unref(w->images, libc);
	end_world(w);
}

static void what_nobody_maps_goes_after_a_while(void **state)
{
	struct world *w = make_world(64 * MIB);
	uint32_t image = open_image(w, "/bin/true"), at, again;

	load(w, image, 1);
	assert_int_equal(tables_head(w->tables, image, 1, &at), 0);
	tables_sweep(w->tables, 2 + IDLE); /* it is mapped */
	expect_rows(w, image, SPACE_ROWS);
	image_unref(w->images, image);
	tables_touch(w->tables, image, 100);
	tables_sweep(w->tables, 99 + IDLE); /* a compiler runs again soon */
	assert_int_equal(images_live(w->images), 2);
	tables_sweep(w->tables, 100 + IDLE);
	assert_int_equal(images_live(w->images), 1);
	assert_int_equal(stats_of(w).loaded, 0);
	assert_int_equal(stats_of(w).bytes, 0);
	slabs_reap(w->slabs, 2 * IDLE);
	assert_int_equal(slabs_used_bytes(w->slabs), 0);
	/* Its place and its number are another image's. */
	image = open_image(w, "/bin/false");
	assert_int_equal(tables_head(w->tables, image, 2 * IDLE, &again), 0);
	expect_rows(w, image, SPACE_UNKNOWN);
	load(w, image, 2 * IDLE);
	expect_rows(w, image, SPACE_ROWS);
	image_unref(w->images, image);
	end_world(w);
}

static void map(struct world *w, uint32_t n, uint64_t ino)
{
	struct process_mmap m = { .start = 0x10000 * (n + 1ull),
				  .len = 0x8000,
				  .pgoff = 0x1000,
				  .ino = ino,
				  .dev = 1,
				  .path = "/x" };

	assert_int_equal(process_mmap(w->processes, PID, &m, 10), 0);
}

static void a_processs_mappings_are_found_in_the_slab(void **state)
{
	const uint32_t counts[] = { 1, 2, 3, 64, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct world *w = make_world(MIB);
		struct process *p = process_add(w->processes, PID, 1);
		struct space space;
		struct space_code c;
		uint32_t head;

		for (uint32_t k = 0; k < counts[i]; k++)
			map(w, k, k % 7 + 1);
		assert_int_equal(spaces_get(w->spaces, p, 11, 22, 1, &space), 0);
		assert_true(space.mm == 11 && space.exec_pages == 22 && space.n_maps == counts[i]);
		for (uint32_t k = 0; k < counts[i]; k++) {
			uint64_t start = 0x10000 * (k + 1ull);

			assert_int_equal(space_find(w->slabs, space.maps, space.n_maps, start, &c),
					 1);
			assert_true(c.start == start && c.end == start + 0x8000 &&
				    c.how == SPACE_UNKNOWN);
			assert_int_equal(space_find(w->slabs, space.maps, space.n_maps,
						    start + 0x7fff, &c),
					 1);
			assert_int_equal(c.start, start);
			assert_int_equal(space_find(w->slabs, space.maps, space.n_maps,
						    start + 0x8000, &c),
					 0);
			assert_int_equal(space_find(w->slabs, space.maps, space.n_maps, start - 1,
						    &c),
					 0);
		}
		assert_int_equal(tables_head(w->tables, maps_at(p->maps, 0)->image, 1, &head), 0);
		((struct space_image *)slabs_at(w->slabs, head))->how = SPACE_NO_ROWS;
		assert_int_equal(space_find(w->slabs, space.maps, space.n_maps, 0x10000, &c), 1);
		assert_int_equal(c.how, SPACE_NO_ROWS);
		end_world(w);
	}
}

static void a_change_of_mappings_is_a_new_array(void **state)
{
	struct world *w = make_world(MIB);
	struct process *p = process_add(w->processes, PID, 1);
	struct space a, b;

	map(w, 0, 1);
	assert_int_equal(spaces_get(w->spaces, p, 1, 1, 1, &a), 0);
	assert_int_equal(spaces_get(w->spaces, p, 1, 2, 1, &b), 0);
	assert_true(a.maps == b.maps && b.exec_pages == 2);
	map(w, 1, 2);
	assert_int_equal(spaces_get(w->spaces, p, 1, 3, 1, &b), 0);
	assert_int_not_equal(a.maps, b.maps);
	assert_int_equal(b.n_maps, 2);
	assert_int_equal(*(const uint64_t *)slabs_at(w->slabs, a.maps),
			 0x10000); /* the program may still be reading it */
	assert_int_equal(spaces_count(w->spaces), 1);
	end_world(w);
}

static void a_process_that_is_gone_is_forgotten(void **state)
{
	struct world *w = make_world(MIB);
	struct process *p = process_add(w->processes, PID, 1);
	struct space space;
	size_t used;

	map(w, 0, 1);
	assert_int_equal(spaces_get(w->spaces, p, 1, 1, 1, &space), 0);
	spaces_sweep(w->spaces, 1);
	assert_int_equal(spaces_count(w->spaces), 1);
	used = slabs_used_bytes(w->slabs);
	process_exit(w->processes, PID, 2);
	spaces_sweep(w->spaces, 3);
	assert_int_equal(spaces_count(w->spaces), 0);
	slabs_reap(w->slabs, NSEC_PER_SEC);
	assert_int_equal(slabs_used_bytes(w->slabs), used - 64);
	/* Another process of the same number, with other code at the same place. */
	p = process_add(w->processes, PID, 4);
	map(w, 5, 9);
	assert_int_equal(spaces_get(w->spaces, p, 2, 1, 4, &space), 0);
	assert_int_equal(*(const uint64_t *)slabs_at(w->slabs, space.maps), 0x60000);
	assert_int_equal(spaces_count(w->spaces), 1);
	end_world(w);
}

static void many_processes_come_and_go(void **state)
{
	struct world *w = make_world(MIB);
	struct space space;

	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t pid = 100; pid < 600; pid++) {
			struct process *p = process_add(w->processes, pid, round + 1);

			assert_int_equal(spaces_get(w->spaces, p, pid, 1, round, &space), 0);
			assert_true(space.mm == pid && space.n_maps == 0);
		}
		assert_int_equal(spaces_count(w->spaces), 500);
		for (uint32_t pid = 100; pid < 600; pid++)
			process_exit(w->processes, pid, round + 1);
		spaces_sweep(w->spaces, round);
		assert_int_equal(spaces_count(w->spaces), 0);
	}
	end_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_table_says_what_was_built),
		cmocka_unit_test(an_image_has_one_place_for_all_processes),
		cmocka_unit_test(what_has_no_rows_is_said_to_have_none),
		cmocka_unit_test(above_the_cap_the_table_used_longest_ago_goes),
		cmocka_unit_test(a_table_larger_than_the_cap_stays_while_it_is_the_last),
		cmocka_unit_test(an_evicted_table_gives_its_bytes_back),
		cmocka_unit_test(what_nobody_maps_goes_after_a_while),
		cmocka_unit_test(a_processs_mappings_are_found_in_the_slab),
		cmocka_unit_test(a_change_of_mappings_is_a_new_array),
		cmocka_unit_test(a_process_that_is_gone_is_forgotten),
		cmocka_unit_test(many_processes_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
