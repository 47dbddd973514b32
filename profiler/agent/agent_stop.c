/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "agent/metric_export.h"
#include "agent/push_spans.h"
#include "agent/receive.h"
#include "agent/session.h"
#include "base/log.h"
#include "base/units.h"
#include "exporter/files.h"
#include "exporter/net.h"
#include "exporter/parcel.h"
#include "trace/tracing.h"

/* From here on another signal ends us at once: waiting for the network is all that is left to do. */
static void let_signals_kill(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* "; 12 profiles stay in a spool for the next start; 3 spans could not be sent in time, dropped", or "". */
static void describe_left(struct agent *a, char *out, size_t len)
{
	struct net_receiver_stats rows[AGENT_MAX_RECEIVERS];
	size_t n = net_stats(a->net, rows, AGENT_MAX_RECEIVERS), at = 0;
	char items[64];

	out[0] = '\0';
	for (int s = 0; s < PARCEL_SIGNALS; s++) {
		uint64_t disk = 0, memory = 0;

		for (size_t i = 0; i < n && i < AGENT_MAX_RECEIVERS; i++) {
			disk += rows[i].signals[s].spooled;
			memory += rows[i].signals[s].queued - rows[i].signals[s].spooled;
		}
		if (disk && at < len)
			at += (size_t)snprintf(out + at, len - at,
					       "; %s stay%s in a spool for the next start",
					       parcel_count_items((enum parcel_signal)s, disk,
								  items, sizeof(items)),
					       disk == 1 ? "s" : "");
		if (memory && at < len)
			at += (size_t)snprintf(out + at, len - at,
					       "; %s could not be sent in time, dropped",
					       parcel_count_items((enum parcel_signal)s, memory,
								  items, sizeof(items)));
	}
}

static uint64_t left_ns(uint64_t until_ns)
{
	uint64_t now = time_boot_ns();

	return until_ns > now ? until_ns - now : 0;
}

/* Those of requests that have ended. */
static void finish_spans(struct agent *a)
{
	int r = a->spans ? tracing_poll(session_tracing(a->session)) : 0;

	if (r < 0)
		log_error("the last spans could not be read: %s", strerror(-r));
	if (a->spans)
		push_spans_flush(a->spans);
}

int agent_stop(struct agent *a, char *err, size_t err_len)
{
	uint64_t limit = a->config->shutdown_timeout_ns, until = time_boot_ns() + limit;
	struct session_stats s;
	char left[256];
	int r;

	agent_tell_systemd("STOPPING=1");
	a->running = false;
	log_info("stopping: naming and sending what is left, at most %.0f s", (double)limit / 1e9);
	let_signals_kill();
	if (a->receive)
		receive_stop(a->receive);
	finish_spans(a);
	r = session_tracing(a->session) ? metric_export_send(a->metric_export) : 0;
	if (r < 0)
		log_error("the last metrics are lost: %s", strerror(-r));
	r = session_finish(a->session, limit ? limit : 1);
	if (r < 0) {
		snprintf(err, err_len, "the last interval is lost: %s",
			 r == -ETIMEDOUT ? "naming took longer than shutdown_timeout" : strerror(-r));
		return r;
	}
	net_flush(a->net, left_ns(until));
	describe_left(a, left, sizeof(left));
	if (files_flush(a->files, left_ns(until)) < 0)
		log_warn("the last files could not be written in shutdown_timeout");
	session_stats(a->session, &s);
	log_info("stopped: %llu samples, %llu lost; own CPU %.2f s in %.0f s%s", (unsigned long long)s.collect.samples,
		 (unsigned long long)s.collect.lost, (double)s.cpu_ns / 1e9, (double)s.wall_ns / 1e9,
		 left);
	return 0;
}
