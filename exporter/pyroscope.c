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
#include "base/wire_reader.h"

enum { PUSH_SERIES = 1, PUSH_VIA = 7001 };
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

int pyroscope_push_mark(struct buf *request, const char *agent)
{
	wire_string(request, PUSH_VIA, agent);
	return buf_error(request);
}

static bool is_text(const struct wire_field *f, const char *text)
{
	return f->type == WIRE_LEN && f->value == strlen(text) && !memcmp(f->data, text, f->value);
}

static struct wire_reader content(const struct wire_field *f)
{
	return wire_reader_of(f->data, f->value);
}

/* service_name's value, printable; the first one that is found stays. */
static int read_label(struct wire_reader r, struct pyroscope_push *ret)
{
	struct wire_field f, value = { 0 };
	bool service = false;
	int more;

	while ((more = wire_next(&r, &f)) > 0) {
		service |= f.number == LABEL_NAME && is_text(&f, "service_name");
		if (f.number == LABEL_VALUE && f.type == WIRE_LEN)
			value = f;
	}
	if (more < 0 || !service || *ret->service)
		return more;
	for (size_t i = 0; i < value.value && i + 1 < sizeof(ret->service); i++)
		ret->service[i] = value.data[i] < ' ' || value.data[i] >= 0x7f ? '?' : (char)value.data[i];
	return 0;
}

static int read_series(struct wire_reader r, struct pyroscope_push *ret)
{
	struct wire_field f;
	int more;

	while ((more = wire_next(&r, &f)) > 0) {
		if ((f.number == SERIES_LABELS || f.number == SERIES_SAMPLES) && f.type != WIRE_LEN)
			return -EBADMSG;
		if (f.number == SERIES_LABELS && read_label(content(&f), ret) < 0)
			return -EBADMSG;
		ret->samples += f.number == SERIES_SAMPLES;
	}
	ret->series++;
	return more;
}

int pyroscope_push_read(const void *data, size_t len, const char *agent, struct pyroscope_push *ret, char *err, size_t err_len)
{
	struct wire_reader r = wire_reader_of(data, len);
	struct wire_field f;
	int more;

	*ret = (struct pyroscope_push){ 0 };
	while ((more = wire_next(&r, &f)) > 0) {
		if (f.number == PUSH_SERIES && (f.type != WIRE_LEN || read_series(content(&f), ret) < 0))
			break;
		ret->had |= f.number == PUSH_VIA && is_text(&f, agent);
	}
	if (more || !ret->samples) {
		snprintf(err, err_len, more ? "this is no push.v1.PushRequest" : "there are no profiles in it");
		return -EBADMSG;
	}
	if (!*ret->service)
		snprintf(ret->service, sizeof(ret->service), "unknown");
	return 0;
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
