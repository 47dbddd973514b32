// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * trace - requests of HTTP/1 as they cross the sockets of this host: counted here, told to user space when wanted.
 *
 *	a transfer ended -> whose? -> connection -> its bytes (trace_data.h) -> parser (http1.h)
 *	                                      head of a request complete: in flight, and whoever read it works on it
 *	                                      response complete: red cell, span
 *
 * Cheapest hook first: sock_send_length and sock_recv_length (from 6.3), else the exit of syscalls.
 */
#include <linux/bpf.h>
#include <asm/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/kernel.h"
#include "bpf/trace_data.h"
#include "bpf/trace_maps.h"

const volatile struct trace_config config;

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define MSG_PEEK 2
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define bpf_ntohs(x) __builtin_bswap16(x)

static __always_inline void count(enum trace_count what)
{
	__u32 key = what;
	__u64 *c = bpf_map_lookup_elem(&trace_counts, &key);

	if (c)
		++*c;
}

/* ---- who works on it ---- */

static __always_inline __u64 current_who(const struct conn *c)
{
	return c->go ? flight_goroutine((void *)bpf_get_current_task()) : (__u32)bpf_get_current_pid_tgid();
}

static __always_inline struct flight *find_flight(__u64 who, __u32 tgid)
{
	const struct flight_key key = { .who = who, .tgid = tgid };

	return who ? bpf_map_lookup_elem(&flights, &key) : 0;
}

static __always_inline struct flight *make_flight(const struct conn *c, __u64 who)
{
	const struct flight_key key = { .who = who, .tgid = c->tgid };
	struct task_struct *task = (void *)bpf_get_current_task();
	struct flight *f = find_flight(who, c->tgid), fresh = { 0 };

	if (!c->go)
		fresh.start_ns = BPF_CORE_READ(task, start_boottime);
	if (f && f->start_ns == fresh.start_ns)
		return f;
	bpf_map_update_elem(&flights, &key, &fresh, BPF_ANY);
	return find_flight(who, c->tgid);
}

/* The oldest request in flight is being worked on, by whoever runs now. */
__noinline int open_flight(struct conn *c)
{
	const struct in_flight *r;
	struct flight_slot *slot;
	struct ev_request *kept;
	struct flight *f;
	__u64 who;

	if (!c)
		return 0;
	r = conn_at(c, c->head);
	/* Whether a thread or a goroutine works on it user space knows. */
	who = c->known ? current_who(c) : 0;
	f = who ? make_flight(c, who) : 0;
	c->who = 0;
	if (!f)
		return 0;
	c->who = who;
	slot = flight_open(f);
	if (!slot)
		return 0;
	*slot = (struct flight_slot){ .span_id = conn_span_id(c, c->head), .route = r->route, .method = r->method,
				      .flags = r->flags & IN_FLIGHT_SAMPLED ? FLIGHT_SAMPLED : 0 };
	kept = r->flags & IN_FLIGHT_KEPT ? bpf_map_lookup_elem(&kept_requests, &slot->span_id) : 0;
	if (kept)
		__builtin_memcpy(slot->trace_id, kept->trace_id, sizeof(slot->trace_id));
	return 0;
}

static __always_inline __u64 close_flight(struct conn *c, __u64 span_id)
{
	struct flight *f = find_flight(c->who, c->tgid);
	const struct flight_key key = { .who = c->who, .tgid = c->tgid };
	__u64 cpu_ns;

	c->who = 0;
	if (!f)
		return 0;
	cpu_ns = flight_close(f, span_id);
	if (!f->open)
		bpf_map_delete_elem(&flights, &key);
	return cpu_ns;
}

/* ---- what is counted ---- */

static __always_inline __u32 route_of(const struct conn *c, __u64 path_hash)
{
	const struct route_key key = { .path_hash = path_hash, .service = c->service };
	const __u32 *route = bpf_map_lookup_elem(&routes, &key);

	return route ? *route : TRACE_ROUTE_UNKNOWN;
}

static __always_inline struct red_cell *cell_of(struct trace_scratch *s, const struct red_key *key)
{
	struct red_cell *cell = bpf_map_lookup_elem(&red, key);

	if (cell)
		return cell;
	bpf_map_update_elem(&red, key, &s->no_cell, BPF_NOEXIST);
	return bpf_map_lookup_elem(&red, key);
}

/* A request that has ended. */
struct ended {
	struct red_key key;
	__u64 duration_ns, request_bytes, response_bytes, cpu_ns;
	__u32 unfinished;
};

__noinline int count_request(struct trace_scratch *s, const struct ended *e)
{
	struct red_cell *cell;
	__u32 i;

	if (!s || !e)
		return 0;
	cell = cell_of(s, &e->key);
	count(cell ? TRACE_COUNT_REQUESTS : TRACE_COUNT_CELLS_FULL);
	if (!cell)
		return 0;
	cell->duration_ns += e->duration_ns;
	cell->request_bytes += e->request_bytes;
	cell->response_bytes += e->response_bytes;
	cell->cpu_ns += e->cpu_ns;
	cell->unfinished += e->unfinished;
	i = red_duration_bucket(e->duration_ns);
	if (i < TRACE_DURATIONS)
		cell->durations[i]++;
	i = red_size_bucket(e->request_bytes);
	if (i < TRACE_SIZES)
		cell->request_sizes[i]++;
	i = red_size_bucket(e->response_bytes);
	if (i < TRACE_SIZES)
		cell->response_sizes[i]++;
	return 0;
}

/* ---- what is told ---- */

static __always_inline void fill_addresses(struct ev_request *ev, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_UNIX) {
		ev->flags |= TRACE_UNIX;
		return;
	}
	ev->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	ev->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (family == AF_INET6) {
		ev->flags |= TRACE_IPV6;
		BPF_CORE_READ_INTO(&ev->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&ev->peer_address, sk, __sk_common.skc_v6_daddr);
		return;
	}
	BPF_CORE_READ_INTO((__u32 *)ev->local_address, sk, __sk_common.skc_rcv_saddr);
	BPF_CORE_READ_INTO((__u32 *)ev->peer_address, sk, __sk_common.skc_daddr);
}

/* The request at the end of the queue, kept under its span id. NULL: no memory. */
static __always_inline struct ev_request *kept_of(const struct conn *c, struct trace_scratch *s, __u64 span_id)
{
	struct ev_request *ev = bpf_map_lookup_elem(&kept_requests, &span_id), *fresh = &s->request;

	if (ev)
		return ev;
	__builtin_memset(fresh, 0, offsetof(struct ev_request, head));
	fresh->span_id = span_id;
	fresh->cgroup_id = bpf_get_current_cgroup_id();
	fresh->tgid = c->tgid;
	fresh->tid = bpf_get_current_pid_tgid();
	fresh->service = c->service;
	fresh->side = c->side;
	fill_addresses(fresh, (void *)s->t.sk);
	bpf_map_update_elem(&kept_requests, &span_id, fresh, BPF_ANY);
	return bpf_map_lookup_elem(&kept_requests, &span_id);
}

/* What lies of a head in the buffer at hand, behind what is kept of it. */
__noinline int keep_part(struct conn *c, struct trace_scratch *s)
{
	struct ev_request *ev;
	__u64 len;
	__u32 at;

	if (!c || !s)
		return -1;
	len = s->t.window_at + s->window.at - s->t.part_at;
	ev = kept_of(c, s, conn_span_id(c, c->tail));
	if (!ev)
		return -1;
	at = ev->head_len;
	if (at > TRACE_HEAD_BYTES)
		return 0;
	if (len > TRACE_HEAD_BYTES - at) {
		len = TRACE_HEAD_BYTES - at;
		ev->flags |= TRACE_HEAD_CUT;
	}
	asm volatile("" : "+r"(at), "+r"(len));
	if (at >= TRACE_HEAD_BYTES || !len || len > TRACE_HEAD_BYTES)
		return 0;
	if (!bpf_probe_read_user(&ev->head[at], len, (const void *)s->t.part_at))
		ev->head_len = at + len;
	return 0;
}

static __always_inline void send_kept(struct conn *c, struct in_flight *r, const struct ended *e, __u64 span_id, __u64 start, __u64 now)
{
	struct ev_request *ev = bpf_map_lookup_elem(&kept_requests, &span_id);
	__u32 len;

	if (!ev)
		return;
	ev->start_ns = start;
	ev->end_ns = now;
	ev->request_bytes = e->request_bytes;
	ev->response_bytes = e->response_bytes;
	ev->cpu_ns = e->cpu_ns;
	ev->route = e->key.route;
	ev->status = e->key.status;
	ev->method = e->key.method;
	ev->flags |= (e->unfinished ? TRACE_UNFINISHED : 0) | (e->key.route == TRACE_ROUTE_UNKNOWN ? TRACE_UNKNOWN : 0);
	if (config.spans && (r->flags & IN_FLIGHT_SAMPLED))
		ev->flags |= TRACE_SPAN;
	else if (config.spans && (e->unfinished || e->key.status >= config.error_status[c->side & 1] || e->duration_ns >= config.slow_ns))
		ev->flags |= TRACE_SPAN | TRACE_BY_OUTCOME;
	len = ev->head_len;
	if ((ev->flags & (TRACE_SPAN | TRACE_UNKNOWN)) && len <= TRACE_HEAD_BYTES)
		count(bpf_ringbuf_output(&requests, ev, offsetof(struct ev_request, head) + len, 0) ? TRACE_COUNT_RING_FULL : TRACE_COUNT_SPANS);
	bpf_map_delete_elem(&kept_requests, &span_id);
}

/* ---- requests begin and end ---- */

static __always_inline void fill_trace(const struct conn *c, struct ev_request *ev)
{
	struct flight *f;
	struct flight_slot *slot;

	if (c->requests.flags & HTTP1_TRACED) {
		__builtin_memcpy(ev->trace_id, c->requests.trace_id, sizeof(ev->trace_id));
		__builtin_memcpy(&ev->parent_id, c->requests.parent_id, sizeof(ev->parent_id));
		ev->trace_flags = c->requests.trace_flags;
		ev->flags |= TRACE_PARENT;
		return;
	}
	f = c->side == TRACE_CLIENT ? find_flight(current_who(c), c->tgid) : 0;
	slot = f ? flight_current(f) : 0;
	if (slot) {
		__builtin_memcpy(ev->trace_id, slot->trace_id, sizeof(ev->trace_id));
		ev->parent_id = slot->span_id;
		ev->trace_flags = slot->flags & FLIGHT_SAMPLED ? 1 : 0;
		ev->flags |= TRACE_PARENT | TRACE_LOCAL;
		return;
	}
	ev->trace_id[0] = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	ev->trace_id[1] = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	ev->trace_flags = 2;
}

/* Keeps what a span or a new route needs of it. */
static __always_inline void keep_request(struct conn *c, struct trace_scratch *s, struct in_flight *r)
{
	struct ev_request *ev;
	__u64 span_id;

	if (!config.spans && r->route != TRACE_ROUTE_UNKNOWN)
		return;
	span_id = conn_span_id(c, c->tail);
	if (keep_part(c, s))
		return;
	ev = bpf_map_lookup_elem(&kept_requests, &span_id);
	if (!ev)
		return;
	r->flags |= IN_FLIGHT_KEPT;
	if (!config.spans)
		return;
	fill_trace(c, ev);
	if (ev->flags & TRACE_PARENT ? ev->trace_flags & 1 : bpf_get_prandom_u32() <= config.span_ratio) {
		r->flags |= IN_FLIGHT_SAMPLED;
		ev->trace_flags |= 1;
	}
}

__noinline int begin_request(struct conn *c, struct trace_scratch *s)
{
	struct in_flight *r;

	if (!c || !s)
		return 0;
	if (c->tail - c->head >= TRACE_PIPELINE || c->over) {
		c->over++;
		count(TRACE_COUNT_PIPELINE_FULL);
		return 0;
	}
	r = conn_at(c, c->tail);
	*r = (struct in_flight){ .start_ns = s->t.now, .path_hash = c->requests.path, .method = c->requests.code,
				 .route = route_of(c, c->requests.path) };
	keep_request(c, s, r);
	c->tail++;
	if (c->side == TRACE_SERVER && c->tail - c->head == 1)
		open_flight(c);
	return 0;
}

__noinline int end_request(struct conn *c, struct trace_scratch *s, __u64 now, __u64 response_bytes, __u32 unfinished)
{
	struct in_flight *r;
	__u64 span_id, start;
	struct ended e;

	if (!c || !s)
		return 0;
	r = conn_at(c, c->head);
	span_id = conn_span_id(c, c->head);
	start = r->start_ns > c->ended_ns ? r->start_ns : c->ended_ns;
	e = (struct ended){ .key = { .tgid = c->tgid, .route = r->route, .status = c->status, .method = r->method, .side = c->side },
			    .request_bytes = r->request_bytes, .response_bytes = response_bytes, .unfinished = unfinished };

	if (e.key.route == TRACE_ROUTE_UNKNOWN)
		e.key.route = route_of(c, r->path_hash);
	e.duration_ns = now - start;
	e.cpu_ns = c->side == TRACE_SERVER && c->who ? close_flight(c, span_id) : 0;
	count_request(s, &e);
	if (r->flags & IN_FLIGHT_KEPT)
		send_kept(c, r, &e, span_id, start, now);
	c->head++;
	c->status = 0;
	c->ended_ns = now;
	return 0;
}

/* One that found no place in the queue. */
static __always_inline void end_over(struct conn *c, struct trace_scratch *s, __u64 now, __u64 response_bytes)
{
	const struct ended e = { .key = { .tgid = c->tgid, .status = c->status, .method = HTTP1_METHOD_OTHER, .side = c->side },
				 .duration_ns = now - c->ended_ns, .response_bytes = response_bytes };

	count_request(s, &e);
	c->over--;
	c->status = 0;
	c->ended_ns = now;
}

__noinline int end_response(struct conn *c, struct trace_scratch *s)
{
	if (!c || !s)
		return 0;
	if (c->head != c->tail)
		end_request(c, s, s->t.now, c->responses.body, 0);
	else if (c->over)
		end_over(c, s, s->t.now, c->responses.body);
	c->status = 0;
	if (c->side == TRACE_SERVER && c->head != c->tail)
		open_flight(c);
	return 0;
}

/* Whatever is in flight gets no more answer. */
__noinline int end_connection(struct conn *c, struct trace_scratch *s, __u64 now)
{
	if (!c || !s)
		return 0;
	if (c->status && c->responses.state == HTTP1_IN_REST && c->head != c->tail)
		end_request(c, s, now, c->responses.body, 0);
	for (int i = 0; i < TRACE_PIPELINE && c->head != c->tail; i++)
		end_request(c, s, now, 0, 1);
	c->state = CONN_OVER;
	return 0;
}

/* ---- a connection's bytes ---- */

/* At the head of a response: what the request says of it. */
static __always_inline __u32 on_response_head(struct conn *c, struct trace_scratch *s)
{
	__u32 method = c->head != c->tail ? conn_at(c, c->head)->method : HTTP1_METHOD_OTHER, more = http1_answers(&c->responses, method);
	__u16 code = c->responses.code;

	if (code < 200 && code != 101)
		return more;
	c->status = code;
	if (code == 101 || (method == HTTP1_METHOD_CONNECT && code < 300)) {
		end_response(c, s);
		c->state = CONN_OVER;
	}
	return more;
}

__noinline int on_events(struct conn *c, struct trace_scratch *s, __u32 events)
{
	if (!c || !s)
		return 0;
	if (events & HTTP1_NOT) {
		count(TRACE_COUNT_LOST_SYNC);
		end_connection(c, s, s->t.now);
		return 0;
	}
	if (s->t.is_requests) {
		if (events & HTTP1_HEAD)
			begin_request(c, s);
		s->t.part_at = 0;
		if ((events & HTTP1_END) && c->head != c->tail)
			conn_at(c, c->tail - 1)->request_bytes = c->requests.body;
		return 0;
	}
	if (events & HTTP1_HEAD)
		events |= on_response_head(c, s);
	if (events & HTTP1_END)
		end_response(c, s);
	return 0;
}

/* Of the direction at hand. */
static __always_inline struct http1 *parser(struct conn *c, const struct trace_scratch *s)
{
	return s->t.is_requests ? &c->requests : &c->responses;
}

static __always_inline void pass(struct conn *c, struct trace_scratch *s, __u64 n)
{
	__u32 events = http1_pass(parser(c, s), n);

	data_advance(&s->t.d, n);
	s->t.left -= n;
	if (events)
		on_events(c, s, events);
}

/* The next bytes, or none: -1. */
__noinline int fill_window(struct conn *c, struct trace_scratch *s)
{
	struct http1_window *w;
	struct transfer *t;
	__u64 n, unseen;

	if (!c || !s)
		return -1;
	t = &s->t;
	w = &s->window;
	if (!t->d.left && t->part_at) {
		keep_part(c, s); /* a head goes on in another buffer */
		t->part_at = 0;
	}
	if (!t->left || data_next_buffer(&t->d))
		return -1;
	unseen = http1_unseen(parser(c, s));
	n = t->left < t->d.left ? t->left : t->d.left;
	w->at = w->end = 0;
	t->window_at = t->d.at;
	if (unseen) {
		pass(c, s, n < unseen ? n : unseen);
		return 0;
	}
	n = n < HTTP1_WINDOW ? n : HTTP1_WINDOW;
	if (bpf_probe_read_user(w->bytes, n, (const void *)t->d.at)) {
		count(TRACE_COUNT_UNREADABLE);
		end_connection(c, s, t->now);
		return -1;
	}
	w->end = n;
	data_advance(&t->d, n);
	t->left -= n;
	if (t->is_requests && !t->part_at && c->requests.state > HTTP1_AT_END)
		t->part_at = t->window_at;
	return 0;
}

/* Up to the next event, or the window's end. */
__noinline int read_window(struct conn *c, struct trace_scratch *s)
{
	if (!c || !s)
		return 0;
	return http1_next(parser(c, s), &s->window);
}

struct look {
	struct conn *c;
	struct trace_scratch *s;
};

/* 1: done. */
static long look(__u32 i, void *ctx)
{
	struct conn *c = ((struct look *)ctx)->c;
	struct trace_scratch *s = ((struct look *)ctx)->s;
	__u32 events;

	if (c->state != CONN_HTTP1)
		return 1;
	if (s->window.at >= s->window.end)
		return fill_window(c, s) < 0;
	if (s->t.is_requests && c->requests.state <= HTTP1_AT_END)
		s->t.part_at = s->t.window_at + s->window.at;
	events = read_window(c, s);
	if (events)
		on_events(c, s, events);
	return 0;
}

__noinline int look_at_transfer(struct conn *c, struct trace_scratch *s)
{
	struct look l = { c, s };

	if (!c || !s)
		return 0;
	s->window.at = s->window.end = 0;
	bpf_loop(TRACE_MAX_LOOKS, look, &l, 0);
	if (s->t.part_at)
		keep_part(c, s);
	if (s->t.left && c->state == CONN_HTTP1)
		on_events(c, s, HTTP1_NOT); /* more than may be looked at in one go */
	return 0;
}

/* Bytes that cannot be seen: of a body they need not be. */
static __always_inline void pass_unseen(struct conn *c, struct trace_scratch *s)
{
	if (http1_unseen(parser(c, s)) < s->t.left)
		end_connection(c, s, s->t.now);
	else
		pass(c, s, s->t.left);
}

/* ---- connections ---- */

enum first_bytes { FIRST_OTHER, FIRST_REQUEST, FIRST_RESPONSE, FIRST_TLS, FIRST_HTTP2 };

/*
 * A word in capitals with a target behind it, or as much of that as there is: what else begins a stream is taken for no
 * request. Empty lines may come before. b: 16 bytes, zero behind n.
 */
static __always_inline enum first_bytes recognize(const __u8 *b, __u64 n)
{
	__u32 i;

	if (b[0] == 0x16 && b[1] == 3 && b[2] <= 4 && n >= 3)
		return FIRST_TLS;
	if (b[0] == 'P' && b[1] == 'R' && b[2] == 'I' && b[3] == ' ' && b[4] == '*')
		return FIRST_HTTP2;
	if (b[0] == 'H' && b[1] == 'T' && b[2] == 'T' && b[3] == 'P' && b[4] == '/' && b[5] == '1')
		return FIRST_RESPONSE;
	if (b[0] == '\r' && b[1] == '\n')
		b += 2;
	for (i = 0; i < 8 && b[i] >= 'A' && b[i] <= 'Z'; i++)
		;
	if (i && !b[i])
		return FIRST_REQUEST; /* so far */
	if (i < 3 || i > 7 || b[i] != ' ')
		return FIRST_OTHER;
	return !b[i + 1] || b[i + 1] == '/' || b[i + 1] == 'h' || b[i + 1] == '*' || i == 7 ? FIRST_REQUEST : FIRST_OTHER;
}

static __always_inline struct conn *find_conn(struct sock *sk, int by_address)
{
	__u64 address = (__u64)sk;

	return by_address ? bpf_map_lookup_elem(&conns_by_address, &address) : bpf_sk_storage_get(&conns, sk, 0, 0);
}

static __always_inline struct conn *make_conn(struct sock *sk, struct trace_scratch *s, int by_address)
{
	__u64 address = (__u64)sk;

	if (!by_address)
		return bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	bpf_map_update_elem(&conns_by_address, &address, &s->no_conn, BPF_ANY);
	return bpf_map_lookup_elem(&conns_by_address, &address);
}

static __always_inline int is_stream(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6 || family == AF_UNIX) && BPF_CORE_READ(sk, sk_type) == SOCK_STREAM;
}

static __always_inline __u32 *tries_of(struct sock *sk, int by_address)
{
	__u64 address = (__u64)sk;
	__u32 zero = 0, *n;

	if (!by_address)
		return bpf_sk_storage_get(&tries, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	n = bpf_map_lookup_elem(&tries_by_address, &address);
	if (n)
		return n;
	bpf_map_update_elem(&tries_by_address, &address, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tries_by_address, &address);
}

/* What a transfer in this direction shows of a connection nobody knows. */
static __always_inline enum first_bytes look_at_first(struct trace_scratch *s)
{
	struct transfer *t = &s->t;
	__u8 *b = s->window.bytes;
	__u64 n;

	if (data_next_buffer(&t->d))
		return FIRST_OTHER;
	n = t->left < t->d.left ? t->left : t->d.left;
	n = n < 16 ? n : 16;
	__builtin_memset(b, 0, 16);
	if (!n || bpf_probe_read_user(b, n, (const void *)t->d.at))
		return FIRST_OTHER;
	return recognize(b, n);
}

static __always_inline void begin_conn(struct conn *c, const struct trace_proc *proc, enum first_bytes first, int is_receive)
{
	int is_request = first == FIRST_REQUEST;

	c->id = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	c->side = is_request == is_receive ? TRACE_SERVER : TRACE_CLIENT;
	c->requests.flags = proc && (proc->flags & TRACE_PROC_LITERAL) ? HTTP1_LITERAL : 0;
	c->state = CONN_HTTP1;
	count(TRACE_COUNT_CONNECTIONS);
}

/* A connection nobody knows: NULL unless this is its first request, or a response of one that was there before us. */
static __always_inline struct conn *meet(struct sock *sk, struct trace_scratch *s, const struct trace_proc *proc, int is_receive, int by_address)
{
	__u32 *n = is_stream(sk) ? tries_of(sk, by_address) : 0;
	enum first_bytes first;
	struct conn *c;

	if (!n || *n >= TRACE_TRIES)
		return 0;
	++*n;
	first = look_at_first(s);
	if (first == FIRST_TLS || first == FIRST_HTTP2) {
		count(first == FIRST_TLS ? TRACE_COUNT_ENCRYPTED : TRACE_COUNT_HTTP2);
		*n = TRACE_TRIES;
	}
	if (first != FIRST_REQUEST && first != FIRST_RESPONSE)
		return 0;
	c = make_conn(sk, s, by_address);
	if (!c) {
		count(TRACE_COUNT_CONNS_FULL);
		return 0;
	}
	begin_conn(c, proc, first, is_receive);
	return c;
}

static __always_inline struct trace_scratch *try_scratch(__u32 i)
{
	struct trace_scratch *s = bpf_map_lookup_elem(&trace_scratch, &i);

	return s && !__sync_lock_test_and_set(&s->taken, 1) ? s : 0;
}

/* This CPU's, until let_go(). A softirq that interrupts us has another; NULL: all are taken. */
static __always_inline struct trace_scratch *take_scratch(void)
{
	struct trace_scratch *s = try_scratch(0);

	if (!s)
		s = try_scratch(1);
	return s ? s : try_scratch(2);
}

static __always_inline void let_go(struct trace_scratch *s)
{
	s->taken = 0;
}

static __always_inline void transfer_bytes(struct conn *c, struct sock *sk, struct trace_scratch *s, const struct trace_proc *proc,
					   enum data_shape shape, __u64 inode, int is_receive, int by_address)
{
	if (shape == DATA_UNSEEN)
		count(TRACE_COUNT_UNSEEN);
	if (!c && shape != DATA_UNSEEN)
		c = meet(sk, s, proc, is_receive, by_address);
	if (!c)
		return;
	c->inode = inode;
	c->tgid = bpf_get_current_pid_tgid() >> 32;
	c->service = proc ? proc->service : 0;
	c->known = proc != 0;
	if (!c->who)
		c->go = proc && (proc->flags & TRACE_PROC_GO);
	s->t.is_requests = (c->side == TRACE_SERVER) == is_receive;
	if (shape == DATA_UNSEEN)
		pass_unseen(c, s);
	else
		look_at_transfer(c, s);
}

static __always_inline int is_wanted(const struct trace_proc *proc)
{
	return proc ? !(proc->flags & TRACE_PROC_UNWANTED) : !config.only_known;
}

static __always_inline int transfer(struct sock *sk, __u64 nr, __u64 arg2, __u64 arg3, __u64 inode, int bytes, int is_receive, int by_address)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct conn *c = find_conn(sk, by_address);
	enum data_shape shape = data_shape(nr, arg3);
	const struct trace_proc *proc;
	struct trace_scratch *s;

	if (c && c->state == CONN_OVER)
		return 0;
	proc = bpf_map_lookup_elem(&procs, &tgid);
	if (!is_wanted(proc))
		return 0;
	s = take_scratch();
	if (!s) {
		count(TRACE_COUNT_LOST_SYNC);
		if (c)
			c->state = CONN_OVER;
		return 0;
	}
	s->t = (struct transfer){ .sk = (__u64)sk, .left = bytes, .now = bpf_ktime_get_boot_ns() };
	count(TRACE_COUNT_TRANSFERS);
	if (bytes <= 0) {
		if (c && is_receive && c->side == TRACE_CLIENT)
			end_connection(c, s, s->t.now);
	} else if (data_begin(&s->t.d, shape, arg2, arg3)) {
		transfer_bytes(c, sk, s, proc, DATA_UNSEEN, inode, is_receive, by_address);
	} else {
		transfer_bytes(c, sk, s, proc, shape, inode, is_receive, by_address);
	}
	let_go(s);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
static __always_inline int transfer_of_syscall(struct sock *sk, int bytes, int flags, int is_receive)
{
	const struct pt_regs *regs = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (flags & MSG_PEEK)
		return 0;
	return transfer(sk, SYSCALL_OF(regs), SYSCALL_ARG2(regs), SYSCALL_ARG3(regs), 0, bytes, is_receive, 0);
}
#endif

SEC("tp_btf/sock_send_length")
int BPF_PROG(sent, struct sock *sk, int bytes, int flags)
{
	return transfer_of_syscall(sk, bytes, flags, 0);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(received, struct sock *sk, int bytes, int flags)
{
	return transfer_of_syscall(sk, bytes, flags, 1);
}

#if defined(__TARGET_ARCH_x86)
/* NULL: it is no socket. */
static __always_inline struct sock *sock_of(__u32 fd, __u64 *ret_inode)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slot, *file = 0;
	struct socket *socket;
	__u16 mode;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	slot = BPF_CORE_READ(table, fd) + fd;
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	mode = BPF_CORE_READ(file, f_inode, i_mode);
	if (!file || (mode & S_IFMT) != S_IFSOCK)
		return 0;
	*ret_inode = BPF_CORE_READ(file, f_inode, i_ino);
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* The state of another socket that had this address: nothing told of its end, since it was no TCP. */
static __always_inline void forget_other(struct sock *sk, __u64 inode)
{
	__u64 address = (__u64)sk;
	struct conn *c = bpf_map_lookup_elem(&conns_by_address, &address);

	if (c && c->inode != inode)
		bpf_map_delete_elem(&conns_by_address, &address);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_ended, struct pt_regs *regs, long bytes)
{
	__u64 nr = SYSCALL_OF(regs), inode = 0;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	int is_receive = data_is_receive(nr);
	const struct trace_proc *proc;
	struct sock *sk;

	if (data_shape(nr, SYSCALL_ARG3(regs)) == DATA_OTHER || bytes < 0 || (nr == SYSCALL_RECVFROM && (regs->r10 & MSG_PEEK)) ||
	    (nr == SYSCALL_RECVMSG && (regs->rdx & MSG_PEEK)))
		return 0;
	proc = bpf_map_lookup_elem(&procs, &tgid);
	if (!is_wanted(proc))
		return 0;
	sk = sock_of(SYSCALL_ARG1(regs), &inode);
	if (!sk)
		return 0;
	forget_other(sk, inode);
	return transfer(sk, nr, SYSCALL_ARG2(regs), SYSCALL_ARG3(regs), inode, bytes, is_receive, 1);
}
#endif

static __always_inline void close_conn(struct conn *c, int to)
{
	struct trace_scratch *s;

	if (!c || c->state != CONN_HTTP1 || (to != TCP_CLOSE && c->side != TRACE_SERVER))
		return;
	s = take_scratch();
	if (!s)
		return;
	end_connection(c, s, bpf_ktime_get_boot_ns());
	let_go(s);
}

/* A TCP connection of which nothing more can come, or to which the server has said all. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, struct sock *sk, int from, int to)
{
	__u64 address = (__u64)sk;

	if (to != TCP_CLOSE && to != TCP_FIN_WAIT1 && to != TCP_LAST_ACK)
		return 0;
	if (!config.by_address) {
		close_conn(bpf_sk_storage_get(&conns, sk, 0, 0), to);
		return 0;
	}
	close_conn(bpf_map_lookup_elem(&conns_by_address, &address), to);
	if (to == TCP_CLOSE) {
		bpf_map_delete_elem(&conns_by_address, &address);
		bpf_map_delete_elem(&tries_by_address, &address);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
