/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * slice - the stacks of one function, cut there and hung up by it.
 *
 *	stack      main;work;f;g;f;h        (root first)
 *	callers    f;g;f;work;main          the innermost f and who called it, turned over
 *	callees    f;g;f;h                  the outermost f and what it called
 *
 * The result is a profile whose every stack begins with the function, so its call tree is the
 * answer to "who calls it?". Each sample counts once, as in the function's total.
 */
#include <stdbool.h>

struct profile;

/* "f" means f, and every f(...) whatever its parameters. */
bool slice_names(const char *function, const char *name);

/* 0; -ENOENT: there is no such function. -ENOMEM. The caller owns *ret. */
int slice_callers(const struct profile *p, const char *function, struct profile **ret);
int slice_callees(const struct profile *p, const char *function, struct profile **ret);
