/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* http1_causes - what two HTTP/1 parsers said of a stream, and why they may differ: the list, each row looked into. */
#include <stddef.h>
#include <stdint.h>

#define HTTP1_MESSAGES 8

struct http1_message {
	uint32_t code, minor; /* code: a status, or enum http1_method */
	uint64_t path;        /* its hash */
	size_t path_at, path_len;
	size_t head_end, end; /* end: 0 where there is none */
	uint64_t body;
	int is_coded;    /* ours alone says so */
	int has_no_path; /* http-parser: not a target that it takes apart */
};

struct http1_answer {
	struct http1_message v[HTTP1_MESSAGES];
	size_t n;
	int is_response, failed, upgraded;
	int error; /* enum http_errno; where */
	size_t error_at;
	/* While it is made: of the message at hand. */
	size_t begin, url_at, url_len;
	uint64_t body;
};

/* clang-format off */
#define HTTP1_CAUSE_LIST(C)                                                                        \
	C(SAME,        "the same")                                                                 \
	C(REFUSED,     "both refuse, and saw the same before")                                     \
	C(UPGRADED,    "http-parser leaves the connection to its caller after an upgrade or CONNECT; we go on") \
	C(LINE,        "a header line that nobody needs is no header: we look for its end only")   \
	C(METHOD,      "a token that is no method, or none that http-parser knows: OTHER")         \
	C(TARGET,      "a target that it refuses, or cannot take apart; or with a tab, which we refuse") \
	C(VERSION,     "HTTP/0.9, or a version of 1 that it does not know")                         \
	C(LENGTHS,     "a list of equal lengths, one beside chunked, which overrides it, a tab behind one: all RFC 9112")  \
	C(OLD_CODED,   "HTTP/1.0 with a transfer-encoding: faulty (RFC 9112 6.1)")                 \
	C(CHUNKS,      "in chunks http-parser wants a return and never looks at what follows it; a second reading agrees with us") \
	C(RETURN,      "nor behind the return of the head's last line")                             \
	C(STATUS,      "a status that is not one space and three digits, 100 or above")             \
	C(KIND,        "a response that does not begin with HTTP/, all letters of which http-parser looks at when built strict") \
	C(HEADER,      "a space in Content-Length or Transfer-Encoding, or a control character in the value") \
	C(NAME,        "a name that begins with Transfer-Encoding and goes on is it, for http-parser") \
	C(BODILESS,    "1xx, 204 and 304 have no body, whatever their headers say (RFC 9112 6.3)")
/* clang-format on */

enum http1_cause {
#define CAUSE(id, name) CAUSE_##id,
	HTTP1_CAUSE_LIST(CAUSE)
#undef CAUSE
		CAUSES,
};

/* CAUSES: none that is known. */
int http1_cause(const struct http1_answer *ours, const struct http1_answer *theirs,
		const char *stream, size_t len);

const char *http1_cause_name(int cause);
