/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/prometheus.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* quotes: whether they are escaped, too. */
static void escape(struct buf *b, struct slice text, bool quotes)
{
	const char *s = text.s;
	size_t left = text.len;

	while (left) {
		size_t n = utf8_len(s, left);

		if (!n)
			buf_puts(b, "\xef\xbf\xbd");
		else if (*s == '\n')
			buf_puts(b, "\\n");
		else if (*s == '\\' || (*s == '"' && quotes))
			buf_printf(b, "\\%c", *s);
		else
			buf_append(b, s, n);
		s += n ? n : 1;
		left -= n ? n : 1;
	}
}

void prom_escape(struct buf *b, struct slice text)
{
	escape(b, text, true);
}

void prom_family(struct buf *b, const char *name, enum prom_type type, const char *help)
{
	static const char *const types[] = {
		[PROM_COUNTER] = "counter", [PROM_GAUGE] = "gauge", [PROM_HISTOGRAM] = "histogram"
	};

	buf_printf(b, "# HELP %s ", name);
	escape(b, slice_of(help), false);
	buf_printf(b, "\n# TYPE %s %s\n", name, types[type]);
}

void prom_number(struct buf *b, double v)
{
	char text[32];

	if (isinf(v) || isnan(v)) {
		buf_puts(b, isnan(v) ? "NaN" : v < 0 ? "-Inf" : "+Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_puts(b, text);
}

void prom_value(struct buf *b, const char *name, double value, ...)
{
	const char *label, *open = "{";
	va_list ap;

	buf_puts(b, name);
	va_start(ap, value);
	while ((label = va_arg(ap, const char *))) {
		buf_printf(b, "%s%s=\"", open, label);
		prom_escape(b, slice_of(va_arg(ap, const char *)));
		buf_putc(b, '"');
		open = ",";
	}
	va_end(ap);
	buf_printf(b, *open == ',' ? "} %.17g\n" : " %.17g\n", value);
}
