/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp_format - in which of the ways that receivers ask for a request of OTLP is on its way: compressed, in gRPC's frame,
 * or both; and what their answers say.
 *
 * A format is a small number, a set of them a mask. PARCEL_FORMAT_PYROSCOPE is the one that is no OTLP.
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
	PARCEL_FORMATS = 32,

	PARCEL_FORMAT_CODINGS = PARCEL_FORMAT_GZIP | PARCEL_FORMAT_ZSTD,
};

/* How a parcel of a format is asked for: behind the receiver's URL, and its Content-Type. */
const char *parcel_format_path(uint8_t format);
const char *parcel_format_type(uint8_t format);

/* What a receiver takes. */
uint8_t parcel_format_of(const struct receiver_opts *o);

/* A request as a format has it. 0; -ENOMEM; -EFBIG: gRPC's and gzip's lengths end at 4 GiB. */
int otlp_pack(uint8_t format, const struct buf *request, struct buf *out);

/*
 * What was packed in one format as another one has it. 0; -EPROTONOSUPPORT: they are not of one layout; -EBADMSG: it is not
 * what its format says; -ENOMEM, -EFBIG.
 */
int otlp_repack(uint8_t from, const struct buf *packed, uint8_t to, struct buf *out);

/* The format to go on with where a server does not take the compression; accepted: formats' bits, 0: it does not say. */
uint8_t parcel_format_without(uint8_t format, uint8_t accepted);
/* "gzip", "zstd", "none": as in the configuration. */
const char *parcel_format_coding(uint8_t format);

/* What an answer says. */
struct otlp_answer {
	int64_t rejected;     /* of a partial success: profiles refused */
	uint64_t retry_ns;    /* of a status: how long to wait; 0: it does not say */
	char message[200];    /* "": none */
};

/* Of a body: ExportProfilesServiceResponse (ok), else a Status. Anything else says nothing. */
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
