/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * verdict - what a recording says of itself: samples, losses by reason, completeness, names, cost,
 * and the functions that led. For people on stderr, as JSON, and as comments inside the profile.
 */
#include <stdint.h>
#include <stdio.h>

struct buf;
struct profile;
struct session_stats;

struct verdict {
	const struct session_stats *stats;
	const struct profile *profile;
	uint32_t frequency_hz;
	const char *output;      /* path, "-" for standard output */
	uint64_t output_bytes;
	const char *how_to_open;
	int command_status;      /* -1: there was no command */
};

/* Losses and cost as comments of the profile, before it is encoded. */
void verdict_comment(struct profile *p, const struct session_stats *stats, uint32_t frequency_hz);

void verdict_print(const struct verdict *v, FILE *out);
void verdict_json(const struct verdict *v, struct buf *out);
