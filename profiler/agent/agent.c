/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/agent_state.h"
#include "agent/config.h"
#include "agent/kube.h"
#include "agent/metric_export.h"
#include "agent/notify.h"
#include "agent/push.h"
#include "agent/push_spans.h"
#include "agent/receive.h"
#include "agent/scrape.h"
#include "agent/session.h"
#include "agent/web.h"
#include "base/log.h"
#include "base/units.h"
#include "exporter/pyroscope.h"
#include "trace/tracing.h"

void agent_tell_systemd(const char *state)
{
	int r = notify_send(getenv("NOTIFY_SOCKET"), state);

	if (r < 0)
		log_warn("cannot tell systemd '%s': %s; going on", state, strerror(-r));
}

static void tell_fixed(void *ctx, const char *key)
{
	log_warn("reload: %s changes with a restart only; the old value stays in force", key);
}

static int apply(struct agent *a, const struct config *c, char *err, size_t err_len)
{
	struct budget_limits limits = agent_limits(c);
	int r = agent_set_receivers(a, c, err, err_len);

	if (r < 0)
		return r;
	r = push_set_labels(a->push, &c->labels);
	if (r >= 0)
		r = agent_set_self(a, c);
	if (a->spans)
		push_spans_set_labels(a->spans, &c->labels);
	if (r >= 0)
		r = governor_set(&a->governor, &limits);
	if (r >= 0)
		r = agent_set_rules(a, c);
	session_set_flush_interval(a->session, c->flush_interval_ns);
	log_use_json(!strcmp(c->log_format, "json"));
	if (r < 0)
		snprintf(err, err_len, "%s", strerror(-r));
	return r;
}

/* All of it, or none: what was set before the failure is set back. */
static int replace(struct agent *a, struct config *c, char *err, size_t err_len)
{
	char ignored[768];
	int r = config_keep_fixed(a->config, c, tell_fixed, NULL);

	if (r < 0)
		snprintf(err, err_len, "out of memory");
	else
		r = apply(a, c, err, err_len);
	if (r < 0) {
		apply(a, a->config, ignored, sizeof(ignored));
		config_free(c);
		return r;
	}
	config_free(a->config);
	a->config = c;
	return 0;
}

static void reload(struct agent *a)
{
	char err[768], state[64];
	struct config *c;
	int r;

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(time_mono_ns() / NSEC_PER_USEC));
	agent_tell_systemd(state);
	r = config_load(a->source, &c, err, sizeof(err));
	if (r >= 0)
		r = replace(a, c, err, sizeof(err));
	if (r >= 0 && agent_wants_spans(c) && !a->spans)
		log_warn("reload: a receiver takes traces now; spans are made from the next start on");
	if (r < 0)
		log_error("reload failed: %s; the old configuration stays in force", err);
	else
		log_info("reloaded: %u Hz, flush every %.0f s, %u receivers", c->frequency, (double)c->flush_interval_ns / 1e9, c->receivers.n);
	a->reloads_ok += r >= 0;
	a->reloads_failed += r < 0;
	agent_tell_systemd("READY=1");
}

static void run_pages(struct agent *a)
{
	if (a->web)
		web_run(a->web);
	if (a->scrape)
		scrape_run(a->scrape);
}

/* Signals and pages. True: it is time to go. */
static bool handle_events(struct agent *a)
{
	struct signalfd_siginfo si;
	bool stop = false;

	run_pages(a);
	while (read(a->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			reload(a);
		else
			stop = true;
	}
	return stop;
}

static void follow_pods(struct agent *a)
{
	uint64_t missed = session_pods_missed(a->session);
	struct pods *pods = kube_take(a->kube);

	if (pods)
		session_set_pods(a->session, pods);
	if (missed != a->pods_missed)
		kube_hurry(a->kube);
	a->pods_missed = missed;
}

/* Once, and when it has changed. */
static void tell_routes(struct agent *a)
{
	int error = tracing_routes_error(session_tracing(a->session));

	if (error == a->routes_error)
		return;
	if (error < 0)
		log_warn("trace.routes_file %s: %s; learned routes are lost with a restart", a->config->trace_routes_file, strerror(-error));
	else
		log_info("trace.routes_file %s: learned routes are kept again", a->config->trace_routes_file);
	a->routes_error = error;
}

static void trace_tick(struct agent *a, uint64_t now)
{
	int r = tracing_count(session_tracing(a->session)); /* what a process counted that ends now is read before it is gone */

	if (r < 0)
		log_error("requests could not be counted: %s; going on", strerror(-r));
	tell_routes(a);
	r = metric_export_tick(a->metric_export, a->config->trace_metrics_interval_ns, now);
	if (r < 0)
		log_error("metrics could not be sent: %s; they are in the next interval's", strerror(-r));
}

static void tick(void *ctx, uint64_t elapsed_ns)
{
	struct agent *a = ctx;
	uint64_t now = time_boot_ns();
	int r;

	run_pages(a); /* connections time out */
	if (session_tracing(a->session))
		trace_tick(a, now);
	if (a->spans)
		push_spans_tick(a->spans, now);
	if (a->kube)
		follow_pods(a);
	r = governor_tick(&a->governor);
	if (r < 0)
		log_error("budget: %s; going on", strerror(-r));
	if (!a->watchdog_ns || now - a->watchdog_told_ns + NSEC_PER_SEC < a->watchdog_ns)
		return;
	agent_tell_systemd("WATCHDOG=1");
	a->watchdog_told_ns = now;
}

static void tell_start(struct agent *a)
{
	struct session_stats s;
	char page_at[160] = "", text[192];

	session_stats(a->session, &s);
	if (a->web)
		snprintf(page_at, sizeof(page_at), "; metrics on http://%s/metrics", web_address(a->web));
	log_info("sampling %u CPUs at %u Hz, sending to %u receivers every %.0f s%s", s.collect.cpus, a->config->frequency,
		 a->config->receivers.n, (double)a->config->flush_interval_ns / 1e9, page_at);
	if (a->receive)
		log_info("taking pushes at http://%s" PYROSCOPE_PUSH_PATH, receive_address(a->receive));
	if (a->scrape)
		log_info("what is measured of services is on http://%s/metrics",
			 scrape_address(a->scrape));
	log_info("capabilities kept: %s", a->capabilities);
	if (!a->config->receivers.n)
		log_warn("no receivers are configured: profiles go nowhere; see hotspan config --reference");
	if (s.lines_error)
		log_warn("symbol_cache %s: %s; names only, no lines", a->config->symbol_cache, lines_complaint(s.lines_error, text, sizeof(text)));
	if (session_tracing(a->session))
		tell_routes(a);
	agent_tell_systemd("READY=1");
}

int agent_run(struct agent *a, char *err, size_t err_len)
{
	struct session_until until = { .signal_fd = a->epoll_fd, .tick = tick, .ctx = a };
	int r = session_start(a->session, err, err_len);

	if (r < 0)
		return r;
	a->running = true;
	tell_start(a);
	do {
		r = session_run(a->session, &until);
	} while (r == SESSION_SIGNAL && !handle_events(a));
	if (r >= 0)
		return agent_stop(a, err, err_len);
	snprintf(err, err_len, "sampling stopped: %s", strerror(-r));
	return r;
}
