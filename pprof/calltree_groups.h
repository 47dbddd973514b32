/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * calltree_groups - the groups[] and processes[] of a call tree, found sample by sample: who ran it, and for which route.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/vec.h"

struct calltree;
struct profile;
struct profile_sample;

struct calltree_grouper {
	struct buf text;
	vec(uint32_t) process_of; /* by string id of its name: index in processes + 1 */
	struct htable index;      /* over the tree's groups */
};

/* 0 or -ENOMEM. */
int calltree_group_of(struct calltree_grouper *g, struct calltree *t, const struct profile *p, const struct profile_sample *s, uint32_t *ret);
/* The requests that were counted, also of routes without a sample. 0 or -ENOMEM. */
int calltree_group_requests(struct calltree_grouper *g, struct calltree *t, const struct profile *p);
void calltree_grouper_fini(struct calltree_grouper *g);
