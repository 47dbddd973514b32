/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/budget.h"

#include <stddef.h>

#include "base/units.h"

#define BUCKET_S 30.0
#define MEMORY_BACK 0.9
/* Of the rate: smaller changes are not worth a reprogrammed timer on each CPU. */
#define STEP_WORTH 0.1
/* Seconds that used_percent looks back. */
#define PERCENT_S 10.0
/* Of the last step, in what a rate is taken to cost: names and sending come later, and in bursts. */
#define COST_WEIGHT 0.3
#define SAVE_NS (10 * NSEC_PER_SEC)

static void take_cpu(struct budget *b, double wall_s, double cpu_s, uint32_t cpus)
{
	double host_s = wall_s * cpus, percent = host_s > 0 ? 100 * cpu_s / host_s : 0;
	double weight = wall_s < PERCENT_S ? wall_s / PERCENT_S : 1;

	b->used_percent += (percent - b->used_percent) * weight;
	if (wall_s > 0)
		b->recent_cpu += (cpu_s / wall_s - b->recent_cpu) * COST_WEIGHT;
	b->recent_hz += (b->frequency_hz - b->recent_hz) * COST_WEIGHT;
	if (b->limits.cpu_percent <= 0 || !cpus)
		return;
	b->level += wall_s - cpu_s / (b->limits.cpu_percent / 100 * cpus);
	if (b->level > BUCKET_S)
		b->level = BUCKET_S;
}

static bool is_time_to_save(struct budget *b, bool over, uint64_t wall_ns)
{
	bool now = over && (!b->saved_ns || wall_ns - b->saved_ns >= SAVE_NS);

	if (now || !over)
		b->saved_ns = over ? wall_ns : 0;
	return now;
}

static bool take_memory(struct budget *b, const struct budget_used *used)
{
	uint64_t limit = b->limits.memory_bytes;
	bool over = limit && used->memory_bytes > limit;

	if (over && b->slowdown < b->limits.frequency_hz)
		b->slowdown *= 2;
	else if (limit && (double)used->memory_bytes < MEMORY_BACK * (double)limit && b->slowdown > 1)
		b->slowdown /= 2;
	return is_time_to_save(b, over, used->wall_ns);
}

/* A load that is too much comes to rest where half of the bucket is left: the inflow may be used there, half of that near its end. */
static double rate_of_level(const struct budget *b)
{
	double wanted = b->limits.frequency_hz, inflow = b->limits.cpu_percent / 100 * b->last.cpus;
	double may = inflow * (0.5 + b->level / BUCKET_S);

	if (inflow <= 0 || (b->limit != BUDGET_CPU && b->level >= BUCKET_S / 2) || may * b->recent_hz >= wanted * b->recent_cpu)
		return wanted;
	return b->level > 0 ? may * b->recent_hz / b->recent_cpu : 0;
}

static double at_least_one(double hz)
{
	return hz < 1 ? 1 : hz;
}

/* What each of the two allows; the lower one is the answer. */
static void choose_rate(struct budget *b)
{
	double wanted = b->limits.frequency_hz, cpu = rate_of_level(b);
	double memory = wanted / b->slowdown, hz = at_least_one(cpu < memory ? cpu : memory);
	double change = hz / b->frequency_hz - 1;

	b->limit = hz >= wanted ? BUDGET_FREE : cpu < memory ? BUDGET_CPU : BUDGET_MEMORY;
	if (b->limit == BUDGET_FREE || hz <= 1 || change > STEP_WORTH || change < -STEP_WORTH)
		b->frequency_hz = (uint32_t)hz;
}

void budget_init(struct budget *b, const struct budget_limits *limits)
{
	*b = (struct budget){ .level = BUCKET_S, .slowdown = 1, .frequency_hz = limits->frequency_hz };
	budget_set(b, limits);
}

void budget_set(struct budget *b, const struct budget_limits *limits)
{
	b->limits = *limits;
	if (limits->cpu_percent <= 0)
		b->level = BUCKET_S;
	if (!limits->memory_bytes)
		b->slowdown = 1;
	choose_rate(b);
}

bool budget_step(struct budget *b, const struct budget_used *used)
{
	uint64_t wall_ns = used->wall_ns - b->last.wall_ns, cpu_ns = used->cpu_ns - b->last.cpu_ns;
	bool save;

	b->last = *used;
	b->limited_ns[b->limit] += wall_ns;
	take_cpu(b, (double)wall_ns / 1e9, (double)cpu_ns / 1e9, used->cpus);
	save = take_memory(b, used);
	choose_rate(b);
	return save;
}

const char *budget_limit_name(enum budget_limit l)
{
	static const char *const names[] = { NULL, "max_cpu_percent", "max_memory_bytes" };

	return names[l];
}
