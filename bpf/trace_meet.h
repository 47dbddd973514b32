/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * trace_meet - a socket's connection, where it is one that speaks HTTP/1: found, or met by the first bytes it shows.
 *
 * Most sockets carry something else: after a few transfers they are not looked at any more.
 */
#include "bpf/trace_kept.h"

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
	for (i = 0; i < 12 && b[i] >= 'A' && b[i] <= 'Z'; i++)
		;
	if (i && !b[i])
		return FIRST_REQUEST; /* so far */
	if (i < 3 || i > 11 || b[i] != ' ')
		return FIRST_OTHER;
	return !b[i + 1] || b[i + 1] == '/' || b[i + 1] == 'h' || b[i + 1] == '*' || i == 7 ? FIRST_REQUEST : FIRST_OTHER;
}

static __always_inline struct conn *find_conn(struct sock *sk, int by_address)
{
	__u64 address = (__u64)sk;

	return by_address ? bpf_map_lookup_elem(&conns_by_address, &address) : bpf_sk_storage_get(&conns, sk, 0, 0);
}

/* At an address may be the state of another socket that had it: nothing told of its end, since it was no TCP. */
static __always_inline struct conn *find_own_conn(struct sock *sk, __u64 inode, int by_address)
{
	struct conn *c = find_conn(sk, by_address);
	__u64 address = (__u64)sk;

	if (!by_address || !c || c->inode == inode)
		return c;
	forget_conn(&address);
	return 0;
}

static __always_inline void forget(const struct socket_key *key)
{
	struct conn *c = bpf_map_lookup_elem(&conns_by_address, &key->address);

	if (c && c->inode == key->inode)
		forget_conn(&key->address);
}

static __always_inline void remember_unix(__u64 address, __u64 inode)
{
	__u32 i = __sync_fetch_and_add(&n_unix_conns, 1) % TRACE_MAX_UNIX;
	struct socket_key *slot = bpf_map_lookup_elem(&unix_conns, &i);

	if (!slot)
		return;
	forget(slot);
	*slot = (struct socket_key){ address, inode };
}

static __always_inline struct conn *make_conn(struct sock *sk, struct trace_scratch *s, int by_address)
{
	__u64 address = (__u64)sk;

	if (!by_address)
		return bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		remember_unix(address, s->t.inode);
	if (!bpf_map_update_elem(&conns_by_address, &address, &s->no_conn, BPF_NOEXIST))
		conns_by_address_add(1);
	return bpf_map_lookup_elem(&conns_by_address, &address);
}

static __always_inline int is_stream(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6 || family == AF_UNIX) && BPF_CORE_READ(sk, sk_type) == SOCK_STREAM;
}

static __always_inline __u32 *tries_of(struct sock *sk, __u64 inode, int by_address)
{
	const struct socket_key key = { (__u64)sk, inode };
	__u32 zero = 0, *n;

	if (!by_address)
		return bpf_sk_storage_get(&tries, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	n = bpf_map_lookup_elem(&tries_by_address, &key);
	if (n)
		return n;
	bpf_map_update_elem(&tries_by_address, &key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tries_by_address, &key);
}

/* Enough for a connection; or for one that goes on in a direction in which nothing was recognized so far. */
static __always_inline int is_tried(__u32 n, int is_receive)
{
	return n >= 2 * TRACE_TRIES || (n >= 2 * TRACE_FIRST_TRIES && (n & 1) == (__u32)is_receive);
}

/* Asked before anything else is done, for the sake of all that is no HTTP. */
static __always_inline int is_given_up(struct sock *sk, __u64 inode, int is_receive, int by_address)
{
	const struct socket_key key = { (__u64)sk, inode };
	const __u32 *n = by_address ? bpf_map_lookup_elem(&tries_by_address, &key) : bpf_sk_storage_get(&tries, sk, 0, 0);

	return n && is_tried(*n, is_receive);
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

static __always_inline void begin_conn(struct conn *c, struct sock *sk, __u64 proc, enum first_bytes first, int is_receive)
{
	int is_request = first == FIRST_REQUEST;

	c->id = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
	c->side = is_request == is_receive ? TRACE_SERVER : TRACE_CLIENT;
	c->dir[REQUESTS].flags = HTTP1_REQUESTS | (proc_flags(proc) & TRACE_PROC_LITERAL ? HTTP1_LITERAL : 0);
	c->dir[RESPONSES].flags = HTTP1_RESPONSES;
	c->state = CONN_HTTP1;
	c->kept.side = c->side;
	if (config.spans)
		fill_addresses(&c->kept, sk);
	count(TRACE_COUNT_CONNECTIONS);
}

/* A connection nobody knows: NULL unless this is its first request, or a response of one that was there before us. */
static __always_inline struct conn *meet(struct sock *sk, struct trace_scratch *s, __u64 proc, int is_receive, int by_address)
{
	__u32 *n = is_stream(sk) ? tries_of(sk, s->t.inode, by_address) : 0;
	enum first_bytes first;
	struct conn *c;

	if (!n || is_tried(*n, is_receive))
		return 0;
	*n = ((*n & ~1u) + 2) | is_receive;
	first = look_at_first(s);
	if (first == FIRST_TLS || first == FIRST_HTTP2) {
		count(first == FIRST_TLS ? TRACE_COUNT_ENCRYPTED : TRACE_COUNT_HTTP2);
		*n = 2 * TRACE_TRIES;
	}
	if (first != FIRST_REQUEST && first != FIRST_RESPONSE)
		return 0;
	c = make_conn(sk, s, by_address);
	if (!c) {
		count(TRACE_COUNT_CONNS_FULL);
		return 0;
	}
	begin_conn(c, sk, proc, first, is_receive);
	return c;
}
