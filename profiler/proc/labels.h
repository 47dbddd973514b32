/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * labels - a set of labels as one text, which is short and compares at once: "name=value\n" each, sorted by name.
 *
 * Names hold neither = nor a line's end; whoever makes sets sees to it. Values may hold anything: of a line's end the text has
 * "\n", of a backslash two.
 */
#include "base/strmap.h"

struct buf;

/* With a NUL behind it. */
void labels_print(const struct strmap *labels, struct buf *out);
/* 0 or -ENOMEM. Adds to what is there. */
int labels_parse(const char *text, struct strmap *to);
