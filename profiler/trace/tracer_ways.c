/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracer_ways.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "base/units.h"
#include "bpf/trace_conn.h"
#include "bpf/trace.skel.h"

#define FEXIT "fexit/"

/* At whose exit this program is to run; NULL: it is for something else. */
static const char *function_of(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	return strncmp(section, FEXIT, strlen(FEXIT)) ? NULL : section + strlen(FEXIT);
}

/* There are sendpages before Linux 6.5 only. */
static bool is_sendpage(const char *function)
{
	return strstr(function, "_sendpage") != NULL;
}

static bool has_function(const struct btf *kernel, const char *name)
{
	return btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) >= 0;
}

/* Where one is missing, IPv6 say, because it is in a module, its transfers would not be seen: no such way then. */
static bool has_functions(const struct trace_bpf *skel, const struct btf *kernel)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj) {
		const char *function = function_of(prog);

		if (function && !is_sendpage(function) && !has_function(kernel, function))
			return false;
	}
	return true;
}

enum tracer_way tracer_best_way(const struct trace_bpf *skel, const struct btf *kernel, bool as_before_63)
{
	if (!as_before_63 && btf__find_by_name_kind(kernel, "btf_trace_sock_send_length", BTF_KIND_TYPEDEF) >= 0)
		return TRACER_BY_EVENTS;
	return has_functions(skel, kernel) ? TRACER_BY_EXITS : TRACER_BY_SYSCALLS;
}

static void choose_programs(struct trace_bpf *skel, enum tracer_way way, const struct btf *kernel)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj) {
		const char *function = function_of(prog);

		if (function)
			bpf_program__set_autoload(prog, way == TRACER_BY_EXITS && has_function(kernel, function));
	}
	bpf_program__set_autoload(skel->progs.sent, way == TRACER_BY_EVENTS);
	bpf_program__set_autoload(skel->progs.received, way == TRACER_BY_EVENTS);
	bpf_program__set_autoload(skel->progs.syscall_ended, way == TRACER_BY_SYSCALLS);
}

void tracer_configure(struct trace_bpf *skel, const struct tracer_opts *o, enum tracer_way way, const struct btf *kernel)
{
	uint32_t ring = o->ring_bytes ? o->ring_bytes : MIB;
	bool by_address = way == TRACER_BY_SYSCALLS;
	struct trace_config c = { .slow_ns = o->slow_ns ? o->slow_ns : UINT64_MAX,
				  .span_threshold = tracer_threshold(o->ratio),
				  .error_status = { o->errors ? 500 : UINT16_MAX, o->errors ? 400 : UINT16_MAX },
				  .unfinished = o->errors,
				  .spans = o->spans,
				  .only_known = o->only_known,
				  .exact = o->exact,
				  .by_address = by_address,
				  .ring_wakeup_bytes = o->prompt ? 0 : ring / 4 };

	memcpy((void *)&skel->rodata->config, &c, sizeof(c));
	bpf_map__set_map_flags(skel->maps.procs, BPF_F_NO_PREALLOC);
	bpf_map__set_max_entries(skel->maps.requests, ring);
	bpf_map__set_max_entries(skel->maps.near, TRACE_NEAR_CELLS * (uint32_t)libbpf_num_possible_cpus());
	choose_programs(skel, way, kernel);
	bpf_program__set_autoload(skel->progs.switched, o->exact);
	if (!by_address) {
		bpf_map__set_max_entries(skel->maps.conns_by_address, 1);
		bpf_map__set_max_entries(skel->maps.tries_by_address, 1);
	}
}

static int go_on(const struct bpf_map *from, const struct bpf_program *to)
{
	int fd = bpf_program__fd(to);

	return bpf_map__update_elem(from, &(uint32_t){ 0 }, sizeof(uint32_t), &fd, sizeof(fd), BPF_ANY);
}

int tracer_join_exits(const struct trace_bpf *skel)
{
	int r = go_on(skel->maps.to_inet_sent, skel->progs.inet_sent);

	return r < 0 ? r : go_on(skel->maps.to_inet_received, skel->progs.inet_received);
}
