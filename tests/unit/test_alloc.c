/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation made to fail once: the answer is -ENOMEM or a result, never a crash or a leak. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "agent/config.h"
#include "agent/push_spans.h"
#include "alloc_fail.h"
#include "base/file.h"
#include "base/units.h"
#include "bpf/events.h"
#include "bpf/trace.h"
#include "cmd/amount.h"
#include "cmd/top_model.h"
#include "cmd/top_rows.h"
#include "cmd/treelist.h"
#include "collect/window.h"
#include "cmd/route_table.h"
#include "exporter/archive.h"
#include "exporter/metric.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/otlp_metrics.h"
#include "put_spans.h"
#include "exporter/parcel.h"
#include "exporter/prom_metrics.h"
#include "exporter/receiver.h"
#include "fixture_go.h"
#include "fixture_profile.h"
#include "pprof/calltree.h"
#include "pprof/decode.h"
#include "pprof/diff.h"
#include "pprof/encode.h"
#include "pprof/filter.h"
#include "pprof/folded.h"
#include "pprof/html.h"
#include "pprof/merge.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "pprof/reader.h"
#include "pprof/slice.h"
#include "pprof/speedscope.h"
#include "pprof/svg.h"
#include "proc/identity.h"
#include "proc/image.h"
#include "proc/pods.h"
#include "proc/process.h"
#include "proc/relabel.h"
#include "proc/target.h"
#include "symbolize/convert.h"
#include "symbolize/converter.h"
#include "symbolize/fetcher.h"
#include "symbolize/symbolizer.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symcache_dir.h"
#include "trace/red.h"
#include "unwind/elf_cfi.h"

#define SPIN BUILD_DIR "/workloads/w_spin"

static void every_failure_is_survived(int (*scenario)(void *), void *ctx, int at_least)
{
	int odd = 0, met = alloc_fail_each(scenario, ctx, &odd);

	if (met < 0)
		fail_msg("a run answered %d", odd);
	if (met < at_least)
		fail_msg("only %d allocations were met", met);
}

static int name_an_image(void *ctx)
{
	_cleanup_(closep) int fd = open(SPIN, O_RDONLY | O_CLOEXEC);
	struct sym_source src = { .kind = SYM_ELF, .fd = fd, .root_fd = -1, .path = SPIN };
	struct symbolizer *s;
	struct sym_image *img;
	struct sym_frame f;
	int r = symbolizer_new(NULL, &s);

	if (r < 0)
		return r;
	r = symbolizer_load(s, &src, &img);
	for (uint64_t off = 0x1000; r >= 0 && off < 0x1400; off++)
		if (sym_image_resolve(img, off, &f, 1) == 1)
			assert_true(f.name[0]);
	symbolizer_free(s);
	return r;
}

static void naming_survives_every_failure(void **state)
{
	every_failure_is_survived(name_an_image, NULL, 8);
}

static int name_go_code(void *ctx)
{
	_cleanup_(closep) int fd = memfd_create("go", MFD_CLOEXEC);
	struct sym_source src = { .kind = SYM_ELF, .fd = fd, .root_fd = -1, .path = "/go" };
	struct symbolizer *s;
	struct sym_image *img;
	struct sym_frame f;
	int r = symbolizer_new(NULL, &s);

	if (r < 0)
		return r;
	assert_int_equal(file_write_all(fd, ctx, sizeof(struct go_made)), 0);
	r = symbolizer_load(s, &src, &img);
	if (r >= 0 && sym_image_resolve(img, GO_FILE_LEN + 8, &f, 1) == 1)
		assert_string_equal(f.name, "main.main");
	symbolizer_trim(s, SIZE_MAX);
	symbolizer_free(s);
	return r;
}

static void naming_go_survives_every_failure(void **state)
{
	static const struct go_made_func func = { 0, "main.main", 0, "\x02\x01", 3 };
	static struct go_made made;

	go_make(&made, GO_1_20, false, &func, 1, 0x40);
	go_make_segment(&made, 1, PT_LOAD, PF_R | PF_X, GO_CODE, GO_FILE_LEN, GO_CODE_LEN, GO_CODE_LEN);
	every_failure_is_survived(name_go_code, &made, 12);
}

/* Two rounds of a map that grows. After a failure all of it is read again, and nothing is missing. */
static int name_jit_code(void *ctx)
{
	const char *const *text = ctx;
	_cleanup_(closep) int fd = memfd_create("jit", MFD_CLOEXEC);
	struct sym_source src = { .kind = SYM_PERF_MAP, .key = 1, .fd = fd, .root_fd = -1, .path = "[anon]" };
	struct symbolizer *s;
	struct sym_image *img;
	struct sym_frame f;
	int r = symbolizer_new(NULL, &s), failed = 0;

	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(file_write_all(fd, text[i], strlen(text[i])), 0);
		r = symbolizer_load(s, &src, &img);
		failed = r < 0 ? r : failed;
		symbolizer_trim(s, SIZE_MAX);
	}
	if (r >= 0 && sym_image_resolve(img, 0x1000, &f, 1) == 1)
		assert_string_equal(f.name, "first");
	symbolizer_free(s);
	return failed;
}

static void jit_code_survives_every_failure(void **state)
{
	static const char *const text[] = { "1000 10 first\n2000 10 second\n", "1008 4 third\n", "3000 8 fourth\n" };

	every_failure_is_survived(name_jit_code, (void *)text, 12);
}

static int private_file(void)
{
	int fd = memfd_create("alloc", MFD_CLOEXEC);

	assert_true(fd >= 0 && !fchmod(fd, 0600));
	return fd;
}

/* Adds until something is refused; what is in the builder by then is still written, and read. */
static int build_a_symcache(void *ctx)
{
	static const struct build_id id = { .kind = BUILD_ID_GNU, .len = 20 };
	_cleanup_(symcache_build_freep) struct symcache_build *b = NULL;
	_cleanup_(symcache_freep) struct symcache *c = NULL;
	_cleanup_(closep) int fd = private_file();
	struct symcache_function f = { .file = SYMCACHE_NONE };
	struct symcache_frame frame;
	uint32_t file, fn, node = SYMCACHE_NONE, before;
	int r = symcache_build_new(&b), w;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < 200 && !r; i++) {
		char name[16];
		int len = snprintf(name, sizeof(name), "f%u", i);

		before = i % 3 ? node : SYMCACHE_NONE;
		r = symcache_build_string(b, name, (size_t)len, &f.name);
		if (!r)
			r = symcache_build_file(b, f.name, &file);
		if (!r)
			r = symcache_build_function(b, &f, &fn);
		if (!r)
			r = symcache_build_node(b, fn, before, SYMCACHE_NONE, i, &node);
		if (!r)
			r = symcache_build_range(b, node, 0x10000 - 16 * i, 0x10000);
		if (!r)
			r = symcache_build_lines(b, (struct symcache_line[]){ { 0x8000 + 16 * i, file, i }, { 0x9000 + i, 0, 0 } }, 2);
	}
	w = symcache_build_write(b, fd, &id);
	if (!w)
		w = symcache_open(fd, &id, &c);
	if (!w && !r)
		assert_true(symcache_find(c, 0xffff, &frame, 1) == 1);
	return r ? r : w;
}

static int convert_an_image(void *ctx)
{
	_cleanup_(closep) int image = open(ctx, O_RDONLY | O_CLOEXEC), out = private_file(), scratch = private_file();
	const struct convert_job job = { .id = { .kind = BUILD_ID_GNU, .len = 20 },
					 .fd = { out, scratch, image, -1, -1, -1 } };
	struct convert_stats stats;

	return convert_image(&job, &stats);
}

static void a_symcache_survives_every_failure(void **state)
{
	every_failure_is_survived(build_a_symcache, NULL, 20);
	every_failure_is_survived(convert_an_image, TESTS_DIR "/fuzz/corpus/dwarf/object-gcc", 20);
	every_failure_is_survived(convert_an_image, BUILD_DIR "/tests/unit/helper_child", 40);
}

static int keep_symcaches(void *ctx)
{
	const struct build_id id = { .kind = BUILD_ID_GNU, .len = 4 };
	_cleanup_(closep) int exe = open(BUILD_DIR "/tests/unit/helper_child", O_RDONLY | O_CLOEXEC);
	struct converter_source src = { .fd = exe, .root_fd = -1, .path = "/bin/x" };
	struct converted done = { .result = HELPER_OK };
	struct symcache_dir *d = NULL;
	struct converter *c = NULL;
	struct symcache_temp t;
	struct symcache *got;
	int r = symcache_dir_open(ctx, 0, &d);

	if (!r)
		r = symcache_dir_remember(d, &id, "crashed");
	if (!r && symcache_dir_get(d, &id, &got, NULL, 0) != -ENODATA)
		r = -EIO;
	if (!r)
		r = symcache_dir_begin(d, &t);
	if (!r)
		symcache_dir_abandon(d, &t);
	if (!r)
		r = symcache_dir_trim(d);
	if (!r)
		r = converter_new(&(struct converter_opts){ .dir = d, .exe_fd = exe }, &c);
	if (!r)
		r = build_id_of_file(exe, &src.id);
	if (!r)
		r = converter_add(c, &src, 0);
	while (!r && !converter_next(c, 0, &done))
		converter_wait(c, 0, 1000000000);
	if (!r && done.result == HELPER_FAILED) /* who ran out of memory cannot start a helper */
		r = -ENOMEM;
	converter_free(c);
	symcache_dir_free(d);
	return r;
}

static void symcaches_survive_every_failure(void **state)
{
	char path[] = "/tmp/hotspan-alloc-XXXXXX", command[64];

	assert_non_null(mkdtemp(path));
	every_failure_is_survived(keep_symcaches, path, 12);
	snprintf(command, sizeof(command), "rm -r %s", path);
	assert_int_equal(system(command), 0);
}

/* Ids that no server is asked for: what the thread does then is our own. */
static int fetch_files(void *ctx)
{
	const struct debuginfod_opts o = { .urls = "http://127.0.0.1:1 http://127.0.0.1:2", .dir = ctx };
	const struct build_id id = { .kind = BUILD_ID_GO, .len = 16 };
	struct fetcher *f = NULL;
	struct fetched got;
	int r = fetcher_new(&o, &f);

	for (int i = 0; !r && i < 20; i++)
		r = fetcher_add(f, &id);
	for (int i = 0; !r && i < 20; i++) {
		while (!fetcher_next(f, &got))
			poll(&(struct pollfd){ .fd = fetcher_fd(f), .events = POLLIN }, 1, 1000);
		r = got.debug == -ENOENT && got.alt < 0 ? 0 : -EIO;
	}
	fetcher_free(f);
	return r;
}

static void fetching_survives_every_failure(void **state)
{
	char dir[] = "/tmp/hotspan-fetch-XXXXXX";

	assert_non_null(mkdtemp(dir));
	every_failure_is_survived(fetch_files, dir, 6);
	assert_int_equal(rmdir(dir), 0);
}

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
	int r = images_new(&images);

	if (r >= 0)
		r = window_new(images, 1 << 20, &w);
	for (int i = 0; r >= 0 && i < 40; i++) {
		frames[0].offset = (uint64_t)i;
		labels.pid = (uint32_t)i;
		r = window_add(w, frames, 3, &labels, 1, 1000);
	}
	window_free(w);
	if (images)
		assert_int_equal(images_live(images), 1);
	images_free(images);
	return r;
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

static int relabel_in_every_way(void *ctx)
{
	static const char *const sources[] = { "a", "b" };
	static const struct relabel_rule rules[] = {
		{ .source_labels = sources, .n_source_labels = 2, .regex = "[^\\s]+;(?P<x>\\w+)", .target_label = "c", .replacement = "${x}$1-" },
		{ .action = RELABEL_HASHMOD, .source_labels = sources, .n_source_labels = 1, .target_label = "d", .modulus = 7 },
		{ .action = RELABEL_UPPERCASE, .source_labels = sources, .n_source_labels = 2, .target_label = "e" },
		{ .action = RELABEL_LABELMAP, .regex = "([ab])", .replacement = "x_$1" },
		{ .action = RELABEL_LABELDROP, .regex = "[ab]" },
	};
	struct strmap m = { 0 };
	struct relabel *r = NULL;
	char err[128];
	size_t bad;
	int e = strmap_set(&m, "a", "1");

	if (e >= 0)
		e = strmap_set(&m, "b", "2");
	if (e >= 0)
		e = relabel_new(rules, sizeof(rules) / sizeof(*rules), &r, &bad, err, sizeof(err));
	if (e >= 0)
		e = relabel_apply(r, &m);
	if (e == 1) {
		assert_string_equal(strmap_get(&m, "c"), "22-");
		assert_int_equal(m.v.n, 5);
	}
	relabel_free(r);
	strmap_fini(&m);
	return e == 1 ? 0 : e;
}

static void relabelling_survives_every_failure(void **state)
{
	every_failure_is_survived(relabel_in_every_way, NULL, 60);
}

static int make_rules_of_targets(void *ctx)
{
	static char glob[] = "a[b-c]*?";
	struct strmap_entry label = { glob, glob };
	struct selector_opts all = { .service = glob, .container = glob, .pod_label = { .v = { &label, 1, 1 } }, .cgroup = glob, .user = glob, .executable = glob, .pid = 1 };
	struct config c = { .include = { &all, 1, 1 }, .exclude = { &all, 1, 1 } };
	struct relabel *rules = NULL;
	int r = config_rules(&c, &rules);

	relabel_free(rules);
	return r;
}

static void targets_survive_every_failure(void **state)
{
	every_failure_is_survived(make_rules_of_targets, NULL, 80);
}

static int fill_a_directory(void *ctx)
{
	static const struct archive_limits limits = { .files = 2, .bytes = 1000 };
	struct buf bytes = BUF_INIT;
	struct archive *a = NULL;
	struct parcel *p;
	int pid, r;

	buf_puts(&bytes, "profile");
	p = buf_error(&bytes) ? NULL : parcel_new(&bytes, 0);
	r = p ? archive_open(ctx, &a, &pid) : -ENOMEM;
	for (uint64_t i = 0; i < 3 && r >= 0; i++)
		r = archive_put(a, &limits, p, 0);
	archive_close(a);
	parcel_unref(p);
	buf_fini(&bytes);
	return r;
}

static void a_directory_survives_every_failure(void **state)
{
	char folder[] = "/tmp/hotspan-alloc-XXXXXX", command[64];

	assert_non_null(mkdtemp(folder));
	every_failure_is_survived(fill_a_directory, folder, 6);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
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

static void a_window_survives_every_failure(void **state)
{
	every_failure_is_survived(fill_a_window, NULL, 8);
}

/* Series of two services, one of which was sampled, into a table and into a profile's page. */
static int tell_routes(void *ctx)
{
	_cleanup_(route_cpu_fini) struct route_cpu cpu = { 0 };
	_cleanup_(route_table_fini) struct route_table t = { 0 };
	_cleanup_(profile_freep) struct profile *p = profile_new();
	_cleanup_(buf_fini) struct buf page = BUF_INIT;
	struct red_series s = { .key = { .status = 200 }, .count = 3, .cpu_ns = 10, .durations = { 3 } };
	int r = p ? route_cpu_count(&cpu, "shop", 100, true) : -ENOMEM;

	if (r >= 0)
		r = route_table_add(&t, "shop", "/dear", &s);
	if (r >= 0)
		r = route_table_add(&t, "other", "/", &s);
	if (r >= 0)
		r = route_table_end(&t, &cpu);
	if (r >= 0)
		r = route_table_tell(&t, p);
	return r < 0 ? r : html_encode(p, &page);
}

static void a_table_of_routes_survives_every_failure(void **state)
{
	every_failure_is_survived(tell_routes, NULL, 8);
}

static const char stacks[] = "a;main;work_[k] 3\na;main;inner_[i];x_[j] 2\nb;main;std::sort(int, int) 1\n";

static struct profile *read_stacks(int *ret)
{
	struct profile *p = NULL;
	char err[256];

	*ret = folded_decode(stacks, strlen(stacks), &p, err, sizeof(err));
	return p;
}

static int through_every_format(void *ctx)
{
	_cleanup_(buf_fini) struct buf pb = BUF_INIT, out = BUF_INIT;
	_cleanup_(profile_freep) struct profile *p = NULL, *again = NULL;
	struct calltree tree = { 0 };
	char err[256];
	int r;

	p = read_stacks(&r);
	if (r >= 0)
		r = pprof_encode_gzip(p, 1, &pb);
	if (r >= 0)
		r = pprof_decode(pb.data, pb.len, &again, err, sizeof(err));
	if (r >= 0)
		r = folded_encode(again, &out);
	if (r >= 0)
		r = speedscope_encode(again, &out);
	if (r >= 0)
		r = svg_encode(again, &out);
	if (r >= 0)
		r = html_encode(again, &out);
	if (r >= 0)
		r = calltree_build(again, CALLTREE_BY_LINE, &tree);
	calltree_fini(&tree);
	return r;
}

struct otlp_case {
	struct profile *p;
	size_t max_bytes; /* of a request */
	size_t len;       /* of all requests; 0: not known yet */
};

/* The first server refuses the compression. */
static int pack_twice(const struct buf *request)
{
	const uint8_t zstd = PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GRPC | PARCEL_FORMAT_ZSTD;
	_cleanup_(buf_fini) struct buf packed = BUF_INIT, again = BUF_INIT;
	int r = otlp_pack(zstd, request, &packed);

	if (r >= 0)
		r = otlp_repack(zstd, &packed, parcel_format_without(zstd, 0), &again);
	if (r >= 0)
		r = otlp_repack(parcel_format_without(zstd, 0), &again, zstd, &packed);
	return r;
}

static int through_otlp(void *ctx)
{
	struct otlp_case *c = ctx;
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	struct otlp *o = NULL;
	int r = strmap_set(&resource, "service.name", "shop");
	uint32_t n;

	if (r >= 0)
		r = otlp_new(OTLP_1_10, "hotspan", "1", &o);
	for (uint32_t from = 0; r >= 0 && from < c->p->samples.n; from += n) {
		r = otlp_add(o, &resource, c->p, from, c->max_bytes, &n);
		if (r >= 0)
			r = otlp_finish(o, &out);
		if (r >= 0 && !n)
			r = -EIO;
	}
	if (r >= 0)
		r = pack_twice(&out);
	otlp_free(o);
	if (r >= 0 && c->len && out.len != c->len)
		return -EIO; /* something is missing, and nobody said so */
	if (r >= 0)
		c->len = out.len;
	return r;
}

static void otlp_survives_every_failure(void **state)
{
	struct fixture f = { .stacks = 8, .depth = 4, .functions = 12, .processes = 2, .inlined_every = 3, .seed = 1, .hostile = 1 };
	struct otlp_case c = { .p = fixture_profile(&f), .max_bytes = SIZE_MAX };
	size_t whole;

	assert_int_equal(through_otlp(&c), 0);
	whole = c.len;
	every_failure_is_survived(through_otlp, &c, 30);
	c.max_bytes = whole * 3 / 4;
	c.len = 0;
	assert_int_equal(through_otlp(&c), 0);
	assert_true(c.len > whole); /* parts */
	every_failure_is_survived(through_otlp, &c, 30);
	profile_free(c.p);
}

static void every_format_survives_every_failure(void **state)
{
	every_failure_is_survived(through_every_format, NULL, 100);
}

static const char script[] = "app x 1/2 [000] 1.0: 10 cpu-clock: \n\t10 inl (inlined)\n\t10 in\n  a.h:3 (inlined)\n\t10 f+0x1 (/bin/x)\n  a.c:4\n\t20 [unknown] (/bin/x)\n\n"
			     "app x 1/3 [000] 1.5: 10 cpu-clock: \n\tffffffff81000000 read+0x1 ([kernel.kallsyms])\n\n";

static int read_a_script(void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	char err[256];

	return reader_decode(script, strlen(script), &p, err, sizeof(err));
}

static void reading_a_script_survives_every_failure(void **state)
{
	every_failure_is_survived(read_a_script, NULL, 30);
}

/* Filter, merge, subtract, slice, compare. */
static int work_on_profiles(void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = NULL, *q = NULL, *sum = NULL, *callers = NULL, *callees = NULL;
	const struct filter_label label = { "comm", "app x" };
	const struct filter filter = { .focus = ctx, .labels = &label, .n_labels = 1 };
	struct diff diff = { 0 };
	char err[256];
	int r = reader_decode(script, strlen(script), &p, err, sizeof(err));

	if (r >= 0)
		r = reader_decode(script, strlen(script), &q, err, sizeof(err));
	if (r >= 0)
		r = filter_samples(q, &filter);
	if (r >= 0)
		r = profile_merge((struct merge_part[]){ { .p = p }, { .p = q, .subtract = true } }, 2, &sum);
	if (r >= 0)
		r = slice_callers(p, "f", &callers);
	if (r >= 0)
		r = slice_callees(p, "f", &callees);
	if (r >= 0)
		r = diff_build(p, sum, PROFILE_LINES, &diff);
	diff_fini(&diff);
	return r;
}

static void work_on_profiles_survives_every_failure(void **state)
{
	regex_t f; /* compiled once: the library's own allocations are not the question */

	assert_int_equal(regcomp(&f, "f|x", REG_EXTENDED | REG_NOSUB), 0);
	every_failure_is_survived(work_on_profiles, &f, 100);
	regfree(&f);
}

static int print_a_tree(void *ctx)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	struct calltree tree = { 0 };
	struct amount amount;
	struct treelist l = { .tree = &tree, .amount = &amount, .whole = 6, .root = "all", .head = "" };
	int r;

	p = read_stacks(&r);
	if (r >= 0)
		r = calltree_build(p, CALLTREE_WITH_LINES, &tree);
	if (r >= 0) {
		amount_of(p, 6, &amount);
		r = treelist_text(&l, &out);
	}
	if (r >= 0)
		r = treelist_json(&l, &out);
	calltree_fini(&tree);
	return r;
}

static void printing_a_tree_survives_every_failure(void **state)
{
	every_failure_is_survived(print_a_tree, NULL, 40);
}

static int keep_request(void *ctx, const struct buf *request, uint32_t items)
{
	struct buf *out = ctx;

	buf_append(out, request->data, request->len);
	return buf_error(out);
}

enum { MADE_POINTS = 500, MADE_TEXT = 40 };

/* Spans and metrics of one service, large enough that buffers grow. */
struct made_signals {
	struct strmap resource;
	struct attribute attribute;
	struct otlp_span spans[MADE_POINTS];
	struct metric_point points[MADE_POINTS];
	struct metric_family family;
	struct metric_set set;
	size_t len; /* of all that is made of it; 0: not known yet */
};

static void make_signals(struct made_signals *m)
{
	static const uint64_t counts[METRIC_SECONDS_BOUNDS + 1] = { 1, 2 };
	static const char text[MADE_TEXT] = "/a/path/of/some/length";

	memset(m, 0, sizeof(*m));
	assert_int_equal(strmap_set(&m->resource, "service.name", "web"), 0);
	m->attribute = (struct attribute){ SLICE("url.path"), ATTRIBUTE_TEXT, { .text = slice_of(text) } };
	for (int i = 0; i < MADE_POINTS; i++) {
		m->spans[i] = (struct otlp_span){ .trace_id = { 1 },
						  .span_id = { 1 },
						  .name = "GET",
						  .attributes = &m->attribute,
						  .n_attributes = 1 };
		m->points[i] = (struct metric_point){ .attributes = &m->attribute,
						      .n_attributes = 1,
						      .histogram = { .counts = counts } };
	}
	m->family = (struct metric_family){ .name = "h",
					    .help = "H.",
					    .kind = METRIC_HISTOGRAM,
					    .bounds = metric_seconds_bounds,
					    .n_bounds = METRIC_SECONDS_BOUNDS,
					    .points = m->points,
					    .n_points = MADE_POINTS };
	m->set = (struct metric_set){
		.n_resources = 1, .resources = &m->resource, .n_families = 1, .families = &m->family
	};
}

static int through_signals(void *ctx)
{
	struct made_signals *m = ctx;
	_cleanup_(buf_fini) struct buf out = BUF_INIT, page = BUF_INIT;
	const struct otlp_opts opts = {
		.scope_name = "hotspan", .max_bytes = 32 << 10, .send = keep_request, .ctx = &out
	};
	struct otlp_metrics *metrics = NULL;
	struct otlp_traces *traces = NULL;
	int r = otlp_traces_new(&opts, &traces);

	if (r >= 0)
		r = put_spans(traces, &m->resource, m->spans, MADE_POINTS);
	if (r >= 0)
		r = otlp_traces_finish(traces);
	if (r >= 0)
		r = otlp_metrics_new(&opts, &metrics);
	if (r >= 0)
		r = otlp_metrics_send(metrics, &m->set);
	otlp_traces_free(traces);
	otlp_metrics_free(metrics);
	prom_metrics(&m->set, &page);
	if (r >= 0)
		r = buf_error(&page);
	if (r >= 0 && m->len && out.len + page.len != m->len)
		return -EIO; /* something is missing, and nobody said so */
	if (r >= 0)
		m->len = out.len + page.len;
	return r;
}

static void signals_survive_every_failure(void **state)
{
	struct made_signals *m = malloc(sizeof(*m));

	make_signals(m);
	assert_int_equal(through_signals(m), 0);
	every_failure_is_survived(through_signals, m, 12);
	strmap_fini(&m->resource);
	free(m);
}

enum { MADE_SPANS = 50 };

/* None goes missing that is not counted. */
static int through_push_spans(void *ctx)
{
	const struct push_spans_opts opts = { .net = ctx };
	struct ev_request ev = { .head_len = 16, .head = "GET / HTTP/1.1\r\n", .trace_id = { 1, 2 }, .span_id = 3, .start_ns = 1 };
	struct push_spans_stats stats;
	struct push_spans *s = NULL;
	uint64_t sum;
	int r = push_spans_new(&opts, &s);

	if (r < 0)
		return r;
	for (int i = 0; i < MADE_SPANS; i++)
		push_spans_add(s, &ev, i % 2 ? "service_name=a\n" : "service_name=b\n", i % 3 ? "/" : "");
	push_spans_flush(s);
	push_spans_stats(s, &stats);
	push_spans_free(s);
	sum = stats.sent + stats.dropped[PUSH_SPANS_DROP_NO_MEMORY];
	if (sum != MADE_SPANS)
		return -EIO;
	return stats.sent == sum ? 0 : -ENOMEM;
}

static void gathering_spans_survives_every_failure(void **state)
{
	struct receiver_opts to = { .name = "a", .type = "otlp", .protocol = "http/protobuf", .compression = "gzip", .proto = "1.10", .send = 1u << PARCEL_TRACES,
				    .url = "http://127.0.0.1:9", .timeout_ns = NSEC_PER_SEC, .queue_bytes = MIB, .max_tries = 1000 };
	struct net *net;
	char err[256];

	assert_int_equal(net_new(&(struct net_opts){ .user_agent = "test" }, &net), 0);
	assert_int_equal(net_set_receivers(net, &to, 1, err, sizeof(err)), 0);
	every_failure_is_survived(through_push_spans, net, 12);
	net_free(net);
}

/* Two intervals, the second of which makes the model compact itself. */
static int watch_two_intervals(void *ctx)
{
	struct top_model_opts opts = { .window_ns = 1000000000, .max_cells = 100 };
	struct top_rows rows = { 0 };
	struct top_model *m = NULL;
	int r = top_model_new(&opts, &m);

	for (int i = 0; r >= 0 && i < 2; i++)
		r = top_model_add(m, ctx, 1000000000);
	if (r >= 0)
		r = top_rows_functions(&rows, m, &(struct top_query){ .filter = "f" });
	if (r >= 0)
		r = top_rows_processes(&rows, m, &(struct top_query){ .filter = "f" });
	top_rows_fini(&rows);
	top_model_free(m);
	return r;
}

static void a_live_view_survives_every_failure(void **state)
{
	struct fixture f = { .stacks = 200, .depth = 5, .functions = 300, .processes = 20 };
	struct profile *p = fixture_profile(&f);

	every_failure_is_survived(watch_two_intervals, p, 30);
	profile_free(p);
}

static int put_in_queue(struct receiver *rc, uint64_t *ret_wake)
{
	struct buf b = BUF_INIT;
	struct parcel *p;
	struct delivery *d;
	int spool, r;

	buf_puts(&b, "bytes");
	p = buf_error(&b) ? NULL : parcel_new(&b, 0);
	buf_fini(&b);
	if (!p)
		return -ENOMEM;
	p->time_ns = time_utc_ns();
	r = receiver_add(rc, p, &spool);
	parcel_unref(p);
	d = r < 0 ? NULL : receiver_next(rc, time_boot_ns(), ret_wake);
	return d ? delivery_load(rc, d) : r;
}

/* A parcel on disk, read to be sent, and found again. ctx: a folder. */
static int spool_a_parcel(void *ctx)
{
	struct receiver_opts opts = { .name = "prod",
				      .type = "pyroscope",
				      .send = 1u << PARCEL_PROFILES,
				      .url = "http://h",
				      .spool = ctx,
				      .queue_bytes = 1 << 20,
				      .spool_bytes = 1 << 20,
				      .max_tries = 1 };
	struct receiver *rc = NULL;
	char err[256], command[256];
	uint64_t wake;
	int r;

	snprintf(command, sizeof(command), "rm -rf %s/prod", (const char *)ctx);
	assert_int_equal(system(command), 0);
	r = strmap_set(&opts.headers, "a", "b");
	if (r >= 0)
		r = receiver_new(&opts, 1, &rc, err, sizeof(err));
	if (r >= 0)
		r = put_in_queue(rc, &wake);
	rc = receiver_free(rc);
	if (r >= 0)
		r = receiver_new(&opts, 1, &rc, err, sizeof(err));
	if (r >= 0)
		assert_int_equal(rc->disk_items, 1);
	receiver_free(rc);
	strmap_fini(&opts.headers);
	return r;
}

static void a_spool_survives_every_failure(void **state)
{
	char folder[] = "/tmp/hotspan-alloc-XXXXXX", command[256];

	assert_non_null(mkdtemp(folder));
	every_failure_is_survived(spool_a_parcel, folder, 15);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static void hear(void *ctx, const char *key)
{
	++*(int *)ctx;
}

/* A reload's: the new configuration keeps what needs a restart. ctx: the file. */
static int reload(void *ctx)
{
	char *env[] = { "HOTSPAN_PATH_MAP=/a=/b,/c=/d", "HOTSPAN_LISTEN=off", NULL };
	struct config_source src = { .path = ctx, .environment = env };
	struct config *from = NULL, *to = NULL;
	char err[768];
	int told = 0, r = config_load(&src, &from, err, sizeof(err));

	src.environment = NULL;
	if (r >= 0)
		r = config_load(&src, &to, err, sizeof(err));
	if (r >= 0)
		r = config_keep_fixed(from, to, hear, &told);
	if (r >= 0)
		assert_int_equal(told, 2);
	config_free(from);
	config_free(to);
	return r;
}

static void a_reload_survives_every_failure(void **state)
{
	char path[] = "/tmp/hotspan-alloc-XXXXXX";
	_cleanup_(closep) int fd = mkstemp(path);
	static const char yaml[] = "receivers:\n  - {name: a, url: 'http://h', headers: {b: c}, spool: /s}\n";

	assert_int_equal(file_write_all(fd, yaml, strlen(yaml)), 0);
	every_failure_is_survived(reload, path, 30);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(naming_survives_every_failure),
		cmocka_unit_test(naming_go_survives_every_failure),
		cmocka_unit_test(jit_code_survives_every_failure),
		cmocka_unit_test(a_symcache_survives_every_failure),
		cmocka_unit_test(symcaches_survive_every_failure),
		cmocka_unit_test(fetching_survives_every_failure),
		cmocka_unit_test(unwind_rows_survive_every_failure),
		cmocka_unit_test(go_rows_survive_every_failure),
		cmocka_unit_test(a_process_survives_every_failure),
		cmocka_unit_test(a_window_survives_every_failure),
		cmocka_unit_test(a_table_of_routes_survives_every_failure),
		cmocka_unit_test(who_a_process_is_survives_every_failure),
		cmocka_unit_test(relabelling_survives_every_failure),
		cmocka_unit_test(targets_survive_every_failure),
		cmocka_unit_test(a_directory_survives_every_failure),
		cmocka_unit_test(a_list_of_pods_survives_every_failure),
		cmocka_unit_test(every_format_survives_every_failure),
		cmocka_unit_test(otlp_survives_every_failure),
		cmocka_unit_test(signals_survive_every_failure),
		cmocka_unit_test(gathering_spans_survives_every_failure),
		cmocka_unit_test(reading_a_script_survives_every_failure),
		cmocka_unit_test(work_on_profiles_survives_every_failure),
		cmocka_unit_test(printing_a_tree_survives_every_failure),
		cmocka_unit_test(a_live_view_survives_every_failure),
		cmocka_unit_test(a_spool_survives_every_failure),
		cmocka_unit_test(a_reload_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
