/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 parser in the running kernel: the same answers as on the host, to the byte, and what they cost there. */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/http1_drive.h"

#include "base/file.h"
#include "bpf/http1_run.skel.h"

#define STREAMS TESTS_DIR "/fuzz/corpus/http1"

enum { MAX_STREAMS = 64, MUTATIONS = 200, REPEAT = 20000, MAX_VERIFIED = 105000 }; /* 64,000 on 6.18; 7.2 prunes less */

static struct {
	struct http1_run_bpf *skel;
	struct drive *kernel; /* the program's map */
	struct drive host;
	char names[MAX_STREAMS][64];
	struct buf streams[MAX_STREAMS];
	size_t n;
	uint64_t random;
} all = { .random = 88172645463325252 };

static void drive_copy(struct drive *d, __u32 at, __u32 len)
{
	memcpy(d->w.bytes, d->stream + at, len);
}

static uint64_t next(void)
{
	all.random ^= all.random << 13;
	all.random ^= all.random >> 7;
	all.random ^= all.random << 17;
	return all.random;
}

static uint32_t run(const struct bpf_program *prog, int repeat)
{
	char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = repeat);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	return opts.duration;
}

static void fill(const struct buf *b, uint32_t piece)
{
	memset(&all.host, 0, sizeof(all.host));
	all.host.bytes = (uint32_t)(b->len < DRIVE_STREAM ? b->len : DRIVE_STREAM);
	all.host.piece = piece;
	memcpy(all.host.stream, b->data, all.host.bytes);
}

static void expect_same(const char *name)
{
	memcpy(all.kernel, &all.host, sizeof(all.host));
	drive(&all.host);
	run(all.skel->progs.http1_run, 1);
	if (memcmp(all.kernel, &all.host, sizeof(all.host)))
		fail_msg("%s in pieces of %u: %u events in the kernel, %u here", name,
			 all.host.piece, all.kernel->n, all.host.n);
}

static void streams_mean_the_same_in_the_kernel(void **state)
{
	static const uint32_t pieces[] = { HTTP1_WINDOW, 1, 7, 64, 100 };

	for (size_t i = 0; i < all.n; i++)
		for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
			fill(&all.streams[i], pieces[p]);
			expect_same(all.names[i]);
			assert_true(all.host.n > 0);
		}
}

static void so_do_streams_with_errors(void **state)
{
	for (size_t i = 0; i < all.n; i++)
		for (int k = 0; k < MUTATIONS; k++) {
			fill(&all.streams[i], 1 + next() % HTTP1_WINDOW);
			all.host.method = next() % HTTP1_METHOD_MAX;
			for (uint64_t n = 1 + next() % 4; n; n--)
				all.host.stream[next() % all.host.bytes] =
					"\r\n :;,05aA-/\xff"[next() % 14];
			expect_same(all.names[i]);
		}
}

static void the_verifier_need_not_look_long(void **state)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(all.skel->progs.http1_run), &info,
						&len),
			 0);
	printf("%u instructions verified of %u\n", info.verified_insns, MAX_VERIFIED);
	assert_in_range(info.verified_insns, 0, MAX_VERIFIED);
}

/*
 * Of a clock, which other work on the host moves, and an emulator slows down: the bound is one that only a mistake reaches.
 * tests/unit/http1_cost.py counts exactly.
 */
static void a_head_takes_a_fraction_of_a_microsecond(void **state)
{
	for (size_t i = 0; i < all.n; i++) {
		uint32_t ns = 0, none = 0;

		if (!strstr(all.names[i], "re"))
			continue;
		fill(&all.streams[i], HTTP1_WINDOW);
		memcpy(all.kernel, &all.host, sizeof(all.host));
		for (int k = 0; k < 3; k++) {
			uint32_t a = run(all.skel->progs.http1_run, REPEAT);
			uint32_t b = run(all.skel->progs.http1_none, REPEAT);

			ns = !k || a < ns ? a : ns;
			none = !k || b < none ? b : none;
		}
		printf("%s: %zu bytes, %u ns, of these %u without the parser\n", all.names[i],
		       all.streams[i].len, ns, none);
		assert_in_range(ns, 0, 200000);
	}
}

static int load_streams(void)
{
	_cleanup_(closedirp)
	DIR *dir = opendir(STREAMS);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || all.n == MAX_STREAMS)
			continue;
		snprintf(all.names[all.n], sizeof(all.names[0]), "%.63s", e->d_name);
		if (file_read_path(dirfd(dir), e->d_name, 1 << 20, &all.streams[all.n]) < 0)
			return -1;
		all.n++;
	}
	return all.n ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_mean_the_same_in_the_kernel),
		cmocka_unit_test(so_do_streams_with_errors),
		cmocka_unit_test(the_verifier_need_not_look_long),
		cmocka_unit_test(a_head_takes_a_fraction_of_a_microsecond),
	};
	int r;

	if (geteuid())
		return 77; /* loading programs needs root */
	all.skel = http1_run_bpf__open_and_load();
	if (!all.skel || load_streams() < 0)
		return 1;
	all.kernel = mmap(NULL, sizeof(struct drive), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_map__fd(all.skel->maps.drives), 0);
	if (all.kernel == MAP_FAILED)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < all.n; i++)
		buf_fini(&all.streams[i]);
	munmap(all.kernel, sizeof(struct drive));
	http1_run_bpf__destroy(all.skel);
	return r;
}
