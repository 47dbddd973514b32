/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * parcel - bytes on their way to a destination. Knows nothing of profiles.
 *
 * Shared by all receivers it goes to: reference counted, never changed after parcel_new().
 * A sink answers each try with one of: delivered, worth another try, hopeless, or unanswered (sent
 * whole, nobody said what became of it). Nothing else decides whether data is kept.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

struct parcel {
	struct buf bytes;
	uint8_t format;           /* otlp_format.h: of what, and how; nothing for files */
	uint32_t formats;         /* encodings in which the same was sent, a bit each; 0: this one alone */
	uint64_t time_ns;         /* UTC start of what it holds: servers refuse the old */
	uint32_t
		items; /* how many it holds, of what is counted: profiles, spans, data points; at least 1 */
	char what[64];            /* for messages: the service; "" where it is of many */
	atomic_uint refs;
};

enum parcel_answer { PARCEL_OK, PARCEL_RETRY, PARCEL_DROP, PARCEL_UNANSWERED };

/* Takes bytes over (the caller's buf is empty then), one reference. format: otlp_format.h. NULL when out of memory. */
struct parcel *parcel_new(struct buf *bytes, uint8_t format);
/*
 * Parcels of one key are sent one after the other, in their order. Of a signal those of one `what` are: a series' profiles,
 * those of many, all traces, and all metrics, since what is counted must not go backwards.
 */
uint8_t parcel_key(uint8_t format, const char *what);
struct parcel *parcel_ref(struct parcel *p);
struct parcel *parcel_unref(struct parcel *p);
