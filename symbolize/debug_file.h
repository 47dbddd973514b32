/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * debug_file - where an image's separate debug file lies.
 *
 * By build id: DIR/.build-id/xx/rest.debug, believed when the id in it is the same. By the name in
 * .gnu_debuglink: beside the image, in .debug/ there, and under DIR; believed when the build id is the
 * same, or, for an image without one, when the CRC is. Searched in the image's own root first
 * (a container's), then in the host's.
 * Source: GDB manual, "Debugging Information in Separate Files".
 */
#include "symbolize/build_id.h"

struct elf_image;

struct debug_file_search {
	const char *debug_dir; /* "/usr/lib/debug" */
	int root_fd;           /* O_PATH of the image's root, -1: only the host's */
	const char *path;      /* of the image, in its root; NULL: unknown */
};

/* An open descriptor, or -ENOENT. */
int debug_file_open(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search);

/*
 * All files that an image's DWARF lies in. The debug file only where the image has no DWARF itself. The dwz file
 * that .gnu_debugaltlink names: by its build id, or its path from the file that names it; believed when its build id
 * is the one expected. NAME.dwp beside the image, beside the debug file, or under DIR: its units are found by their
 * own ids. Whatever a name leads to in the end is looked at before it is opened: a device or FIFO never is.
 */
struct debug_files {
	int debug, alt, dwp; /* descriptors; -1: there is none */
};

/* img: NULL: the file is gone. 0; -ENODATA: neither image nor debug file has DWARF; -ENOMEM. */
int debug_files_open(const struct elf_image *img, const struct build_id *id, const struct debug_file_search *search,
		     struct debug_files *ret);
void debug_files_close(struct debug_files *f);

/* The build id of the dwz file that a file names. 0 or -ENOENT: it names none. */
int debug_file_alt_id(const struct elf_image *of, struct build_id *ret);

/* A unit's .dwo by the names in its skeleton, not through a link. A descriptor, or negative errno. */
int debug_file_open_dwo(const struct debug_file_search *search, const char *comp_dir, const char *name);
