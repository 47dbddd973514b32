/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * calltree_lines - the lines[] of a call tree, filled sample by sample: the nodes on the way from the root to
 * where the stack ends, each with the line the way leads through.
 */
#include <stdint.h>

#include "base/hash.h"
#include "base/vec.h"

struct calltree;

struct calltree_step {
	uint32_t node, line;
};

struct calltree_path {
	vec(struct calltree_step) steps; /* of the sample at hand, root first */
	struct htable index;             /* over the tree's lines */
};

/* line 0: unknown, not kept. 0 or -ENOMEM. */
int calltree_path_add(struct calltree_path *p, uint32_t node, uint32_t line);
/* The steps so far are a sample's that ends in leaf; the next sample begins without any. 0 or -ENOMEM. */
int calltree_path_count(struct calltree_path *p, struct calltree *t, uint32_t leaf, uint32_t group, int64_t value);
void calltree_path_fini(struct calltree_path *p);
