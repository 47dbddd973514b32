/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * space - a process's code as the walker finds it: sorted mappings, and the image behind each.
 *
 *	process (hash map, by tgid)  -> struct space: whose it is, where its mappings lie
 *	mappings (slab)              -> u64 start[n]; struct space_mapping[n]
 *	image (slab)                 -> struct space_image: how its code is unwound; one for all processes
 *
 * Mappings are never changed: a process gets a new array, and the hash map flips to it at once. An image
 * is filled in where it lies when its rows are built. A process's address space may have changed since
 * user space heard of it: `mm` and `exec_pages` say so, and the walker asks instead of guessing.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define SPACE_MAX_MAPPINGS 16384
#define SPACE_SEGMENTS 4

struct space {
	__u64 mm;         /* the kernel's address of it: another one after exec */
	__u64 exec_pages; /* of executable mappings: another number after dlopen and dlclose */
	__u32 maps;       /* slab address */
	__u32 n_maps;
	__u32 id; /* of this array: never used for another one */
	__u32 reserved;
};
_Static_assert(sizeof(struct space) == 32, "an ABI between BPF and the agent");

struct space_mapping {
	__u64 end;
	__u64 bias;  /* address - file offset */
	__u32 image; /* slab address of its struct space_image */
	__u32 reserved;
};
_Static_assert(sizeof(struct space_mapping) == 24, "an ABI between BPF and the agent");

/* How code is unwound. */
enum space_how {
	SPACE_UNKNOWN, /* nobody has looked at the image yet: user space finishes the stack, and looks */
	SPACE_ROWS,
	SPACE_NO_ROWS, /* its file has no CFI, or it is no file: frame pointers */
};

/* Where a segment lies in the table: file offset - shift. In order of offset; unused ones repeat the last. */
struct space_segment {
	__u64 offset;
	__u64 shift;
};

struct space_image {
	__u32 how;
	__u32 pages, n_pages; /* struct rows_page[] */
	__u32 rules, n_rules; /* struct unwind_rule[] */
	__u32 id;             /* of these rows: never used for other ones; 0: none */
	struct space_segment segments[SPACE_SEGMENTS];
};
_Static_assert(sizeof(struct space_image) == 88, "an ABI between BPF and the agent");
