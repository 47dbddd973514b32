/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * files - receivers that are directories: each an archive.h with its own queue, its own thread and its own health.
 *
 *	files_send() -> each receiver's queue -> a file | again later | dropped
 *
 * What cannot be written (a full disk) waits, and is tried again with growing pauses; above queue_bytes the oldest goes,
 * counted. A disk that hangs holds back its own thread alone. Events and statistics are those of net.h.
 * Threads: all functions may be called from any thread; on_event must not call back.
 */
#include <stdbool.h>

#include "exporter/net.h"

struct files;

int files_new(const struct net_opts *opts, struct files **ret);
/* What still waits is let go of. */
struct files *files_free(struct files *f);

/*
 * Sets the list, from those opts that are of type file: one whose name and path stay keeps its queue and its counters, what
 * waits for another one is let go of. 0; -ENOMEM; why a directory cannot be had, said in err: those before it are set.
 */
int files_set_receivers(struct files *f, const struct receiver_opts *opts, size_t n_opts, char *err, size_t err_len);

/* Does anybody want files? */
bool files_wanted(struct files *f);
/* A gzipped pprof, to every receiver; the caller keeps its reference. 0 or -ENOMEM. */
int files_send(struct files *f, struct parcel *p);
/* Waits until all is written, at most so long. 0, or -ETIMEDOUT. */
int files_flush(struct files *f, uint64_t timeout_ns);
/* Fills at most max rows; returns how many receivers there are. */
size_t files_stats(struct files *f, struct net_receiver_stats *ret, size_t max);
