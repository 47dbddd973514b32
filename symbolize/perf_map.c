/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "symbolize/symtab.h"

enum { MAX_BYTES = 64 << 20 };

int perf_map_open(int root_fd, pid_t nspid, uid_t uid)
{
	_cleanup_(closep) int dir = -1, fd = -1;
	struct stat st;
	char name[64];

	/* Each step refuses a link, so that "tmp" cannot lead elsewhere either. */
	dir = openat(root_fd, "tmp", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return -errno;
	snprintf(name, sizeof(name), "perf-%d.map", (int)nspid);
	fd = file_open_regular(dir, name, O_NOFOLLOW, &st);
	if (fd < 0)
		return fd;
	if (st.st_uid != uid && st.st_uid != 0)
		return -EPERM;
	return take_fd(&fd);
}

struct line {
	uint64_t start, end;
	const char *name;
	size_t len;
	uint32_t order;
};

/* Digits of either case; *at moves behind them. 0 or -EINVAL. */
static int parse_hex(const char **at, const char *end, uint64_t *ret)
{
	const char *s = *at;
	uint64_t v = 0;

	if (end - s > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	*at = s;
	for (; s < end; s++) {
		int c = *s | 0x20, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			break;
		if (v >> 60)
			return -EINVAL;
		v = v << 4 | (uint64_t)digit;
	}
	if (s == *at)
		return -EINVAL;
	*at = s;
	*ret = v;
	return 0;
}

static int parse_line(const char *s, const char *end, struct line *ret)
{
	uint64_t size;

	if (parse_hex(&s, end, &ret->start) < 0 || s == end || *s++ != ' ' || parse_hex(&s, end, &size) < 0 ||
	    s == end || *s++ != ' ')
		return -EINVAL;
	while (s < end && *s == ' ')
		s++;
	if (s == end || !size || ret->start + size < ret->start || memchr(s, 0, (size_t)(end - s)))
		return -EINVAL;
	ret->end = ret->start + size;
	ret->name = s;
	ret->len = (size_t)(end - s);
	return 0;
}

struct lines {
	struct line *v;
	uint32_t n, cap;
};

static int by_start(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/*
 * JITs reuse addresses, so lines overlap and the latest wins, piece by piece. A sweep over the
 * addresses: `open` holds the lines that began before `at` as a heap, the latest on top, and each
 * stretch between two beginnings or ends belongs to the top.
 */
struct sweep {
	struct symtab *t;
	vec(const struct line *) open;
	uint64_t at, piece_start; /* the piece being made: [piece_start, at) of piece */
	const struct line *piece;
};

static int open_line(struct sweep *s, const struct line *x)
{
	const struct line **slot = vec_push(&s->open);
	uint32_t i = s->open.n - 1;

	if (!slot)
		return -ENOMEM;
	for (; i && s->open.v[(i - 1) / 2]->order < x->order; i = (i - 1) / 2)
		s->open.v[i] = s->open.v[(i - 1) / 2];
	s->open.v[i] = x;
	return 0;
}

static void close_top(struct sweep *s)
{
	const struct line *last = s->open.v[--s->open.n];
	uint32_t i = 0, child;

	for (; (child = 2 * i + 1) < s->open.n; i = child) {
		if (child + 1 < s->open.n && s->open.v[child + 1]->order > s->open.v[child]->order)
			child++;
		if (s->open.v[child]->order < last->order)
			break;
		s->open.v[i] = s->open.v[child];
	}
	s->open.v[i] = last;
}

static int end_piece(struct sweep *s)
{
	const struct line *x = s->piece;

	s->piece = NULL;
	return x ? symtab_add(s->t, s->piece_start, s->at - s->piece_start, x->name, x->len, 0, SYMBOL_GLOBAL) : 0;
}

/* Gives out the addresses from `at` to `to`. */
static int sweep_to(struct sweep *s, uint64_t to)
{
	while (s->open.n) {
		const struct line *top = s->open.v[0];

		if (top->end <= s->at) {
			close_top(s);
			continue;
		}
		if (s->at == to)
			return 0;
		if (s->piece != top) {
			if (end_piece(s) < 0)
				return -ENOMEM;
			s->piece = top;
			s->piece_start = s->at;
		}
		s->at = top->end < to ? top->end : to;
	}
	if (end_piece(s) < 0)
		return -ENOMEM;
	s->at = to;
	return 0;
}

static int add_lines(struct lines *l, struct symtab *t)
{
	struct sweep s = { .t = t };
	int r = 0;

	qsort(l->v, l->n, sizeof(*l->v), by_start);
	for (uint32_t i = 0; i < l->n && r >= 0; i++) {
		r = sweep_to(&s, l->v[i].start);
		if (r >= 0)
			r = open_line(&s, &l->v[i]);
	}
	if (r >= 0)
		r = sweep_to(&s, UINT64_MAX);
	vec_fini(&s.open);
	return r;
}

int perf_map_parse(const char *text, size_t len, struct symtab *t, uint64_t *ret_bad)
{
	const char *s = text, *end = text + len, *newline;
	struct lines l = { 0 };
	uint64_t bad = 0;
	int r = 0;

	/* A last line without its newline is still being written. */
	while (r >= 0 && s < end && (newline = memchr(s, '\n', (size_t)(end - s)))) {
		struct line *x = vec_push(&l);

		if (!x) {
			r = -ENOMEM;
		} else if (parse_line(s, newline, x) < 0) {
			l.n--;
			bad++;
		} else {
			x->order = l.n;
		}
		s = newline + 1;
	}
	if (r >= 0 && l.n)
		r = add_lines(&l, t);
	vec_fini(&l);
	if (r < 0)
		return r;
	symtab_finish(t, 0);
	*ret_bad = bad;
	return 0;
}

int perf_map_read(int fd, struct symtab *t, uint64_t *ret_bad)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	int r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = file_read_all(fd, MAX_BYTES, &b);
	return r < 0 && r != -EFBIG ? r : perf_map_parse((const char *)b.data, b.len, t, ret_bad);
}
