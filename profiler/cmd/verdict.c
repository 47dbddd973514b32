/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/verdict.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/session.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/amount.h"
#include "cmd/route_print.h"
#include "cmd/route_table.h"
#include "cmd/toplist.h"
#include "collect/reasons.h"
#include "pprof/profile.h"
#include "pprof/top.h"
#include "version.h"

enum { TOP = 10 };

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

struct verdict_sums verdict_sum_up(const struct session_stats *s)
{
	const struct collector_stats *c = &s->collect;
	struct verdict_sums r = { 0 };

	for (int i = 0; i < EV_CUT_MAX; i++) {
		if (i == EV_CUT_NO_USER || i == EV_CUT_NOT_ASKED)
			continue;
		r.user += c->cuts[i];
		r.user_complete += reason_cut_is_complete((uint32_t)i) ? c->cuts[i] : 0;
	}
	r.cost_ns = s->sampling_cpu_ns + c->counters[EV_COUNT_RUN_NS];
	r.cost_percent = percent(r.cost_ns, s->wall_ns);
	r.host_percent = c->cpus ? r.cost_percent / c->cpus : 0;
	return r;
}

void verdict_list_losses(const struct collector_stats *c, struct buf *b)
{
	for (int i = 0; i < EV_DROP_MAX; i++)
		if (c->counters[i])
			buf_printf(b, ", %s %llu", reason_drop_name((uint32_t)i), (unsigned long long)c->counters[i]);
	if (c->sideband_lost)
		buf_printf(b, ", process events %llu", (unsigned long long)c->sideband_lost);
}

static void list_cuts(const struct collector_stats *c, uint64_t of, struct buf *b)
{
	for (int i = 0; i < EV_CUT_MAX; i++)
		if (c->cuts[i] && !reason_cut_is_complete((uint32_t)i))
			buf_printf(b, ", %s %.1f %%", reason_cut_name((uint32_t)i), percent(c->cuts[i], of));
}

static void samples_line(const struct session_stats *s, uint32_t hz, struct buf *b)
{
	const struct collector_stats *c = &s->collect;

	buf_printf(b, "samples    %llu in %.1f s on %u CPUs at %u Hz = %.2f CPU s; idle %.1f %%",
		   (unsigned long long)c->samples, seconds(s->wall_ns), c->cpus, hz, (double)c->samples / hz,
		   percent(c->counters[EV_COUNT_IDLE], c->counters[EV_COUNT_TICKS]));
	if (c->counters[EV_COUNT_FILTERED])
		buf_printf(b, ", others %.1f %%", percent(c->counters[EV_COUNT_FILTERED], c->counters[EV_COUNT_TICKS]));
	buf_putc(b, '\n');
}

/* One of several facts, when there is something to count: the first one begins the line. */
static void fact(struct buf *b, const char **before, uint64_t n, const char *prefix, const char *what)
{
	if (!n)
		return;
	buf_printf(b, "%s%s%llu %s", *before, prefix, (unsigned long long)n, what);
	*before = "; ";
}

/* What came of debug information read in this run; nothing to say when none had to be. */
static void list_debug_info(const struct session_stats *s, struct buf *b)
{
	const char *before = "\nlines      ";
	char text[192];

	if (s->lines_error) {
		buf_printf(b, "%snone: %s", before, lines_complaint(s->lines_error, text, sizeof(text)));
		return;
	}
	fact(b, &before, s->lines.made[HELPER_OK], "debug information of ", "images was read");
	for (int i = HELPER_OK + 1; i < HELPER_RESULTS; i++) {
		snprintf(text, sizeof(text), "images have none: %s", helper_result_name(i));
		fact(b, &before, i == HELPER_NO_DEBUG_INFO ? 0 : s->lines.made[i], "", text);
	}
	fact(b, &before, s->lines.servers.fetched, "", "debug files were fetched");
	fact(b, &before, s->lines.servers.failed, "", "requests to debuginfod servers failed");
	fact(b, &before, s->lines.later, "", "images have none, for servers could not be asked");
	fact(b, &before, s->lines.pending, "", "images still wait for theirs: the next run has them sooner");
}

/* Everything but the top list, one fact a line. */
static void facts(const struct session_stats *s, const struct route_table *routes, uint32_t hz, struct buf *b)
{
	struct verdict_sums sum = verdict_sum_up(s);
	char rss[32], kernel[32];

	samples_line(s, hz, b);
	buf_printf(b, "lost       %llu samples", (unsigned long long)s->collect.lost);
	verdict_list_losses(&s->collect, b);
	buf_printf(b, "\nstacks     %.1f %% of user stacks reach their root", percent(sum.user_complete, sum.user));
	list_cuts(&s->collect, sum.user, b);
	buf_printf(b, "\nnames      %.1f %% of frames named", percent(s->name.frames_named, s->name.frames));
	if (s->name.frames_with_lines)
		buf_printf(b, ", %.1f %% with their line", percent(s->name.frames_with_lines, s->name.frames));
	if (s->name.images_failed)
		buf_printf(b, "; %llu of %llu images have no symbols", (unsigned long long)s->name.images_failed,
			   (unsigned long long)s->name.images);
	list_debug_info(s, b);
	buf_putc(b, '\n');
	if (routes)
		route_print_facts(routes, s, b);
	buf_printf(b, "own cost   %.2f %% of the host while sampling (agent %.3f s + BPF %.3f s), start %.3f s, naming %.3f s CPU; RSS %s + %s in the kernel\n",
		   sum.host_percent, seconds(s->sampling_cpu_ns), seconds(s->collect.counters[EV_COUNT_RUN_NS]),
		   seconds(s->start_cpu_ns), seconds(s->cpu_ns - s->sampling_cpu_ns - s->start_cpu_ns),
		   format_bytes(s->rss_bytes, rss, sizeof(rss)),
		   format_bytes(s->collect.kernel_bytes, kernel, sizeof(kernel)));
}

void verdict_comment(struct profile *p, const struct session_stats *stats, const struct route_table *routes, uint32_t frequency_hz)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char *line, *rest;

	profile_comment(p, "made by hotspan " HOTSPAN_VERSION);
	facts(stats, routes, frequency_hz, &b);
	buf_putc(&b, '\0');
	if (buf_error(&b))
		return;
	for (rest = (char *)b.data; (line = strsep(&rest, "\n")) && *line;)
		profile_comment(p, line);
}

static void top_text(const struct profile *p, struct buf *b)
{
	struct amount cpu;
	struct top top;

	if (top_build(p, PROFILE_FUNCTIONS, &top) < 0)
		return;
	if (top.rows.n) {
		amount_of(p, top.whole, &cpu);
		buf_putc(b, '\n');
		toplist_text(&top, PROFILE_FUNCTIONS, TOP, &cpu, b);
	}
	top_fini(&top);
}

void verdict_print(const struct verdict *v, FILE *out)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char size[32];

	facts(v->stats, v->routes, v->frequency_hz, &b);
	if (v->routes && v->routes->rows.n) {
		buf_putc(&b, '\n');
		route_print_text(v->routes, v->stats->wall_ns, TOP, ROUTE_WIDTH, &b);
	}
	top_text(v->profile, &b);
	fwrite(b.data, 1, b.len, out);
	if (!v->output || !strcmp(v->output, "-"))
		return;
	fprintf(out, "\nwritten    %s (%s)\n           %s\n", v->output, format_bytes(v->output_bytes, size, sizeof(size)),
		v->how_to_open);
}

static void json_u64(struct buf *b, const char *key, uint64_t v)
{
	buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)v);
}

static void json_top(const struct profile *p, struct buf *b)
{
	struct top top;

	if (top_build(p, PROFILE_FUNCTIONS, &top) < 0)
		return;
	buf_puts(b, ",\"top\":");
	toplist_json(&top, TOP, "cpu_ns", b);
	top_fini(&top);
}

static void json_reasons(const struct collector_stats *c, struct buf *b)
{
	buf_puts(b, ",\"lost\":{");
	for (int i = 0; i < EV_DROP_MAX; i++)
		buf_printf(b, "%s\"%s\":%llu", i ? "," : "", reason_drop_name((uint32_t)i), (unsigned long long)c->counters[i]);
	buf_puts(b, "},\"stacks\":{");
	for (int i = 0; i < EV_CUT_MAX; i++)
		buf_printf(b, "%s\"%s\":%llu", i ? "," : "", reason_cut_name((uint32_t)i), (unsigned long long)c->cuts[i]);
	buf_putc(b, '}');
}

void verdict_json(const struct verdict *v, struct buf *b)
{
	const struct session_stats *s = v->stats;
	const struct collector_stats *c = &s->collect;
	struct verdict_sums sum = verdict_sum_up(s);

	buf_printf(b, "{\"version\":\"%s\"", HOTSPAN_VERSION);
	json_u64(b, "samples", c->samples);
	json_u64(b, "frequency_hz", v->frequency_hz);
	json_u64(b, "cpus", c->cpus);
	json_u64(b, "wall_ns", s->wall_ns);
	json_u64(b, "ticks", c->counters[EV_COUNT_TICKS]);
	json_u64(b, "ticks_idle", c->counters[EV_COUNT_IDLE]);
	json_u64(b, "ticks_filtered", c->counters[EV_COUNT_FILTERED]);
	json_reasons(c, b);
	json_u64(b, "sideband_lost", c->sideband_lost);
	json_u64(b, "kernel_stacks_cut", c->kernel_cut);
	buf_printf(b, ",\"stacks_complete_percent\":%.3f", percent(sum.user_complete, sum.user));
	buf_printf(b, ",\"frames_named_percent\":%.3f", percent(s->name.frames_named, s->name.frames));
	buf_printf(b, ",\"frames_with_lines_percent\":%.3f", percent(s->name.frames_with_lines, s->name.frames));
	json_u64(b, "images", s->name.images);
	json_u64(b, "images_without_symbols", s->name.images_failed);
	json_u64(b, "processes", c->processes);
	json_u64(b, "start_ns", s->start_ns);
	json_u64(b, "start_cpu_ns", s->start_cpu_ns);
	json_u64(b, "sampling_cpu_ns", s->sampling_cpu_ns);
	json_u64(b, "images_lines_made", s->lines.made[HELPER_OK]);
	json_u64(b, "images_lines_pending", s->lines.pending);
	json_u64(b, "bpf_ns", c->counters[EV_COUNT_RUN_NS]);
	json_u64(b, "cpu_ns", s->cpu_ns);
	json_u64(b, "naming_ns", s->naming_ns);
	json_u64(b, "rss_bytes", s->rss_bytes);
	json_u64(b, "kernel_bytes", c->kernel_bytes);
	if (v->routes) {
		route_print_json_facts(v->routes, s, b);
		buf_puts(b, ",\"routes\":");
		route_print_json(v->routes, s->wall_ns, b);
	}
	json_top(v->profile, b);
	buf_puts(b, ",\"output\":");
	buf_json_string(b, v->output, strlen(v->output));
	json_u64(b, "output_bytes", v->output_bytes);
	if (v->command_status >= 0)
		json_u64(b, "command_status", (uint64_t)v->command_status);
	buf_puts(b, "}\n");
}
