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
 * Source: grafana/pyroscope api/push/v1/push.proto, api/types/v1/types.proto.
 */
#include <stddef.h>

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

/*
 * A label of the user's as every server takes it: letters, digits and _, not a digit first, no leading
 * "__", and not service_name, which is ours.
 * Its value: 1 to 2048 bytes of UTF-8.
 * 0, or -EINVAL with the reason in err.
 */
int pyroscope_check_label(const char *name, const char *value, char *err, size_t err_len);
