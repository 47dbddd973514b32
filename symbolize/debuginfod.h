/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * debuginfod - debug files from servers, by build id: GET URL/buildid/HEX/debuginfo.
 *
 * Only when it is asked for: it tells servers what runs here. A fetch blocks, up to minutes: it belongs on a
 * thread of its own, and a flag that another sets ends it within a second or two. Servers are asked in
 * turn; one that cannot be reached, is too slow or breaks off is left alone for ten minutes, then for twenty, and so
 * on up to an hour, until it answers again. What comes is
 * believed when it is an ELF file of the build id asked for. Files and what nobody has are kept in a
 * folder (debug_cache.h).
 * Only http and https, at most 5 redirects, from https only to https; no credentials, no cookies.
 * The caller has run curl_global_init(). Threads: one fetch at a time.
 * Source: debuginfod(8), debuginfod_find_debuginfo(3): the protocol, the variables and their defaults.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/build_id.h"

struct debuginfod;

struct debuginfod_opts {
	const char *urls;       /* separated by spaces */
	const char *dir;        /* of the cache: made, if the folder above it is there */
	uint64_t cache_bytes;   /* 0: 1 GiB */
	uint64_t max_bytes;     /* of one file; 0: what fits in the cache */
	uint32_t timeout_s;     /* a server that sends less than 100 KB in so long is left; 0: 90 */
	uint32_t max_time_s;    /* of one transfer; 0: no bound */
	uint32_t missing_s;     /* how long nobody having a file is believed; 0: 600 */
};

/*
 * What the environment says, over what *o holds: DEBUGINFOD_URLS, _TIMEOUT, _MAXTIME, _MAXSIZE. get is getenv().
 * A number that is none is passed over.
 */
void debuginfod_opts_env(struct debuginfod_opts *o, char *(*get)(const char *name));

/*
 * 0; -EINVAL: no URL; -EPROTONOSUPPORT: one is neither http nor https; -E2BIG: more than 16; errors of
 * debug_cache_open().
 */
int debuginfod_new(const struct debuginfod_opts *opts, struct debuginfod **ret);
struct debuginfod *debuginfod_free(struct debuginfod *d);

/*
 * A descriptor of the debug file, to be closed by the caller. -ENOENT: no server has it, as of now or a while ago;
 * -EAGAIN: nobody who answered has it, but not all did; -ECANCELED; -EFBIG: it is larger than allowed;
 * -EBADMSG: what came is not the file; -ENOSPC and other errors of writing. now_s: since 1970.
 */
int debuginfod_fetch(struct debuginfod *d, const struct build_id *id, uint64_t now_s, const atomic_bool *cancel);

struct debuginfod_stats {
	uint64_t hits, fetched, missing, failed; /* answered by the cache; by servers; by none; errors of servers */
	uint64_t held_off;                       /* servers not asked, because they failed a while ago */
	uint64_t bytes;                          /* received */
};
void debuginfod_stats(const struct debuginfod *d, struct debuginfod_stats *ret);
