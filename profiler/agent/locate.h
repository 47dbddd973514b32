/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * locate - a frame becomes a location of a profile: image and address, and who stands there in the source.
 *
 *	locator_begin(profile)  -->  locator_add(image, offset) ...  -->  locator_end(): what is known of each image
 *
 * An address is put where its file says, as if it were loaded there: that is what tools that look it up
 * themselves expect, and equal images have equal addresses in every process.
 * Memory: the profile's; between begin and end it must stay where it is.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/vec.h"

struct image;
struct profile;
struct profile_mapping;
struct strmap;
struct sym_image;

struct name_opts {
	/*
	 * A frame without a name keeps its address and image, so that a later run can still name it; or
	 * it gets "libfoo.so+0x1234" as its name here, for servers that drop frames without one.
	 */
	bool name_unnamed;
	bool no_inline; /* inlined calls count as the function they stand in */
	/*
	 * What has a build id is left without names, for a server or a tool that finds its symbols by that.
	 * The kernel, generated code and files without one are named all the same: nobody else could.
	 */
	bool no_symbols;
	bool services; /* samples have a label service_name, of their target */
	const struct strmap *path_map; /* of source paths: see path_map.h; borrowed. NULL: as they are */
};

/* What is known of the locations in one image. */
struct located {
	bool unnamed;              /* some have no name */
	bool files, lines, chains; /* some have */
};

enum { LOCATED_NAME = 1, LOCATED_LINE = 2 }; /* what a location has */

struct locator {
	struct name_opts opts;
	struct profile *p;
	struct htable mapping_index;
	vec(struct located) known; /* by mapping */
};

/* opts, and zero for the rest, is a locator to begin with; a new profile may follow an ended one. */
void locator_begin(struct locator *l, struct profile *p);
/* The location's index; sym: what to ask for names; *ret_what: LOCATED_*. Errors stick to the profile. */
uint32_t locator_add(struct locator *l, const struct image *i, struct sym_image *sym, uint64_t offset, uint8_t *ret_what);
/* An address in no image. */
uint32_t locator_add_unknown(struct locator *l, uint64_t address);
/* A mapping no frame lies in. */
void locator_add_mapping(struct locator *l, const struct profile_mapping *m);
/* Sets the mappings' flags. */
void locator_end(struct locator *l);
void locator_fini(struct locator *l);
