/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/route_print.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/session.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/route_table.h"
#include "cmd/text.h"
#include "collect/reasons.h"
#include "pprof/request.h"
#include "trace/tracer.h"

/* Columns, with what stands between them; a narrow table has no times. */
enum { NUMBERS_WIDTH = 84, TIMES_WIDTH = 26, SERVICE_WIDTH = 16, NARROW_SERVICE_WIDTH = 8, LEAST_ROUTE_WIDTH = 10, NARROW = 112 };

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static double per_second(uint64_t n, uint64_t wall_ns)
{
	return wall_ns ? (double)n * 1e9 / (double)wall_ns : 0;
}

static const char *status_name(uint8_t status, char out[8])
{
	if (!status)
		return "none";
	snprintf(out, 8, "%uxx", status);
	return out;
}

/* Of a bucket: the value is not above it. */
static const char *bound(uint64_t ns, char out[16])
{
	if (ns == UINT64_MAX)
		return ">10s";
	snprintf(out, 16, ns < NSEC_PER_SEC ? "%.0fms" : "%gs", (double)ns / (ns < NSEC_PER_SEC ? 1e6 : 1e9));
	return out;
}

static void put_times(const struct route_row *r, struct buf *out)
{
	char mean[32], p50[16], p95[16];

	if (r->kind == ROUTE_SERVED)
		buf_printf(out, "%6s  %6s  %8s  ", bound(route_row_at_most(r, 50), p50), bound(route_row_at_most(r, 95), p95),
			   format_ns(r->duration_ns / r->requests, mean, sizeof(mean)));
	else
		buf_printf(out, "%6s  %6s  %8s  ", "-", "-", "-");
}

static void put_numbers(const struct route_row *r, uint64_t wall_ns, bool narrow, struct buf *out)
{
	char cost[32], status[8];

	buf_printf(out, "%7.2f  %5.1f  ", (double)r->cpu_ns / 1e9, r->share);
	if (r->kind == ROUTE_SERVED)
		buf_printf(out, "%8s  %8llu  %7.1f  %5.1f  ", format_ns(r->cpu_ns / r->requests, cost, sizeof(cost)),
			   (unsigned long long)r->requests, per_second(r->requests, wall_ns), percent(r->route_errors, r->route_requests));
	else
		buf_printf(out, "%8s  %8s  %7s  %5s  ", "-", "-", "-", "-");
	if (!narrow)
		put_times(r, out);
	buf_printf(out, "%4s  ", r->kind == ROUTE_SERVED ? status_name(r->status, status) : "-");
}

/* Paths are foreign text. */
static void put_names(const struct route_table *t, const struct route_row *r, bool narrow, int width, struct buf *out)
{
	int service_width = narrow ? NARROW_SERVICE_WIDTH : SERVICE_WIDTH;
	int left = width - service_width - 2 - (narrow ? NUMBERS_WIDTH - TIMES_WIDTH : NUMBERS_WIDTH);
	_cleanup_(buf_fini) struct buf name = BUF_INIT;

	text_pad(strpool_str(&t->strings, r->service), service_width, out);
	buf_puts(out, "  ");
	if (r->kind == ROUTE_SERVED)
		request_name(tracer_method(r->method), strpool_str(&t->strings, r->route), &name);
	else
		buf_puts(&name, r->kind == ROUTE_OPEN ? "not ended yet" : "unattributed");
	buf_putc(&name, '\0');
	if (!buf_error(&name))
		text_fit((char *)name.data, left > LEAST_ROUTE_WIDTH ? left : LEAST_ROUTE_WIDTH, out);
}

void route_print_text(const struct route_table *t, uint64_t wall_ns, uint32_t max, int width, struct buf *out)
{
	bool narrow = width < NARROW;

	buf_printf(out, "  CPU s  share   CPU/req  requests    req/s  err %%  %sstat  %-*s  route\n", narrow ? "" : "p50 <=  p95 <=      mean  ",
		   narrow ? NARROW_SERVICE_WIDTH : SERVICE_WIDTH, "service");
	for (uint32_t i = 0; i < t->rows.n && i < max; i++) {
		put_numbers(&t->rows.v[i], wall_ns, narrow, out);
		put_names(t, &t->rows.v[i], narrow, width, out);
		buf_putc(out, '\n');
	}
	if (t->rows.n > max)
		buf_printf(out, "%u of %u rows\n", max, t->rows.n);
}

/* ---- JSON ---- */

static void json_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, ",\"%s\":", key);
	buf_json_string(b, text, strlen(text));
}

static void json_bound(struct buf *b, const char *key, uint64_t ns)
{
	buf_printf(b, ns == UINT64_MAX ? ",\"%s\":null" : ",\"%s\":%llu", key, (unsigned long long)ns);
}

static void json_served(const struct route_table *t, const struct route_row *r, uint64_t wall_ns, struct buf *b)
{
	char status[8];

	json_text(b, "method", tracer_method(r->method));
	json_text(b, "route", strpool_str(&t->strings, r->route));
	json_text(b, "status", status_name(r->status, status));
	buf_printf(b, ",\"requests\":%llu,\"requests_per_second\":%.3f,\"route_error_percent\":%.3f", (unsigned long long)r->requests,
		   per_second(r->requests, wall_ns), percent(r->route_errors, r->route_requests));
	json_bound(b, "p50_at_most_ns", route_row_at_most(r, 50));
	json_bound(b, "p95_at_most_ns", route_row_at_most(r, 95));
	buf_printf(b, ",\"mean_ns\":%llu,\"cpu_ns_per_request\":%llu", (unsigned long long)(r->duration_ns / r->requests),
		   (unsigned long long)(r->cpu_ns / r->requests));
}

void route_print_json(const struct route_table *t, uint64_t wall_ns, struct buf *out)
{
	static const char *const kinds[] = { [ROUTE_SERVED] = "served", [ROUTE_OPEN] = "open", [ROUTE_UNATTRIBUTED] = "unattributed" };

	buf_putc(out, '[');
	for (uint32_t i = 0; i < t->rows.n; i++) {
		const struct route_row *r = &t->rows.v[i];

		buf_printf(out, "%s{\"kind\":\"%s\"", i ? "," : "", kinds[r->kind]);
		json_text(out, "service", strpool_str(&t->strings, r->service));
		buf_printf(out, ",\"cpu_ns\":%llu,\"service_cpu_percent\":%.3f", (unsigned long long)r->cpu_ns, r->share);
		if (r->kind == ROUTE_SERVED)
			json_served(t, r, wall_ns, out);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

/* ---- facts ---- */

/* What of the traffic was not seen, or not told: of what is counted the others are no loss. */
static bool is_loss(uint32_t i)
{
	return i == TRACE_COUNT_ENCRYPTED || i == TRACE_COUNT_HTTP2 || (i >= TRACE_COUNT_UNSEEN && i != TRACE_COUNT_SPANS);
}

static void put_join(const struct collector_stats *c, uint32_t join, struct buf *out)
{
	buf_printf(out, "%.1f %% %s", percent(c->join_ns[join], c->cpu_ns), reason_join_help(join));
}

void route_print_facts(const struct route_table *t, const struct session_stats *s, struct buf *out)
{
	const struct collector_stats *c = &s->collect;
	const char *before = "; of the rest ";

	buf_printf(out, "requests   %llu served; of the CPU time ", (unsigned long long)t->requests);
	put_join(c, EV_JOIN_REQUEST, out);
	for (uint32_t i = 0; i < EV_JOIN_MAX; i++) {
		if (i == EV_JOIN_REQUEST || !c->join_ns[i])
			continue;
		buf_puts(out, before);
		put_join(c, i, out);
		before = ", ";
	}
	buf_putc(out, '\n');
	for (uint32_t i = 0; i < TRACE_COUNT_MAX; i++)
		if (is_loss(i) && s->requests[i])
			buf_printf(out, "unseen     %llu %s\n", (unsigned long long)s->requests[i], tracer_count_help(i));
}

void route_print_json_facts(const struct route_table *t, const struct session_stats *s, struct buf *out)
{
	buf_printf(out, ",\"requests\":%llu,\"cpu_ns_by_join\":{", (unsigned long long)t->requests);
	for (uint32_t i = 0; i < EV_JOIN_MAX; i++)
		buf_printf(out, "%s\"%s\":%llu", i ? "," : "", reason_join_name(i), (unsigned long long)s->collect.join_ns[i]);
	buf_puts(out, "},\"tracing\":{");
	for (uint32_t i = 0; i < TRACE_COUNT_MAX; i++)
		buf_printf(out, "%s\"%s\":%llu", i ? "," : "", tracer_count_name(i), (unsigned long long)s->requests[i]);
	buf_putc(out, '}');
}
