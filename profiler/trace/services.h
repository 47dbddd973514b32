/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * services - the services whose requests are traced, by number, and how long each is told of.
 *
 *	services_begin() -> services_add() or services_alive() for each process that lives -> services_end(): who goes
 *
 * A service whose last process has gone stays for a while: a deployment that starts anew goes on counting in the same series,
 * and a scraper reads the last counts. It goes earlier when more than SERVICES_GONE wait, the longest gone first.
 * A number is never used again: the programs' map of routes may still have it.
 * Memory: bounded by the services that live and SERVICES_GONE. Threads: one.
 */
#include <stdint.h>

enum { SERVICES_GONE = 1000 };

struct services;

/* forget_ns: how long one stays when its processes have gone. 0 or -ENOMEM. */
int services_new(uint64_t forget_ns, struct services **ret);
struct services *services_free(struct services *s);

/* The number of the service with these labels, which lives; 0: no memory. */
uint32_t services_add(struct services *s, const char *labels);
void services_alive(struct services *s, uint32_t id);
/* NULL of one that went. Borrowed until it goes. */
const char *services_labels(const struct services *s, uint32_t id);

void services_begin(struct services *s);
/* How many go now. */
uint32_t services_end(struct services *s, uint64_t now_ns);
