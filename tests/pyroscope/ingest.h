/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * ingest - what a server makes of a profile it accepts, silently.
 *
 *	text labels of samples become labels of the series: one series per distinct set
 *	samples of zeros or with a negative value go; so do those at a location without line and address
 *	locations without a line are not seen in flame graphs; stacks keep the 1000 frames nearest the root
 *
 * Each of these is counted as a warning of the store, so that a test can ask that none happened.
 */
#include <stddef.h>
#include <stdint.h>

#include "pyroscope/pprof_check.h"
#include "pyroscope/store.h"

struct ingest_profile {
	const struct strmap *labels;
	const struct pprof_file *file;
	const uint8_t *raw;
	size_t raw_len;
	const char *id;
	uint64_t now_ns; /* the time of a profile that has none */
};

/* 0: stored, as far as anything was left of it. -1: refused; nothing is stored. */
int ingest(struct store *st, const struct ingest_profile *in, struct refusal *why);
