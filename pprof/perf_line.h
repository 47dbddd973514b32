/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * perf_line - one line of `perf script` taken apart. Pure functions; text is borrowed from the line.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_text {
	const char *s;
	size_t len;
};

/* "comm pid/tid [cpu] time: period event: rest" */
struct perf_event_line {
	struct perf_text comm, event, rest;
	int64_t pid, tid; /* pid: -1 when only one number is printed, which is the tid */
	uint64_t time_ns;
	int64_t period; /* -1: not printed */
	bool record;    /* "PERF_RECORD_...": a fork, a mapping; no sample */
};

/* "address symbol+0xoffset (image)" */
struct perf_frame_line {
	uint64_t address;
	struct perf_text symbol; /* empty: [unknown] */
	struct perf_text image;  /* empty: [unknown], or not printed */
	bool inlined;
	struct perf_text file;   /* of perf_source_line(); empty: unknown */
	int64_t line;            /* 0: unknown */
};

bool perf_event_line(const char *s, size_t len, struct perf_event_line *ret);
bool perf_frame_line(const char *s, size_t len, struct perf_frame_line *ret);
/* "  file:line", below a frame: adds file, line and perhaps inlined to it. "??:0" says nothing. */
bool perf_source_line(const char *s, size_t len, struct perf_frame_line *frame);

struct perf_text perf_text_trim(const char *s, size_t len);
