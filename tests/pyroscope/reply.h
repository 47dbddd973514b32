/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * reply - the answers the fake server gives, whole ones and broken ones. Each is a handler's result.
 */
#include <microhttpd.h>
#include <stdbool.h>

#include "base/buf.h"
#include "pyroscope/connect.h"
#include "pyroscope/faults.h"

enum MHD_Result reply_bytes(struct MHD_Connection *c, int status, const char *type, const struct buf *body);
enum MHD_Result reply_text(struct MHD_Connection *c, int status, const char *text);

/* An empty message. To a gzip request a real server answers in gzip, asked for or not. */
enum MHD_Result reply_stored(struct MHD_Connection *c, bool gzip);
/* Connect's error, with the headers of 405, 415, redirects and of the fault. */
enum MHD_Result reply_refusal(struct MHD_Connection *c, const struct refusal *why, const struct fault *f);

/* 10 bytes of 100, then the connection ends. */
enum MHD_Result reply_half(struct MHD_Connection *c);
/* Ends the connection after these bytes, past the HTTP library. */
enum MHD_Result reply_raw(struct MHD_Connection *c, const char *text);

int reply_socket(struct MHD_Connection *c);
