/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "base/vec.h"
#include "proc/process.h"

/* Per CPU. 100 execs a second are 1,500 records of some 150 bytes: two seconds of room. */
enum {
	RING_BYTES = 256 * 1024,
	RECORD_MAX = 4096 + 256, /* a mapping with the longest path */
};

struct ring {
	int fd;
	uint8_t *map; /* one control page, then RING_BYTES of data */
};

struct sideband {
	vec(struct ring) rings; /* by CPU number */
	uint8_t *wrapped;       /* a record that wraps around the ring's end, put together */
	size_t page;
	uint64_t doubt_ns;
};

/* What sample_id_all puts behind every record, for sample_type TID | TIME. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time_ns;
};

int sideband_new(struct sideband **ret)
{
	struct sideband *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->page = (size_t)sysconf(_SC_PAGESIZE);
	s->wrapped = malloc(UINT16_MAX + 1);
	if (!s->wrapped) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct sideband *sideband_free(struct sideband *s)
{
	if (!s)
		return NULL;
	for (uint32_t cpu = 0; cpu < s->rings.n; cpu++)
		sideband_close_cpu(s, (int)cpu);
	vec_fini(&s->rings);
	free(s->wrapped);
	free(s);
	return NULL;
}

/*
 * build_id: without it a file of a container that is gone could not be told from another of that
 * path. It has a flaw in the kernel (6.1 to 6.18 at least): perf_event_mmap_output() leaves
 * PERF_RECORD_MISC_MMAP_BUILD_ID set for the events it serves after ours, so a perf that was started
 * before us sees device numbers flagged as build ids. Events are served newest first: a perf that is
 * started later is not touched.
 */
static int open_event(int cpu, bool *ret_build_ids)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.ksymbol = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_BOOTTIME,
		.watermark = 1,
		.wakeup_watermark = RING_BYTES / 2,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0 && errno == EINVAL) { /* before Linux 5.12: no build ids in records */
		attr.build_id = 0;
		fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	*ret_build_ids = attr.build_id;
	return fd;
}

int sideband_probe(int cpu, bool *ret_build_ids)
{
	int fd = open_event(cpu, ret_build_ids);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int sideband_open_cpu(struct sideband *s, int cpu)
{
	struct ring *r;
	bool build_ids;
	void *map;
	int fd;

	while (s->rings.n <= (uint32_t)cpu) {
		r = vec_push(&s->rings);
		if (!r)
			return -ENOMEM;
		r->fd = -1;
	}
	if (s->rings.v[cpu].fd >= 0)
		return 0;
	fd = open_event(cpu, &build_ids);
	if (fd < 0)
		return fd;
	map = mmap(NULL, s->page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		int r2 = -errno;

		close(fd);
		return r2;
	}
	s->rings.v[cpu] = (struct ring){ .fd = fd, .map = map };
	return 0;
}

void sideband_close_cpu(struct sideband *s, int cpu)
{
	struct ring *r;

	if ((uint32_t)cpu >= s->rings.n || s->rings.v[cpu].fd < 0)
		return;
	r = &s->rings.v[cpu];
	munmap(r->map, s->page + RING_BYTES);
	close(r->fd);
	*r = (struct ring){ .fd = -1 };
}

int sideband_fd(const struct sideband *s, int cpu)
{
	return (uint32_t)cpu < s->rings.n ? s->rings.v[cpu].fd : -1;
}

uint64_t sideband_doubt_ns(const struct sideband *s)
{
	return s->doubt_ns;
}

uint64_t sideband_bytes(const struct sideband *s)
{
	uint64_t n = 0;

	for (uint32_t cpu = 0; cpu < s->rings.n; cpu++)
		n += s->rings.v[cpu].fd >= 0 ? s->page + RING_BYTES : 0;
	return n;
}

static const uint8_t *record_at(const struct sideband *s, const uint8_t *data, uint64_t tail, size_t len)
{
	size_t at = tail % RING_BYTES, first = RING_BYTES - at;

	if (len <= first)
		return data + at;
	memcpy(s->wrapped, data + at, first);
	memcpy(s->wrapped + first, data, len - first);
	return s->wrapped;
}

static uint64_t record_time(const uint8_t *rec, size_t len)
{
	struct trailer t;

	memcpy(&t, rec + len - sizeof(t), sizeof(t));
	return t.time_ns;
}

static int drain_ring(struct sideband *s, struct ring *ring,
		      int (*fn)(void *ctx, uint64_t time_ns, const void *record, size_t len), void *ctx)
{
	struct perf_event_mmap_page *page = (void *)ring->map;
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), tail = page->data_tail;
	const uint64_t full = tail + RING_BYTES - RECORD_MAX;
	struct perf_event_header h;
	int r = 0;

	while (tail < head && r >= 0) {
		const uint8_t *rec;

		memcpy(&h, record_at(s, ring->map + s->page, tail, sizeof(h)), sizeof(h));
		if (h.size < sizeof(h) + sizeof(struct trailer) || h.size > head - tail) {
			tail = head; /* the kernel never writes this; what follows cannot be trusted */
			break;
		}
		rec = record_at(s, ring->map + s->page, tail, h.size);
		r = fn(ctx, record_time(rec, h.size), rec, h.size);
		tail += h.size;
	}
	__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE) > full)
		s->doubt_ns = time_boot_ns();
	return r < 0 ? r : 0;
}

int sideband_drain(struct sideband *s,
		   int (*fn)(void *ctx, uint64_t time_ns, const void *record, size_t len), void *ctx)
{
	int r = 0;

	for (uint32_t cpu = 0; cpu < s->rings.n && r >= 0; cpu++)
		if (s->rings.v[cpu].fd >= 0)
			r = drain_ring(s, &s->rings.v[cpu], fn, ctx);
	return r;
}

struct mmap2_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	union {
		struct {
			uint32_t maj, min;
			uint64_t ino, gen;
		};
		struct {
			uint8_t build_id_size, reserved1;
			uint16_t reserved2;
			uint8_t build_id[20];
		};
	};
	uint32_t prot, flags;
	char filename[];
};

/* The record's text, if it ends inside the record. */
static const char *text_in(const char *s, const uint8_t *rec, size_t len)
{
	const char *end = (const char *)rec + len - sizeof(struct trailer);

	return s < end && memchr(s, 0, (size_t)(end - s)) ? s : NULL;
}

static int apply_mmap(struct processes *t, const uint8_t *rec, size_t len, uint64_t time_ns)
{
	const struct mmap2_record *r = (const void *)rec;
	struct process_mmap m = { 0 };

	m.path = text_in(r->filename, rec, len);
	if (!m.path)
		return 0;
	m.start = r->addr;
	m.len = r->len;
	m.pgoff = r->pgoff;
	if (r->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
		m.id.kind = BUILD_ID_GNU;
		m.id.len = r->build_id_size <= BUILD_ID_MAX ? r->build_id_size : BUILD_ID_MAX;
		memcpy(m.id.bytes, r->build_id, m.id.len);
	} else {
		m.dev = makedev(r->maj, r->min);
		m.ino = r->ino;
		m.gen = r->gen;
	}
	return process_mmap(t, r->pid, &m, time_ns);
}

static int apply_comm(struct processes *t, const uint8_t *rec, size_t len, uint64_t time_ns)
{
	const struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		char comm[];
	} *r = (const void *)rec;
	const char *comm = text_in(r->comm, rec, len);

	if (!comm)
		return 0;
	if (r->header.misc & PERF_RECORD_MISC_COMM_EXEC)
		return process_exec(t, r->pid, comm, time_ns);
	return r->pid == r->tid ? process_comm(t, r->pid, comm, time_ns) : 0;
}

/* FORK and EXIT share a shape; threads come and go with pid == their process. */
static int apply_task(struct processes *t, const uint8_t *rec, uint64_t time_ns)
{
	const struct {
		struct perf_event_header header;
		uint32_t pid, ppid, tid, ptid;
		uint64_t time;
	} *r = (const void *)rec;

	if (r->pid != r->tid)
		return 0;
	if (r->header.type == PERF_RECORD_FORK)
		return process_fork(t, r->pid, r->ppid, time_ns);
	process_exit(t, r->pid, time_ns);
	return 0;
}

int64_t sideband_apply(struct processes *t, const void *record, size_t len, uint64_t time_ns)
{
	const struct perf_event_header *h = record;
	uint64_t lost[2];

	switch (h->type) {
	case PERF_RECORD_MMAP2:
		return len < sizeof(struct mmap2_record) + sizeof(struct trailer) ? 0 :
										   apply_mmap(t, record, len, time_ns);
	case PERF_RECORD_COMM:
		return len < sizeof(*h) + 8 + sizeof(struct trailer) ? 0 : apply_comm(t, record, len, time_ns);
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		return len < sizeof(*h) + 24 + sizeof(struct trailer) ? 0 : apply_task(t, record, time_ns);
	case PERF_RECORD_KSYMBOL: /* a BPF program or a trampoline, come or gone: kallsyms will say which */
		image_get(processes_images(t), IMAGE_ID_KERNEL)->changes++;
		return 0;
	case PERF_RECORD_LOST:
		if (len < sizeof(*h) + sizeof(lost) + sizeof(struct trailer))
			return 0;
		memcpy(lost, (const uint8_t *)record + sizeof(*h), sizeof(lost));
		return (int64_t)lost[1];
	default:
		return 0;
	}
}
