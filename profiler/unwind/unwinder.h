/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * unwinder - user space's half of the walk: gives the program what it needs to walk by itself, and
 * finishes the stacks it could not.
 *
 *	first sample of a process --> its rest (registers, stack) --> finished here, process published
 *	first need of an image    --> rows built and loaded       --> walked in the kernel from then on
 *
 * The same code walks on both sides (bpf/walk.h), over the same tables; here the stack is the copy that
 * came with the sample. So a process that lives for one sample has a whole stack, and nothing is guessed.
 * Threads: one; tables are built on one of their own.
 */
#include <stdint.h>

#include "bpf/events.h"
#include "unwind/tables.h"

struct unwinder;
struct process;
struct processes;

struct unwinder_opts {
	int slabs_fd, spaces_fd; /* the program's maps, borrowed; -1: none */
	size_t max_bytes;        /* of tables; 0: 64 MiB */
};

struct unwinder_stats {
	struct tables_stats tables;
	uint64_t finished;     /* stacks walked here, from where the program could not go on */
	uint32_t spaces;       /* processes published */
	uint64_t kernel_bytes; /* of slabs */
};

int unwinder_new(const struct unwinder_opts *opts, struct processes *processes, struct unwinder **ret);
struct unwinder *unwinder_free(struct unwinder *u);

/* Readable when a table is done, and with it what was -EAGAIN. */
int unwinder_fd(const struct unwinder *u);

struct unwound {
	uint32_t n;      /* frames in pc: at most EV_USER_FRAMES */
	uint32_t status; /* enum ev_cut */
	uint64_t pc[EV_USER_FRAMES];
};

/*
 * The whole user stack of a sample whose process is known; rest is NULL when the program finished it.
 * 0; -EAGAIN: rows are being built, ask again with the same sample.
 */
int unwinder_finish(struct unwinder *u, const struct process *p, const struct ev_sample *ev, const struct ev_rest *rest,
		    struct unwound *ret);

/* The image's rows were used: it stays loaded. */
void unwinder_touch(struct unwinder *u, uint32_t image, uint64_t now_ns);
/* At every turn of the loop: takes finished tables, and now and then lets go of what is not needed. */
void unwinder_poll(struct unwinder *u, uint64_t now_ns);
void unwinder_stats(const struct unwinder *u, struct unwinder_stats *ret);
