/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/trace_probe.h"

#include "trace/tracer.h"

void trace_probe_run(struct trace_probe *ret)
{
	const struct tracer_opts opts = { .spans = true, .only_known = true }; /* of no process */
	struct tracer *t;

	*ret = (struct trace_probe){ .sockets = tracer_has_sockets() };
	ret->programs = tracer_new(&opts, &t, ret->programs_err, sizeof(ret->programs_err));
	if (ret->programs >= 0)
		tracer_free(t);
}
