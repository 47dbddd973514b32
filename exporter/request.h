/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * request - one parcel under way to one receiver: libcurl's handle, and what the answer says. There is one only while it is
 * sent: what waits, perhaps thousands, does without.
 */
#include <curl/curl.h>
#include <stdint.h>

#include "base/buf.h"
#include "exporter/otlp_format.h"

#define GRPC_NONE (-1)

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
	struct otlp_answer said; /* of an OTLP receiver */
	char error[CURL_ERROR_SIZE];
};

/* For a delivery whose parcel is loaded. 0, -ENOMEM, or -EACCES with err: a secret's file cannot be read. */
int request_new(struct receiver *rc, struct delivery *d, const char *user_agent, struct request **ret, char *err, size_t err_len);
struct request *request_free(struct request *rq);

/* What it ended with, read out of the answer: rq->said. status: HTTP's. */
void request_read_answer(struct request *rq, long status);
