/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * difflist - the first rows of a difference, for people and as JSON.
 *
 * Points are the difference of the shares; the amount beside them is what these points are of the
 * new profile's whole, as if base had run as long.
 */
#include <stdint.h>

#include "pprof/profile.h"

struct amount;
struct buf;
struct diff;

void difflist_text(const struct diff *d, enum profile_unit unit, uint32_t max, const struct amount *a, struct buf *out);
void difflist_json(const struct diff *d, uint32_t max, struct buf *out);
