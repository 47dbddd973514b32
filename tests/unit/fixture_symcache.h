/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/strpool.h"
#include "base/vec.h"
#include "symbolize/symcache_build.h"

struct fixture_node {
	uint32_t function, parent, call_file, call_line, depth;
};

struct fixture_range {
	uint64_t start, end;
	uint32_t node;
};

struct fixture_row {
	uint64_t start, end;
	uint32_t file, line;
};

struct symcache_build {
	struct strpool strings, files, functions; /* keys of the last two: their bytes; ids are one more */
	vec(struct fixture_node) nodes;
	vec(struct fixture_range) ranges;
	vec(struct fixture_row) rows;
};

const char *fixture_file(const struct symcache_build *b, uint32_t file);
const struct symcache_function *fixture_function(const struct symcache_build *b, uint32_t function);
uint32_t fixture_node_at(const struct symcache_build *b, uint64_t address);
const struct fixture_row *fixture_row_at(const struct symcache_build *b, uint64_t address);
