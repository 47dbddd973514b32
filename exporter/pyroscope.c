/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/pyroscope.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "base/wire.h"

enum { PUSH_SERIES = 1 };
enum { SERIES_LABELS = 1, SERIES_SAMPLES };
enum { LABEL_NAME = 1, LABEL_VALUE };
enum { SAMPLE_RAW_PROFILE = 1, SAMPLE_ID };

enum { MAX_NAME = 1024, MAX_VALUE = 2048 };

int pyroscope_push_encode(const struct strmap *labels, const void *pprof, size_t len, const char *id, struct buf *out)
{
	size_t series = wire_begin(out, PUSH_SERIES), mark;

	vec_foreach(l, &labels->v)
	{
		mark = wire_begin(out, SERIES_LABELS);
		wire_string(out, LABEL_NAME, l->key);
		wire_string(out, LABEL_VALUE, l->value);
		wire_end(out, mark);
	}
	mark = wire_begin(out, SERIES_SAMPLES);
	wire_bytes(out, SAMPLE_RAW_PROFILE, pprof, len);
	wire_string(out, SAMPLE_ID, id);
	wire_end(out, mark);
	wire_end(out, series);
	return buf_error(out);
}

int pyroscope_check_label(const char *name, const char *value, char *err, size_t err_len)
{
	const char *s = name;

	if (!strncmp(name, "__", 2)) {
		snprintf(err, err_len, "label '%s': names that begin with __ are the server's own", name);
		return -EINVAL;
	}
	if (!strcmp(name, "service_name")) {
		snprintf(err, err_len, "label 'service_name': hotspan sets it itself, from the process");
		return -EINVAL;
	}
	for (; isalpha((unsigned char)*s) || *s == '_' || (s > name && isdigit((unsigned char)*s)); s++)
		;
	if (!*name || *s || s - name > MAX_NAME) {
		snprintf(err, err_len, "label '%s': a name is made of letters, digits and _, and does not begin with a digit", name);
		return -EINVAL;
	}
	if (!*value || strlen(value) > MAX_VALUE) {
		snprintf(err, err_len, "label '%s': a value has 1 to %d bytes", name, MAX_VALUE);
		return -EINVAL;
	}
	if (utf8_prefix(value, strlen(value)) < strlen(value)) {
		snprintf(err, err_len, "label '%s': its value is not UTF-8", name);
		return -EINVAL;
	}
	return 0;
}
