/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * toplist - the first rows of a top, for people and as JSON: record's verdict and report show the same.
 */
#include <stdint.h>

#include "pprof/top.h"

struct amount;
struct buf;

/* A heading and at most max lines of 100 columns; by line each says its source. */
void toplist_text(const struct top *t, enum profile_unit unit, uint32_t max, const struct amount *a, struct buf *out);
/* [{"name":..., "image":..., "file":..., "line":..., "inlined":"no|partly|yes", "self_percent":..., "total_percent":..., "self_UNIT":..., "total_UNIT":...}, ...] */
void toplist_json(const struct top *t, uint32_t max, const char *unit, struct buf *out);
/* ,"file":...,"line":...,"inlined":...: where the function begins, by line the line; "" and 0 when unknown. */
void toplist_json_source(const char *file, int64_t line, enum top_inlined inlined, struct buf *out);
