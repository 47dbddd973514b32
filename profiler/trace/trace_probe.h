/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * trace_probe - whether requests can be seen here, found by loading what sees them. As collect/probe: judging is agent/doctor's.
 */
#include "trace/tracer.h"

struct trace_probe {
	int programs; /* 0 or the negative errno of the attempt: as tracer_new() with trace.hooks auto */
	char programs_err[512];
	enum tracer_way way; /* the one taken; when there is none, the cheapest that this kernel has */
	int refused;         /* as tracer_refused() */
};

/* Takes some 0.5 s, which is the verifier's. */
void trace_probe_run(struct trace_probe *ret);
