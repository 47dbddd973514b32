/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/process_context.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"

enum { VERSION = 2, TRIES = 3, LINES_MAX = 1 << 17 };

struct header {
	char signature[8];
	uint32_t version, payload_size;
	uint64_t published_at_ns, payload;
};
_Static_assert(sizeof(struct header) == 32, "OTEP 4719's header");

/* One line of /proc/PID/maps. */
struct area {
	uint64_t start, end, inode;
	bool readable;
	const char *name; /* in the line */
};

static bool parse(char *line, struct area *ret)
{
	char perm[5];
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %n", &ret->start, &ret->end, perm, &ret->inode, &at) < 4 || !at)
		return false;
	ret->readable = perm[0] == 'r';
	ret->name = line + at;
	return true;
}

static bool is_context(const struct area *a)
{
	static const char *const names[] = { "[anon_shmem:OTEL_CTX]", "[anon:OTEL_CTX]", "/memfd:OTEL_CTX" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(a->name, names[i], strlen(names[i])))
			return a->readable;
	return false;
}

static bool is_memory(const struct area *a)
{
	return a->readable && (!a->inode || is_context(a));
}

/* The first that wanted() takes; address: where it must lie, 0 anywhere. */
static int find_area(pid_t pid, bool (*wanted)(const struct area *a), uint64_t address, struct area *ret)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	for (int n = 0; n < LINES_MAX && fgets(line, sizeof(line), f); n++)
		if (parse(line, ret) && wanted(ret) && (!address || (address >= ret->start && address < ret->end)))
			return 0;
	return -ENOENT;
}

static int read_memory(pid_t pid, uint64_t from, void *to, size_t len)
{
	struct iovec here = { to, len }, there = { (void *)(uintptr_t)from, len };
	ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);

	return n < 0 ? (errno == EFAULT ? -EBADMSG : -errno) : (size_t)n < len ? -EBADMSG : 0;
}

static int read_header(pid_t pid, uint64_t at, struct header *ret)
{
	int r = read_memory(pid, at, ret, sizeof(*ret));

	if (r < 0)
		return r;
	if (memcmp(ret->signature, "OTEL_CTX", sizeof(ret->signature)))
		return -EAGAIN; /* written last */
	if (ret->version != VERSION || !ret->payload || ret->payload_size > PROCESS_CONTEXT_MAX)
		return -EBADMSG;
	return ret->published_at_ns ? 0 : -EAGAIN;
}

static int read_payload(pid_t pid, const struct header *h, struct buf *out)
{
	struct area a;
	uint8_t *to;
	int r = find_area(pid, is_memory, h->payload, &a);

	if (r < 0 || h->payload_size > a.end - h->payload)
		return r == -ENOENT || r >= 0 ? -EBADMSG : r;
	to = buf_reserve(out, h->payload_size);
	if (!to)
		return -ENOMEM;
	r = read_memory(pid, h->payload, to, h->payload_size);
	out->len += r >= 0 ? h->payload_size : 0;
	return r;
}

/* What was read between two looks at one time stamp is whole. */
static int read_once(pid_t pid, uint64_t at, struct buf *out)
{
	struct header before, after;
	size_t len = out->len;
	int r = read_header(pid, at, &before);

	if (r >= 0)
		r = read_payload(pid, &before, out);
	if (r >= 0)
		r = read_header(pid, at, &after);
	if (r >= 0 && memcmp(&before, &after, sizeof(after)))
		r = -EAGAIN;
	if (r < 0)
		out->len = len;
	return r;
}

int process_context_read(pid_t pid, struct buf *out)
{
	struct area a;
	int r = find_area(pid, is_context, 0, &a);

	if (r < 0)
		return r;
	for (int i = 0; i < TRIES; i++) {
		r = read_once(pid, a.start, out);
		if (r != -EAGAIN)
			break;
	}
	return r;
}
