/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_cfi - .eh_frame and .debug_frame sections made by hand.
 */
#include <assert.h>
#include <dwarf.h>
#include <stdint.h>
#include <string.h>

#include "unwind/cfi.h"

enum { MADE_AT = 0x500000 }; /* the section's address */

struct made {
	uint8_t data[1 << 19];
	size_t len;
	bool debug_frame;
};

static inline void made_uint(struct made *m, uint64_t v, unsigned int len)
{
	assert(m->len + len <= sizeof(m->data));
	memcpy(m->data + m->len, &v, len);
	m->len += len;
}

static inline void made_bytes(struct made *m, const void *p, size_t len)
{
	assert(m->len + len <= sizeof(m->data));
	if (len)
		memcpy(m->data + m->len, p, len);
	m->len += len;
}

static inline size_t made_begin(struct made *m)
{
	size_t at = m->len;

	made_uint(m, 0, 4);
	return at;
}

static inline void made_end(struct made *m, size_t at)
{
	uint32_t len;

	while (m->len % 4)
		made_uint(m, DW_CFA_nop, 1);
	len = (uint32_t)(m->len - at - 4);
	memcpy(m->data + at, &len, 4);
}

/* names "zR" and what stands behind the return column; code_align 1, data_align -8, column 16. */
static inline size_t made_cie(struct made *m, uint8_t version, const char *names, const void *augmentation, size_t augmentation_len,
			      const void *code, size_t code_len)
{
	size_t at = made_begin(m);

	made_uint(m, m->debug_frame ? UINT32_MAX : 0, 4);
	made_uint(m, version, 1);
	made_bytes(m, names, strlen(names) + 1);
	if (!strcmp(names, "eh"))
		made_uint(m, 0x1122334455667788, 8);
	if (version == 4)
		made_uint(m, 0x0008, 2); /* addresses of 8, no segments */
	made_bytes(m, "\x01\x78\x10", 3);
	if (names[0] == 'z')
		made_uint(m, augmentation_len, 1);
	made_bytes(m, augmentation, augmentation_len);
	made_bytes(m, code, code_len);
	made_end(m, at);
	return at;
}

/* The usual one: pc-relative starts of 4 bytes, CFA rsp+8, return address at CFA-8. */
static inline size_t made_usual_cie(struct made *m)
{
	return made_cie(m, 1, "zR", "\x1b", 1, "\x0c\x07\x08\x90\x01", 5);
}

static inline size_t made_fde_begin(struct made *m, size_t cie)
{
	size_t at = made_begin(m);

	made_uint(m, m->debug_frame ? cie : m->len - cie, 4);
	return at;
}

/* Of the usual CIE. */
static inline void made_fde(struct made *m, size_t cie, uint64_t start, uint32_t len, const void *code, size_t code_len)
{
	size_t at = made_fde_begin(m, cie);

	made_uint(m, start - (MADE_AT + m->len), 4);
	made_uint(m, len, 4);
	made_uint(m, 0, 1);
	made_bytes(m, code, code_len);
	made_end(m, at);
}

static inline struct cfi_section made_section(const struct made *m)
{
	return (struct cfi_section){ .data = m->data, .len = m->len, .vaddr = MADE_AT, .debug_frame = m->debug_frame };
}
