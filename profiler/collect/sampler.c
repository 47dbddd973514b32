/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/units.h"
#include "base/vec.h"
#include "bpf/config.h"
#include "bpf/sample.skel.h"
#include "collect/bpf_load.h"

/* A process met for the first time is worked on this soon, if the last such wake-up is as long ago. */
#define REST_WAKEUP_NS (20 * NSEC_PER_MSEC)

struct sampler {
	struct sample_bpf *skel;
	struct bpf_program *program; /* of the skeleton's two, the one this kernel takes */
	struct ring_buffer *ring;
	uint64_t period_ns;
	uint64_t fixed_bytes; /* of the kernel's */
	vec(struct bpf_link *) cpus; /* by CPU number; NULL: not sampled */
	uint64_t malformed;
	int (*fn)(void *ctx, const struct ev_sample *ev, size_t len); /* during a drain */
	void *ctx;
	int drain_error;
};

/* 512 KiB per 4 CPUs holds 2 s at 99 Hz and a mean depth of 32; more for higher rates. */
static uint32_t ring_bytes(uint32_t hz)
{
	uint64_t want = (uint64_t)libbpf_num_possible_cpus() * hz * 2 * 320, n = 512 * KIB;

	while (n < want && n < 16 * MIB)
		n *= 2;
	return (uint32_t)n;
}

/* What a record says its length is; more than len when it is cut off. */
static size_t record_len(const struct ev_sample *ev, size_t len)
{
	const struct ev_rest *rest;
	size_t need = sizeof(*ev);

	if (len < need || ev->kframes > EV_KERNEL_FRAMES)
		return SIZE_MAX;
	need += (ev->kframes + ev_user_words(ev)) * sizeof(ev->pc[0]);
	if (!(ev->flags & EV_SAMPLE_REST))
		return need;
	rest = (const void *)((const char *)ev + need);
	need += sizeof(*rest);
	if (need <= len && (rest->stack_bytes > EV_REST_STACK || rest->start_bytes > EV_REST_START || rest->other_bytes > EV_REST_OTHER))
		return SIZE_MAX;
	return need <= len ? need + rest->stack_bytes + (size_t)rest->start_bytes + rest->other_bytes : need;
}

size_t sampler_without_stack(const struct ev_sample *ev, uint64_t to[SAMPLER_SMALL_WORDS])
{
	const struct ev_rest *rest = ev_rest_of(ev);
	size_t head = (size_t)(rest->stack - (const uint8_t *)ev);
	struct ev_sample *small = (struct ev_sample *)to;
	struct ev_rest *end = (struct ev_rest *)((uint8_t *)to + head - sizeof(*end));

	memcpy(to, ev, head);
	small->flags |= EV_SAMPLE_NO_STACK;
	end->stack_bytes = 0;
	end->other = 0;
	end->other_bytes = 0;
	memcpy(end->stack, rest->stack + rest->stack_bytes, rest->start_bytes);
	return head + rest->start_bytes;
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct sampler *s = ctx;
	const struct ev_sample *ev = data;
	int r;

	if (record_len(ev, len) > len) {
		s->malformed++;
		return 0;
	}
	r = s->fn(s->ctx, ev, record_len(ev, len));
	if (r < 0)
		s->drain_error = r;
	return r < 0 ? r : 0;
}

static bool by_pid(const struct sampler_opts *o)
{
	return o->n_pids || o->follow_pids;
}

static int set_filters(struct sampler *s, const struct sampler_opts *o)
{
	uint8_t yes = 1;
	int r = 0;

	for (uint32_t i = 0; i < o->n_pids && r >= 0; i++)
		r = sampler_add_pid(s, o->pids[i]);
	for (uint32_t i = 0; i < o->n_comms && r >= 0; i++) {
		char comm[EV_COMM_LEN] = { 0 };

		memcpy(comm, o->comms[i], strnlen(o->comms[i], EV_COMM_LEN - 1));
		r = bpf_map__update_elem(s->skel->maps.comms, comm, sizeof(comm), &yes, 1, BPF_ANY);
	}
	for (uint32_t i = 0; i < o->n_cgroups && r >= 0; i++)
		r = bpf_map__update_elem(s->skel->maps.cgroups, &i, sizeof(i), &o->cgroup_fds[i],
					 sizeof(int), BPF_ANY);
	return r;
}

/*
 * Before Linux 5.17 there is no bpf_loop, and before 6.1 a program on a perf event may have no map that grows as it is
 * filled. A helper that came with 6.1 tells; not the version, since distributions take such things over.
 */
bool sampler_on_old_kernel(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_user_ringbuf_drain,
				       NULL) == 0;
}

static void choose_program(struct sampler *s, const struct sampler_opts *o)
{
	bool old = o->as_before_61 || sampler_on_old_kernel();
	struct bpf_map *hashes[] = { s->skel->maps.spaces, s->skel->maps.pids,
				     s->skel->maps.comms };

	s->program = old ? s->skel->progs.sample_old : s->skel->progs.sample;
	bpf_program__set_autoload(s->skel->progs.sample, !old);
	bpf_program__set_autoload(s->skel->progs.sample_old, old);
	for (size_t i = 0; i < ARRAY_SIZE(hashes) && !old; i++)
		bpf_map__set_map_flags(hashes[i], BPF_F_NO_PREALLOC);
}

static void configure(struct sampler *s, const struct sampler_opts *o)
{
	uint32_t ring = ring_bytes(o->frequency_hz), filter = 0;

	filter |= by_pid(o) ? SAMPLE_FILTER_PID : 0;
	filter |= o->n_comms ? SAMPLE_FILTER_COMM : 0;
	filter |= o->n_cgroups ? SAMPLE_FILTER_CGROUP : 0;
	s->period_ns = NSEC_PER_SEC / o->frequency_hz;
	/* rodata is const for the program, written here before it is loaded. */
	memcpy((void *)&s->skel->rodata->config,
	       &(struct sample_config){ .filter = filter,
					.n_cgroups = o->n_cgroups,
					.ring_wakeup_bytes = ring / 2,
					.rest_wakeup_ns = REST_WAKEUP_NS,
					.kernel_stacks = o->kernel_stacks,
					.user_stacks = o->user_stacks,
					.shares = o->shares,
					.flights = o->flights_fd > 0 },
	       sizeof(struct sample_config));
	bpf_map__set_max_entries(s->skel->maps.samples, ring);
	bpf_map__set_max_entries(s->skel->maps.scratch, (uint32_t)libbpf_num_possible_cpus());
	if (!o->shares)
		bpf_map__set_max_entries(s->skel->maps.shares, 1);
	if (!by_pid(o))
		bpf_map__set_max_entries(s->skel->maps.pids, 1);
	bpf_program__set_autoload(s->skel->progs.follow_fork, by_pid(o));
	bpf_program__set_autoload(s->skel->progs.forget_process, by_pid(o));
	choose_program(s, o);
	if (o->flights_fd <= 0) {
		bpf_map__set_max_entries(s->skel->maps.flights, 1);
		bpf_map__set_max_entries(s->skel->maps.procs, 1);
	}
}

static int attach_followers(struct sampler *s, const struct sampler_opts *o)
{
	if (!by_pid(o))
		return 0;
	s->skel->links.follow_fork = bpf_program__attach(s->skel->progs.follow_fork);
	s->skel->links.forget_process = bpf_program__attach(s->skel->progs.forget_process);
	return s->skel->links.follow_fork && s->skel->links.forget_process ? 0 : -errno;
}

static int load(struct sampler *s, const struct sampler_opts *o)
{
	int r;

	bpf_load_prepare();
	s->skel = sample_bpf__open();
	if (!s->skel)
		return -errno;
	configure(s, o);
	r = o->flights_fd > 0 ? bpf_map__reuse_fd(s->skel->maps.flights, o->flights_fd) : 0;
	if (r >= 0 && o->flights_fd > 0)
		r = bpf_map__reuse_fd(s->skel->maps.procs, o->procs_fd);
	if (r < 0)
		return r;
	r = sample_bpf__load(s->skel);
	if (r < 0)
		return r;
	s->ring = ring_buffer__new(bpf_map__fd(s->skel->maps.samples), on_record, s, NULL);
	if (!s->ring)
		return -errno;
	s->fixed_bytes = bpf_load_fixed_bytes(s->skel->obj, o->flights_fd > 0 ? s->skel->maps.flights : NULL);
	r = set_filters(s, o);
	return r < 0 ? r : attach_followers(s, o);
}

int sampler_new(const struct sampler_opts *opts, struct sampler **ret, char *err, size_t err_len)
{
	struct sampler *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = load(s, opts);
	if (r < 0) {
		sampler_free(s);
		return bpf_load_explain(r, err, err_len);
	}
	*ret = s;
	return 0;
}

struct sampler *sampler_free(struct sampler *s)
{
	if (!s)
		return NULL;
	for (uint32_t cpu = 0; cpu < s->cpus.n; cpu++)
		sampler_close_cpu(s, (int)cpu);
	vec_fini(&s->cpus);
	ring_buffer__free(s->ring);
	sample_bpf__destroy(s->skel);
	free(s);
	return NULL;
}

int sampler_add_pid(struct sampler *s, pid_t pid)
{
	uint32_t key = (uint32_t)pid;
	uint8_t yes = 1;

	return bpf_map__update_elem(s->skel->maps.pids, &key, sizeof(key), &yes, sizeof(yes),
				    BPF_ANY);
}

bool sampler_wants(const struct sampler *s, uint32_t tgid)
{
	uint8_t yes;

	return !(s->skel->rodata->config.filter & SAMPLE_FILTER_PID) ||
	       !bpf_map__lookup_elem(s->skel->maps.pids, &tgid, sizeof(tgid), &yes, sizeof(yes), 0);
}

int sampler_set_share(struct sampler *s, uint32_t tgid, uint64_t start_ns, uint64_t exec_id, uint16_t one_in)
{
	const struct sample_share v = { .start_ns = start_ns, .exec_id = exec_id, .round = s->skel->bss->share_round,
					  .one_in = one_in, .seen = (uint32_t)hash_u64(start_ns + exec_id) };

	return bpf_map__update_elem(s->skel->maps.shares, &tgid, sizeof(tgid), &v, sizeof(v), BPF_ANY);
}

void sampler_reset_shares(struct sampler *s)
{
	__atomic_add_fetch(&s->skel->bss->share_round, 1, __ATOMIC_RELEASE);
}

static int open_event(uint64_t period_ns, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = period_ns,
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sampler_probe_event(int cpu)
{
	int fd = open_event(10 * NSEC_PER_MSEC, cpu);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* A running event on this CPU; the link owns it. */
static int start_event(struct sampler *s, int cpu, struct bpf_link **ret)
{
	int fd = open_event(s->period_ns, cpu), r;
	struct bpf_link *link;

	if (fd < 0)
		return fd;
	link = bpf_program__attach_perf_event(s->program, fd); /* owns fd from here on */
	if (!link) {
		r = -errno;
		close(fd);
		return r;
	}
	if (ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		r = -errno;
		bpf_link__destroy(link);
		return r;
	}
	*ret = link;
	return 0;
}

int sampler_open_cpu(struct sampler *s, int cpu)
{
	while (s->cpus.n <= (uint32_t)cpu)
		if (!vec_push(&s->cpus))
			return -ENOMEM;
	return s->cpus.v[cpu] ? 0 : start_event(s, cpu, &s->cpus.v[cpu]);
}

/*
 * The new event runs before the old one ends, each for its own time. Tried and dropped:
 * PERF_EVENT_IOC_PERIOD, after which a tick still reports the period its event was opened with.
 */
int sampler_set_frequency(struct sampler *s, uint32_t hz)
{
	int result = 0;

	s->period_ns = NSEC_PER_SEC / hz;
	for (uint32_t cpu = 0; cpu < s->cpus.n; cpu++) {
		struct bpf_link *old = s->cpus.v[cpu];
		int r = old ? start_event(s, (int)cpu, &s->cpus.v[cpu]) : 0;

		if (r < 0)
			result = r; /* goes on at the old rate; its samples say so */
		else if (old)
			bpf_link__destroy(old);
	}
	return result;
}

void sampler_close_cpu(struct sampler *s, int cpu)
{
	if ((uint32_t)cpu >= s->cpus.n)
		return;
	bpf_link__destroy(s->cpus.v[cpu]);
	s->cpus.v[cpu] = NULL;
}

int sampler_fd(const struct sampler *s)
{
	return ring_buffer__epoll_fd(s->ring);
}

int sampler_slabs_fd(const struct sampler *s)
{
	return bpf_map__fd(s->skel->maps.slabs);
}

int sampler_spaces_fd(const struct sampler *s)
{
	return bpf_map__fd(s->skel->maps.spaces);
}

int sampler_drain(struct sampler *s, int (*fn)(void *ctx, const struct ev_sample *ev, size_t len),
		  void *ctx)
{
	int r;

	s->fn = fn;
	s->ctx = ctx;
	s->drain_error = 0;
	r = ring_buffer__consume(s->ring);
	return s->drain_error ? s->drain_error : r < 0 ? r : 0;
}

int sampler_counters(const struct sampler *s, uint64_t ret[EV_COUNT_MAX])
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_(freep)
	uint64_t *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));

	if (!per_cpu)
		return -ENOMEM;
	for (uint32_t key = 0; key < EV_COUNT_MAX; key++) {
		int r = bpf_map__lookup_elem(s->skel->maps.counters, &key, sizeof(key), per_cpu,
					     (size_t)n_cpus * sizeof(*per_cpu), 0);
		if (r < 0)
			return r;
		ret[key] = 0;
		for (int cpu = 0; cpu < n_cpus; cpu++)
			ret[key] += per_cpu[cpu];
	}
	ret[EV_DROP_MALFORMED] += s->malformed;
	return 0;
}

uint64_t sampler_kernel_bytes(const struct sampler *s)
{
	const struct sample_bpf *k = s->skel;

	/* `procs` is the tracer's. */
	return s->fixed_bytes + bpf_load_grown_bytes(k->maps.spaces) + bpf_load_grown_bytes(k->maps.pids) + bpf_load_grown_bytes(k->maps.comms);
}
