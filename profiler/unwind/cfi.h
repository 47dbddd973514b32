/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cfi - the entries of .eh_frame and .debug_frame: CIEs, and FDEs with the code they cover.
 *
 *	section:  length  id=0      CIE: version, augmentation, alignments, first instructions
 *	          length  -> CIE    FDE: start, length, instructions (cfi_run.h executes them)
 *
 * Pure and bounded: reads nothing outside the section, allocates nothing; every entry is visited once.
 * The section is hostile: a CIE may lie anywhere, overlap others, or be none.
 * Sources: DWARF 5 section 6.4; LSB 5.0 core, "Exception Frames"; the GNU augmentations of binutils.
 */
#include "unwind/arch.h"
#include "symbolize/bytes.h"

struct cfi_section {
	const uint8_t *data; /* borrowed */
	size_t len;
	uint64_t vaddr;      /* of data[0] */
	uint64_t text, data_base; /* what DW_EH_PE_textrel and datarel count from */
	enum arch arch; /* whose registers it speaks of */
	bool debug_frame;
	bool ends_at_zero; /* a zero length ends it: where it ends is not known otherwise */
};

/* How a register of the caller is found, or the CFA itself. */
enum cfi_kind {
	CFI_UNSPECIFIED,
	CFI_UNDEFINED,
	CFI_SAME,
	CFI_OFFSET,         /* at CFA + off */
	CFI_VAL_OFFSET,     /* is CFA + off */
	CFI_REGISTER,       /* is reg; a CFA: reg + off */
	CFI_EXPRESSION,     /* at what the expression says; a CFA: is what it says */
	CFI_VAL_EXPRESSION, /* is what the expression says */
};

struct cfi_value {
	uint16_t kind;
	uint16_t reg;
	uint32_t len; /* of expr */
	union {
		int64_t off;
		const uint8_t *expr; /* in the section */
	};
};

/* The registers a stack walk needs; the others are read over. */
struct cfi_state {
	struct cfi_value cfa, fp, sp, ra;
};

struct cfi_cie {
	size_t offset;
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra; /* the return address's column */
	uint8_t fde_encoding, address_size;
	bool sized;  /* 'z': an FDE says how long its augmentation is */
	bool signal; /* 'S' */
	struct cfi_state initial;
};

struct cfi_fde {
	size_t offset;
	uint64_t start, end; /* of code; end is behind the last byte */
	struct bytes instructions;
};

struct cfi_entry {
	size_t offset;
	bool is_cie;
	size_t cie; /* of an FDE: where its CIE should be */
	struct bytes body; /* behind the id */
	bool wide;         /* 64-bit DWARF */
};

/* The entry at *offset, which moves behind it. 1; 0 at the end; -EBADMSG: damaged from here on. */
int cfi_next(const struct cfi_section *s, size_t *offset, struct cfi_entry *ret);

/* -EBADMSG: there is no CIE. -ENOTSUP: an augmentation or a version that says nothing to us. */
int cfi_cie_read(const struct cfi_section *s, size_t offset, struct cfi_cie *ret);
int cfi_fde_read(const struct cfi_section *s, const struct cfi_entry *e, const struct cfi_cie *cie, struct cfi_fde *ret);

/* A pointer as DW_EH_PE_* encodes it. An indirect one gives the place it would be read from. */
uint64_t cfi_pointer(const struct cfi_section *s, struct bytes *in, uint8_t encoding, unsigned int address_size);
