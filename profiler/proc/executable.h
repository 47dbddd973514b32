/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * executable - what a process ran at the moment of the sample at hand.
 *
 * /proc shows it as it is now, a few hundred milliseconds later: it may have ended, or run another program. What was
 * mapped first since its exec, as the side-band told, is true for the moment but only a name, cut.
 */
#include <stdbool.h>
#include <stddef.h>

struct process;

/* A path, as its own root has it; of one that is gone the last part. False: nobody knows. */
bool executable_path(const struct process *p, char *out, size_t len);

/* Does /proc still show the program it ran? As far as names tell: it may have run the same again. */
bool executable_is_current(const struct process *p);

/* Without what the kernel adds to the path of a file that is gone. */
size_t executable_path_len(const char *path);

/* The last part. */
const char *executable_name(const char *path);
