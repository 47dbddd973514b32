/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * svg - a static flame graph: no script, a tooltip per box, readable by any SVG viewer.
 *
 * 1200 wide, root at the bottom. Boxes narrower than 0.1 % are left out and counted in the footer.
 */
struct buf;
struct profile;

/* 0 or -ENOMEM. */
int svg_encode(const struct profile *p, struct buf *out);
