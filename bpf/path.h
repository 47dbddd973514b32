/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * path - the hash by which a request's path is known to the program, and routes are taught to it.
 *
 * FNV-1a, 64 bits, over the normalised path: as it is on the wire, without query and fragment; a segment that contains a
 * digit is `*`, unless it is `v` and one or two digits. So requests for one thing after the other are of one hash:
 *
 *	/v1/users/4711/cart   ->   /v1/users/<star>/cart
 *
 * Percent-encoding stays as it is, and its digits count as such. A path may be hashed literally instead.
 * The parser (http1_start.h) does it byte by byte; user space by path_normalize() and path_hash().
 */
#include <linux/types.h>

#define PATH_HASH_EMPTY 0xcbf29ce484222325ull

static __always_inline __u64 path_hash_add(__u64 hash, __u8 c)
{
	return (hash ^ c) * 0x100000001b3ull;
}

/* What a segment that contains a digit is so far: the digits seen (3: or more), and whether its first byte was a v before one. */
#define PATH_DIGITS 3u
#define PATH_VEE    4u

/* A digit after len bytes of the segment: what it is from now on. before, hash: without and with these bytes. */
static __always_inline __u32 path_digit(__u32 segment, __u64 before, __u64 hash, __u32 len)
{
	if (!segment)
		return len == 1 && hash == path_hash_add(before, 'v') ? PATH_VEE | 1 : 1;
	return segment + ((segment & PATH_DIGITS) < PATH_DIGITS);
}

/* The hash at the end of a segment of len bytes. */
static __always_inline __u64 path_end_segment(__u32 segment, __u64 before, __u64 hash, __u64 len)
{
	__u32 digits = segment & PATH_DIGITS;

	if (!digits || ((segment & PATH_VEE) && digits < PATH_DIGITS && len == digits + 1))
		return hash;
	return path_hash_add(before, '*');
}

#if !defined(__bpf__)
#include <stddef.h>
#include <string.h>

static inline __u64 path_hash(const char *path, size_t len)
{
	__u64 hash = PATH_HASH_EMPTY;

	for (size_t i = 0; i < len; i++)
		hash = path_hash_add(hash, (__u8)path[i]);
	return hash;
}

static inline int path_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline int path_is_variable(const char *segment, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++)
		digits += path_is_digit(segment[i]);
	return digits && !(segment[0] == 'v' && digits == len - 1 && digits <= 2);
}

/* Of a path without query and fragment, into to, which holds len bytes and may be the path itself; its length, at most len. */
static inline size_t path_normalize(const char *path, size_t len, char *to)
{
	size_t n = 0;

	for (size_t at = 0, end; at <= len; at = end + 1) {
		const char *slash = memchr(path + at, '/', len - at);

		end = slash ? (size_t)(slash - path) : len;
		if (path_is_variable(path + at, end - at)) {
			to[n++] = '*';
		} else {
			memmove(to + n, path + at, end - at);
			n += end - at;
		}
		if (slash)
			to[n++] = '/';
	}
	return n;
}
#endif
