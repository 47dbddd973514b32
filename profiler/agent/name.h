/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * name - a window becomes profiles: every frame gets its names, every row its labels and values.
 *
 *	namer_new(window)  loads every image of the window, once
 *	namer_profile()    one profile of all rows, or of some: a frame is named when a row needs it
 *
 * Threads: any one; the window must be sealed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/locate.h"

struct namer;
struct profile;
struct symbolizer;
struct window;

struct name_stats {
	/* Frame occurrences, weighted by samples: all, with a name, with the line of a source file too. */
	uint64_t frames, frames_named, frames_with_lines;
	uint64_t images, images_failed;  /* loaded; of these without a symbol table or gone */
};

/* Both are borrowed until namer_free(). 0 or -ENOMEM. */
int namer_new(const struct window *w, struct symbolizer *symbols, const struct name_opts *opts, struct namer **ret);
struct namer *namer_free(struct namer *n);
static inline void namer_freep(struct namer **n)
{
	namer_free(*n);
}

/*
 * rows: indices into the window's rows; NULL: all of them. title: what viewers take for the main
 * binary, NULL: "[host]". The caller owns *ret. 0 or -ENOMEM.
 */
int namer_profile(struct namer *n, const char *title, const uint32_t *rows, uint32_t n_rows, struct profile **ret);

/* Sums over all profiles made so far. */
void namer_stats(const struct namer *n, struct name_stats *ret);
