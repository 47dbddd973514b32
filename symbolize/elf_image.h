/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * elf_image - one ELF file opened for reading: its loaded segments and its sections by name.
 *
 * Read through libelf with pread, never mapped: a file cut short under a mapping is a SIGBUS in us.
 * The file is hostile: every size is checked against the file and a bound before it is read.
 * Nothing in an object file (ET_REL: .o, a kernel module) has an address yet. It gets some here: sections with code lie one
 * after the other from ELF_OBJECT_BASE on, as their alignment asks for, and are the one segment; what else would be loaded
 * lies behind them. Its debug file has the same sections, so the same addresses.
 * Memory: owns its Elf handle, not the descriptor, which must stay open as long as the image.
 */
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

/* Not 0, which is what a linker leaves of code that is gone. */
#define ELF_OBJECT_BASE 0x1000
#define ELF_SECTION_MAX (512ull << 20)

struct elf_segment {
	uint64_t vaddr, memsz;
	uint64_t offset,
		filesz; /* 0 in a debug file: objcopy --only-keep-debug keeps addresses, not places */
	uint32_t flags; /* PF_X ... */
	uint32_t reserved;
};

struct elf_image {
	Elf *elf;
	int fd;
	uint32_t n_segments;
	uint32_t n_sections;
	struct elf_segment *segments; /* PT_LOAD, in file order */
	uint64_t *section_at;         /* of an object file: its n_sections' addresses, 0 of what is not loaded; else NULL */
};

/* 0, -EBADMSG (not an ELF we read, or damaged), -ENOMEM. */
int elf_image_open(int fd, struct elf_image **ret);
/* The same for an image in memory (the vDSO); bytes are borrowed. */
int elf_image_open_memory(const void *bytes, size_t len, struct elf_image **ret);
/* Our own vDSO, which every process shares. -ENOENT: this kernel has none. */
int elf_image_open_vdso(struct elf_image **ret);
struct elf_image *elf_image_free(struct elf_image *img);
static inline void elf_image_freep(struct elf_image **img)
{
	elf_image_free(*img);
}

/* The loaded segment that holds a file offset; NULL when none does. */
const struct elf_segment *elf_image_segment(const struct elf_image *img, uint64_t offset);

/* Bytes of the file. 0, -ENODATA beyond its end, or another negative errno. */
int elf_image_read(const struct elf_image *img, uint64_t offset, void *data, size_t len);

/* Where a section of an object file lies, or what counts as its address in any other: 0. False: there is no such section. */
static inline bool elf_image_section_address(const struct elf_image *img, uint32_t index, uint64_t *ret)
{
	if (img->section_at && index >= img->n_sections)
		return false;
	*ret = img->section_at ? img->section_at[index] : 0;
	return true;
}

/* A section by name, with its header. NULL when absent, larger than the bound or beyond the file. */
Elf_Scn *elf_image_section(const struct elf_image *img, const char *name, GElf_Shdr *ret_header);
/* A section's bytes, inflated when it is compressed; owned by the image. NULL when unreadable. */
Elf_Data *elf_image_data(Elf_Scn *scn);
