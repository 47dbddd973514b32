/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* symcache_parts - what a builder holds, for the two files that are the builder: adding and writing. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/strpool.h"
#include "base/vec.h"
#include "symbolize/line_code.h"
#include "symbolize/spans.h"
#include "symbolize/symcache_build.h"

struct build_node {
	uint32_t function, parent;
	uint32_t call_file;
	uint32_t call; /* depth (8 bits), line above it; a line that does not fit is 0 */
};

/* A sequence of lines: its span has the addresses, its rows are line_code from its start. */
struct build_sequence {
	uint64_t at, end; /* in rows */
	struct line_row row; /* reached so far while writing */
};

struct symcache_build {
	struct strpool strings;
	uint64_t string_bytes;
	struct htable file_index, function_index;
	vec(uint32_t) files; /* strings */
	vec(struct symcache_function) functions;
	vec(struct build_node) nodes;
	struct spans ranges;   /* id: node */
	struct spans symbols;  /* id: string */
	struct spans lines;    /* id: sequence */
	vec(struct build_sequence) sequences;
	struct buf rows;
};

static inline uint32_t build_node_depth(const struct build_node *n)
{
	return n->call & 255;
}
