/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_facts.h"

#include "base/buf.h"
#include "base/units.h"
#include "cmd/verdict.h"
#include "collect/reasons.h"

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/*
 * What was added; *before moves on. Not every counter only grows: late ticks that turn out to be idle
 * ones go back. Such a step is no loss, nor is the way back up.
 */
static uint64_t step(uint64_t *before, uint64_t now)
{
	uint64_t added = now > *before ? now - *before : 0;

	*before += added;
	return added;
}

void top_facts_update(struct top_facts *f, const struct session_stats *now, const struct name_stats *named)
{
	struct collector_stats *b = &f->before.collect, *c = &f->interval.collect;

	f->interval = *now;
	f->interval.name = *named;
	f->interval.wall_ns = step(&f->before.wall_ns, now->wall_ns);
	f->interval.sampling_cpu_ns = step(&f->before.sampling_cpu_ns, now->sampling_cpu_ns);
	c->samples = step(&b->samples, now->collect.samples);
	c->lost = step(&b->lost, now->collect.lost);
	c->sideband_lost = step(&b->sideband_lost, now->collect.sideband_lost);
	for (int i = 0; i < EV_COUNT_MAX; i++)
		c->counters[i] = step(&b->counters[i], now->collect.counters[i]);
	for (int i = 0; i < EV_CUT_MAX; i++)
		c->cuts[i] = step(&b->cuts[i], now->collect.cuts[i]);
}

double top_facts_idle_percent(const struct top_facts *f)
{
	const uint64_t *counters = f->interval.collect.counters;

	return percent(counters[EV_COUNT_IDLE], counters[EV_COUNT_TICKS]);
}

double top_facts_others_percent(const struct top_facts *f)
{
	const uint64_t *counters = f->interval.collect.counters;

	return percent(counters[EV_COUNT_FILTERED], counters[EV_COUNT_TICKS]);
}

static void load_line(const struct top_facts *f, struct buf *out)
{
	double idle = top_facts_idle_percent(f), others = top_facts_others_percent(f);
	uint32_t cpus = f->interval.collect.cpus;

	buf_printf(out, "%u CPU%s: busy %.1f %%", cpus, cpus == 1 ? "" : "s", f->interval.collect.counters[EV_COUNT_TICKS] ? 100 - idle : 0);
	if (others > 0)
		buf_printf(out, " (not sampled %.1f %%)", others);
	buf_printf(out, ", idle %.1f %%; ", idle);
	if (f->window_ns)
		buf_printf(out, "average: last %g s", (double)f->window_ns / 1e9);
	else
		buf_puts(out, "average: decaying, 1/8 a second");
}

static void samples_line(const struct top_facts *f, struct buf *out)
{
	const struct session_stats *s = &f->interval;
	struct verdict_sums sum = verdict_sum_up(s);

	buf_printf(out, "%llu samples in %.1f s at %u Hz; stacks %.1f %% complete; names %.1f %%",
		   (unsigned long long)s->collect.samples, (double)s->wall_ns / 1e9, f->frequency_hz,
		   percent(sum.user_complete, sum.user), percent(s->name.frames_named, s->name.frames));
}

static void cost_line(const struct top_facts *f, struct buf *out)
{
	char rss[32], kernel[32];

	buf_printf(out, "own cost %.2f %% of the host, RSS %s + %s in the kernel; lost %llu",
		   verdict_sum_up(&f->interval).host_percent, format_bytes(f->interval.rss_bytes, rss, sizeof(rss)),
		   format_bytes(f->interval.collect.kernel_bytes, kernel, sizeof(kernel)),
		   (unsigned long long)f->interval.collect.lost);
	verdict_list_losses(&f->interval.collect, out);
}

void top_facts_line(const struct top_facts *f, int line, struct buf *out)
{
	static void (*const lines[TOP_FACTS_LINES])(const struct top_facts *, struct buf *) = { load_line, samples_line,
												cost_line };

	lines[line](f, out);
}

static void json_u64(struct buf *b, const char *key, uint64_t v)
{
	buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)v);
}

void top_facts_json(const struct top_facts *f, struct buf *out)
{
	const struct session_stats *s = &f->interval;
	const struct collector_stats *c = &s->collect;
	struct verdict_sums sum = verdict_sum_up(s);

	buf_printf(out, "\"samples\":%llu", (unsigned long long)c->samples);
	json_u64(out, "interval_ns", s->wall_ns);
	json_u64(out, "frequency_hz", f->frequency_hz);
	json_u64(out, "cpus", c->cpus);
	json_u64(out, "processes_known", c->processes);
	buf_printf(out, ",\"idle_percent\":%.3f,\"not_sampled_percent\":%.3f", top_facts_idle_percent(f), top_facts_others_percent(f));
	buf_puts(out, ",\"lost\":{");
	for (uint32_t i = 0; i < EV_DROP_MAX; i++)
		buf_printf(out, "%s\"%s\":%llu", i ? "," : "", reason_drop_name((uint32_t)i), (unsigned long long)c->counters[i]);
	buf_putc(out, '}');
	json_u64(out, "sideband_lost", c->sideband_lost);
	buf_printf(out, ",\"stacks_complete_percent\":%.3f", percent(sum.user_complete, sum.user));
	buf_printf(out, ",\"frames_named_percent\":%.3f", percent(s->name.frames_named, s->name.frames));
	buf_printf(out, ",\"own_percent\":%.4f", sum.host_percent);
	json_u64(out, "rss_bytes", s->rss_bytes);
	json_u64(out, "kernel_bytes", c->kernel_bytes);
	buf_printf(out, ",\"average\":\"%s\"", f->window_ns ? "window" : "decaying");
}
