/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * away - images without DWARF on this host, while debuginfod servers are asked for their debug files.
 *
 *	away_send() --fetcher--> it came, or nobody has it:        away_next(): answered
 *	                `------> not all servers could be asked:   away_next(): ten minutes later, to be tried from the start
 *
 * Memory: bounded, each with a descriptor of the image and one of its root. Threads: one owner.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "symbolize/build_id.h"

struct converter_source;
struct fetcher;

/* An image that waits for its symcache. */
struct waiting {
	struct build_id id;
	int fd, root_fd; /* as in converter_source; its own */
	char *path;
	int debug, alt;    /* fetched; -1: not */
	bool answered;     /* by the servers: there is nobody else to ask */
	uint64_t again_ns; /* when to ask them again; 0: they are at it */
};

#define WAITING_NONE ((struct waiting){ .fd = -1, .root_fd = -1, .debug = -1, .alt = -1 })

/* 0, -ENOMEM, -EMFILE ... */
int waiting_init(struct waiting *w, const struct converter_source *src);
void waiting_fini(struct waiting *w);

struct away {
	struct fetcher *fetcher; /* borrowed; NULL: nobody is asked */
	uint32_t max;
	uint32_t n_later; /* of those below: they wait for their time */
	vec(struct waiting) v;
};

void away_fini(struct away *a);

/* 0: *w has been taken. -ENODATA: there is nobody to ask, or they have answered; -EBUSY: too many are away; -ENOMEM. */
int away_send(struct away *a, struct waiting *w);
/* False: nobody's answer or time has come. */
bool away_next(struct away *a, uint64_t now_ns, struct waiting *ret);
/* Those that are being asked for. */
uint32_t away_pending(const struct away *a);
/* Readable when one is answered; -1: nobody is asked. */
int away_fd(const struct away *a);
