/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/gunzip.h"
#include "pprof/decode.h"
#include "pprof/folded.h"
#include "pprof/perf_script.h"
#include "pprof/profile.h"

static const struct {
	const char *magic, *remedy;
} others[] = {
	{ "PERFILE2", "it is perf's own format: perf script -i FILE | hotspan report -" },
	{ "\x7f" "ELF", "it is a program, not a profile: hotspan record -- COMMAND makes one" },
	{ "<!DOCTYPE html", "it is a web page, made to be looked at: record or convert to .pb.gz to go on with it" },
	{ "<?xml", "it is a picture, made to be looked at: record or convert to .pb.gz to go on with it" },
	{ "<svg", "it is a picture, made to be looked at: record or convert to .pb.gz to go on with it" },
	{ "{\"", "it is JSON: of profiles, hotspan reads pprof, folded stacks and what perf script prints" },
};

/* pprof has small numbers everywhere: bytes no text holds, within the first few. */
static bool is_text(const uint8_t *s, size_t len)
{
	size_t n = len < 4096 ? len : 4096, control = 0;

	for (size_t i = 0; i < n; i++) {
		if (!s[i])
			return false;
		control += s[i] < 0x20 && !strchr("\t\n\r\f\033", s[i]);
	}
	return control * 16 <= n;
}

static unsigned long long first_line(const char *s, size_t len)
{
	unsigned long long line = 1;

	for (size_t i = 0; i < len && strchr("\n\r\t ", s[i]); i++)
		line += s[i] == '\n';
	return line;
}

static int refuse_other(const void *data, size_t len, char *err, size_t err_len)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		size_t n = strlen(others[i].magic);

		if (len < n || memcmp(data, others[i].magic, n))
			continue;
		snprintf(err, err_len, "%s", others[i].remedy);
		return -EBADMSG;
	}
	return 0;
}

static int decode_text(const char *s, size_t len, struct profile **ret, char *err, size_t err_len)
{
	if (perf_script_looks_like(s, len))
		return perf_script_decode(s, len, ret, err, err_len);
	if (folded_looks_like(s, len))
		return folded_decode(s, len, ret, err, err_len);
	snprintf(err, err_len, "line %llu: neither a folded stack (main;work 42) nor an event of perf script, and no pprof file either",
		 first_line(s, len));
	return -EBADMSG;
}

static int decode_plain(const void *data, size_t len, struct profile **ret, char *err, size_t err_len)
{
	int r = refuse_other(data, len, err, err_len);

	if (r < 0)
		return r;
	if (is_text(data, len))
		return decode_text(data, len, ret, err, err_len);
	return pprof_decode(data, len, ret, err, err_len);
}

static int check_frames(const struct profile *p, char *err, size_t err_len)
{
	uint64_t frames = 0;

	vec_foreach(s, &p->samples)
		for (uint32_t i = 0; i < s->n_frames; i++) {
			uint32_t lines = p->locations.v[p->frames.v[s->first_frame + i]].n_lines;

			frames += lines ? lines : 1;
		}
	if (frames <= READER_MAX_FRAMES)
		return 0;
	snprintf(err, err_len, "its stacks hold more than %u million frames", READER_MAX_FRAMES >> 20);
	return -EFBIG;
}

int reader_decode(const void *data, size_t len, struct profile **ret, char *err, size_t err_len)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf plain = BUF_INIT;
	int r = 0;

	snprintf(err, err_len, "out of memory");
	if (len > PPROF_MAX_BYTES) {
		snprintf(err, err_len, "it is larger than %u MiB: convert parts of it with -o x.pb.gz, which add up", PPROF_MAX_BYTES >> 20);
		return -EFBIG;
	}
	if (is_gzip(data, len)) {
		r = gunzip(data, len, PPROF_MAX_BYTES, &plain, err, err_len);
		data = plain.data;
		len = plain.len;
	}
	if (r >= 0 && !len) {
		snprintf(err, err_len, "the file is empty");
		return -EBADMSG;
	}
	if (r >= 0)
		r = decode_plain(data, len, &p, err, err_len);
	if (r >= 0)
		r = check_frames(p, err, err_len);
	if (r >= 0)
		*ret = take_ptr(p);
	return r;
}
