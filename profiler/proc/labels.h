/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * labels - a set of labels as one text, which is short and compares at once: "name=value\n" each, sorted by name.
 *
 * Names hold no =, values no line's end; whoever makes sets sees to it.
 */
#include "base/strmap.h"

struct buf;

/* With a NUL behind it. */
void labels_print(const struct strmap *labels, struct buf *out);
/* 0 or -ENOMEM. Adds to what is there. */
int labels_parse(const char *text, struct strmap *to);
