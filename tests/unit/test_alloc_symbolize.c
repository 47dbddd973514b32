/* SPDX-License-Identifier: Apache-2.0 */
/* Names, symbol tables and caches while memory runs out. */
#include "fixture_alloc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "fixture_go.h"
#include "symbolize/convert.h"
#include "symbolize/converter.h"
#include "symbolize/fetcher.h"
#include "symbolize/symbolizer.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symcache_dir.h"

#define SPIN BUILD_DIR "/workloads/w_spin"

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
	every_failure_is_survived(convert_an_image, TESTS_DIR "/fuzz/corpus/dwarf/zdebug", 20);
	every_failure_is_survived(convert_an_image, TESTS_DIR "/fuzz/corpus/dwarf/zstd", 20);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(naming_survives_every_failure),
		cmocka_unit_test(naming_go_survives_every_failure),
		cmocka_unit_test(jit_code_survives_every_failure),
		cmocka_unit_test(a_symcache_survives_every_failure),
		cmocka_unit_test(symcaches_survive_every_failure),
		cmocka_unit_test(fetching_survives_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
