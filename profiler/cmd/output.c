/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/flags.h"
#include "exporter/file_sink.h"
#include "pprof/format.h"

int output_check(const struct cli *c, const struct output *o)
{
	if (o->format && !format_by_name(o->format))
		return flags_complain(c, "there is no format '%s': html, svg, pprof, folded or speedscope", o->format);
	if (!o->format && strcmp(o->path, "-") && !format_by_path(o->path))
		return flags_complain(c, "no format is known by the name '%s': use .html .svg .pb.gz .pb .folded .speedscope.json, or --format",
				      o->path);
	return 0;
}

const struct format *output_format(const struct output *o)
{
	if (o->format)
		return format_by_name(o->format);
	return strcmp(o->path, "-") ? format_by_path(o->path) : format_by_name("folded");
}

/* Files belong to the user who called sudo, like the command. */
static void set_owner(struct file_sink *sink)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uint64_t u, g;

	sink->uid = (uid_t)-1;
	if (geteuid() != 0 || !uid || !gid || parse_u64(uid, 0, UINT32_MAX - 1, &u) < 0 ||
	    parse_u64(gid, 0, UINT32_MAX - 1, &g) < 0)
		return;
	sink->uid = (uid_t)u;
	sink->gid = (gid_t)g;
}

int output_write(const struct output *o, const struct profile *p, uint64_t *ret_bytes, char *err, size_t err_len)
{
	const struct format *f = output_format(o);
	_cleanup_(buf_fini) struct buf bytes = BUF_INIT;
	struct file_sink sink = { .path = o->path };
	struct parcel parcel;
	int r = f->encode(p, &bytes);

	if (r < 0) {
		snprintf(err, err_len, "cannot encode the profile as %s: %s", f->name, strerror(-r));
		return r;
	}
	set_owner(&sink);
	parcel = (struct parcel){ .bytes = bytes }; /* borrows: no parcel_unref() */
	*ret_bytes = bytes.len;
	return file_sink_send(&sink, &parcel, err, err_len) == PARCEL_OK ? 0 : -EIO;
}
