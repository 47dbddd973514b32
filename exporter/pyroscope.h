/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pyroscope - push.v1.PusherService/Push: one series, one pprof file, in Connect's unary form.
 *
 *	PushRequest { series 1: RawProfileSeries { labels 1: LabelPair { name 1, value 2 },
 *	                                           samples 2: RawSample { raw_profile 1, ID 2 } } }
 *
 * One series a request: a request of several is stored in part when one of them is refused, and
 * answers with the first error only.
 *
 * A request that agents hand on has a field more at its end for each of them, which servers skip: via 7001, the agent's
 * number. So none takes what it has had already, whichever way it comes back, out of a spool too.
 * Source: grafana/pyroscope api/push/v1/push.proto, api/types/v1/types.proto.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct strmap;

#define PYROSCOPE_PUSH_PATH "/push.v1.PusherService/Push"
#define PYROSCOPE_CONTENT_TYPE "application/proto"

/*
 * What a server refuses, with some room: a profile above its burst (2 MiB inflated, labels included)
 * is answered 429 for ever, one of more than 16,000 samples 400.
 */
enum { PYROSCOPE_MAX_PROFILE_BYTES = 3 << 19, PYROSCOPE_MAX_SAMPLES = 15000 };

/* Labels must hold __name__ and service_name; id: a UUID as text, "" for none. 0 or -ENOMEM. */
int pyroscope_push_encode(const struct strmap *labels, const void *pprof, size_t len, const char *id, struct buf *out);

/* Says that this agent (a text that no other one has) has had the request. 0 or -ENOMEM, as buf_error(). */
int pyroscope_push_mark(struct buf *request, const char *agent);

/* What is in a request that somebody else has made. */
struct pyroscope_push {
	uint32_t series, samples;
	char service[64]; /* of the first series; "unknown" */
	bool had;         /* this agent has had it */
};

/* 0; -EBADMSG: err says what it is not. Profiles are not looked into. */
int pyroscope_push_read(const void *data, size_t len, const char *agent, struct pyroscope_push *ret, char *err, size_t err_len);

/*
 * A label of the user's as every server takes it: letters, digits and _, not a digit first, no leading
 * "__", and not service_name, which is ours.
 * Its value: 1 to 2048 bytes of UTF-8.
 * 0, or -EINVAL with the reason in err.
 */
int pyroscope_check_label(const char *name, const char *value, char *err, size_t err_len);
