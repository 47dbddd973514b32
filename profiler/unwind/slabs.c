/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/slabs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "base/vec.h"
#include "bpf/slab.h"

enum { UNIT = 64, UNITS = SLAB_BYTES / UNIT, WORDS = UNITS / 64 };
#define GRACE_NS (100 * NSEC_PER_MSEC)

struct one_slab {
	uint8_t *bytes; /* NULL: not mapped now */
	int fd;
	bool touched; /* since the last reap */
	uint32_t used, next; /* units in use; where the last chunk ended */
	uint64_t busy[WORDS];
};

struct retired {
	uint64_t time_ns;
	uint32_t at, bytes;
};

struct slabs {
	int map_fd;
	vec(struct one_slab *) v; /* by number; NULL: not there */
	vec(struct retired) retired; /* in order of time */
	size_t used_bytes;
	uint32_t live;
};

int slabs_new(int map_fd, struct slabs **ret)
{
	struct slabs *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->map_fd = map_fd;
	*ret = s;
	return 0;
}

static void free_slab(struct slabs *s, uint32_t i)
{
	struct one_slab *o = s->v.v[i];

	if (!o)
		return;
	if (o->bytes)
		munmap(o->bytes, SLAB_BYTES);
	if (s->map_fd >= 0 && o->fd >= 0)
		bpf_map_delete_elem(s->map_fd, &i);
	closep(&o->fd);
	free(o);
	s->v.v[i] = NULL;
	s->live--;
}

struct slabs *slabs_free(struct slabs *s)
{
	if (!s)
		return NULL;
	for (uint32_t i = 0; i < s->v.n; i++)
		free_slab(s, i);
	vec_fini(&s->v);
	vec_fini(&s->retired);
	free(s);
	return NULL;
}

static int map_slab(struct one_slab *o)
{
	int flags = o->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *bytes = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, flags, o->fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	o->bytes = bytes;
	return 0;
}

static int make_map(struct slabs *s, uint32_t i, struct one_slab *o)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	if (s->map_fd < 0)
		return 0;
	o->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "slab", sizeof(uint32_t), SLAB_BYTES, 1, &opts);
	return o->fd < 0 || bpf_map_update_elem(s->map_fd, &i, &o->fd, BPF_ANY) < 0 ? -errno : 0;
}

/* Slab 0's first unit is never given away: address 0 is nothing. */
static int add_slab(struct slabs *s, uint32_t *ret)
{
	struct one_slab *o;
	uint32_t i = 0;
	int r;

	while (i < s->v.n && s->v.v[i])
		i++;
	if (i == SLAB_COUNT)
		return -ENOSPC;
	if (i == s->v.n && !vec_push(&s->v))
		return -ENOMEM;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->fd = -1;
	s->v.v[i] = o;
	s->live++;
	r = make_map(s, i, o);
	if (r >= 0)
		r = map_slab(o);
	if (r < 0) {
		free_slab(s, i);
		return r;
	}
	if (!i)
		o->busy[0] = o->used = 1;
	*ret = i;
	return 0;
}

static bool is_busy(const struct one_slab *o, uint32_t unit)
{
	return o->busy[unit / 64] >> unit % 64 & 1;
}

static void mark(struct slabs *s, struct one_slab *o, uint32_t unit, uint32_t n, bool busy)
{
	for (uint32_t i = unit; i < unit + n; i++)
		o->busy[i / 64] ^= 1ull << i % 64;
	o->used = busy ? o->used + n : o->used - n;
	s->used_bytes = busy ? s->used_bytes + (size_t)n * UNIT : s->used_bytes - (size_t)n * UNIT;
}

/* First run of n free units in [from, to). */
static bool find_run(const struct one_slab *o, uint32_t from, uint32_t to, uint32_t n, uint32_t *ret)
{
	uint32_t run = 0;

	for (uint32_t i = from; i < to; i++) {
		if (i % 64 == 0 && o->busy[i / 64] == UINT64_MAX) {
			run = 0;
			i += 63;
			continue;
		}
		run = is_busy(o, i) ? 0 : run + 1;
		if (run < n)
			continue;
		*ret = i + 1 - n;
		return true;
	}
	return false;
}

/* Behind the last chunk first: most are made in a row and freed in any order. */
static bool take(struct slabs *s, struct one_slab *o, uint32_t n, uint32_t *ret)
{
	uint32_t end = o->next + n < UNITS ? o->next + n : UNITS;

	if (UNITS - o->used < n || (!find_run(o, o->next, UNITS, n, ret) && !find_run(o, 0, end, n, ret)))
		return false;
	mark(s, o, *ret, n, true);
	o->next = *ret + n;
	return true;
}

int slabs_alloc(struct slabs *s, uint32_t bytes, uint32_t *ret_at)
{
	uint32_t n = (bytes + UNIT - 1) / UNIT, unit, i = 0, at;
	void *chunk;
	int r;

	if (!n || n > UNITS - 1)
		return -ENOSPC;
	while (i < s->v.n && (!s->v.v[i] || !take(s, s->v.v[i], n, &unit)))
		i++;
	if (i == s->v.n) {
		r = add_slab(s, &i);
		if (r < 0)
			return r;
		take(s, s->v.v[i], n, &unit);
	}
	at = i << SLAB_BITS | unit * UNIT;
	chunk = slabs_at(s, at);
	if (!chunk) {
		mark(s, s->v.v[i], unit, n, false);
		return -ENOMEM;
	}
	memset(chunk, 0, bytes);
	*ret_at = at;
	return 0;
}

static void release(struct slabs *s, const struct retired *x)
{
	uint32_t i = x->at >> SLAB_BITS;

	mark(s, s->v.v[i], (x->at & (SLAB_BYTES - 1)) / UNIT, (x->bytes + UNIT - 1) / UNIT, false);
	if (i && !s->v.v[i]->used)
		free_slab(s, i);
}

/* Out of memory for the note: the chunk is lost to us, not to the program. */
void slabs_retire(struct slabs *s, uint32_t at, uint32_t bytes, uint64_t now_ns)
{
	struct retired *x = at ? vec_push(&s->retired) : NULL;

	if (x)
		*x = (struct retired){ .time_ns = now_ns, .at = at, .bytes = bytes };
}

/* A mapped page counts as ours although the kernel holds it once for both: what is not in use is unmapped. */
static void unmap_idle(struct slabs *s)
{
	vec_foreach(o, &s->v)
	{
		if (!*o || (*o)->fd < 0 || !(*o)->bytes)
			continue;
		if (!(*o)->touched) {
			munmap((*o)->bytes, SLAB_BYTES);
			(*o)->bytes = NULL;
		}
		(*o)->touched = false;
	}
}

void slabs_reap(struct slabs *s, uint64_t now_ns)
{
	uint32_t n = 0;

	while (n < s->retired.n && s->retired.v[n].time_ns + GRACE_NS <= now_ns)
		release(s, &s->retired.v[n++]);
	if (n) {
		s->retired.n -= n;
		memmove(s->retired.v, s->retired.v + n, s->retired.n * sizeof(*s->retired.v));
	}
	unmap_idle(s);
}

void *slabs_at(const struct slabs *s, uint32_t at)
{
	struct one_slab *o = at >> SLAB_BITS < s->v.n ? s->v.v[at >> SLAB_BITS] : NULL;

	if (!o || (!o->bytes && map_slab(o) < 0))
		return NULL;
	o->touched = true;
	return o->bytes + (at & (SLAB_BYTES - 1));
}

size_t slabs_used_bytes(const struct slabs *s)
{
	return s->used_bytes;
}

size_t slabs_kernel_bytes(const struct slabs *s)
{
	return (size_t)s->live * SLAB_BYTES;
}
