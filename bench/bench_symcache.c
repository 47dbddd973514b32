/* SPDX-License-Identifier: Apache-2.0 */
/* A symcache as large as libjvm's: written, opened, and asked for addresses with inlined frames. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "symbolize/build_id.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"

enum { NODES = 1000000, FUNCTIONS = 100000, FILES = 2000, ROWS = 80 };

static const struct build_id key = { .kind = BUILD_ID_GNU, .len = 20 };

static uint32_t below(uint32_t n)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((x >> 33) % n);
}

static void names(struct symcache_build *b)
{
	struct symcache_function f = { 0 };
	uint32_t id;
	char text[96];

	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		f.line = i % 5000;
		f.file = i % FILES;
		symcache_build_string(b, text, (size_t)snprintf(text, sizeof(text), "method%u", i), &f.name);
		symcache_build_string(b, text, (size_t)snprintf(text, sizeof(text), "_ZN%uSomeClass%u8method%uEPKcRKSt6vector", i % 30,
								i % 9000, i), &f.linkage);
		symcache_build_function(b, &f, &id);
		symcache_build_string(b, text, (size_t)snprintf(text, sizeof(text), "/build/src/dir/file%u.cpp", i % FILES), &id);
		symcache_build_file(b, id, &id);
	}
}

/* A function at `at` with what is inlined into it; its length. */
static uint32_t function(struct symcache_build *b, uint64_t at, uint32_t *nodes)
{
	uint32_t len = 200 + below(600), depth = 0, lo[6] = { 0 }, hi[6] = { len }, node[6];
	struct symcache_line rows[ROWS + 1];

	symcache_build_node(b, below(FUNCTIONS), SYMCACHE_NONE, 0, 0, &node[0]);
	symcache_build_range(b, node[0], at, at + len);
	for (uint32_t i = below(60); i; i--, ++*nodes) {
		uint32_t part, from, to;

		while (depth && (depth == 5 || below(3) == 0))
			depth--;
		part = (hi[depth] - lo[depth]) / 3;
		from = lo[depth] + below(part + 1);
		to = hi[depth] - below(part + 1);
		symcache_build_node(b, below(FUNCTIONS), node[depth], below(FILES), below(5000), &node[depth + 1]);
		symcache_build_range(b, node[depth + 1], at + from, at + to);
		depth++;
		lo[depth] = from;
		hi[depth] = to;
	}
	for (uint32_t i = 0; i <= ROWS; i++)
		rows[i] = (struct symcache_line){ at + (uint64_t)len * i / ROWS, below(5) ? 7 : below(FILES), 1000 + below(60) };
	symcache_build_lines(b, rows, ROWS + 1);
	return len;
}

static struct symcache_build *build(uint64_t *ret_end)
{
	struct symcache_build *b;
	uint32_t nodes = 0;
	uint64_t at = 0x1000;

	if (symcache_build_new(&b) < 0)
		abort();
	names(b);
	while (nodes < NODES)
		at += function(b, at, &nodes) + below(16);
	*ret_end = at;
	return b;
}

static int write_one(uint64_t *ret_end)
{
	int fd = memfd_create("symcache", MFD_CLOEXEC);
	struct symcache_build *b = build(ret_end);

	if (fd < 0 || fchmod(fd, 0600) < 0 || symcache_build_write(b, fd, &key) < 0)
		abort();
	symcache_build_free(b);
	return fd;
}

BENCH(symcache_build, "node", NODES)
{
	uint64_t end;
	struct stat st = { 0 };

	BENCH_LOOP(b) {
		int fd = write_one(&end);

		fstat(fd, &st);
		close(fd);
	}
	bench_metric(b, "file_bytes_per_node", (double)st.st_size / NODES);
}

static void find(struct bench *b, uint32_t n)
{
	uint64_t *addrs = malloc(n * sizeof(*addrs)), end, frames = 0;
	struct symcache_frame f[16];
	struct symcache *c;
	int fd = write_one(&end);

	if (!addrs || symcache_open(fd, &key, &c) < 0)
		abort();
	for (uint32_t i = 0; i < n; i++)
		addrs[i] = 0x1000 + ((uint64_t)below(1u << 30) * (end - 0x1000) >> 30);
	BENCH_LOOP(b)
		for (uint32_t i = 0; i < n; i++) {
			int got = symcache_find(c, addrs[i], f, 16);

			frames += got > 0 ? (uint64_t)got : 0;
		}
	bench_metric(b, "frames", (double)frames / (double)(b->rounds * n));
	symcache_free(c);
	close(fd);
	free(addrs);
}

BENCH(symcache_find_1000, "lookup", 1000)
{
	find(b, 1000);
}

BENCH(symcache_find_10000, "lookup", 10000)
{
	find(b, 10000);
}

BENCH(symcache_open, "open", 1)
{
	struct symcache *c;
	uint64_t end;
	int fd = write_one(&end);

	BENCH_LOOP(b) {
		if (symcache_open(fd, &key, &c) < 0)
			abort();
		symcache_free(c);
	}
	close(fd);
}
