/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * calltree - a profile's stacks merged from the root: what every flame graph draws.
 *
 *	node 0 is the root; a node's parent has a smaller index than the node.
 *
 * Inlined calls are nodes of their own. Nodes are merged over all groups; rows keep what each group spent where its
 * stacks end, so that a viewer can take one group, or keep them apart. A group is a process, or a service, on its
 * way through one route (pprof/request.h), or through none.
 * A frame is a function: (name, image, kind), whatever the address; or one line of it, when asked for.
 * Lines tell where in its function a node's time went: for its own time the line that ran, for the
 * rest the line of the call.
 * Memory: owns all of it; strings belong to the profile or to the pool here.
 */
#include <stdint.h>

#include "base/hash.h"
#include "base/strpool.h"
#include "base/vec.h"

struct profile;

enum calltree_flags {
	CALLTREE_BY_LINE = 1,    /* frames are lines of functions */
	CALLTREE_WITH_LINES = 2, /* fill lines[] */
};

/* enum frame_kind, and one that only a tree has. */
enum { CALLTREE_INLINED = 5 };

struct calltree_frame {
	uint32_t name, image, file; /* in strings */
	uint32_t line; /* where the function begins; by line: the line; 0: unknown */
	uint8_t kind;
};

struct calltree_node {
	uint32_t parent, frame;
	int64_t self, total; /* in the profile's default value */
};

struct calltree_group {
	uint32_t process; /* in processes */
	uint32_t route;   /* in strings; 0: none */
	int64_t requests; /* -1: not known */
};

struct calltree_row {
	uint32_t node, group;
	int64_t value, samples; /* default value; first value */
};

struct calltree_line {
	uint32_t node, group, line; /* of the node's function, in its file */
	int64_t self, total;
};

struct calltree {
	struct strpool strings;
	vec(struct calltree_frame) frames;
	vec(struct calltree_node) nodes;
	vec(struct calltree_row) rows;
	vec(struct calltree_line) lines; /* only known ones */
	vec(struct calltree_group) groups;
	vec(uint32_t) processes; /* names in strings: "comm (pid)", or a service's; 0 for samples without a label */
};

/* flags: of enum calltree_flags. 0 or -ENOMEM. */
int calltree_build(const struct profile *p, uint32_t flags, struct calltree *ret);
void calltree_fini(struct calltree *t);
