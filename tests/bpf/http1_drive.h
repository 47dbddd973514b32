/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * http1_drive - a stream through the parser in pieces of one size, and what it says of it: the same code in the kernel
 * (http1_run.bpf.c) and on the host.
 */
#include "bpf/http1.h"

enum { DRIVE_STREAM = 4096, DRIVE_EVENTS = 64, DRIVE_STEPS = 4 * DRIVE_STREAM };

struct drive_event {
	__u32 events, at; /* at: bytes of the stream until then */
	struct http1 m;
};

struct drive {
	__u32 bytes, piece; /* piece: 1 to HTTP1_WINDOW */
	__u32 flags;        /* of the parser */
	__u32 method;       /* that all responses answer */
	__u8 stream[DRIVE_STREAM];

	__u32 at, n;
	struct http1 m;
	struct http1_window w;
	struct drive_event log[DRIVE_EVENTS];
};

/* Into the window, from place at of the stream. */
static void drive_copy(struct drive *d, __u32 at, __u32 len);

static __always_inline void drive_log(struct drive *d, __u32 events)
{
	__u32 n = d->n;

	if (!events)
		return;
	d->n = n + 1;
	asm volatile("" : "+r"(n));
	if (n >= DRIVE_EVENTS)
		return;
	d->log[n].events = events;
	d->log[n].at = d->at - (d->w.end - d->w.at);
	d->log[n].m = d->m;
	if ((events & HTTP1_HEAD) && (d->m.flags & HTTP1_RESPONSES) &&
	    http1_answers(&d->m, d->method))
		d->log[n].events |= HTTP1_END;
}

/* 1: that was all. */
static long drive_step(__u32 i, void *ctx)
{
	struct drive *d = *(struct drive **)ctx;
	__u32 left = d->bytes - d->at;
	__u64 unseen = http1_unseen(&d->m);

	if (d->w.at < d->w.end) {
		drive_log(d, http1_next(&d->m, &d->w));
		return 0;
	}
	if (!left || d->bytes > DRIVE_STREAM || d->at > DRIVE_STREAM)
		return 1;
	if (unseen) {
		left = unseen < left ? unseen : left;
		left = left < d->piece ? left : d->piece;
		d->at += left;
		drive_log(d, http1_pass(&d->m, left));
		return 0;
	}
	left = left < d->piece ? left : d->piece;
	drive_copy(d, d->at, left);
	d->at += left;
	d->w.at = 0;
	d->w.end = left;
	return 0;
}

static __always_inline void drive(struct drive *d)
{
	d->at = d->n = 0;
	d->w.at = d->w.end = 0;
	__builtin_memset(&d->m, 0, sizeof(d->m));
	d->m.flags = d->flags;
#if defined(__bpf__)
	bpf_loop(DRIVE_STEPS, drive_step, &d, 0);
#else
	while (!drive_step(0, &d))
		;
#endif
}
