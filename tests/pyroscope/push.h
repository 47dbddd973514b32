/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * push - one push request: decoded, each of its profiles checked and stored by itself.
 *
 * Every series is tried; the answer is that of the first that was refused, and the others stay
 * stored all the same.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pyroscope/connect.h"
#include "pyroscope/faults.h"
#include "pyroscope/push.pb-c.h"
#include "pyroscope/store.h"

/* NULL with the refusal when the body is damaged. push__push_request__free_unpacked(msg, NULL) frees it. */
Push__PushRequest *push_decode(const struct buf *body, bool gzip, struct refusal *why);

/* The service_name of each series, at most max; owned by the caller, who frees each. */
size_t push_services(const Push__PushRequest *req, char **ret, size_t max);

struct push_opts {
	uint64_t now_ns;           /* UTC */
	bool any_time;             /* profiles of any age are taken */
	const struct fault *fault; /* NULL, or refuses series of its service */
};

/* Stores what passes; *row gets whether anything was stored, and the first id. 0, or -1 refused. */
int push_store(const Push__PushRequest *req, struct store *st, const struct push_opts *opts, struct push_row *row,
	       struct refusal *why);

void fault_refusal(const struct fault *f, struct refusal *why);
