/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * verdict - what a recording says of itself: samples, losses by reason, completeness, names, cost,
 * and the functions that led. For people on stderr, as JSON, and as comments inside the profile.
 */
#include <stdint.h>
#include <stdio.h>

struct buf;
struct collector_stats;
struct profile;
struct route_table;
struct session_stats;

struct verdict {
	const struct session_stats *stats;
	const struct profile *profile;
	const struct route_table *routes; /* NULL: requests were not traced */
	uint32_t frequency_hz;
	const char *output;      /* path, "-" for standard output */
	uint64_t output_bytes;
	const char *how_to_open;
	int command_status;      /* -1: there was no command */
};

/* Losses and cost as comments of the profile, before it is encoded. */
void verdict_comment(struct profile *p, const struct session_stats *stats, const struct route_table *routes, uint32_t frequency_hz);

void verdict_print(const struct verdict *v, FILE *out);
void verdict_json(const struct verdict *v, struct buf *out);

struct verdict_sums {
	uint64_t user, user_complete; /* samples with a user stack to have; of these complete */
	uint64_t cost_ns;             /* agent while sampling + BPF */
	double cost_percent;          /* of one CPU */
	double host_percent;          /* of all CPUs */
};

struct verdict_sums verdict_sum_up(const struct session_stats *s);
/* ", ring_full 12, timer_late 3": every reason that occurred. */
void verdict_list_losses(const struct collector_stats *c, struct buf *out);
