/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * perf_frames - the frames of a stack in `perf script`, line by line, into a profile's locations.
 *
 *	            1000 inner (inlined)               belongs to the frame below it
 *	  inner.h:12                                   source of the line above; with -F +srcline perf writes
 *	            1000 inner                         the "(inlined)" behind the source instead
 *	  inner.h:12 (inlined)
 *	            1000 work+0x8 (/bin/web)           the frame: a location of three lines
 *	  web.c:7
 *
 * Equal frames are one location. Text is borrowed until the stack ends.
 * Memory: owns its tables; the profile is the caller's. Errors stick to the profile.
 */
#include "base/buf.h"
#include "base/strpool.h"
#include "base/vec.h"
#include "pprof/perf_line.h"

struct profile;
struct profile_sample;

enum { PERF_MAX_INLINED = 256 };

struct perf_frames {
	struct profile *p;     /* set by the caller */
	struct strpool images; /* beside p->mappings */
	struct strpool frames; /* a frame's lines as they stand; beside p->locations */
	vec(uint32_t) stack;   /* leaf first */
	struct buf text;       /* lines of the frame that is coming */
	struct perf_frame_line inlined[PERF_MAX_INLINED];
	uint32_t n_inlined;
	struct perf_frame_line open; /* its source may follow */
	bool is_open;
};

/* A line below the event: a frame, a source; anything else is passed over. */
void perf_frames_read(struct perf_frames *f, const char *s, size_t len);
/* The stack is whole: fills s->first_frame and n_frames. */
void perf_frames_end(struct perf_frames *f, struct profile_sample *s);
void perf_frames_fini(struct perf_frames *f);
