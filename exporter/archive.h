/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * archive - profiles as files in a directory, the newest of them: for `go tool pprof`, and for who has no server.
 *
 *	20261124T101500Z-checkout.pb.gz     begin of the interval in UTC, service
 *	20261124T101500Z-checkout-2.pb.gz   one more of that service: other labels, or a profile cut in two
 *
 * Names sort by time. A file is written under another name, brought to the disk and renamed: it is whole or not there,
 * also after a power cut. Mode 0600, in a folder.h. Number, bytes and age are bounded: the oldest go to make room. What has
 * no such name, or is no regular file, is neither counted nor touched; no link is followed.
 * Memory: about 100 bytes a file. Threads: one. Time is the caller's.
 */
#include <stddef.h>
#include <stdint.h>

struct archive;
struct parcel;

struct archive_limits {
	uint32_t files;
	uint64_t bytes;
	uint64_t age_ns; /* 0: any */
};

struct archive_stats {
	uint64_t files, bytes; /* now */
	uint64_t removed;      /* to make room, or for their age */
};

/* 0, -ENOMEM, or as folder_open(). What an agent that was killed left half-written goes. */
int archive_open(const char *path, struct archive **ret, int *ret_pid);
/* Its files stay. */
struct archive *archive_close(struct archive *a);

/* A profile, gzipped, by its time and what; makes room first. 0; -ENOSPC and other negative errno: it is not there. */
int archive_put(struct archive *a, const struct archive_limits *l, const struct parcel *p, uint64_t now_utc_ns);
/* What is over the limits goes. */
void archive_trim(struct archive *a, const struct archive_limits *l, uint64_t now_utc_ns);

void archive_stats(const struct archive *a, struct archive_stats *ret);
