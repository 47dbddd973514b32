/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * push_check - what a server wants of a push before it looks at the profile: headers and labels.
 *
 * Each check answers 0, or -1 with the refusal filled.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strmap.h"
#include "pyroscope/connect.h"

#define PUSH_PATH "/push.v1.PusherService/Push"

enum { PUSH_MAX_LABELS = 30, PUSH_MAX_NAME = 1024, PUSH_MAX_VALUE = 2048 };

struct push_headers {
	const char *method;
	const char *content_type, *content_encoding, *connect_version; /* NULL: not sent */
};

int push_check_headers(const struct push_headers *h, struct refusal *why);

/* A name with its value, as they came. */
struct push_label {
	const uint8_t *name, *value;
	size_t name_len, value_len;
};

/*
 * Fills *ret (empty before) with the series' labels as they are stored: service_name filled in when
 * it is missing, the server's own names taken out. *ret_reserved counts those.
 */
int push_check_labels(const struct push_label *labels, size_t n, struct strmap *ret, int *ret_reserved,
		      struct refusal *why);

/* The limit on a series' labels, once more after those of samples came to it. */
int push_check_count(size_t n, struct refusal *why);

bool utf8_valid(const uint8_t *s, size_t len);
