/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_format - what a request is of, and in which of the ways that receivers ask for it is on its way: compressed, in
 * gRPC's frame, or both; and what their answers say.
 *
 * A format is a signal and an encoding. An encoding is a small number, a set of them a mask; PARCEL_FORMAT_PYROSCOPE is the
 * one that is no OTLP.
 * Source: OTLP's specification (OTLP/HTTP, OTLP/gRPC); gRPC over HTTP/2, length-prefixed messages; google.rpc.Status and
 * RetryInfo; the sheet of status codes that are worth another try.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct receiver_opts;

enum {
	PARCEL_FORMAT_PYROSCOPE = 0,
	PARCEL_FORMAT_OTLP = 1, /* | with what follows */
	PARCEL_FORMAT_1_9 = 2,  /* the layout of proto 1.9; else 1.10's */
	PARCEL_FORMAT_GZIP = 4,
	PARCEL_FORMAT_ZSTD = 8,
	PARCEL_FORMAT_GRPC = 16,
	PARCEL_FORMATS = 32, /* as many of each signal */

	PARCEL_FORMAT_CODINGS = PARCEL_FORMAT_GZIP | PARCEL_FORMAT_ZSTD,
};

/* Above the encoding: profiles are 0, as in spools of agents that knew no other. */
enum parcel_signal { PARCEL_PROFILES, PARCEL_TRACES, PARCEL_METRICS, PARCEL_SIGNALS };

/* The older layout is of profiles: the others have one. */
static inline uint8_t parcel_format(enum parcel_signal signal, uint8_t encoding)
{
	if (signal != PARCEL_PROFILES)
		encoding &= (uint8_t)~PARCEL_FORMAT_1_9;
	return (uint8_t)(signal * PARCEL_FORMATS + encoding);
}

static inline enum parcel_signal parcel_format_signal(uint8_t format)
{
	return (enum parcel_signal)(format / PARCEL_FORMATS);
}

static inline uint8_t parcel_format_encoding(uint8_t format)
{
	return format % PARCEL_FORMATS;
}

/* What the parts of a request are, for people: "profiles", "spans", "data points". */
const char *parcel_signal_items(enum parcel_signal signal);
/* "1 profile", "40 spans". Returns out. */
char *parcel_count_items(enum parcel_signal signal, uint64_t n, char *out, size_t len);
/* "profiles", "traces", "metrics": as OTLP and configurations have it. */
const char *parcel_signal_name(enum parcel_signal signal);

/* How a parcel of a format is asked for: behind the receiver's URL, and its Content-Type. */
const char *parcel_format_path(uint8_t format);
const char *parcel_format_type(uint8_t format);

/* How a receiver takes what it takes, by its configuration. */
uint8_t parcel_encoding_of(const struct receiver_opts *o);

/* A request as a format has it. 0; -ENOMEM; -EFBIG: gRPC's and gzip's lengths end at 4 GiB. */
int otlp_pack(uint8_t format, const struct buf *request, struct buf *out);

/*
 * What was packed in one format as another one has it. 0; -EPROTONOSUPPORT: they are not of one signal and layout; -EBADMSG:
 * it is not what its format says; -ENOMEM, -EFBIG.
 */
int otlp_repack(uint8_t from, const struct buf *packed, uint8_t to, struct buf *out);

/* The format to go on with where a server does not take the compression; accepted: formats' bits, 0: it does not say. */
uint8_t parcel_format_without(uint8_t format, uint8_t accepted);
/* "gzip", "zstd", "none": as in the configuration. */
const char *parcel_format_coding(uint8_t format);

/* What an answer says. */
struct otlp_answer {
	int64_t rejected; /* of a partial success: what it did not take of the request's profiles, spans or data points */
	uint64_t retry_ns;    /* of a status: how long to wait; 0: it does not say */
	char message[200];    /* "": none */
};

/* Of a body: Export...ServiceResponse (ok), which is the same for every signal, else a Status. Anything else says nothing. */
void otlp_read_answer(const void *data, size_t len, bool ok, struct otlp_answer *ret);
/* The same out of gRPC's frame. */
void grpc_read_answer(const void *data, size_t len, struct otlp_answer *ret);
/* Of grpc-accept-encoding: the bits of formats that are in it; PARCEL_FORMAT_OTLP always, to tell it from none. */
uint8_t grpc_read_codings(const char *text, size_t len);
/* grpc-message's percent-encoding undone. */
void grpc_read_message(const char *text, size_t len, struct otlp_answer *ret);
/* grpc-status-details-bin: base64 of a Status. */
void grpc_read_details(const char *text, size_t len, struct otlp_answer *ret);

/* "UNAVAILABLE"; "UNKNOWN" for a number that is none. */
const char *grpc_status_name(int status);
