/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/toplist.h"

#include <string.h>

#include "base/buf.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "pprof/top.h"

/* Whole names are in the file and in --json. */
enum { IMAGE_WIDTH = 18, SHARES_WIDTH = 20 };

static const char *const marks[] = { [TOP_NOT_INLINED] = "", [TOP_PARTLY_INLINED] = " (partly inlined)",
				     [TOP_INLINED] = " (inlined)" };

void toplist_text(const struct top *t, enum profile_unit unit, uint32_t max, const struct amount *a, struct buf *out)
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
		columns_put_function(out, row->name, unit == PROFILE_LINES ? row->file : NULL, row->line, marks[row->inlined], rest);
		buf_putc(out, '\n');
	}
}

void toplist_json_source(const char *file, int64_t line, enum top_inlined inlined, struct buf *out)
{
	static const char *const words[] = { [TOP_NOT_INLINED] = "no", [TOP_PARTLY_INLINED] = "partly", [TOP_INLINED] = "yes" };

	buf_puts(out, ",\"file\":");
	buf_json_string(out, file, strlen(file));
	buf_printf(out, ",\"line\":%lld,\"inlined\":\"%s\"", (long long)line, words[inlined]);
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
		toplist_json_source(row->file, row->line, row->inlined, out);
		buf_printf(out, ",\"self_percent\":%.3f,\"total_percent\":%.3f,\"self_%s\":%lld,\"total_%s\":%lld}",
			   row->self_percent, row->total_percent, unit, (long long)row->self, unit, (long long)row->total);
	}
	buf_putc(out, ']');
}
