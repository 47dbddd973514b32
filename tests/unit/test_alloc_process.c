/* SPDX-License-Identifier: Apache-2.0 */
/* Processes while memory runs out: how their stacks are unwound, what is sampled of them, and who they are. */
#include "fixture_alloc.h"

#include <fcntl.h>

#include "base/strmap.h"
#include "bpf/events.h"
#include "collect/window.h"
#include "fixture_go.h"
#include "proc/identity.h"
#include "proc/image.h"
#include "proc/pods.h"
#include "proc/process.h"
#include "proc/relabel.h"
#include "proc/target.h"
#include "unwind/elf_cfi.h"

#define SPIN BUILD_DIR "/workloads/w_spin"

static int make_unwind_rows(void *ctx)
{
	_cleanup_(closep) int fd = open(ctx, O_RDONLY | O_CLOEXEC);
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct rows *t = NULL;
	int r = elf_image_open(fd, &img);

	if (r >= 0)
		r = elf_cfi_rows(img, ELF_CFI_ALL, &t);
	rows_free(t);
	return r;
}

static void unwind_rows_survive_every_failure(void **state)
{
	every_failure_is_survived(make_unwind_rows, SPIN, 12);
	every_failure_is_survived(make_unwind_rows, SPIN "_minidebug", 16);
	every_failure_is_survived(make_unwind_rows, BUILD_DIR "/workloads/w_threads_musl", 13);
}

static int make_go_rows(void *ctx)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	const struct go_made *made = ctx;
	struct rows *t = NULL;
	int r = elf_image_open_memory(made->data, sizeof(made->data), &img);

	if (r >= 0)
		r = elf_cfi_rows(img, ELF_CFI_ALL, &t);
	rows_free(t);
	return r;
}

static void go_rows_survive_every_failure(void **state)
{
	static const struct go_made_func func = { 0, "main.main", 0, "\x02\x01", 3 };
	static struct go_made made;

	go_make(&made, GO_1_20, true, &func, 1, 0x40);
	every_failure_is_survived(make_go_rows, &made, 12);
}

static int live_a_process(void *ctx)
{
	struct process_mmap a = { .start = 0x1000, .len = 0x8000, .ino = 1, .dev = 1, .path = "/a" };
	struct process_mmap b = { .start = 0x3000, .len = 0x1000, .ino = 2, .dev = 1, .path = "/b" };
	struct process_mmap jit = { .start = 0x9000, .len = 0x1000, .path = "//anon" };
	struct images *images = NULL;
	struct processes *t = NULL;
	int r = images_new(&images);

	if (r >= 0)
		r = processes_new(images, &t);
	if (r >= 0 && !process_add(t, 7, 1))
		r = -ENOMEM;
	if (r >= 0)
		r = process_mmap(t, 7, &a, 2);
	if (r >= 0)
		r = process_fork(t, 8, 7, 3);
	if (r >= 0)
		r = process_mmap(t, 8, &b, 4);
	if (r >= 0)
		r = process_mmap(t, 8, &jit, 5);
	if (r >= 0)
		r = process_exec(t, 8, "x", 6);
	if (t)
		process_exit(t, 8, 7);
	processes_free(t);
	if (images)
		assert_int_equal(images_live(images), 1);
	images_free(images);
	return r;
}

static void a_process_survives_every_failure(void **state)
{
	every_failure_is_survived(live_a_process, NULL, 8);
}

static int fill_a_window(void *ctx)
{
	struct window_frame frames[3] = { { .offset = 1 }, { .offset = 2 }, { .offset = 3 } };
	struct window_labels labels = { .pid = 1, .comm = "x" };
	struct images *images = NULL;
	struct window *w = NULL;
	uint64_t samples = 0;
	int r = images_new(&images);

	if (r >= 0)
		r = window_new(images, 1 << 20, &w);
	for (int i = 0; r >= 0 && i < 40; i++) {
		frames[0].offset = (uint64_t)i;
		labels.pid = (uint32_t)i;
		r = window_add(w, frames, 3, &labels, 1, 1000);
		if (r >= 0)
			r = window_move(w, (uint32_t)r, 1, 1000, i & 1 ? "/odd" : "/even");
	}
	for (uint32_t i = 0; w && i < w->rows.n; i++)
		samples += w->rows.v[i].samples;
	if (w)
		assert_int_equal(samples, w->samples); /* each sample is in one row, whatever failed */
	window_free(w);
	if (images)
		assert_int_equal(images_live(images), 1);
	images_free(images);
	return r;
}

static void a_window_survives_every_failure(void **state)
{
	every_failure_is_survived(fill_a_window, NULL, 8);
}

/* A process says much of itself, and rules ask for it: what memory does not suffice for is missing. */
static int identify(void *ctx)
{
	static const char env[] = "OTEL_RESOURCE_ATTRIBUTES=a=b%20c,service.version=1\0OTEL_SERVICE_NAME=shop";
	const struct relabel_rule rule = { .target_label = "version", .source_labels = (const char *[]){ "__meta_otel_service_version" }, .n_source_labels = 1 };
	struct ev_rest *rest = ctx;
	struct process p = { .pid = 1 << 30, .exe = "x" };
	const struct identity_view v = { .process = &p, .rest = rest, .cgroup = "/system.slice/x.service" };
	struct targets *t = NULL;
	struct target target;
	struct relabel *rules;
	char err[128];
	size_t bad;
	int r = targets_new(&t);

	rest->args = rest->args_end = rest->env = 4096;
	rest->env_end = rest->env + sizeof(env);
	rest->start_bytes = sizeof(env);
	memcpy(rest->stack, env, sizeof(env));
	if (r >= 0)
		r = relabel_new(&rule, 1, &rules, &bad, err, sizeof(err));
	if (r >= 0) {
		targets_set_rules(t, rules);
		targets_find(t, &v, &target);
		targets_find(t, &v, &target);
	}
	free(p.declared);
	targets_free(t);
	return r;
}

static void who_a_process_is_survives_every_failure(void **state)
{
	void *rest = calloc(1, sizeof(struct ev_rest) + 4096);

	every_failure_is_survived(identify, rest, 30);
	free(rest);
}

static int list_pods(void *ctx)
{
	static const char list[] = "{\"kind\":\"PodList\",\"items\":[{\"metadata\":{\"uid\":\"u\",\"name\":\"n\",\"labels\":{\"a\":\"b\"}},"
				   "\"status\":{\"containerStatuses\":[{\"name\":\"c\",\"image\":\"i\",\"containerID\":\"x://1\"}]}}]}";
	struct strmap m = { 0 };
	struct pods_reader *reader;
	struct pods *pods = NULL;
	int r = pods_reader_new(&reader);

	if (r < 0)
		return r;
	r = pods_reader_feed(reader, list, sizeof(list) - 1);
	if (r >= 0)
		r = pods_reader_finish(reader, &pods);
	if (r >= 0)
		r = pods_labels(pods, "1", "", &m);
	strmap_fini(&m);
	pods_free(pods);
	pods_reader_free(reader);
	return r < 0 ? r : 0;
}

static void a_list_of_pods_survives_every_failure(void **state)
{
	every_failure_is_survived(list_pods, NULL, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unwind_rows_survive_every_failure),
		cmocka_unit_test(go_rows_survive_every_failure),
		cmocka_unit_test(a_process_survives_every_failure),
		cmocka_unit_test(a_window_survives_every_failure),
		cmocka_unit_test(who_a_process_is_survives_every_failure),
		cmocka_unit_test(a_list_of_pods_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
