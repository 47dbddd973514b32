/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * parcel - bytes on their way to a destination. Knows nothing of profiles.
 *
 * A sink answers each parcel with one of three: delivered, worth another try, or hopeless. Nothing
 * else decides whether data is kept.
 */
#include "base/buf.h"

struct parcel {
	struct buf bytes;
	const char *content_type; /* static string, e.g. "text/html" */
};

enum parcel_answer { PARCEL_OK, PARCEL_RETRY, PARCEL_DROP };
