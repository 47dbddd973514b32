/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * dwarf_wants - which other files an image's DWARF is spread over, so that they can be opened before the sandbox.
 *
 * Cheap: nothing is read but headers and first entries of units, and those only when there is a .debug_addr,
 * without which nothing was split.
 * Source: GDB manual, "Debugging Information in Separate Files", for .gnu_debugaltlink; DWARF 5, 3.1.2.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/strpool.h"
#include "base/vec.h"
#include "symbolize/build_id.h"
#include "symbolize/dwarf/dwarf_scan.h"

/* A .dwo: the name as the compiler wrote it, relative to dir unless absolute. Strings are NUL-terminated. */
struct dwarf_dwo {
	const char *name, *dir;
	uint64_t id; /* of its unit: what tells it from another build's */
};

struct dwarf_wants {
	char *alt; /* the dwz file: absolute, or relative to the folder of the file that names it; NULL: none */
	struct build_id alt_id;
	vec(struct dwarf_dwo) dwos; /* several units of one file (LTO) name it several times */
	bool dwp;                   /* a package beside the image would replace the dwos */
	struct strpool strings;     /* owns those of dwos */
};

#define DWARF_DWOS_MAX 60000 /* more are left out */

/*
 * Of files, image, debug, scratch, inflated_max and exact are looked at. 0, also when nothing is wanted; the
 * errors of dwarf_scan().
 */
int dwarf_wants_read(const struct dwarf_files *files, struct dwarf_wants *ret);
void dwarf_wants_fini(struct dwarf_wants *w);
