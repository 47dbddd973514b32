/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * perf_map - names a JIT leaves in /tmp/perf-PID.map: lines "START SIZE name", hexadecimal.
 *
 * The file grows, and a later line overrides what it overlaps. It lies in a folder anyone can write
 * to: only a regular file of the process's own user (or root) is believed, links are not followed.
 * Source: Linux tools/perf/Documentation/jit-interface.txt.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct symtab;

/*
 * Opens the map of a process: root_fd is its root, nspid its pid in its own namespace, uid its user.
 * A descriptor, or -ENOENT (there is none), -ELOOP (a symlink), -EINVAL (no regular file), -EPERM
 * (of another user).
 */
int perf_map_open(int root_fd, pid_t nspid, uid_t uid);

/* Parses and finishes the table. Lines of another shape are passed over and counted in *ret_bad. 0 or -ENOMEM. */
int perf_map_parse(const char *text, size_t len, struct symtab *t, uint64_t *ret_bad);
int perf_map_read(int fd, struct symtab *t, uint64_t *ret_bad);
