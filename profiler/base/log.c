/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"

static atomic_bool as_json;

void log_use_json(bool json)
{
	atomic_store(&as_json, json);
}

static void json_line(const char *level, const char *text, struct buf *out)
{
	struct timespec now;
	char stamp[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	strftime(stamp, sizeof(stamp), "%FT%T", gmtime_r(&now.tv_sec, &tm));
	buf_printf(out, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":", stamp, now.tv_nsec / 1000000, level);
	buf_json_string(out, text, strlen(text));
	buf_puts(out, "}\n");
}

/* One write per line, so that lines of several threads or processes do not mix. */
static void line(const char *level, const char *prefix, const char *fmt, va_list ap)
{
	_cleanup_(buf_fini) struct buf json = BUF_INIT;
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (atomic_load(&as_json))
		json_line(level, text, &json);
	if (json.len && !buf_error(&json))
		fwrite(json.data, 1, json.len, stderr);
	else
		fprintf(stderr, "hotspan: %s%s\n", prefix, text);
}

#define LOG_AT(name, level, prefix)                                                                \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		line(level, prefix, fmt, ap);                                                      \
		va_end(ap);                                                                        \
	}

LOG_AT(log_error, "error", "")
LOG_AT(log_warn, "warn", "warning: ")
LOG_AT(log_info, "info", "")
