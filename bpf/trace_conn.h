/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_conn - what is known of one connection that speaks HTTP/1: both directions' parsers, and the requests in flight.
 *
 *	requests in   -> q[tail++]      a head is complete
 *	responses out -> q[head++]      the last byte is written, or the connection ends
 *
 * Of a client the directions are the other way round. Each direction is worked on by whoever moves its bytes; requests
 * are put in by one and taken out by the other.
 */
#include "bpf/http1.h"
#include "bpf/trace.h"

enum {
	TRACE_PIPELINE = 32, /* requests in flight of one connection; a power of two */
	TRACE_MAX_CONNS = 65536,
	TRACE_MAX_UNIX = 16384, /* of them over unix sockets, where nobody tells that one has closed */
	TRACE_MAX_KEPT = 4096,
	TRACE_MAX_LOOKS = 4096, /* events and windows of one transfer */
	TRACE_TRIES = 16, /* looks in which a connection may show that it speaks HTTP/1; */
	TRACE_FIRST_TRIES = 4, /* behind these, only where the other side begins to speak: a body may be many transfers */
};

enum conn_state {
	CONN_NEW,
	CONN_HTTP1,
	CONN_OVER,  /* not looked at any more: something else, encrypted, or a tunnel */
};

/* in_flight.flags */
#define IN_FLIGHT_KEPT    (1u << 0) /* its head is kept, */
#define IN_FLIGHT_IN_CONN (1u << 3) /* in the connection; else in `kept_requests` */
#define IN_FLIGHT_SAMPLED (1u << 1) /* it becomes a span, however it ends */
#define IN_FLIGHT_ROUTED  (1u << 2) /* its route is known */

struct in_flight {
	__u64 start_ns;
	union {
		__u64 path_hash;
		__u64 route; /* with ROUTED */
	};
	__u32 request_bytes; /* of its body; what is above 4 GiB is not counted */
	__u8 method, flags, reserved[2];
};

enum { REQUESTS, RESPONSES };

struct conn {
	struct http1 dir[2];
	__u64 id;         /* random; span ids come of it */
	__u64 begun_ns;   /* the first byte of the request whose head is being read */
	__u64 ended_ns;   /* the last response's end */
	__u64 proc;       /* what was decided of the process that moves its bytes (trace_proc.h), as the four below say it */
	__u64 inode;      /* of the socket, where the address does not tell it from another */
	__u64 flight;     /* who works on the oldest request in flight (flight.h); 0: nobody */
	__u64 flight_start_ns;
	__u64 route_path; /* the path last looked up, its service, and its route: most connections ask for the same again */
	__u32 route_service, route;
	__u32 tgid, service;
	__u32 head, tail; /* of q, counted on */
	__u32 over;       /* requests behind those in q */
	__u16 status;     /* of the response on its way; 0: none is */
	__u8 state, side;
	__u8 go, known;   /* as user space said of the process */
	__u8 is_kept;     /* `kept` is taken, */
	__u8 reserved;
	__u32 kept_n;     /* by this request, counted as tail is */
	__u32 aside_n;    /* the last one of which a part lies in `kept_requests`, and one; 0: there was none */
	__u64 kept_id;    /* of the head that lies in it, all of it (struct http1_again); 0: none is known */
	struct ev_request kept; /* of one request; its addresses are the connection's */
	struct in_flight q[TRACE_PIPELINE]; /* behind `kept`: the verifier sees no end of a head there */
};
/* With what the kernel puts before it, and rounded up to a power of two: one of each connection. */
_Static_assert(sizeof(struct conn) + 72 <= 2048, "a connection takes 2 KiB");

/* Unlike any other request's: from a random number on, in steps that do not come back for long. */
static __always_inline __u64 conn_span_id(const struct conn *c, __u32 n)
{
	__u64 id = c->id + n * 0x9e3779b97f4a7c15ull;

	return id ? id : 1;
}

static __always_inline __u32 in_flight_route(const struct in_flight *r)
{
	return r->flags & IN_FLIGHT_ROUTED ? r->route : TRACE_ROUTE_UNKNOWN;
}

static __always_inline struct in_flight *conn_at(struct conn *c, __u32 n)
{
	return &c->q[n & (TRACE_PIPELINE - 1)];
}
