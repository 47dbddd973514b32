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
 * Memory: 24 bytes a parcel, beside what waits for its turn (struct delivery). Threads: the caller's lock.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parcel;
struct spool;

struct spool_entry {
	uint64_t number;
	uint64_t time_ns;    /* the parcel's */
	uint32_t bytes;      /* of the parcel */
	uint8_t key;         /* parcel_key() */
	bool tried;          /* it may have arrived */
};

struct spool_stats {
	uint64_t found;       /* parcels of an earlier run */
	uint64_t maybe_twice; /* of them those that may have arrived */
	uint64_t damaged;     /* files put aside */
	uint64_t failed;      /* parcels that could not be written */
};

/*
 * folder: made with mode 0700, the one above it has to be there. 0; -EBUSY: another agent has it, *ret_pid says which
 * (0: nobody knows); -ELOOP, -ENOTDIR: it is a link, or no folder; -EPERM: it is another user's, or others may write to
 * it; other negative errno.
 */
int spool_open(const char *folder, struct spool **ret, int *ret_pid);
/* Its files stay. */
struct spool *spool_close(struct spool *s);

/* What is there, oldest first: the i-th, false at the end. Not valid once something is put or done. */
bool spool_entry(const struct spool *s, size_t i, struct spool_entry *ret);
size_t spool_count(const struct spool *s);

/* 0 and the number; -ENOSPC and other negative errno: it is not on disk. */
int spool_put(struct spool *s, const struct parcel *p, uint64_t *ret_number);
/* The parcel of a number, one reference. -EBADMSG: damaged, put aside and forgotten; -ENOENT: it is gone; -ENOMEM. */
int spool_get(struct spool *s, uint64_t number, struct parcel **ret);
/* It is about to be sent. 0 or negative errno, which costs only that it will not be known. */
int spool_try(struct spool *s, uint64_t number);
/* It arrived, or is given up. */
void spool_done(struct spool *s, uint64_t number);

void spool_stats(const struct spool *s, struct spool_stats *ret);
