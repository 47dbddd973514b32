/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/trace_probe.h"

#include <bpf/btf.h>

#include "bpf/trace.skel.h"
#include "trace/tracer_ways.h"

/* Asking needs no privilege. */
static enum tracer_way best_way(void)
{
	struct trace_bpf *skel = trace_bpf__open();
	struct btf *kernel = btf__load_vmlinux_btf();
	enum tracer_way way = skel && kernel ? tracer_best_way(skel, kernel, false) : TRACER_BY_SYSCALLS;

	btf__free(kernel);
	trace_bpf__destroy(skel);
	return way;
}

void trace_probe_run(struct trace_probe *ret)
{
	const struct tracer_opts opts = { .spans = true, .only_known = true }; /* of no process */
	struct tracer *t;

	*ret = (struct trace_probe){ 0 };
	ret->programs = tracer_new(&opts, &t, ret->programs_err, sizeof(ret->programs_err));
	if (ret->programs < 0) {
		ret->way = best_way();
		return;
	}
	ret->way = tracer_way(t);
	ret->refused = tracer_refused(t);
	tracer_free(t);
}
