/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * html - the interactive flame graph: one file with everything in it, no network.
 *
 * The page (pprof/flamegraph/) is embedded in the binary; the profile goes in as JSON:
 *	{ title, unit, time_ns, duration_ns, period_ns, comments: [...], strings: [...],
 *	  frames: { name: [], image: [], file: [], line: [], kind: [] },   string ids, enum frame_kind
 *	  nodes: { parent: [], frame: [], line: [] },   node 0 is the root; parents come first; line: of the
 *	                                        function, when all of the node's time went through it, else 0
 *	  processes: [string id...],
 *	  groups: [process, route, requests, process, ...],   route: string id, 0 for none; requests: -1 when not known;
 *	                                        left out when there are no routes: then group i is process i
 *	  rows: [node, group, value, samples, node, ...],
 *	  lines: [node, group, line, self, total, node, ...] }   of nodes with several lines
 */
struct buf;
struct profile;

/* 0 or -ENOMEM. */
int html_encode(const struct profile *p, struct buf *out);
