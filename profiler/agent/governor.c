/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/governor.h"

#include <stdio.h>

#include "agent/session.h"
#include "base/log.h"
#include "base/units.h"

#define WARN_NS (60 * NSEC_PER_SEC)

void governor_init(struct governor *g, struct session *session, const struct budget_limits *limits)
{
	*g = (struct governor){ .session = session, .told_hz = limits->frequency_hz };
	budget_init(&g->budget, limits);
}

/* What holds the rate down: a limit that is felt too little to change it does not. */
static enum budget_limit limit_of(const struct budget *b)
{
	return b->frequency_hz < b->limits.frequency_hz ? b->limit : BUDGET_FREE;
}

char *governor_text(const struct governor *g, char *out, size_t len)
{
	const struct budget *b = &g->budget;
	char bytes[2][32];

	if (limit_of(b) == BUDGET_FREE)
		snprintf(out, len, "%u Hz", b->frequency_hz);
	else if (b->limit == BUDGET_CPU)
		snprintf(out, len, "%u Hz instead of %u: max_cpu_percent is %g, and %.2f are used", b->frequency_hz, b->limits.frequency_hz,
			 b->limits.cpu_percent, b->used_percent);
	else
		snprintf(out, len, "%u Hz instead of %u: max_memory_bytes is %s, and %s are used", b->frequency_hz, b->limits.frequency_hz,
			 format_bytes(b->limits.memory_bytes, bytes[0], sizeof(bytes[0])),
			 format_bytes(b->last.memory_bytes, bytes[1], sizeof(bytes[1])));
	return out;
}

/* Once a minute while it lasts, and at its end. */
static void tell(struct governor *g)
{
	uint64_t now = time_boot_ns();
	enum budget_limit limit = limit_of(&g->budget);
	char text[192];

	if (limit != BUDGET_FREE && g->told == BUDGET_FREE)
		g->limited_since_ns = now;
	if (limit != BUDGET_FREE && (!g->warned_ns || now - g->warned_ns >= WARN_NS)) {
		log_warn("budget: sampling at %s; totals stay true", governor_text(g, text, sizeof(text)));
		g->warned_ns = now;
		g->warned = true;
	} else if (limit == BUDGET_FREE && g->warned) {
		log_info("budget: sampling at %s again after %.0f s", governor_text(g, text, sizeof(text)),
			 (double)(now - g->limited_since_ns) / 1e9);
		g->warned = false;
	}
}

static int set_rate(struct governor *g)
{
	const struct budget *b = &g->budget;
	enum budget_limit limit = limit_of(b);
	int r = 0;

	if (b->frequency_hz != g->told_hz || limit != g->told)
		r = session_set_frequency(g->session, b->frequency_hz, budget_limit_name(limit));
	if (r < 0)
		return r;
	tell(g);
	g->told_hz = b->frequency_hz;
	g->told = limit;
	return 0;
}

int governor_set(struct governor *g, const struct budget_limits *limits)
{
	budget_set(&g->budget, limits);
	return set_rate(g);
}

static void measure(const struct governor *g, struct budget_used *ret)
{
	struct session_stats s;

	session_stats(g->session, &s);
	*ret = (struct budget_used){ .wall_ns = s.wall_ns, .cpu_ns = s.sampling_cpu_ns + s.collect.counters[EV_COUNT_RUN_NS],
				     .memory_bytes = s.rss_bytes + s.collect.kernel_bytes, .cpus = s.collect.cpus };
}

int governor_tick(struct governor *g)
{
	struct budget_used used;
	int r = 0;

	measure(g, &used);
	if (budget_step(&g->budget, &used))
		r = session_save_memory(g->session);
	return r < 0 ? r : set_rate(g);
}
