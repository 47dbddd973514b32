/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * perf_script - what `perf script` prints, read into a profile.
 *
 *	w_spin 21462/21470 [001]  1899.049233:    2004008 cpu-clock:
 *		            11c8 spin_half+0x4b (/usr/bin/w_spin)            leaf first
 *		            1355 main+0x7f (inlined)                         the next line's inlined callee
 *		ffffffff81000000 do_syscall_64+0x5b ([kernel.kallsyms])
 *
 * A blank line ends a stack; without -g the one frame stands behind the event. Names may hold
 * spaces. Source lines (-F +srcline) are taken. What other -F and --show-... options add is passed over:
 * records of forks and mappings, trace payloads.
 * Values: samples, and one type per event with the sum of its periods; a lone cpu-clock or
 * task-clock is (cpu, nanoseconds), what hotspan's own profiles hold. Labels: comm, pid when it is
 * printed, tid. perf prints a frame's address as the image has it, so images start at 0.
 */
#include <stdbool.h>
#include <stddef.h>

struct profile;

/* Whether the first line that is neither blank nor a comment is an event. */
bool perf_script_looks_like(const char *text, size_t len);

/* 0; -EBADMSG with a one-line reason that names the line; -ENOMEM. The caller owns *ret. */
int perf_script_decode(const char *text, size_t len, struct profile **ret, char *err, size_t err_len);
