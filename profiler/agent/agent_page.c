/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_state.h"

#include <string.h>

#include "agent/config.h"
#include "agent/kube.h"
#include "agent/push.h"
#include "agent/push_spans.h"
#include "agent/receive.h"
#include "agent/red_metrics.h"
#include "agent/session.h"
#include "agent/telemetry.h"
#include "base/buf.h"
#include "base/units.h"
#include "exporter/files.h"
#include "exporter/metric.h"
#include "exporter/net.h"
#include "exporter/prometheus.h"
#include "version.h"

/* Naming that takes longer than this many intervals, and this long, is no longer alive. */
#define STUCK_INTERVALS 4
#define STUCK_NS (60 * NSEC_PER_SEC)

/* ---- the page ---- */

static bool is_stuck(struct agent *a, const struct session_stats *s)
{
	uint64_t now = time_boot_ns(), limit = STUCK_INTERVALS * a->config->flush_interval_ns;

	if (s->windows != a->windows || !a->windows_changed_ns) {
		a->windows = s->windows;
		a->windows_changed_ns = now;
	}
	return now - a->windows_changed_ns > (limit > STUCK_NS ? limit : STUCK_NS);
}

static size_t at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

static void print_metrics(struct agent *a, const struct session_stats *s, struct buf *out)
{
	struct net_receiver_stats receivers[AGENT_MAX_RECEIVERS];
	struct push_stats push;
	struct receive_stats received;
	struct kube_stats kube;
	struct push_spans_stats spans;
	struct telemetry t = { .session = s, .push = &push, .receivers = receivers, .reloads_ok = a->reloads_ok,
			       .reloads_failed = a->reloads_failed, .windows_failed = atomic_load(&a->windows_failed),
			       .start_utc_ns = a->start_utc_ns, .budget = &a->governor.budget };

	push_stats(a->push, &push);
	if (a->receive) {
		receive_stats(a->receive, &received);
		t.receive = &received;
	}
	if (a->kube) {
		kube_stats(a->kube, &kube);
		t.kube = &kube;
	}
	if (a->spans) {
		push_spans_stats(a->spans, &spans);
		t.spans = &spans;
	}
	t.n_receivers = at_most(net_stats(a->net, receivers, AGENT_MAX_RECEIVERS), AGENT_MAX_RECEIVERS);
	t.n_receivers += at_most(files_stats(a->files, receivers + t.n_receivers, AGENT_MAX_RECEIVERS - t.n_receivers), AGENT_MAX_RECEIVERS - t.n_receivers);
	telemetry_print(&t, out);
}

static const char index_page[] = "hotspan " HOTSPAN_VERSION "\n\n"
				 "/metrics  Prometheus metrics\n"
				 "/healthz  200 while windows are named, 503 when naming is stuck\n"
				 "/readyz   200 once every CPU is sampled\n";

int agent_page(void *ctx, const char *path, struct buf *out, const char **ret_type)
{
	struct agent *a = ctx;
	struct session_stats s;
	char text[192];

	if (!strcmp(path, "/")) {
		buf_puts(out, index_page);
		buf_printf(out, "\nsampling at %s\n", governor_text(&a->governor, text, sizeof(text)));
		return 200;
	}
	if (!strcmp(path, "/readyz")) {
		buf_puts(out, a->running ? "ready\n" : "not sampling\n");
		return a->running ? 200 : 503;
	}
	session_stats(a->session, &s);
	if (!strcmp(path, "/healthz")) {
		bool stuck = is_stuck(a, &s);

		buf_puts(out, stuck ? "naming is stuck\n" : "ok\n");
		return stuck ? 503 : 200;
	}
	if (!strcmp(path, "/metrics")) {
		*ret_type = PROM_CONTENT_TYPE;
		print_metrics(a, &s, out);
		return 200;
	}
	buf_puts(out, "there is no such page: see /\n");
	return 404;
}

int agent_measured(void *ctx, struct metric_set *ret)
{
	struct agent *a = ctx;
	enum red_names names = strcmp(a->config->trace_metric_names, "beyla") ? RED_NAMES_STABLE : RED_NAMES_BEYLA;

	return red_metrics_fill(a->red, session_tracing(a->session), &a->self, &a->config->labels, names, ret);
}
