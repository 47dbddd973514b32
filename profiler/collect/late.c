/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/late.h"

/* Late ticks since the rate last changed that idling explains. */
static uint64_t explained(const struct late *t, const uint64_t counters[EV_COUNT_MAX], uint64_t idle_ns)
{
	uint64_t late = counters[EV_DROP_TIMER_LATE] - t->since_late, seen = counters[EV_COUNT_IDLE] - t->since_idle, idle;

	if (!late || idle_ns < t->since_idle_ns)
		return 0;
	idle = (idle_ns - t->since_idle_ns) / t->period_ns;
	idle = idle > seen ? idle - seen : 0;
	return idle < late ? idle : late;
}

void late_begin(struct late *t, uint64_t period_ns, uint64_t idle_ns)
{
	*t = (struct late){ .period_ns = period_ns, .since_idle_ns = idle_ns };
}

void late_change_rate(struct late *t, const uint64_t counters[EV_COUNT_MAX], uint64_t period_ns, uint64_t idle_ns)
{
	t->before += explained(t, counters, idle_ns);
	t->since_late = counters[EV_DROP_TIMER_LATE];
	t->since_idle = counters[EV_COUNT_IDLE];
	t->since_idle_ns = idle_ns;
	t->period_ns = period_ns;
}

uint64_t late_lost(struct late *t, const uint64_t counters[EV_COUNT_MAX], uint64_t idle_ns)
{
	uint64_t lost = counters[EV_DROP_TIMER_LATE] - t->before - explained(t, counters, idle_ns);

	if (lost > t->told)
		t->told = lost;
	return t->told;
}
