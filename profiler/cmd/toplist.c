/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/toplist.h"

#include <string.h>

#include "base/buf.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "pprof/top.h"

/* Whole names are in the file and in --json. */
enum { IMAGE_WIDTH = 18, SHARES_WIDTH = 20 };

void toplist_text(const struct top *t, uint32_t max, const struct amount *a, struct buf *out)
{
	int rest = COLUMNS - (SHARES_WIDTH + a->width + 2 + IMAGE_WIDTH + 2);

	buf_puts(out, "    self     total  ");
	amount_head(a, out);
	buf_printf(out, "  %-*s  function\n", IMAGE_WIDTH, "image");
	for (uint32_t i = 0; i < t->rows.n && i < max; i++) {
		const struct top_row *row = &t->rows.v[i];

		buf_printf(out, "  %5.1f %%  %5.1f %%  ", row->self_percent, row->total_percent);
		amount_cell(a, row->self, out);
		buf_puts(out, "  ");
		columns_put(out, row->image, IMAGE_WIDTH);
		buf_puts(out, "  ");
		columns_put_last(out, row->name, rest);
		buf_putc(out, '\n');
	}
}

void toplist_json(const struct top *t, uint32_t max, const char *unit, struct buf *out)
{
	buf_putc(out, '[');
	for (uint32_t i = 0; i < t->rows.n && i < max; i++) {
		const struct top_row *row = &t->rows.v[i];

		buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
		buf_json_string(out, row->name, strlen(row->name));
		buf_puts(out, ",\"image\":");
		buf_json_string(out, row->image, strlen(row->image));
		buf_printf(out, ",\"self_percent\":%.3f,\"total_percent\":%.3f,\"self_%s\":%lld,\"total_%s\":%lld}",
			   row->self_percent, row->total_percent, unit, (long long)row->self, unit, (long long)row->total);
	}
	buf_putc(out, ']');
}
