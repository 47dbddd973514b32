/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * request - one parcel under way to one receiver: libcurl's handle, and what the answer says. There is one only while it is
 * sent: what waits, perhaps thousands, does without.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "exporter/otlp_format.h"

/* Of gRPC's statuses: none came; those that a refused compression has. */
enum { GRPC_NONE = -1, GRPC_UNIMPLEMENTED = 12, GRPC_INTERNAL = 13 };

struct delivery;
struct parcel;
struct receiver;

struct request {
	struct receiver *receiver;
	struct delivery *delivery;
	const struct parcel *parcel; /* the delivery's */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	uint32_t starts;         /* on a connection: libcurl would begin a second time by itself */
	uint64_t sent;           /* bytes of the body */
	struct buf answer;       /* the beginning of the body: what an error says */
	int grpc_status;         /* from headers or trailers; GRPC_NONE */
	uint8_t codings;         /* the formats' bits it says it takes; 0: it does not say */
	struct otlp_answer said; /* of an OTLP receiver */
	char error[CURL_ERROR_SIZE];
};

/* For a delivery whose parcel is loaded. 0, -ENOMEM, or -EACCES with err: a secret's file cannot be read. */
int request_new(struct receiver *rc, struct delivery *d, const char *user_agent, struct request **ret, char *err, size_t err_len);
struct request *request_free(struct request *rq);

/* It was refused for its compression. status: HTTP's. */
bool request_coding_refused(const struct request *rq, long status);
/* What it ended with, read out of the answer: rq->said. status: HTTP's. */
void request_read_answer(struct request *rq, long status);
