/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * route_print - a table of routes for people, and as JSON: `routes` and the verdict of `record --by route` show the same.
 */
#include <stdint.h>

struct buf;
struct route_table;
struct session_stats;

enum { ROUTE_WIDTH = 130 }; /* of a line that goes to no terminal */

/* Headings and at most max rows of so many columns. */
void route_print_text(const struct route_table *t, uint64_t wall_ns, uint32_t max, int width, struct buf *out);
/* [{"kind":"served|open|unattributed","service":...,"cpu_ns":...,"service_cpu_percent":..., of what was served all else}, ...] */
void route_print_json(const struct route_table *t, uint64_t wall_ns, struct buf *out);

/* How many requests, what of the CPU time is theirs, why the rest is not; what was not seen. One fact a line. */
void route_print_facts(const struct route_table *t, const struct session_stats *s, struct buf *out);
/* ,"requests":...,"cpu_ns_by_join":{...},"tracing":{...} */
void route_print_json_facts(const struct route_table *t, const struct session_stats *s, struct buf *out);
