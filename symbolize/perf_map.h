/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * perf_map - names a JIT leaves in /tmp/perf-PID.map: lines "START SIZE name", hexadecimal.
 *
 * The file grows, and a later line overrides what it overlaps (jit_map.h): each round reads what was
 * appended. It lies in a folder anyone can write to: only a regular file of the process's own user (or
 * root) is believed, links are not followed.
 * Source: Linux tools/perf/Documentation/jit-interface.txt.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolize/jit_map.h"
#include "symbolize/tail.h"

struct perf_map {
	struct jit_map map;
	struct tail tail;
	uint64_t bad; /* lines of another shape, passed over */
};

/*
 * Opens the map of a process: root_fd is its root, nspid its pid in its own namespace, uid its user.
 * A descriptor, or -ENOENT (there is none), -ELOOP (a symlink), -EINVAL (no regular file), -EPERM
 * (of another user).
 */
int perf_map_open(int root_fd, pid_t nspid, uid_t uid);

/*
 * Reads what was appended. 0; -ENOMEM: all is forgotten, to be read again; an errno of reading: what was known
 * stays known.
 */
int perf_map_update(struct perf_map *m, int fd);
/* The lines of a text, whole ones: how many bytes they were, or -ENOMEM. To be settled. */
int64_t perf_map_parse(struct perf_map *m, const char *text, size_t len);
void perf_map_fini(struct perf_map *m);
