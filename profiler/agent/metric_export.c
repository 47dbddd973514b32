/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metric_export.h"

#include <errno.h>
#include <stdlib.h>

#include "base/units.h"
#include "exporter/metric.h"
#include "exporter/net.h"
#include "exporter/otlp_metrics.h"
#include "exporter/otlp_send.h"
#include "version.h"

struct metric_export {
	struct metric_export_opts opts;
	struct otlp_sender sender;
	struct otlp_metrics *metrics;
	uint64_t last_ns; /* when the interval began */
};

int metric_export_new(const struct metric_export_opts *opts, struct metric_export **ret)
{
	struct metric_export *m = calloc(1, sizeof(*m));
	struct otlp_opts otlp = { .scope_name = "hotspan", .scope_version = HOTSPAN_VERSION, .send = otlp_send };
	int r;

	if (!m)
		return -ENOMEM;
	m->opts = *opts;
	m->sender = (struct otlp_sender){ .net = opts->net, .signal = PARCEL_METRICS };
	m->last_ns = time_boot_ns();
	otlp.ctx = &m->sender;
	r = otlp_metrics_new(&otlp, &m->metrics);
	if (r < 0) {
		free(m);
		return r;
	}
	*ret = m;
	return 0;
}

struct metric_export *metric_export_free(struct metric_export *m)
{
	if (!m)
		return NULL;
	otlp_metrics_free(m->metrics);
	free(m);
	return NULL;
}

int metric_export_send(struct metric_export *m)
{
	struct metric_set set = { 0 };
	int r;

	if (!net_formats(m->opts.net, PARCEL_METRICS))
		return 0;
	r = m->opts.fill(m->opts.ctx, &set);
	if (r < 0)
		return r;
	m->sender.time_ns = set.time_ns;
	return otlp_metrics_send(m->metrics, &set);
}

int metric_export_tick(struct metric_export *m, uint64_t interval_ns, uint64_t now_ns)
{
	if (now_ns - m->last_ns < interval_ns)
		return 0;
	/* By its own clock, not by when we came to it; what was slept over is not made up for. */
	m->last_ns += interval_ns;
	if (now_ns - m->last_ns >= interval_ns)
		m->last_ns = now_ns;
	return metric_export_send(m);
}
