/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pprof_check - a pprof file as a server reads it: inflated, decoded, and held to its rules.
 *
 * Decoded by protobuf-c's classes, checked against the published tables: nothing of the code that
 * writes our profiles is used, so that it cannot excuse itself.
 */
#include <stddef.h>
#include <stdint.h>

#include "pprof/profile.pb-c.h"
#include "pyroscope/connect.h"

enum {
	PPROF_MAX_BYTES = 4 << 20,
	PPROF_BURST_BYTES = 2 << 20,
	PPROF_MAX_SAMPLES = 16000,
	PPROF_MAX_SAMPLE_LABELS = 100,
	PPROF_MAX_DEPTH = 1000,
	PPROF_MAX_STRING = 65535,
};

typedef Perftools__Profiles__Profile pprof_msg;

struct pprof_file {
	pprof_msg *msg;
	size_t bytes; /* inflated */
};

/* A gzip stream of any number of members, at most max bytes inflated, appended to out. 0, or -1 when it is damaged. */
int gzip_inflate(const uint8_t *data, size_t len, size_t max, struct buf *out);

/* 0, or -1 with the refusal, an answer 500: a real server does not own that the client is at fault. */
int pprof_open(const uint8_t *raw, size_t len, struct pprof_file *ret, struct refusal *why);
void pprof_close(struct pprof_file *f);

/* now_ns: UTC; 0: any time is right. */
int pprof_check(const struct pprof_file *f, uint64_t now_ns, struct refusal *why);
