/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "collect/cpus.h"
#include "collect/late.h"
#include "collect/resolve.h"
#include "collect/sampler.h"
#include "collect/timeline.h"
#include "collect/window.h"
#include "base/units.h"
#include "proc/image.h"
#include "proc/process.h"

struct seen {
	char text[4096];
	uint64_t last_ns;
};

static int note(void *ctx, enum timeline_source source, uint64_t time_ns, const void *record, size_t len)
{
	struct seen *s = ctx;

	assert_true(time_ns >= s->last_ns);
	s->last_ns = time_ns;
	snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "%c%.*s ",
		 source == TIMELINE_SIDEBAND ? 'b' : 's', (int)len, (const char *)record);
	return 0;
}

static void records_come_out_by_time_and_events_before_samples(void **state)
{
	struct timeline t = { 0 };
	struct seen s = { 0 };

	timeline_add(&t, TIMELINE_SAMPLE, 30, "c", 1);
	timeline_add(&t, TIMELINE_SAMPLE, 10, "a", 1);
	timeline_add(&t, TIMELINE_SAMPLE, 20, "b", 1);
	timeline_add(&t, TIMELINE_SIDEBAND, 20, "exec", 4);
	assert_int_equal(timeline_run(&t, 20, note, &s), 0);
	assert_string_equal(s.text, "sa bexec sb ");
	timeline_add(&t, TIMELINE_SIDEBAND, 25, "late", 4);
	assert_int_equal(timeline_run(&t, UINT64_MAX, note, &s), 0);
	assert_string_equal(s.text, "sa bexec sb blate sc ");
	assert_int_equal(t.bytes.len, 0);
	timeline_fini(&t);
}

static int take(void *ctx, enum timeline_source source, uint64_t time_ns, const void *record,
		size_t len)
{
	return 0;
}

static void a_moment_of_much_waiting_costs_no_memory_afterwards(void **state)
{
	static const uint8_t record[32 * 1024];
	struct timeline t = { 0 };

	for (int i = 0; i < 512; i++)
		assert_int_equal(timeline_add(&t, TIMELINE_SAMPLE, 1, record, sizeof(record)), 0);
	assert_true(t.bytes.cap >= 512 * sizeof(record));
	assert_int_equal(timeline_run(&t, 1, take, NULL), 0);
	assert_true(t.bytes.cap <= 1 * MIB);
	assert_int_equal(timeline_add(&t, TIMELINE_SAMPLE, 2, record, sizeof(record)), 0);
	assert_int_equal(timeline_run(&t, 2, take, NULL), 0);
	assert_true(t.bytes.cap >= sizeof(record)); /* what each turn needs stays */
	timeline_fini(&t);
}

/* The longest there is: who the process is comes whole. */
static void a_sample_gives_up_its_stack_and_nothing_else(void **state)
{
	enum { STACK = 4096 };
	struct ev_sample *ev = calloc(1, 2 * sizeof(uint64_t[SAMPLER_SMALL_WORDS]) + STACK);
	uint64_t *small = calloc(SAMPLER_SMALL_WORDS, sizeof(*small));
	struct ev_rest *rest;
	size_t head, len;

	*ev = (struct ev_sample){ .flags = EV_SAMPLE_REST,
				  .kframes = EV_KERNEL_FRAMES,
				  .uframes = EV_WALK_FRAMES,
				  .tgid = 7 };
	rest = (struct ev_rest *)ev_rest_of(ev);
	head = (size_t)((uint8_t *)rest - (uint8_t *)ev);
	memset(ev->pc, 0x11, head - sizeof(*ev));
	*rest = (struct ev_rest){
		.pc = 5, .uid = 9, .stack_bytes = STACK, .start_bytes = EV_REST_START
	};
	memset(rest->stack, 0x22, STACK);
	memset(rest->stack + STACK, 0x33, EV_REST_START);
	len = sampler_without_stack(ev, small);
	assert_int_equal(len, head + sizeof(*rest) + EV_REST_START);
	assert_true(len <= SAMPLER_SMALL_WORDS * sizeof(*small));
	assert_int_equal(((struct ev_sample *)small)->flags, EV_SAMPLE_REST | EV_SAMPLE_NO_STACK);
	assert_memory_equal(((struct ev_sample *)small)->pc, ev->pc, head - sizeof(*ev));
	rest->stack_bytes = 0;
	memmove(rest->stack, rest->stack + STACK, EV_REST_START);
	assert_memory_equal((uint8_t *)small + head, rest, sizeof(*rest) + EV_REST_START);
	free(small);
	free(ev);
}

static int count_it(void *ctx, enum timeline_source source, uint64_t time_ns, const void *record,
		    size_t len)
{
	uint32_t n;

	memcpy(&n, record, sizeof(n));
	assert_int_equal(n, time_ns);
	*(uint64_t *)ctx += 1;
	return 0;
}

static void nothing_is_lost_over_many_partial_runs(void **state)
{
	struct timeline t = { 0 };
	unsigned int seed = 3;
	uint64_t n = 0, now = 1000;

	for (int round = 0; round < 200; round++, now += 100) {
		for (int i = 0; i < 50; i++) {
			uint32_t time = (uint32_t)(now - 100 + (unsigned int)rand_r(&seed) % 200);

			timeline_add(&t, (enum timeline_source)(i & 1), time, &time, sizeof(time));
		}
		assert_int_equal(timeline_run(&t, now - 50, count_it, &n), 0);
	}
	assert_int_equal(timeline_run(&t, UINT64_MAX, count_it, &n), 0);
	assert_int_equal(n, 200 * 50);
	timeline_fini(&t);
}

static void equal_stacks_share_a_row_and_labels_keep_rows_apart(void **state)
{
	struct images *images;
	struct window *w;
	const struct window_frame a[] = { { .offset = 1 }, { .offset = 2 } }, b[] = { { .offset = 2 }, { .offset = 1 } };
	const struct window_labels one = { .pid = 1, .comm = "one" }, two = { .pid = 2, .comm = "two" };

	assert_int_equal(images_new(&images), 0);
	assert_int_equal(window_new(images, 1 << 20, &w), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(window_add(w, a, 2, &one, 1, 1000), 0);
		assert_int_equal(window_add(w, a, 2, &two, 2, 1000), 1);
		assert_int_equal(window_add(w, b, 2, &one, 3, 1000), 2);
		assert_int_equal(window_add(w, a, 1, &one, 4, 1000), 3);
		assert_int_equal(window_add(w, a, 0, &one, 5, 1000), 4);
	}
	assert_int_equal(w->rows.n, 5);
	assert_int_equal(w->stacks.n, 4);
	assert_int_equal(w->frames.n, 2);
	assert_int_equal(w->samples, 150);
	assert_int_equal(w->rows.v[2].samples, 30);
	assert_int_equal(w->rows.v[2].cpu_ns, 30 * 1000);
	/* The rate changed: samples count as before, each for its own period. */
	assert_int_equal(window_add(w, b, 2, &one, 1, 50), 2);
	assert_int_equal(w->rows.v[2].samples, 31);
	assert_int_equal(w->rows.v[2].cpu_ns, 30 * 1000 + 50);
	window_free(w);
	assert_int_equal(images_live(images), 1);
	images_free(images);
}

static void samples_without_a_frame_are_a_row(void **state)
{
	struct images *images;
	struct window *w;

	assert_int_equal(images_new(&images), 0);
	assert_int_equal(window_new(images, 1 << 20, &w), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(window_add(w, NULL, 0, &(struct window_labels){ .pid = 1 }, 1, 1000), 0);
	assert_int_equal(w->rows.v[0].samples, 2);
	window_free(w);
	images_free(images);
}

static void a_full_window_refuses_and_keeps_what_it_has(void **state)
{
	struct images *images;
	struct window *w;
	uint64_t added = 0;
	int r = 0;

	assert_int_equal(images_new(&images), 0);
	assert_int_equal(window_new(images, 64 * 1024, &w), 0);
	for (uint64_t i = 0; i < 1000000 && r >= 0; i++) {
		struct window_frame f = { .offset = i, .image = IMAGE_ID_NONE };

		r = window_add(w, &f, 1, &(struct window_labels){ 0 }, 1, 1000);
		added += r >= 0;
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(added > 500);
	assert_int_equal(w->samples, added);
	assert_true(window_bytes(w) < 256 * 1024);
	window_free(w);
	images_free(images);
}

/* Samples are worked on a poll late: three were taken before the first of them had us look into /proc, one after that. */
static void samples_without_a_stack_are_known_after_one_look(void **state)
{
	struct ev_sample ev = { .start_ns = 1, .exec_id = 1, .tgid = (uint32_t)getpid(), .tid = (uint32_t)getpid(), .time_ns = time_boot_ns() };
	struct images *images;
	struct processes *t;
	struct process *p;
	uint64_t after;

	assert_int_equal(images_new(&images), 0);
	assert_int_equal(processes_new(images, &t), 0);
	assert_int_equal(resolve_process(t, &ev, &p), 0);
	assert_null(p);
	after = time_boot_ns();
	for (int i = 0; i < 2; i++) {
		ev.time_ns++;
		assert_int_equal(resolve_process(t, &ev, &p), 0);
		assert_null(p);
	}
	ev.time_ns = after;
	assert_int_equal(resolve_process(t, &ev, &p), 0);
	assert_non_null(p);
	assert_int_equal(p->exec_id, 1);
	processes_free(t);
	images_free(images);
}

static void cpu_lists_parse_as_sysfs_writes_them(void **state)
{
	static bool online[CPUS_MAX];

	assert_int_equal(cpus_parse("0-3,8\n", online), 9);
	assert_true(online[0] && online[3] && !online[4] && online[8]);
	assert_int_equal(cpus_parse("0", online), 1);
	assert_int_equal(cpus_parse("", online), -EINVAL);
	assert_int_equal(cpus_parse("3-1", online), -EINVAL);
	assert_int_equal(cpus_parse("0-", online), -EINVAL);
	assert_int_equal(cpus_parse("0-99999", online), -EINVAL);
	assert_int_equal(cpus_parse("0,x", online), -EINVAL);
}

/* Ticks of 10 ns: skipped so many, seen idle so many, and the kernel's idle time. */
static uint64_t lost(struct late *t, uint64_t skipped, uint64_t seen_idle, uint64_t idle_ns)
{
	const uint64_t counters[EV_COUNT_MAX] = { [EV_DROP_TIMER_LATE] = skipped, [EV_COUNT_IDLE] = seen_idle };

	return late_lost(t, counters, idle_ns);
}

static void skipped_ticks_are_lost_unless_the_cpus_were_idle(void **state)
{
	const uint64_t at_change[EV_COUNT_MAX] = { [EV_DROP_TIMER_LATE] = 9, [EV_COUNT_IDLE] = 20 };
	struct late t;

	late_begin(&t, 10, 1000);
	assert_int_equal(lost(&t, 0, 0, 1000), 0);
	assert_int_equal(lost(&t, 3, 0, 1000), 3);
	assert_int_equal(lost(&t, 5, 0, 1030), 3);  /* 3 of 5 may have been idle; what was told stays */
	assert_int_equal(lost(&t, 9, 20, 1230), 6); /* 20 of 23 idle ticks were seen as such */
	assert_int_equal(lost(&t, 9, 20, 0), 9);    /* nobody knows */
	late_begin(&t, 10, 1000);
	late_change_rate(&t, at_change, 100, 1230);
	assert_int_equal(lost(&t, 9, 20, 1230), 6);
	assert_int_equal(lost(&t, 12, 20, 1429), 8); /* 199 ns are one tick of 100 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_by_time_and_events_before_samples),
		cmocka_unit_test(nothing_is_lost_over_many_partial_runs),
		cmocka_unit_test(a_sample_gives_up_its_stack_and_nothing_else),
		cmocka_unit_test(a_moment_of_much_waiting_costs_no_memory_afterwards),
		cmocka_unit_test(equal_stacks_share_a_row_and_labels_keep_rows_apart),
		cmocka_unit_test(samples_without_a_frame_are_a_row),
		cmocka_unit_test(a_full_window_refuses_and_keeps_what_it_has),
		cmocka_unit_test(skipped_ticks_are_lost_unless_the_cpus_were_idle),
		cmocka_unit_test(samples_without_a_stack_are_known_after_one_look),
		cmocka_unit_test(cpu_lists_parse_as_sysfs_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
