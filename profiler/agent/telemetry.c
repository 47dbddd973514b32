/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/telemetry.h"

#include <stddef.h>

#include "agent/budget.h"
#include "agent/kube.h"
#include "agent/push.h"
#include "agent/push_spans.h"
#include "agent/receive.h"
#include "agent/session.h"
#include "base/buf.h"
#include "base/units.h"
#include "collect/reasons.h"
#include "exporter/net.h"
#include "exporter/prometheus.h"
#include "trace/tracer.h"
#include "version.h"

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static void one(struct buf *b, const char *name, enum prom_type type, const char *help, double value)
{
	prom_family(b, name, type, help);
	prom_value(b, name, value, NULL);
}

static void samples(const struct collector_stats *c, struct buf *b)
{
	one(b, "hotspan_samples_total", PROM_COUNTER, "Samples in profiles.", (double)c->samples);
	one(b, "hotspan_sampled_cpu_seconds_total", PROM_COUNTER, "CPU time those samples stand for.", seconds(c->cpu_ns));
	one(b, "hotspan_samples_left_out_total", PROM_COUNTER, "Samples of processes that targets and relabel_configs leave out.", (double)c->left_out);
	prom_family(b, "hotspan_relabel_given_up_total", PROM_COUNTER, "Steps of relabel_configs given up, by reason: they changed nothing.");
	prom_value(b, "hotspan_relabel_given_up_total", (double)c->rules.too_long, "reason", "match_too_long", NULL);
	prom_value(b, "hotspan_relabel_given_up_total", (double)c->rules.too_large, "reason", "too_large", NULL);
	one(b, "hotspan_target_tables_full_total", PROM_COUNTER, "How often there were too many series to remember: each process was asked for its own again.",
	    (double)c->target_restarts);
	prom_family(b, "hotspan_ticks_total", PROM_COUNTER, "Timer ticks the clock owed, by what the CPU did.");
	prom_value(b, "hotspan_ticks_total", (double)c->counters[EV_COUNT_IDLE], "state", "idle", NULL);
	prom_value(b, "hotspan_ticks_total", (double)c->counters[EV_COUNT_FILTERED], "state", "filtered", NULL);
	prom_value(b, "hotspan_ticks_total", (double)c->counters[EV_COUNT_LEFT_OUT], "state", "left_out", NULL);
	prom_value(b, "hotspan_ticks_total", (double)c->counters[EV_COUNT_THINNED], "state", "thinned", NULL);
	prom_value(b, "hotspan_ticks_total",
		   (double)(c->counters[EV_COUNT_TICKS] - c->counters[EV_COUNT_IDLE] - c->counters[EV_COUNT_FILTERED] -
			    c->counters[EV_COUNT_LEFT_OUT] - c->counters[EV_COUNT_THINNED]), "state", "busy", NULL);
	prom_family(b, "hotspan_samples_lost_total", PROM_COUNTER, "Samples that are in no profile, by reason.");
	for (uint32_t i = 0; i < EV_DROP_MAX; i++)
		prom_value(b, "hotspan_samples_lost_total", (double)c->counters[i], "reason", reason_drop_name(i), NULL);
	one(b, "hotspan_process_events_lost_total", PROM_COUNTER, "Records of processes and mappings the kernel dropped.", (double)c->sideband_lost);
	prom_family(b, "hotspan_user_stacks_total", PROM_COUNTER, "User stacks, by how they ended; root is complete.");
	for (uint32_t i = 0; i < EV_CUT_MAX; i++)
		prom_value(b, "hotspan_user_stacks_total", (double)c->cuts[i], "end", reason_cut_name(i), NULL);
	one(b, "hotspan_kernel_stacks_cut_total", PROM_COUNTER, "Kernel stacks deeper than a sample holds.", (double)c->kernel_cut);
}

static void requests(const struct session_stats *s, struct buf *b)
{
	prom_family(b, "hotspan_trace_total", PROM_COUNTER, "What the tracing programs saw and lost, as bpf/trace_counts.def explains each; zero without trace.enabled.");
	for (uint32_t i = 0; i < TRACE_COUNT_MAX; i++)
		prom_value(b, "hotspan_trace_total", (double)s->requests[i], "what", tracer_count_name(i), NULL);
}

static void spans(const struct push_spans_stats *s, struct buf *b)
{
	one(b, "hotspan_spans_total", PROM_COUNTER, "Spans handed to the receivers' queues.", (double)s->sent);
	prom_family(b, "hotspan_spans_dropped_total", PROM_COUNTER, "Spans made for nothing, by reason; those that never came are ring_full and head_lost of hotspan_trace_total.");
	for (int i = 0; i < PUSH_SPANS_DROPS; i++)
		prom_value(b, "hotspan_spans_dropped_total", (double)s->dropped[i], "reason", push_spans_drop_name((enum push_spans_drop)i), NULL);
}

/* Nothing is guessed of a sample, so that there is time which is no request's. */
static void request_cpu(const struct session_stats *s, struct buf *b)
{
	const char *name = "hotspan_trace_cpu_seconds_total";

	prom_family(b, name, PROM_COUNTER, "CPU time of processes that take or make requests, by samples: of one request, or why of none, as JOIN of bpf/drops.def explains.");
	for (uint32_t i = EV_JOIN_OTHERS + 1; i < EV_JOIN_MAX; i++)
		prom_value(b, name, seconds(s->joined_ns[i]), "of", reason_join_name(i), NULL);
}

static void names(const struct session_stats *s, struct buf *b)
{
	one(b, "hotspan_frames_total", PROM_COUNTER, "Frames of all samples.", (double)s->name.frames);
	one(b, "hotspan_frames_named_total", PROM_COUNTER, "Frames that got a function's name.", (double)s->name.frames_named);
	one(b, "hotspan_images_loaded_total", PROM_COUNTER, "Images that samples lay in, once per interval.", (double)s->name.images);
	one(b, "hotspan_images_without_symbols_total", PROM_COUNTER, "Of these, images without a symbol table.", (double)s->name.images_failed);
	one(b, "hotspan_symbol_table_bytes", PROM_GAUGE, "Memory of symbol tables held.", (double)s->symbol_bytes);
	one(b, "hotspan_processes", PROM_GAUGE, "Processes known.", s->collect.processes);
	one(b, "hotspan_images", PROM_GAUGE, "Images known.", s->collect.images);
	one(b, "hotspan_cpus", PROM_GAUGE, "CPUs being sampled.", s->collect.cpus);
	one(b, "hotspan_frames_with_lines_total", PROM_COUNTER, "Frames with the line of a source file.", (double)s->name.frames_with_lines);
	one(b, "hotspan_debug_info_pending", PROM_GAUGE, "Images whose debug information waits to be read.", (double)s->lines.pending);
	prom_family(b, "hotspan_debug_info_images_total", PROM_COUNTER, "Images whose debug information was looked for, by what came of it.");
	for (int i = 0; i < HELPER_RESULTS; i++)
		prom_value(b, "hotspan_debug_info_images_total", (double)s->lines.made[i], "result", helper_result_name(i), NULL);
	prom_family(b, "hotspan_debuginfod_files_total", PROM_COUNTER, "Debug files asked for, by who answered; missing: no server has it.");
	prom_value(b, "hotspan_debuginfod_files_total", (double)s->lines.servers.hits, "result", "cached", NULL);
	prom_value(b, "hotspan_debuginfod_files_total", (double)s->lines.servers.fetched, "result", "fetched", NULL);
	prom_value(b, "hotspan_debuginfod_files_total", (double)s->lines.servers.missing, "result", "missing", NULL);
	prom_value(b, "hotspan_debuginfod_files_total", (double)s->lines.servers.failed, "result", "failed", NULL);
	one(b, "hotspan_debuginfod_held_off_total", PROM_COUNTER, "Servers not asked, because they failed a while ago.", (double)s->lines.servers.held_off);
	one(b, "hotspan_debug_info_deferred", PROM_GAUGE, "Images whose debug files are asked for again when servers that failed are.", s->lines.later);
}

static void unwinding(const struct unwinder_stats *u, struct buf *b)
{
	const struct tables_stats *t = &u->tables;

	one(b, "hotspan_unwind_finished_total", PROM_COUNTER, "User stacks finished by the agent: their process or an image was new to the BPF program.", (double)u->finished);
	one(b, "hotspan_unwind_processes", PROM_GAUGE, "Processes whose stacks the BPF program walks by itself.", u->spaces);
	one(b, "hotspan_unwind_tables", PROM_GAUGE, "Images whose unwind rows are loaded.", t->loaded);
	one(b, "hotspan_unwind_rows", PROM_GAUGE, "Rows in those tables.", (double)t->rows);
	one(b, "hotspan_unwind_table_bytes", PROM_GAUGE, "Kernel memory of those tables.", (double)t->bytes);
	one(b, "hotspan_unwind_tables_evicted_total", PROM_COUNTER, "Tables that went because of max_unwind_bytes.", t->evicted);
	one(b, "hotspan_unwind_tables_failed_total", PROM_COUNTER, "Images without a table: no call frame information, or none that we can read.", t->failed);
	one(b, "hotspan_unwind_wait_seconds_total", PROM_COUNTER, "Time that samples waited for tables to be built.", seconds(t->build_ns));
	prom_family(b, "hotspan_unwind_rows_without_rule_total", PROM_COUNTER, "Pieces of code that no rule can describe, by reason.");
	for (uint32_t i = 0; i < UNWIND_WHY_MAX; i++)
		prom_value(b, "hotspan_unwind_rows_without_rule_total", (double)t->why[i], "reason", unwind_why_name(i), NULL);
}

static void intervals(const struct telemetry *t, struct buf *b)
{
	one(b, "hotspan_windows_total", PROM_COUNTER, "Flush intervals named and encoded.", (double)t->session->windows);
	one(b, "hotspan_windows_failed_total", PROM_COUNTER, "Flush intervals lost for want of memory.", (double)t->windows_failed);
	one(b, "hotspan_flushes_late_total", PROM_COUNTER, "Flushes put off because naming still ran.", (double)t->session->flushes_late);
	one(b, "hotspan_naming_seconds_total", PROM_COUNTER, "Time spent naming and encoding.", seconds(t->session->naming_ns));
	one(b, "hotspan_services", PROM_GAUGE, "Services in the last interval.", (double)t->push->services);
	one(b, "hotspan_profiles_total", PROM_COUNTER, "Profiles handed to the receivers.", (double)t->push->profiles);
	one(b, "hotspan_profile_bytes_total", PROM_COUNTER, "Their bytes, compressed.", (double)t->push->bytes);
	one(b, "hotspan_profiles_split_total", PROM_COUNTER, "Profiles cut in two because servers refuse larger ones.", (double)t->push->splits);
	one(b, "hotspan_samples_too_large_total", PROM_COUNTER, "Samples whose stack alone is larger than servers take.", (double)t->push->too_large);
	prom_family(b, "hotspan_config_reloads_total", PROM_COUNTER, "Reloads of the configuration, by result.");
	prom_value(b, "hotspan_config_reloads_total", (double)t->reloads_ok, "result", "ok", NULL);
	prom_value(b, "hotspan_config_reloads_total", (double)t->reloads_failed, "result", "failed", NULL);
}

static void profile_families(const struct telemetry *t, struct buf *b)
{
	const char *name = "hotspan_receiver_profiles_total";

	prom_family(b, name, PROM_COUNTER, "Profiles by what became of them.");
	for (size_t i = 0; i < t->n_receivers; i++) {
		const struct net_receiver_stats *r = &t->receivers[i];
		const struct net_signal_stats *s = &r->signals[PARCEL_PROFILES];

		prom_value(b, name, (double)s->delivered, "receiver", r->name, "result",
			   "delivered", NULL);
		for (int d = 0; d < NET_DROPS; d++)
			prom_value(b, name, (double)s->dropped[d], "receiver", r->name, "result",
				   net_drop_name(d), NULL);
	}
	name = "hotspan_receiver_rejected_profiles_total";
	prom_family(b, name, PROM_COUNTER, "Profiles that OTLP receivers left out of requests they took.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, name, (double)t->receivers[i].signals[PARCEL_PROFILES].rejected,
			   "receiver", t->receivers[i].name, NULL);
}

/* What else it sends. False: it does not. */
static bool sends(const struct net_receiver_stats *r, int signal)
{
	return signal != PARCEL_PROFILES && r->send >> signal & 1;
}

static void signal_results(const struct net_receiver_stats *r, int signal, const char *name,
			   struct buf *b)
{
	const char *of = parcel_signal_name(signal);

	prom_value(b, name, (double)r->signals[signal].delivered, "receiver", r->name, "signal", of,
		   "result", "delivered", NULL);
	for (int d = 0; d < NET_DROPS; d++)
		prom_value(b, name, (double)r->signals[signal].dropped[d], "receiver", r->name,
			   "signal", of, "result", net_drop_name(d), NULL);
}

static void signal_family(const struct telemetry *t, const char *name, enum prom_type type,
			  const char *help, size_t field, struct buf *b)
{
	prom_family(b, name, type, help);
	for (size_t i = 0; i < t->n_receivers; i++)
		for (int s = 0; s < PARCEL_SIGNALS; s++) {
			const struct net_receiver_stats *r = &t->receivers[i];

			if (sends(r, s))
				prom_value(b, name,
					   (double)*(
						   const uint64_t *)((const char *)&r->signals[s] +
								     field),
					   "receiver", r->name, "signal", parcel_signal_name(s),
					   NULL);
		}
}

/* Not there while no receiver takes them. */
static void signal_families(const struct telemetry *t, struct buf *b)
{
	const char *name = "hotspan_receiver_items_total";
	uint32_t any = 0;

	for (size_t i = 0; i < t->n_receivers; i++)
		any |= t->receivers[i].send & ~(1u << PARCEL_PROFILES);
	if (!any)
		return;
	prom_family(b, name, PROM_COUNTER, "Spans and data points by what became of them.");
	for (size_t i = 0; i < t->n_receivers; i++)
		for (int s = 0; s < PARCEL_SIGNALS; s++)
			if (sends(&t->receivers[i], s))
				signal_results(&t->receivers[i], s, name, b);
	signal_family(t, "hotspan_receiver_rejected_items_total", PROM_COUNTER,
		      "Spans and data points that receivers left out of requests they took.",
		      offsetof(struct net_signal_stats, rejected), b);
	signal_family(t, "hotspan_receiver_queue_items", PROM_GAUGE,
		      "Spans and data points that wait.", offsetof(struct net_signal_stats, queued),
		      b);
	signal_family(t, "hotspan_receiver_spool_items", PROM_GAUGE, "Of these, those on disk.",
		      offsetof(struct net_signal_stats, spooled), b);
}

static void receiver_families(const struct telemetry *t, struct buf *b)
{
	const char *name = "hotspan_receiver_failed_tries_total";

	profile_families(t, b);
	signal_families(t, b);
	prom_family(b, name, PROM_COUNTER, "Tries that did not deliver, by cause; most are repeated.");
	for (size_t i = 0; i < t->n_receivers; i++)
		for (int c = RETRY_NONE + 1; c < RETRY_CAUSES; c++)
			prom_value(b, name, (double)t->receivers[i].failed_tries[c], "receiver", t->receivers[i].name, "cause",
				   retry_cause_name(c), NULL);
}

static void queues(const struct telemetry *t, struct buf *b)
{
	prom_family(b, "hotspan_receiver_delivered_bytes_total", PROM_COUNTER,
		    "Bytes of delivered requests, profiles and others.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_delivered_bytes_total", (double)t->receivers[i].delivered_bytes, "receiver", t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_queue_profiles", PROM_GAUGE, "Profiles that wait.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_queue_profiles",
			   (double)t->receivers[i].signals[PARCEL_PROFILES].queued, "receiver",
			   t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_spool_profiles", PROM_GAUGE, "Of these, profiles on disk.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_spool_profiles",
			   (double)t->receivers[i].signals[PARCEL_PROFILES].spooled, "receiver",
			   t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_spool_bytes", PROM_GAUGE,
		    "Bytes on disk of what waits, profiles and others.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_spool_bytes", (double)t->receivers[i].spooled_bytes, "receiver", t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_spool_total", PROM_COUNTER,
		    "What happened to the spool: profiles, spans and data points of an earlier "
		    "run, those of them that may arrive twice, files put aside as damaged, files "
		    "that cannot be read, what could not be written.");
	for (size_t i = 0; i < t->n_receivers; i++) {
		const struct spool_stats *s = &t->receivers[i].spool;

		prom_value(b, "hotspan_receiver_spool_total", (double)s->found, "receiver", t->receivers[i].name, "what", "found", NULL);
		prom_value(b, "hotspan_receiver_spool_total", (double)s->maybe_twice, "receiver", t->receivers[i].name, "what", "maybe_twice", NULL);
		prom_value(b, "hotspan_receiver_spool_total", (double)s->damaged, "receiver", t->receivers[i].name, "what", "damaged", NULL);
		prom_value(b, "hotspan_receiver_spool_total", (double)s->unreadable, "receiver", t->receivers[i].name, "what", "unreadable", NULL);
		prom_value(b, "hotspan_receiver_spool_total", (double)s->failed, "receiver", t->receivers[i].name, "what", "not_written", NULL);
	}
	prom_family(b, "hotspan_receiver_files", PROM_GAUGE, "Of receivers of type file: profiles in the directory.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_files", (double)t->receivers[i].archive.files, "receiver", t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_file_bytes", PROM_GAUGE, "Their bytes.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_file_bytes", (double)t->receivers[i].archive.bytes, "receiver", t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_files_removed_total", PROM_COUNTER, "Profiles removed there because of max_files, max_bytes or max_age.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_files_removed_total", (double)t->receivers[i].archive.removed, "receiver", t->receivers[i].name, NULL);
	prom_family(b, "hotspan_receiver_queue_bytes", PROM_GAUGE, "Bytes of what waits.");
	for (size_t i = 0; i < t->n_receivers; i++)
		prom_value(b, "hotspan_receiver_queue_bytes", (double)t->receivers[i].queued_bytes, "receiver", t->receivers[i].name, NULL);
}

static void cost(const struct telemetry *t, struct buf *b)
{
	const struct session_stats *s = t->session;

	one(b, "hotspan_bpf_seconds_total", PROM_COUNTER, "Time spent in the sampling program, all CPUs.", seconds(s->collect.counters[EV_COUNT_RUN_NS]));
	one(b, "hotspan_kernel_memory_bytes", PROM_GAUGE, "BPF maps, programs and rings.", (double)s->collect.kernel_bytes);
	one(b, "hotspan_start_seconds", PROM_GAUGE, "From start to sampling.", seconds(s->start_ns));
	one(b, "process_cpu_seconds_total", PROM_COUNTER, "User and system CPU time of the agent.", seconds(s->cpu_ns));
	one(b, "process_resident_memory_bytes", PROM_GAUGE, "Resident memory of the agent.", (double)s->rss_bytes);
	one(b, "process_start_time_seconds", PROM_GAUGE, "Start time of the agent, Unix time.", seconds(t->start_utc_ns));
	prom_family(b, "hotspan_build_info", PROM_GAUGE, "The version.");
	prom_value(b, "hotspan_build_info", 1, "version", HOTSPAN_VERSION, NULL);
}

static void budget(const struct budget *l, struct buf *b)
{
	one(b, "hotspan_frequency_hertz", PROM_GAUGE, "Samples per second and CPU.", l->frequency_hz);
	one(b, "hotspan_frequency_wanted_hertz", PROM_GAUGE, "The same as configured, where no budget holds it down.", l->limits.frequency_hz);
	one(b, "hotspan_host_cpu_percent", PROM_GAUGE, "CPU of agent and BPF programs, of the whole host's, over 10 s.", l->used_percent);
	prom_family(b, "hotspan_budget_limited_seconds_total", PROM_COUNTER, "Time that the frequency was held down, by the option that did.");
	for (int i = BUDGET_FREE + 1; i < BUDGET_LIMITS; i++)
		prom_value(b, "hotspan_budget_limited_seconds_total", seconds(l->limited_ns[i]), "by", budget_limit_name(i), NULL);
}

static void received(const struct receive_stats *r, struct buf *b)
{
	prom_family(b, "hotspan_received_pushes_total", PROM_COUNTER, "Pushes of others, by what became of them; only taken ones are handed on.");
	for (int i = 0; i < RECEIVE_RESULTS; i++)
		prom_value(b, "hotspan_received_pushes_total", (double)r->pushes[i], "result", receive_result_name(i), NULL);
	one(b, "hotspan_received_bytes_total", PROM_COUNTER, "Bytes of those taken, inflated.", (double)r->bytes);
}

static void kubernetes(const struct kube_stats *k, struct buf *b)
{
	prom_family(b, "hotspan_kubernetes_lists_total", PROM_COUNTER, "Lists of pods asked for, by what came of it.");
	prom_value(b, "hotspan_kubernetes_lists_total", (double)k->lists, "result", "ok", NULL);
	prom_value(b, "hotspan_kubernetes_lists_total", (double)k->failures, "result", "failed", NULL);
	one(b, "hotspan_kubernetes_pods", PROM_GAUGE, "Pods in the last list.", k->pods);
	one(b, "hotspan_kubernetes_left_out", PROM_GAUGE, "Pods and labels in it beyond what is kept.", k->left_out);
}

void telemetry_print(const struct telemetry *t, struct buf *out)
{
	samples(&t->session->collect, out);
	unwinding(&t->session->collect.unwind, out);
	names(t->session, out);
	requests(t->session, out);
	request_cpu(t->session, out);
	intervals(t, out);
	receiver_families(t, out);
	queues(t, out);
	cost(t, out);
	budget(t->budget, out);
	if (t->receive)
		received(t->receive, out);
	if (t->spans)
		spans(t->spans, out);
	if (t->kube)
		kubernetes(t->kube, out);
}
