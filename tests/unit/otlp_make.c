/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_make LAYOUT FILE...: pprof files as one request of OTLP on standard output, each of a resource whose service.name is its number. */
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

static void add(struct otlp *o, const char *path, int number)
{
	_cleanup_(buf_fini) struct buf raw = BUF_INIT;
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	char err[256] = "", text[16];

	snprintf(text, sizeof(text), "%d", number);
	if (file_read_path(AT_FDCWD, path, SIZE_MAX, &raw) < 0 || reader_decode(raw.data, raw.len, &p, err, sizeof(err)) < 0 ||
	    strmap_set(&resource, "service.name", text) < 0 || strmap_set(&resource, "host.name", "größe") < 0 || otlp_add(o, &resource, p) < 0) {
		fprintf(stderr, "%s: %s\n", path, err);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct buf out = BUF_INIT;
	struct otlp *o;

	if (argc < 3 || otlp_new(strcmp(argv[1], "1.9") ? OTLP_1_10 : OTLP_1_9, "hotspan", "0", &o) < 0)
		return 2;
	for (int i = 2; i < argc; i++)
		add(o, argv[i], i - 2);
	if (otlp_finish(o, &out) < 0 || otlp_bytes(o))
		return 1;
	fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
	otlp_free(o);
	return 0;
}
