/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/amount.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/profile.h"

enum { MIN_WIDTH = 6 };

static const struct {
	const char *name, *shown;
	double unit;
} units[] = {
	{ "nanoseconds", "s", 1e9 }, { "microseconds", "s", 1e6 }, { "milliseconds", "s", 1e3 }, { "seconds", "s", 1 },
	{ "bytes", "MiB", 1 << 20 },
};

static void name_it(const char *type, const char *unit, struct amount *a)
{
	snprintf(a->head, sizeof(a->head), "%.30s", *type ? type : "values");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(unit, units[i].name))
			continue;
		a->unit = units[i].unit;
		snprintf(a->head, sizeof(a->head), "%.30s %s", strcmp(type, "cpu") ? type : "CPU", units[i].shown);
	}
	for (char *c = a->head; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void amount_of(const struct profile *p, int64_t largest, struct amount *ret)
{
	struct profile_type t = { 0 };
	char cell[64];

	if (p->types.n)
		t = p->types.v[profile_default_type(p)];
	*ret = (struct amount){ 0 };
	name_it(profile_str(p, t.type), profile_str(p, t.unit), ret);
	ret->width = ret->unit ? snprintf(cell, sizeof(cell), "%.2f", (double)largest / ret->unit) :
				 snprintf(cell, sizeof(cell), "%lld", (long long)largest);
	if (ret->width < (int)strlen(ret->head))
		ret->width = (int)strlen(ret->head);
	if (ret->width < MIN_WIDTH)
		ret->width = MIN_WIDTH;
}

void amount_head(const struct amount *a, struct buf *b)
{
	buf_printf(b, "%*s", a->width, a->head);
}

static void put(const struct amount *a, int width, int64_t value, struct buf *b)
{
	if (a->unit)
		buf_printf(b, "%*.2f", width, (double)value / a->unit);
	else
		buf_printf(b, "%*lld", width, (long long)value);
}

void amount_cell(const struct amount *a, int64_t value, struct buf *b)
{
	put(a, a->width, value, b);
}

void amount_change(const struct amount *a, double value, struct buf *b)
{
	buf_printf(b, "%+*.*f", a->width, a->unit ? 2 : 0, value / (a->unit ? a->unit : 1));
}

void amount_text(const struct amount *a, int64_t value, struct buf *b)
{
	put(a, 0, value, b);
	buf_printf(b, " %s", a->head);
}
