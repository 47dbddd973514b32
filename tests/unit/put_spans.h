/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* put_spans - all spans of one resource into an encoder; what the first that fails answers. */
#include "exporter/otlp_traces.h"

static inline int put_spans(struct otlp_traces *t, const struct strmap *resource, const struct otlp_span *spans, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = otlp_traces_put(t, resource, &spans[i]);
	otlp_traces_end_resource(t);
	return r;
}
