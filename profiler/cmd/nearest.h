/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * nearest - "did you mean": the functions of a profile a wrong name may have stood for.
 */
struct buf;
struct top;

/* Up to three, the largest first, those that contain the name before those a slip or two away;
 * "spin_half, spin_third". Nothing when there is none. */
void nearest_list(const struct top *t, const char *name, struct buf *out);
