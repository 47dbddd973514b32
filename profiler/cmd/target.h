/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * target - what `record` watches for its end: a command it starts, or processes that exist.
 *
 * A command is forked at once but waits at a gate until sampling runs, so that its first
 * instruction can be sampled. Under sudo it runs as the user who called sudo.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct target {
	pid_t pid;    /* of the command, 0: none was started */
	int gate;     /* write end; closing it without a byte makes the child exit */
	int failed;   /* read end: errno of a failed exec, end of file when it succeeded */
	int *pidfds;  /* of the command, or of the watched processes */
	size_t n_pidfds;
};

#define TARGET_NONE ((struct target){ .gate = -1, .failed = -1 })

/* 0 or negative errno with err in one line. */
int target_spawn(struct target *t, char **argv, char *err, size_t err_len);
int target_watch(struct target *t, const pid_t *pids, size_t n, char *err, size_t err_len);

/* Lets the command go. -errno of its exec when that fails, with err. */
int target_release(struct target *t, char **argv, char *err, size_t err_len);

/* True when all that is watched has ended; false when nothing is. Never blocks. */
bool target_ended(const struct target *t);

/* Waits for a started command; its exit status as a shell gives it (128 + signal). */
int target_wait(struct target *t);
void target_fini(struct target *t);
