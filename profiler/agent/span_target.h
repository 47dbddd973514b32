/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * span_target - where a request goes, of its head and its connection: what a span may say of it. Pure.
 *
 * Slices point into the head; texts that are made of parts are in `texts` (base/texts.h), and NULL where that is full.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct ev_request;
struct request_head;
struct texts;

struct span_target {
	struct slice scheme, host, path, query; /* host: "" where nobody says */
	uint16_t port;
};

bool span_target_is_https(const struct span_target *t);
/* Without user and password, whatever is cut off. */
void span_target_find(const struct ev_request *ev, const struct request_head *h, struct span_target *ret);
/* Its query, with the values of keys that sign REDACTED. */
struct slice span_target_query(const struct span_target *t, struct texts *texts);
/* All of it: there are a host and a path. query: as above, "" for none. */
struct slice span_target_url(const struct span_target *t, struct slice query, struct texts *texts);

/* One of the request's two addresses, of a family that flags tell. */
struct slice span_address(uint32_t flags, const uint8_t address[16], struct texts *texts);
