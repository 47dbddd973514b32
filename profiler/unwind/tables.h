/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tables - each image's unwind rows where the kernel's program finds them.
 *
 *	image --tables_head()--> struct space_image, empty      every process that maps it points here
 *	tables_want()            builder -> slabs -> filled in   at once good for all of them
 *
 * Under the cap the table used longest ago goes first, and one whose image nobody maps any more goes
 * after a while: the next compiler run finds its table still there.
 * Memory: a table holds a reference to its image. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "unwind/rows.h"

struct images;
struct slabs;
struct tables;

struct tables_stats {
	uint32_t loaded, failed, evicted; /* loaded: now; the others: ever */
	uint64_t rows, bytes;             /* of those loaded */
	uint64_t build_ns;                /* spent waiting for tables */
	uint64_t why[UNWIND_WHY_MAX];     /* rows without a rule, of all ever built */
};

int tables_new(struct slabs *slabs, struct images *images, size_t max_bytes, struct tables **ret);
struct tables *tables_free(struct tables *t);

/* Slab address of the image's struct space_image; the image is referenced. 0, -ENOSPC or -ENOMEM. */
int tables_head(struct tables *t, uint32_t image, uint64_t now_ns, uint32_t *ret_at);

/* The image is needed. 0: it is as well known as it will be. -EAGAIN: being built, tables_fd() will tell. */
int tables_want(struct tables *t, uint32_t image, uint64_t now_ns);
int tables_fd(const struct tables *t);

/* The image's rows were used. */
void tables_touch(struct tables *t, uint32_t image, uint64_t now_ns);
/* Takes a table that is done. */
void tables_poll(struct tables *t, uint64_t now_ns);
/* Lets go of what nobody maps. */
void tables_sweep(struct tables *t, uint64_t now_ns);

void tables_stats(const struct tables *t, struct tables_stats *ret);
