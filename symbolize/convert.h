/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * convert - the work of the helper process: an image's symbol tables and DWARF become a symcache.
 */
#include <stdint.h>

#include "symbolize/build_id.h"

enum convert_file {
	CONVERT_OUT,     /* the symcache: empty, for reading and writing */
	CONVERT_SCRATCH, /* the same, for sections while they are inflated */
	CONVERT_IMAGE,
	CONVERT_DEBUG,
	CONVERT_ALT, /* of dwz */
	CONVERT_DWP,
	CONVERT_FILES,
};

struct convert_job {
	struct build_id id;
	int fd[CONVERT_FILES]; /* -1: there is none; never of CONVERT_OUT */
	/* A .dwo by the names a unit gives: a descriptor, which is the job's then, or a negative errno. */
	int (*open_dwo)(void *ctx, const char *comp_dir, const char *name);
	void *ctx;
};

struct convert_stats {
	uint64_t symbols, units, damaged_units, missing_dwos, nodes, ranges, rows;
	uint32_t budget_spent; /* some of a hostile file was left out */
	uint32_t reserved;
};

/*
 * 0: the file is written. -ENODATA: there is nothing to write: no DWARF (symbols alone are better read where they
 * are). -EBADMSG, -EFBIG, -ENOTSUP: no DWARF that we read. -ENOMEM; another errno of writing.
 */
int convert_image(const struct convert_job *job, struct convert_stats *ret);
