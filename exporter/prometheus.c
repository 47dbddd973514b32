/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/prometheus.h"

#include <stdarg.h>
#include <stddef.h>

#include "base/buf.h"

void prom_family(struct buf *b, const char *name, enum prom_type type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type == PROM_COUNTER ? "counter" : "gauge");
}

static void escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			buf_putc(b, '\\');
		if (*s == '\n')
			buf_puts(b, "\\n");
		else
			buf_putc(b, *s);
	}
}

void prom_value(struct buf *b, const char *name, double value, ...)
{
	const char *label, *open = "{";
	va_list ap;

	buf_puts(b, name);
	va_start(ap, value);
	while ((label = va_arg(ap, const char *))) {
		buf_printf(b, "%s%s=\"", open, label);
		escaped(b, va_arg(ap, const char *));
		buf_putc(b, '"');
		open = ",";
	}
	va_end(ap);
	buf_printf(b, *open == ',' ? "} %.17g\n" : " %.17g\n", value);
}
