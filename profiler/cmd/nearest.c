/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/nearest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/columns.h"
#include "pprof/top.h"

enum { MAX_SHOWN = 3, MAX_SLIPS = 2, MAX_LEN = 64, WIDTH = 60 };

static bool contains(const char *name, const char *part)
{
	return *part && strcasestr(name, part);
}

static int smallest(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, drop or change: rows of the usual table, one at a time. */
static int slips(const char *a, size_t n, const char *b, size_t m)
{
	int row[MAX_LEN + 1], diagonal, above;

	for (size_t j = 0; j <= m; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			above = row[j];
			row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

static bool is_slip(const char *name, const char *wrong)
{
	size_t n = strcspn(name, "("), m = strlen(wrong);

	if (n > MAX_LEN || m > MAX_LEN || m < 4)
		return false;
	return slips(name, n, wrong, m) <= MAX_SLIPS;
}

static void list(const struct top *t, const char *name, bool (*near)(const char *name, const char *wrong), struct buf *out)
{
	int n = 0;

	for (uint32_t i = 0; i < t->rows.n && n < MAX_SHOWN; i++) {
		if (!near(t->rows.v[i].name, name))
			continue;
		buf_puts(out, n++ ? ", " : "");
		columns_put_last(out, t->rows.v[i].name, WIDTH);
	}
}

void nearest_list(const struct top *t, const char *name, struct buf *out)
{
	list(t, name, contains, out);
	if (!out->len)
		list(t, name, is_slip, out);
}
