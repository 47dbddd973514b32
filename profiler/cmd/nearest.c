/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/nearest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/distance.h"
#include "cmd/columns.h"
#include "pprof/top.h"

enum { MAX_SHOWN = 3, MAX_SLIPS = 2, WIDTH = 60 };

static bool contains(const char *name, const char *part)
{
	return *part && strcasestr(name, part);
}

static bool is_slip(const char *name, const char *wrong)
{
	size_t n = strcspn(name, "("), m = strlen(wrong);

	return m >= 4 && distance(name, n, wrong, m) <= MAX_SLIPS;
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
