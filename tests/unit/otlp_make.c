/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_make LAYOUT BYTES FILE...: pprof files as requests of OTLP, each profile of a resource whose service.name is its
 * number. A request has at most so many bytes (0: any); the next one begins where it ends. Standard output: each with
 * its length before it, 4 bytes, little-endian; standard error: "dropped N" samples for which alone there is no room.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/strmap.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "pprof/reader.h"

static struct otlp *otlp;
static size_t max_bytes;
static int dropped;

static void finish(void)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	size_t most = otlp_bytes(otlp);
	uint32_t len;

	if (!most)
		return;
	if (otlp_finish(otlp, &out) < 0 || otlp_bytes(otlp) || otlp_profiles(otlp) ||
	    out.len > most)
		exit(1);
	len = (uint32_t)out.len;
	fwrite(&len, sizeof(len), 1, stdout);
	fwrite(out.data, 1, out.len, stdout);
}

static void add_parts(const struct strmap *resource, const struct profile *p)
{
	for (uint32_t from = 0, n; from < p->samples.n; from += n) {
		bool empty = !otlp_bytes(otlp);

		if (otlp_add(otlp, resource, p, from, max_bytes, &n) < 0)
			exit(1);
		if (from + n < p->samples.n)
			finish();
		if (!n && empty) {
			dropped++;
			n = 1;
		}
	}
}

static void add(const char *path, int number)
{
	_cleanup_(buf_fini) struct buf raw = BUF_INIT;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	char err[256] = "", text[16];

	snprintf(text, sizeof(text), "%d", number);
	if (file_read_path(AT_FDCWD, path, SIZE_MAX, &raw) < 0 ||
	    reader_decode(raw.data, raw.len, &p, err, sizeof(err)) < 0 ||
	    strmap_set(&resource, "service.name", text) < 0 ||
	    strmap_set(&resource, "host.name", "größe") < 0) {
		fprintf(stderr, "%s: %s\n", path, err);
		exit(1);
	}
	add_parts(&resource, p);
}

int main(int argc, char **argv)
{
	if (argc < 4 ||
	    otlp_new(strcmp(argv[1], "1.9") ? OTLP_1_10 : OTLP_1_9, "hotspan", "0", &otlp) < 0)
		return 2;
	max_bytes = strtoull(argv[2], NULL, 10);
	if (!max_bytes)
		max_bytes = SIZE_MAX;
	for (int i = 3; i < argc; i++)
		add(argv[i], i - 3);
	finish();
	fprintf(stderr, "dropped %d\n", dropped);
	otlp_free(otlp);
	return 0;
}
