/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * toplist - the first rows of a top, for people and as JSON: record's verdict and report show the same.
 */
#include <stdint.h>

struct amount;
struct buf;
struct top;

/* A heading and at most max lines of 100 columns. */
void toplist_text(const struct top *t, uint32_t max, const struct amount *a, struct buf *out);
/* [{"name":..., "image":..., "self_percent":..., "total_percent":..., "self_UNIT":..., "total_UNIT":...}, ...] */
void toplist_json(const struct top *t, uint32_t max, const char *unit, struct buf *out);
