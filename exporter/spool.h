/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * spool - the parcels of one receiver on disk, until they are acknowledged: what an outage, a restart or a kill -9 must
 * not lose.
 *
 *	spool_put() -> NUMBER.parcel -> spool_try() -> NUMBER.sent -> spool_done(): gone
 *
 * A parcel is one file, written under another name and renamed when it is whole; its number gives the order. Before the
 * first try its name says that it may have arrived, so after a kill at most what was being sent can arrive twice, and
 * is counted. Each file has a checksum over all of it: a damaged one is put aside as NUMBER.bad, a few of them.
 * Files are in the page cache when spool_put() returns: a killed agent loses nothing, a power cut what the kernel had
 * not written yet (some seconds; what is torn then is put aside).
 * One agent at a time: the folder is locked.
 * A file that cannot be read, but is not damaged (EACCES, EIO), is left alone, counted and skipped.
 * Memory: none for parcels; what waits is the receiver's to know. Threads: the caller's lock.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct parcel;
struct spool;

struct spool_entry {
	uint64_t number;
	uint64_t time_ns;    /* the parcel's */
	uint32_t bytes, items; /* of the parcel */
	uint8_t format, key;   /* the parcel's; parcel_key() */
	bool tried;          /* it may have arrived */
};

/* What an earlier run left, oldest first. */
struct spool_left {
	struct spool_entry *v;
	uint32_t n, cap;
};

struct spool_stats {
	uint64_t found;       /* items in parcels of an earlier run */
	uint64_t maybe_twice; /* of them those that may have arrived */
	uint64_t damaged;     /* files put aside */
	uint64_t failed;      /* items in parcels that could not be written */
	uint64_t unreadable;  /* files skipped, and the last of them */
	char unreadable_name[32];
	int unreadable_error; /* errno */
};

/* 0, -ENOMEM, or as folder_open(). ret_left: vec_fini() it. */
int spool_open(const char *folder, struct spool **ret, struct spool_left *ret_left, int *ret_pid);
/* Its files stay. */
struct spool *spool_close(struct spool *s);

/* 0 and the number; -ENOSPC and other negative errno: it is not on disk. */
int spool_put(struct spool *s, const struct parcel *p, uint64_t *ret_number);
/*
 * The parcel of a number, one reference. -EBADMSG: damaged, put aside; -EACCES: it cannot be read, stats say why; -ENOMEM,
 * -EMFILE, -ENFILE: later, perhaps.
 */
int spool_get(struct spool *s, uint64_t number, struct parcel **ret);
/* It is about to be sent. 0 or negative errno, which costs only that it will not be known. */
int spool_try(struct spool *s, uint64_t number);
/* It arrived, or is given up. */
void spool_done(struct spool *s, uint64_t number);

void spool_stats(const struct spool *s, struct spool_stats *ret);
