/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * window_file - the window of real stacks in the folder $HOTSPAN_BENCH_WINDOW: a pprof file for each service, as an agent with a
 * receiver of type file leaves them (encode.py makes one).
 *
 * What cannot be read ends the bench. Memory: the caller's.
 */
#include <stdint.h>

#include "base/vec.h"

struct profile;

struct window_service {
	char *name;
	struct profile *p;
};

struct window_services {
	vec(struct window_service) v; /* empty: no folder is named */
	uint64_t stacks, samples; /* of them all */
};

void window_file_services(struct window_services *ret);
void window_services_fini(struct window_services *s);

/* One profile of them all; NULL: no folder is named. */
struct profile *window_file_whole(void);
/* Values of its first type. */
uint64_t window_samples(const struct profile *p);
