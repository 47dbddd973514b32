/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t time_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t time_utc_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t time_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

struct unit {
	const char *name;
	double factor;
};

static int parse_scaled(const char *s, const struct unit *units, size_t n, double max, uint64_t *ret)
{
	char *end;
	double v;

	if (!isdigit((unsigned char)s[0]))
		return -EINVAL;
	v = strtod(s, &end);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(end, units[i].name))
			continue;
		if (v * units[i].factor > max)
			return -ERANGE;
		*ret = (uint64_t)(v * units[i].factor);
		return 0;
	}
	return -EINVAL;
}

int parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct unit units[] = { { "", 1e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 },
					     { "m", 60e9 }, { "h", 3600e9 } };

	return parse_scaled(s, units, ARRAY_SIZE(units), 100.0 * 366 * 86400e9, ret_ns);
}

int parse_bytes(const char *s, uint64_t *ret)
{
	static const struct unit units[] = { { "", 1 }, { "B", 1 }, { "KiB", KIB }, { "MiB", MIB }, { "GiB", 1024 * MIB },
					     { "KB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 } };

	return parse_scaled(s, units, ARRAY_SIZE(units), 1e15, ret);
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)s[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

char *format_bytes(uint64_t bytes, char *out, size_t len)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i + 1 < ARRAY_SIZE(names); i++)
		v /= 1024;
	snprintf(out, len, i ? "%.1f %s" : "%.0f %s", v, names[i]);
	return out;
}

char *format_ns(uint64_t ns, char *out, size_t len)
{
	double v = (double)ns;

	if (v >= 60e9)
		snprintf(out, len, "%.1f min", v / 60e9);
	else if (v >= 1e9)
		snprintf(out, len, "%.2f s", v / 1e9);
	else if (v >= 1e6)
		snprintf(out, len, "%.1f ms", v / 1e6);
	else
		snprintf(out, len, "%.1f us", v / 1e3);
	return out;
}

int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}
