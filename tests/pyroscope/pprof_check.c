/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/pprof_check.h"

#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "pyroscope/push_check.h"

#define OLDEST_NS (3600 * (int64_t)NSEC_PER_SEC)
#define AHEAD_NS (600 * (int64_t)NSEC_PER_SEC)

enum { MAX_INFLATED = 256 << 20, GZIP_WINDOW = 15 + 16 };

static int inflate_member(z_stream *z, size_t max, struct buf *out)
{
	int r = Z_OK;

	while (r == Z_OK) {
		if (out->len > max || !buf_reserve(out, 64 << 10))
			return -1;
		z->next_out = out->data + out->len;
		z->avail_out = 64 << 10;
		r = inflate(z, Z_NO_FLUSH);
		out->len += (64 << 10) - z->avail_out;
	}
	return r == Z_STREAM_END ? 0 : -1;
}

int gzip_inflate(const uint8_t *data, size_t len, size_t max, struct buf *out)
{
	z_stream z = { .next_in = (uint8_t *)data, .avail_in = (uInt)len };
	int r;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -1;
	do
		r = inflate_member(&z, max, out);
	while (!r && z.avail_in && inflateReset(&z) == Z_OK);
	inflateEnd(&z);
	return r;
}

int pprof_open(const uint8_t *raw, size_t len, struct pprof_file *ret, struct refusal *why)
{
	_cleanup_(buf_fini) struct buf plain = BUF_INIT;

	if (!len)
		return refuse(why, CONNECT_UNKNOWN, "raw_profile is empty");
	if (len >= 2 && raw[0] == 0x1f && raw[1] == 0x8b) {
		if (gzip_inflate(raw, len, MAX_INFLATED, &plain) < 0)
			return refuse(why, CONNECT_UNKNOWN, "gzip: the profile is damaged");
		raw = plain.data;
		len = plain.len;
	}
	ret->bytes = len;
	ret->msg = perftools__profiles__profile__unpack(NULL, len, raw);
	if (!ret->msg)
		return refuse(why, CONNECT_UNKNOWN, "proto: the profile cannot be decoded");
	return 0;
}

void pprof_close(struct pprof_file *f)
{
	if (f->msg)
		perftools__profiles__profile__free_unpacked(f->msg, NULL);
	f->msg = NULL;
}

static int check_index(const pprof_msg *p, int64_t i, const char *what, struct refusal *why)
{
	if (i < 0 || (uint64_t)i >= p->n_string_table)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "%s: string %lld of %zu", what, (long long)i, p->n_string_table);
	return 0;
}

static int check_strings(const pprof_msg *p, struct refusal *why)
{
	if (!p->n_string_table || *p->string_table[0])
		return refuse(why, CONNECT_INVALID_ARGUMENT, "string 0 must be empty");
	for (size_t i = 0; i < p->n_string_table; i++)
		if (!utf8_valid((const uint8_t *)p->string_table[i], strlen(p->string_table[i])))
			return refuse(why, CONNECT_INVALID_ARGUMENT, "string %zu is not UTF-8", i);
	return 0;
}

static int check_types(const pprof_msg *p, struct refusal *why)
{
	if (!p->n_sample_type)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the profile has no sample type");
	for (size_t i = 0; i < p->n_sample_type; i++) {
		if (check_index(p, p->sample_type[i]->type, "sample type", why) < 0 ||
		    check_index(p, p->sample_type[i]->unit, "sample unit", why) < 0)
			return -1;
		if (strchr(p->string_table[p->sample_type[i]->type], '-'))
			return refuse(why, CONNECT_INVALID_ARGUMENT, "sample type '%s' contains a dash",
				      p->string_table[p->sample_type[i]->type]);
	}
	if (p->period_type && (check_index(p, p->period_type->type, "period type", why) < 0 ||
			       check_index(p, p->period_type->unit, "period unit", why) < 0))
		return -1;
	return 0;
}

static int check_sample(const pprof_msg *p, const Perftools__Profiles__Sample *s, struct refusal *why)
{
	if (s->n_value != p->n_sample_type)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "a sample has %zu values for %zu types", s->n_value, p->n_sample_type);
	if (s->n_label > PPROF_MAX_SAMPLE_LABELS)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "a sample has %zu labels, over %d", s->n_label, PPROF_MAX_SAMPLE_LABELS);
	for (size_t i = 0; i < s->n_label; i++)
		if (check_index(p, s->label[i]->key, "label key", why) < 0 || check_index(p, s->label[i]->str, "label value", why) < 0 ||
		    check_index(p, s->label[i]->num_unit, "label unit", why) < 0)
			return -1;
	return 0;
}

static int check_tables(const pprof_msg *p, struct refusal *why)
{
	for (size_t i = 0; i < p->n_mapping; i++)
		if (check_index(p, p->mapping[i]->filename, "mapping file", why) < 0 ||
		    check_index(p, p->mapping[i]->build_id, "build id", why) < 0)
			return -1;
	for (size_t i = 0; i < p->n_location; i++)
		if (!p->location[i]->id)
			return refuse(why, CONNECT_INVALID_ARGUMENT, "a location has id 0");
	for (size_t i = 0; i < p->n_function; i++) {
		const Perftools__Profiles__Function *f = p->function[i];

		if (!f->id)
			return refuse(why, CONNECT_INVALID_ARGUMENT, "a function has id 0");
		if (check_index(p, f->name, "function name", why) < 0 || check_index(p, f->system_name, "system name", why) < 0 ||
		    check_index(p, f->filename, "function file", why) < 0)
			return -1;
	}
	return 0;
}

static int check_time(const pprof_msg *p, uint64_t now_ns, struct refusal *why)
{
	int64_t age = (int64_t)(now_ns - (uint64_t)p->time_nanos);

	if (now_ns && p->time_nanos && (age > OLDEST_NS || age < -AHEAD_NS))
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the profile is outside of the window of -1h to +10m: %lld s old",
			      (long long)(age / (int64_t)NSEC_PER_SEC));
	return 0;
}

int pprof_check(const struct pprof_file *f, uint64_t now_ns, struct refusal *why)
{
	const pprof_msg *p = f->msg;

	if (f->bytes > PPROF_MAX_BYTES)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the profile has %zu bytes, over %d", f->bytes, PPROF_MAX_BYTES);
	if (p->n_sample > PPROF_MAX_SAMPLES)
		return refuse(why, CONNECT_INVALID_ARGUMENT, "the profile has %zu samples, over %d", p->n_sample, PPROF_MAX_SAMPLES);
	if (check_strings(p, why) < 0 || check_types(p, why) < 0 || check_tables(p, why) < 0 || check_time(p, now_ns, why) < 0)
		return -1;
	for (size_t i = 0; i < p->n_sample; i++)
		if (check_sample(p, p->sample[i], why) < 0)
			return -1;
	return 0;
}
