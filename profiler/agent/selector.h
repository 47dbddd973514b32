/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * selector - the short forms of `targets`, said as relabelling rules, so that what holds of rules holds of them: judged at
 * a program's first sample, told to the kernel, changed by a reload.
 *
 *	include: [A, B]   A: __targets_include__ = 1   B: the same   keep where it is 1   and take it away again
 *	exclude: [C, D]   drop C   drop D
 *
 * A rule joins the labels that its entry asks for with line feeds, which no value holds; a glob is its part of the regular
 * expression. Globs are fnmatch()'s without character classes: * goes over slashes, and wants at least one character
 * where it stands alone, since a label that is not there is empty.
 */
#include <stddef.h>

struct relabel_list;
struct relabel_opts;
struct selector_list;
struct selector_opts;

/* What is wrong with an entry: 0, -ENOMEM, or -EINVAL with the key and the remedy in err. */
int selector_check(const struct selector_opts *s, char *err, size_t err_len);

/* Adds the rules of both lists, whose entries are right; they are the caller's also after -ENOMEM. */
int selectors_to_rules(const struct selector_list *include, const struct selector_list *exclude,
		       struct relabel_list *to);
