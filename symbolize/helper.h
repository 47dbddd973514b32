/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * helper - a process of low privilege that converts one image, from the side of who started it.
 *
 *	running --its socket says something--> helper_step() --reply, end, or deadline--> ended, waited for
 *
 * It is started from a descriptor of our own program, so that an upgrade of the file does not matter, by
 * posix_spawn(), which a process with threads may do. When it has ended, no process can write to its output any more.
 * Memory and descriptors: the caller's files are borrowed until helper_start() returns. Threads: one owner, and the
 * thread that starts it has to outlive it: the kernel ends it with that one.
 */
#include <stdint.h>

#include "symbolize/convert.h"
#include "symbolize/sandbox.h"

struct helper;

enum helper_result {
	HELPER_OK,
	HELPER_NO_DEBUG_INFO,
	HELPER_DAMAGED,
	HELPER_CRASHED, /* also: it did what the sandbox forbids, or was killed */
	HELPER_TIMED_OUT,
	HELPER_OUT_OF_MEMORY,
	HELPER_FAILED, /* not the image's fault: no process, no sandbox, no room on the disk */
	HELPER_RESULTS,
};

/* "ok", "no debug info" ... */
const char *helper_result_name(enum helper_result r);

struct helper_opts {
	int exe_fd;          /* a program that calls helper_serve() when argv[1] is HELPER_COMMAND */
	uint32_t timeout_s;  /* of the wall clock; 0: 300 */
	struct sandbox_limits limits;
	/* A .dwo for it: a descriptor, which is the helper's to close, or a negative errno. NULL: there are none. */
	int (*open_dwo)(void *ctx, const char *comp_dir, const char *name);
	void *ctx;
};

/* Our own program, for helper_opts: to be opened when a process starts. A descriptor or negative errno. */
int helper_open_self(void);

/* fd and id of the job count. 0, -ENOMEM, or another errno of starting. */
int helper_start(const struct helper_opts *opts, const struct convert_job *job, uint64_t now_ns, struct helper **ret);
/* Readable when helper_step() has something to do before the deadline. */
int helper_fd(const struct helper *h);
uint64_t helper_deadline_ns(const struct helper *h);
/* Answers what it asks; at the deadline ends it. False: it still runs. True: it is no more, *ret is what came of it. */
bool helper_step(struct helper *h, uint64_t now_ns, enum helper_result *ret, struct convert_stats *ret_stats);
/* Ends it where it still runs. */
struct helper *helper_free(struct helper *h);
