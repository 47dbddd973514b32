/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * image - one piece of code that processes share: an ELF file, the kernel, the vDSO, or one
 * process's JIT region.
 *
 * Files are known by build id where the kernel gave one, else by device, inode and generation.
 * Opening one is put off until its first sample, and then must not be put off: the process, and with
 * it the only way to a deleted or a container's file, may be gone at flush.
 * Memory: images live in one table and are named by 32-bit ids; mappings and windows hold
 * references, the last one closes the files. Id 0 is the kernel and is never freed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolize/build_id.h"

struct images;

enum image_kind {
	IMAGE_KERNEL, /* offsets are kernel addresses */
	IMAGE_FILE,   /* offsets are file offsets */
	IMAGE_VDSO,   /* offsets into the vDSO */
	IMAGE_JIT,    /* offsets are addresses in the one process it belongs to */
};

#define IMAGE_ID_KERNEL 0u
#define IMAGE_ID_NONE UINT32_MAX

struct image_key {
	enum image_kind kind;
	struct build_id id;   /* NONE: dev, ino, gen tell */
	uint64_t dev, ino;    /* dev as makedev(); 0 when the kernel gave a build id instead */
	uint64_t gen;         /* inode generation; for IMAGE_JIT the owner's process key */
};

struct image {
	enum image_kind kind;
	struct build_id id; /* may become known at image_open() */
	uint64_t dev, ino, gen;
	char *path;  /* as the process sees it; "[vdso]", "[kernel.kallsyms]", "[anon]" */
	int fd;      /* the file, or a JIT's perf map; -1 */
	int root_fd; /* O_PATH of the owner's root when it is not ours; -1 */
	int dump_fd; /* of a JIT: the jitdump its process maps; -1 */
	uint32_t refs;
	bool opened; /* image_open() has run, with or without success */
	bool dump_opened;
	uint32_t changes; /* of the kernel: how often its BPF programs and trampolines have */
	uint32_t asked; /* of a JIT without a perf map: how often image_open() was called */
	struct image_dump *dump;
};

/* A JIT maps the jit-PID.dump it writes, so that others find it. */
struct image_dump {
	uint64_t start, end; /* of that mapping */
	uint64_t dev, ino;   /* of the file; 0: not told */
	char path[];         /* as the process sees it */
};

int images_new(struct images **ret);
struct images *images_free(struct images *t);

/* Finds or makes; the caller gets a reference. -ENOMEM. */
int image_intern(struct images *t, const struct image_key *key, const char *path, uint32_t *ret);

void image_ref(struct images *t, uint32_t id);
void image_unref(struct images *t, uint32_t id);
struct image *image_get(struct images *t, uint32_t id);

/* Whether a mapping's path is a jitdump's: jit-PID.dump. */
bool image_is_dump(const char *path);
/* Notes the jitdump of a JIT image; the first one stays. 0 or -ENOMEM. */
int image_add_dump(struct images *t, uint32_t id, const struct image_dump *where, const char *path);

struct image_owner {
	pid_t pid;           /* a process that maps it, perhaps already gone */
	uint64_t vma_start, vma_end;
};

/*
 * Opens the image's file through a process that maps it: its map_files link (right in any mount
 * namespace and after deletion), its root, then the host's path; a file that is not the one mapped
 * (build id, else device and inode) is refused. Fills fd, root_fd and id. Runs once per image: the
 * first sample in it. A JIT's jitdump is opened once it is mapped, and a perf map that is not there is
 * looked for again, ever more seldom. 0 or negative errno; names are all that is lost.
 */
int image_open(struct images *t, uint32_t id, const struct image_owner *owner);

/* Ids below this may exist; for telemetry and tests: how many do, and open descriptors. */
uint32_t images_live(const struct images *t);
