/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

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

int64_t perf_map_parse(struct perf_map *m, const char *text, size_t len)
{
	const char *s = text, *end = text + len, *newline;
	struct line x;
	int r = 0;

	/* A last line without its newline is still being written. */
	while (r >= 0 && s < end && (newline = memchr(s, '\n', (size_t)(end - s)))) {
		if (parse_line(s, newline, &x) < 0)
			m->bad++;
		else
			r = jit_map_add(&m->map, x.start, x.end - x.start, x.name, x.len);
		if (r >= 0 && jit_map_is_full(&m->map))
			r = jit_map_settle(&m->map);
		s = newline + 1;
	}
	return r < 0 ? r : s - text;
}

static int64_t take(void *ctx, const uint8_t *data, size_t len, uint64_t left)
{
	return perf_map_parse(ctx, (const char *)data, len);
}

int perf_map_update(struct perf_map *m, int fd)
{
	bool again;
	int r = tail_look(&m->tail, fd, &again), settled;

	if (r <= 0)
		return r;
	if (again)
		jit_map_fini(&m->map);
	r = tail_read(&m->tail, fd, take, m);
	settled = jit_map_settle(&m->map);
	r = r < 0 ? r : settled;
	if (r == -ENOMEM)
		perf_map_fini(m);
	return r;
}

void perf_map_fini(struct perf_map *m)
{
	jit_map_fini(&m->map);
	*m = (struct perf_map){ 0 };
}
