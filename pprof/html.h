/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * html - the interactive flame graph: one file with everything in it, no network.
 *
 * The page (pprof/flamegraph/) is embedded in the binary; the profile goes in as JSON:
 *	{ title, unit, time_ns, duration_ns, period_ns, comments: [...], strings: [...],
 *	  frames: { name: [], image: [], file: [], line: [], kind: [] },   string ids, enum frame_kind
 *	  nodes: { parent: [], frame: [] },     node 0 is the root; parents come first
 *	  processes: [string id...],
 *	  rows: [node, process, value, samples, node, ...],
 *	  lines: [node, process, line, self, total, node, ...] }   of the node's function, where known
 */
struct buf;
struct profile;

/* 0 or -ENOMEM. */
int html_encode(const struct profile *p, struct buf *out);
