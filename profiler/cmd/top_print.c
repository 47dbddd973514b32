/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/units.h"
#include "cmd/text.h"
#include "cmd/top_facts.h"
#include "cmd/top_rows.h"
#include "pprof/profile.h"

enum { IMAGE_WIDTH = 18, COMM_WIDTH = 15, TEXT_WIDTH = 120 };

/* What is left of the width behind so many columns; never nothing. */
static int rest(int width, int used)
{
	return width > used ? width - used : 1;
}

void top_print_function_title(int width, struct buf *out)
{
	buf_printf(out, " self %%  total %%    CPU s  %-*s  ", IMAGE_WIDTH, "image");
	text_pad("function", rest(width, 29 + IMAGE_WIDTH), out);
}

/* "work list.c:120": a long name is cut before its source. */
static void put_name(const struct top_function *f, int width, struct buf *out)
{
	char source[64] = "";
	int used, behind;

	if (f->line)
		snprintf(source, sizeof(source), " %.40s:%u", profile_base_name(f->file), f->line);
	behind = (int)strlen(source);
	if (behind > width / 2)
		behind = 0;
	used = text_fit(f->is_other ? "other: all that is too small to keep" : f->name, width - behind, out);
	text_pad(behind ? source : "", width - used, out);
}

void top_print_function(const struct top_function *f, const struct top_rows *rows, int width, struct buf *out)
{
	buf_printf(out, "%7.2f  %7.2f  %7.2f  ", top_share(f->self_ns, rows->base_ns), top_share(f->total_ns, rows->base_ns),
		   f->self_ns / 1e9);
	text_pad(f->is_other ? "-" : f->image, IMAGE_WIDTH, out);
	buf_puts(out, "  ");
	put_name(f, rest(width, 29 + IMAGE_WIDTH), out);
}

void top_print_process_title(bool by_thread, int width, struct buf *out)
{
	buf_printf(out, "  CPU %%    CPU s  %8s  %s%-*s  ", "pid", by_thread ? "     tid  " : "", COMM_WIDTH, "command");
	text_pad("top function", rest(width, 30 + COMM_WIDTH + (by_thread ? 10 : 0)), out);
}

void top_print_process(const struct top_process *p, const struct top_rows *rows, bool by_thread, int width, struct buf *out)
{
	char share[32];
	int left = rest(width, 30 + COMM_WIDTH + (by_thread ? 10 : 0));

	buf_printf(out, "%7.1f  %7.2f  %8u  ", top_share(p->cpu_ns, rows->span_ns), p->cpu_ns / 1e9, p->pid);
	if (by_thread)
		buf_printf(out, "%8u  ", p->tid);
	text_pad(p->comm, COMM_WIDTH, out);
	buf_puts(out, "  ");
	snprintf(share, sizeof(share), "%3.0f %% ", top_share(p->function_ns, p->cpu_ns));
	text_fit(share, left, out);
	if (left > 6)
		text_pad(p->function, left - 6, out);
}

/* A line of a file has no blanks at its end. */
static void end_line(struct buf *out)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->len--;
	buf_putc(out, '\n');
}

static void text_head(const struct top_page *p, struct buf *out)
{
	time_t seconds = (time_t)(p->time_utc_ns / NSEC_PER_SEC);
	struct tm tm;
	char clock[32] = "";

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	buf_printf(out, "hotspan top %s\n", clock);
	for (int i = 0; i < TOP_FACTS_LINES; i++) {
		top_facts_line(p->facts, i, out);
		buf_putc(out, '\n');
	}
	if (!p->filter || !*p->filter)
		return;
	buf_puts(out, "filter '");
	text_fit(p->filter, TEXT_WIDTH, out);
	buf_printf(out, "': %.2f %% of the CPU time sampled\n", top_share(p->rows->matched_ns, p->rows->all_ns));
}

void top_print_text(const struct top_page *p, struct buf *out)
{
	const struct top_rows *t = p->rows;

	text_head(p, out);
	buf_putc(out, '\n');
	top_print_function_title(TEXT_WIDTH, out);
	end_line(out);
	for (uint32_t i = 0; i < t->functions.n && i < p->max_rows; i++) {
		top_print_function(&t->functions.v[i], t, TEXT_WIDTH, out);
		end_line(out);
	}
	buf_putc(out, '\n');
	top_print_process_title(p->by_thread, TEXT_WIDTH, out);
	end_line(out);
	for (uint32_t i = 0; i < t->processes.n && i < p->max_rows; i++) {
		top_print_process(&t->processes.v[i], t, p->by_thread, TEXT_WIDTH, out);
		end_line(out);
	}
	buf_putc(out, '\n');
}

static void json_text(const char *key, const char *s, struct buf *out)
{
	buf_printf(out, "\"%s\":", key);
	buf_json_string(out, s, strlen(s));
}

static void json_function(const struct top_function *f, const struct top_rows *t, struct buf *out)
{
	buf_putc(out, '{');
	json_text("name", f->name, out);
	buf_putc(out, ',');
	json_text("image", f->image, out);
	if (f->line) {
		buf_putc(out, ',');
		json_text("file", f->file, out);
		buf_printf(out, ",\"line\":%u", f->line);
	}
	buf_printf(out, ",\"self_percent\":%.3f,\"total_percent\":%.3f,\"self_cpu_ns\":%.0f,\"total_cpu_ns\":%.0f,\"kernel\":%s,\"other\":%s}",
		   top_share(f->self_ns, t->base_ns), top_share(f->total_ns, t->base_ns), f->self_ns, f->total_ns,
		   f->is_kernel ? "true" : "false", f->is_other ? "true" : "false");
}

static void json_process(const struct top_process *p, const struct top_rows *t, struct buf *out)
{
	buf_printf(out, "{\"pid\":%u,\"tid\":%u,", p->pid, p->tid);
	json_text("comm", p->comm, out);
	buf_printf(out, ",\"cpu_percent\":%.3f,\"cpu_ns\":%.0f,", top_share(p->cpu_ns, t->span_ns), p->cpu_ns);
	json_text("top_function", p->function, out);
	buf_printf(out, ",\"top_function_percent\":%.3f,\"other\":%s}", top_share(p->function_ns, p->cpu_ns),
		   p->is_other ? "true" : "false");
}

void top_print_json(const struct top_page *p, struct buf *out)
{
	const struct top_rows *t = p->rows;

	buf_printf(out, "{\"time_unix_ns\":%llu,", (unsigned long long)p->time_utc_ns);
	top_facts_json(p->facts, out);
	buf_printf(out, ",\"span_ns\":%.0f,\"cpu_ns\":%.0f,\"matched_percent\":%.3f,\"functions\":[", t->span_ns, t->all_ns,
		   top_share(t->matched_ns, t->all_ns));
	for (uint32_t i = 0; i < t->functions.n && i < p->max_rows; i++) {
		buf_puts(out, i ? "," : "");
		json_function(&t->functions.v[i], t, out);
	}
	buf_puts(out, "],\"processes\":[");
	for (uint32_t i = 0; i < t->processes.n && i < p->max_rows; i++) {
		buf_puts(out, i ? "," : "");
		json_process(&t->processes.v[i], t, out);
	}
	buf_puts(out, "]}\n");
}
