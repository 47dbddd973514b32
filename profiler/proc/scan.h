/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan - processes that were there before us, read from /proc.
 *
 * Per process the executable mappings come from the PROCMAP_QUERY ioctl (Linux 6.11: 2.7 us each,
 * build id included), else from the text of /proc/PID/maps. The scan is not atomic: the side-band
 * must already run, each process notes when its reading began, and events after that are applied on
 * top (applying one twice changes nothing).
 */
#include <stdint.h>
#include <sys/types.h>

struct processes;

/* Every process with user memory. Number scanned, or negative errno. */
int scan_all(struct processes *t);

/* Does this kernel answer PROCMAP_QUERY? 0, -ENOTTY: older than 6.11, or why /proc/self/maps does not open. */
int scan_query_probe(void);

/* One process, through thread tid (a dead main thread's maps are empty). -ESRCH: it is gone. */
int scan_process(struct processes *t, pid_t pid, pid_t tid);
