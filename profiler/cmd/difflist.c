/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/difflist.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "cmd/toplist.h"
#include "pprof/diff.h"

enum { HALF_WIDTH = 25 }; /* of self or total, without its amount */

/* Nothing of it would show: with one decimal both columns would read +0.0. */
static int is_nothing(const struct diff_row *row)
{
	return fabs(row->self_points) < 0.05 && fabs(row->total_points) < 0.05;
}

static void put_half(double base, double now, const struct amount *a, int64_t whole, struct buf *out)
{
	buf_printf(out, "  %6.1f  %5.1f  %+6.1f  ", base, now, now - base);
	amount_change(a, (now - base) / 100 * (double)whole, out);
}

static void put_head(const struct amount *a, struct buf *out)
{
	int half = HALF_WIDTH + a->width;

	buf_printf(out, "  %-*s %s\n", half, "self", "total");
	for (int i = 0; i < 2; i++) {
		buf_printf(out, "%s  %6s  %5s  %6s  ", i ? " " : "", "base %", "now %", "points");
		amount_head(a, out);
	}
	buf_puts(out, "  function\n");
}

void difflist_text(const struct diff *d, enum profile_unit unit, uint32_t max, const struct amount *a, struct buf *out)
{
	int rest = COLUMNS - 2 * (HALF_WIDTH + a->width) - 3;
	uint32_t n = 0;

	put_head(a, out);
	for (uint32_t i = 0; i < d->rows.n && n < max; i++) {
		const struct diff_row *row = &d->rows.v[i];

		if (is_nothing(row))
			continue;
		put_half(row->base.self_percent, row->now.self_percent, a, d->now.whole, out);
		buf_putc(out, ' ');
		put_half(row->base.total_percent, row->now.total_percent, a, d->now.whole, out);
		buf_puts(out, "  ");
		columns_put_function(out, row->name, unit == PROFILE_LINES ? row->file : NULL, row->line, "", rest);
		buf_putc(out, '\n');
		n++;
	}
	if (!n)
		buf_puts(out, "no share changed by 0.05 points or more\n");
}

static void json_side(const char *side, const struct diff_side *s, struct buf *out)
{
	buf_printf(out, ",\"%s\":{\"self\":%lld,\"total\":%lld,\"self_percent\":%.3f,\"total_percent\":%.3f}", side,
		   (long long)s->self, (long long)s->total, s->self_percent, s->total_percent);
}

void difflist_json(const struct diff *d, uint32_t max, struct buf *out)
{
	double whole = (double)d->now.whole / 100;

	buf_putc(out, '[');
	for (uint32_t i = 0; i < d->rows.n && i < max; i++) {
		const struct diff_row *row = &d->rows.v[i];

		buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
		buf_json_string(out, row->name, strlen(row->name));
		buf_puts(out, ",\"image\":");
		buf_json_string(out, row->image, strlen(row->image));
		toplist_json_source(row->file, row->line, row->inlined, out);
		json_side("base", &row->base, out);
		json_side("now", &row->now, out);
		buf_printf(out, ",\"self_points\":%.3f,\"total_points\":%.3f,\"self_change\":%.0f,\"total_change\":%.0f}",
			   row->self_points, row->total_points, row->self_points * whole, row->total_points * whole);
	}
	buf_putc(out, ']');
}
