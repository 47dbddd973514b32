/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * retry - what an answer, or its absence, means for a parcel, and when to try again. Pure.
 *
 *	2xx                         delivered
 *	408 409 429 5xx, 401 403, 3xx   worth another try: the server is busy, or will be set right
 *	other 4xx, 501              hopeless: the same bytes would be refused again
 *	no connection, cut while sending   worth another try; so is one on which nothing is acknowledged
 *	sent whole, then no answer in time    unanswered: servers store what they got whole, sending
 *	                            it again would count it twice
 *	sent whole, then the connection ends without an answer    another try: the server died, or a
 *	                            proxy gave up; at worst it counts twice
 *
 *	OTLP: 408 409 500 are hopeless too, silence is worth another try: its receivers are to take what comes twice; gRPC
 *	by its status, and by HTTP's where none came
 *
 * Source: Connect protocol, error codes over HTTP; Pyroscope's behaviour as observed; OTLP's specification, which codes
 * are retryable; gRPC over HTTP/2. A refused token is tried again with OTLP too: tokens are replaced, profiles are not.
 */
#include <stdbool.h>
#include <stdint.h>

#include "exporter/parcel.h"

/* Why a parcel did not arrive: rows of receiver statistics and of log lines. */
enum retry_cause {
	RETRY_NONE,
	RETRY_CONNECT,     /* refused, unreachable, name not found, cut while sending */
	RETRY_TLS,         /* certificates, theirs and ours */
	RETRY_CREDENTIALS, /* 401, 403 */
	RETRY_THROTTLED,   /* 429 */
	RETRY_SERVER,      /* 408, 409, 5xx */
	RETRY_MOVED,       /* 3xx */
	RETRY_REFUSED,     /* other 4xx: dropped */
	RETRY_SILENCE,     /* no answer after all was sent */
	RETRY_DISK_FULL,   /* of files: no space, or no quota, left */
	RETRY_DISK,        /* of files: what else the disk said */
	RETRY_CAUSES,
};

struct retry_result {
	int curl_code;    /* CURLcode; 0: an answer came */
	long http_status; /* 0: none */
	bool sent_whole;
	bool otlp;       /* its servers say with fewer codes what is worth another try */
	int grpc_status; /* negative: none came, or it is not gRPC */
	bool grpc, retry_said; /* gRPC's; the server says when to try again */
};

struct retry_verdict {
	enum parcel_answer answer;
	enum retry_cause cause;
	bool everybody; /* the receiver itself is in trouble: hold back its other parcels too */
};

struct retry_verdict retry_judge(const struct retry_result *result);

/* "connect", "tls", ...: for metrics and logs. */
const char *retry_cause_name(enum retry_cause cause);

/* 0.5 s doubling to 30 s, cut by up to a half at random; tries counts from 1. random: any 64 bits. */
uint64_t retry_delay_ns(uint32_t tries, uint64_t random);
