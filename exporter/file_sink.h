/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * file_sink - a parcel becomes a file.
 *
 * The bytes go to a new file beside the target first; only when all of them are on disk does it
 * take the name, and a file that had it is kept as NAME.old. So a full disk or a crash leaves the
 * old file as it was. What is no regular file (a terminal, a FIFO, /dev/null) is written through.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "exporter/parcel.h"

struct file_sink {
	const char *path; /* "-": standard output */
	uid_t uid;        /* owner of the new file; (uid_t)-1: whoever runs this */
	gid_t gid;
};

/* PARCEL_OK, or PARCEL_DROP with err saying in one line what failed and the remedy. */
enum parcel_answer file_sink_send(const struct file_sink *sink, const struct parcel *p, char *err, size_t err_len);
