/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracer.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "bpf/http1.h"
#include "bpf/trace_proc.h"
#include "bpf/trace_conn.h"
#include "bpf/trace.skel.h"
#include "collect/bpf_load.h"
#include "collect/sampler.h"
#include "symbolize/elf_image.h"
#include "trace/tracer_sums.h"
#include "trace/tracer_ways.h"

struct tracer {
	struct trace_bpf *skel;
	struct ring_buffer *ring;
	struct red_near *near;
	enum tracer_way way;
	int refused;
	int (*fn)(void *ctx, const struct ev_request *ev); /* during a drain */
	void *ctx;
	int drain_error;
	uint64_t malformed;
	uint64_t fixed_bytes; /* of the kernel's */
};

const char *tracer_method(uint8_t method)
{
	static const char *const texts[] = { [HTTP1_METHOD_OTHER] = "_OTHER",
#define METHOD_TEXT(name) [HTTP1_METHOD_##name] = #name,
					     HTTP1_METHODS(METHOD_TEXT)
#undef METHOD_TEXT
	};

	return method < HTTP1_METHOD_MAX ? texts[method] : texts[HTTP1_METHOD_OTHER];
}

static const struct {
	const char *name, *help;
} counts[TRACE_COUNT_MAX] = {
#define TRACE_COUNT(id, name, help) { name, help },
#include "bpf/trace_counts.def"
#undef TRACE_COUNT
};

const char *tracer_count_name(uint32_t count)
{
	return counts[count].name;
}

const char *tracer_count_help(uint32_t count)
{
	return counts[count].help;
}

int tracer_hooks_parse(const char *name, enum tracer_hooks *ret)
{
	static const char *const names[] = { [TRACER_AUTO] = "auto", [TRACER_SOCKETS] = "sockets", [TRACER_SYSCALLS] = "syscalls" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i])) {
			*ret = (enum tracer_hooks)i;
			return 0;
		}
	return -EINVAL;
}

/* In steps of 2^-28: seven digits of tracestate's th, which every span has, are precise enough. */
uint64_t tracer_threshold(double ratio)
{
	const unsigned rest = TRACE_RANDOM_BITS - 28;
	double kept = ratio > 0 ? ratio < 1 ? ratio : 1 : 0;
	uint64_t steps = (uint64_t)(kept * (double)(1u << 28) + 0.5);

	return (1ull << TRACE_RANDOM_BITS) - ((steps || kept <= 0 ? steps : 1) << rest);
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct tracer *t = ctx;
	const struct ev_request *ev = data;
	int r;

	if (len < offsetof(struct ev_request, head) || ev->head_len > len - offsetof(struct ev_request, head)) {
		t->malformed++;
		return 0;
	}
	r = t->fn(t->ctx, ev);
	if (r < 0)
		t->drain_error = r;
	return r < 0 ? r : 0;
}

static int load(struct tracer *t)
{
	int r = trace_bpf__load(t->skel);

	if (r >= 0 && t->way == TRACER_BY_EXITS)
		r = tracer_join_exits(t->skel);
	if (r < 0)
		return r;
	t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.requests), on_record, t, NULL);
	if (!t->ring)
		return -errno;
	t->near = tracer_map_near(t->skel);
	if (!t->near)
		return -errno;
	t->fixed_bytes = bpf_load_fixed_bytes(t->skel->obj, NULL);
	return trace_bpf__attach(t->skel);
}

static void unload(struct tracer *t)
{
	ring_buffer__free(t->ring);
	t->ring = NULL;
	tracer_unmap_near(t->near);
	t->near = NULL;
	trace_bpf__destroy(t->skel);
	t->skel = NULL;
}

/* What the kernel lacks is known before anything is loaded. */
static int open_best(struct tracer *t, const struct tracer_opts *o)
{
	struct btf *kernel = o->hooks == TRACER_SYSCALLS ? NULL : btf__load_vmlinux_btf();

	t->skel = trace_bpf__open();
	if (t->skel) {
		t->way = kernel ? tracer_best_way(t->skel, kernel, o->as_before_63) : TRACER_BY_SYSCALLS;
		tracer_configure(t->skel, o, t->way, kernel);
	}
	btf__free(kernel); /* libbpf has it once more while it loads */
	return t->skel ? 0 : -ENOMEM;
}

/* That the kernel has the functions does not say that programs may attach to them: without ftrace they may not. */
static int fall_back(struct tracer *t, const struct tracer_opts *o, int r)
{
	t->refused = r;
	unload(t);
	t->skel = trace_bpf__open();
	if (!t->skel)
		return -ENOMEM;
	t->way = TRACER_BY_SYSCALLS;
	tracer_configure(t->skel, o, t->way, NULL);
	return load(t);
}

static int begin(struct tracer *t, const struct tracer_opts *o, char *err, size_t err_len)
{
	int r = -ENOTSUP;

	bpf_load_prepare();
	if (sampler_on_old_kernel()) {
		snprintf(err, err_len, "seeing requests needs Linux 6.1 or newer: this kernel lacks what the programs are made of (bpf_loop)");
		return r;
	}
	r = open_best(t, o);
	if (r >= 0 && o->hooks == TRACER_SOCKETS && t->way == TRACER_BY_SYSCALLS) {
		snprintf(err, err_len, "this kernel has no hooks at sockets (sock_send_length, from Linux 6.3 on; before, inet_sendmsg and its like): choose syscalls or auto");
		return -ENOTSUP;
	}
	if (r >= 0)
		r = load(t);
	if (r < 0 && o->hooks == TRACER_AUTO && t->way == TRACER_BY_EXITS)
		r = fall_back(t, o, r);
	if (r >= 0)
		return 0;
	r = bpf_load_explain(r, err, err_len);
	if (t->way == TRACER_BY_EXITS)
		snprintf(err + strlen(err), err_len - strlen(err), "; or this kernel lets no program attach to its functions: choose syscalls or auto");
	return r;
}

int tracer_new(const struct tracer_opts *opts, struct tracer **ret, char *err, size_t err_len)
{
	struct tracer *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = begin(t, opts, err, err_len);
	if (r < 0) {
		tracer_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct tracer *tracer_free(struct tracer *t)
{
	if (!t)
		return NULL;
	unload(t);
	free(t);
	return NULL;
}

enum tracer_way tracer_way(const struct tracer *t)
{
	return t->way;
}

int tracer_refused(const struct tracer *t)
{
	return t->refused;
}

void tracer_warn(const struct tracer *t)
{
	if (t->refused)
		log_warn("this kernel lets no program attach to its functions (%s); seeing requests at the end of system calls, which costs more",
			 strerror(-t->refused));
}

int tracer_fd(const struct tracer *t)
{
	return ring_buffer__epoll_fd(t->ring);
}

int tracer_drain(struct tracer *t, int (*fn)(void *ctx, const struct ev_request *ev), void *ctx)
{
	int r;

	t->fn = fn;
	t->ctx = ctx;
	t->drain_error = 0;
	r = ring_buffer__consume(t->ring);
	return t->drain_error ? t->drain_error : r < 0 ? r : 0;
}

int tracer_cells(struct tracer *t, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx)
{
	int r = tracer_sum_near(t->near, fn, ctx);

	return r < 0 ? r : tracer_sum_cells(t->skel, fn, ctx);
}

void tracer_drop_cell(struct tracer *t, const struct red_key *key)
{
	if (key->scratch == RED_NEAR)
		tracer_drop_near(t->near, key);
	else
		bpf_map__delete_elem(t->skel->maps.red, key, sizeof(*key), 0);
}

/* ---- what is told to the programs ---- */

static bool find_proc(const struct tracer *t, uint32_t tgid, struct trace_proc *ret)
{
	return bpf_map__lookup_elem(t->skel->maps.procs, &tgid, sizeof(tgid), ret, sizeof(*ret), 0) == 0;
}

/* bpf/trace_proc.h: the hash has all of them, and their places the last that was set. */
static void set_place(struct tracer *t, uint32_t tgid, uint64_t word)
{
	__u64 *place = &t->skel->bss->proc_places[tgid % TRACE_PROC_PLACES];
	uint32_t there = proc_tgid(*place);
	uint64_t crowded = proc_flags(*place) & TRACE_PROC_CROWDED;

	if (there && there != tgid)
		crowded = TRACE_PROC_CROWDED;
	__atomic_store_n(place, word | crowded << PROC_TGID_BITS, __ATOMIC_RELEASE);
}

/* What the sampler adds between the two calls is lost: a sample, when something else is decided of a process. */
int tracer_set_proc(struct tracer *t, uint32_t tgid, const struct trace_proc *p)
{
	struct trace_proc now = *p, last;
	int r;

	if (find_proc(t, tgid, &last))
		memcpy(now.join_ns, last.join_ns, sizeof(now.join_ns));
	r = bpf_map__update_elem(t->skel->maps.procs, &tgid, sizeof(tgid), &now, sizeof(now), BPF_ANY);
	if (r >= 0)
		set_place(t, tgid, proc_word(tgid, p));
	return r;
}

bool tracer_knows_proc(const struct tracer *t, uint32_t tgid)
{
	struct trace_proc p;

	return find_proc(t, tgid, &p);
}

bool tracer_joined(const struct tracer *t, uint32_t tgid, uint64_t ret[EV_JOIN_MAX])
{
	struct trace_proc p;

	if (!find_proc(t, tgid, &p))
		return false;
	for (int i = 0; i < EV_JOIN_MAX; i++)
		ret[i] = p.join_ns[i];
	return true;
}

uint32_t tracer_proc_kind(uint32_t tgid)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(closep) int fd = -1;
	char path[32];
	GElf_Shdr sh;

	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	fd = file_open_regular(AT_FDCWD, path, 0, NULL);
	return fd >= 0 && elf_image_open(fd, &img) >= 0 && elf_image_section(img, ".gopclntab", &sh) ? TRACE_PROC_GO : 0;
}

void tracer_forget_proc(struct tracer *t, uint32_t tgid)
{
	bpf_map__delete_elem(t->skel->maps.procs, &tgid, sizeof(tgid), 0);
	if (proc_tgid(t->skel->bss->proc_places[tgid % TRACE_PROC_PLACES]) == tgid)
		set_place(t, tgid, 0);
}

int tracer_teach(struct tracer *t, uint32_t service, uint64_t path_hash, uint32_t route)
{
	const struct route_key key = { .path_hash = path_hash, .service = service };

	return bpf_map__update_elem(t->skel->maps.routes, &key, sizeof(key), &route, sizeof(route), BPF_ANY);
}

void tracer_counts(const struct tracer *t, uint64_t ret[TRACE_COUNT_MAX])
{
	tracer_sum_counts(t->skel, ret);
	ret[TRACE_COUNT_MALFORMED] += t->malformed;
}

uint64_t tracer_kernel_bytes(const struct tracer *t)
{
	const struct trace_bpf *k = t->skel;
	uint64_t conns = bpf_load_grown_bytes(k->maps.conns_by_address); /* in socket storage they are the sockets' owners' */

	return t->fixed_bytes + bpf_load_grown_bytes(k->maps.procs) + bpf_load_grown_bytes(k->maps.red) +
	       (conns ? conns : k->bss->n_conns_by_address * sizeof(struct conn));
}

int tracer_flights_fd(const struct tracer *t)
{
	return bpf_map__fd(t->skel->maps.flights);
}

int tracer_procs_fd(const struct tracer *t)
{
	return bpf_map__fd(t->skel->maps.procs);
}
