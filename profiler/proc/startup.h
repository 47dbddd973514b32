/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * startup - a process's arguments and environment, as its program was started with.
 *
 * A sample of a process that is new to us carries them (struct ev_rest), so they are known although the process has
 * ended or runs another program by now. Where they are not in it, /proc tells, if the process is still the one of the
 * sample: their addresses, random for each exec, say so.
 * Tried and dropped: to find them in the sample's copy of the stack, at whose upper end they lie; in every fifth new
 * process a page between is not there, and the copy ends.
 * Memory: what startup_read() fills is the caller's: startup_fini().
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct ev_rest;
struct process;

enum { STARTUP_MAX = 256 << 10 }; /* bytes of either */

struct startup {
	bool known;           /* false: both are empty for want of knowledge */
	struct buf args, env; /* texts, each with its NUL but perhaps the last */
};

/* rest: the sample's, NULL when it has none. Out of memory it is not known. */
void startup_read(const struct process *p, const struct ev_rest *rest, struct startup *ret);
void startup_fini(struct startup *s);

/* Does /proc still show the program of that sample of this thread? False as well when the sample lacks the addresses. */
bool startup_is_current(uint32_t pid, uint32_t tid, const struct ev_rest *rest);
