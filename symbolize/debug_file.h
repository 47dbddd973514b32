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
