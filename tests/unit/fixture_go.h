/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_go - an ELF file with a Go pclntab made by hand, in each of its layouts, without section headers.
 *
 *	0x400000  headers, from TABLE on the pclntab     (0x600000 is writable)
 *	0x500000  code, in memory only                   0x600000  moduledata, relocations, dynamic section
 */
#include <assert.h>
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "symbolize/go_pclntab.h"

enum {
	GO_IMAGE = 0x400000,
	GO_CODE = 0x500000,
	GO_DATA = 0x600000,
	GO_CODE_LEN = 0x20000,
	GO_TABLE_AT = 0x200, /* in the file */
	GO_DATA_AT = 0x3000,
	GO_FILE_LEN = 0x4000,
	GO_NAMES = 0x800, /* in the table */
	GO_PCS = 0x1000,
	GO_FUNCTAB = 0x100,
	GO_RECORDS = 0x400,
};

struct go_made_func {
	uint32_t entry; /* from GO_CODE */
	const char *name;
	uint8_t flags;
	const char *pcsp; /* varints, ended by a 0 of their own; NULL: not Go's */
	size_t pcsp_len;
};

struct go_made {
	uint8_t data[GO_FILE_LEN];
};

static inline void go_put(struct go_made *m, size_t at, uint64_t v, size_t len)
{
	assert(at + len <= sizeof(m->data));
	memcpy(m->data + at, &v, len);
}

static inline void go_make_segment(struct go_made *m, int i, uint32_t type, uint32_t flags, uint64_t vaddr, uint64_t offset,
				   uint64_t filesz, uint64_t memsz)
{
	Elf64_Phdr ph = { .p_type = type, .p_flags = flags, .p_vaddr = vaddr, .p_offset = offset, .p_filesz = filesz,
			  .p_memsz = memsz };

	memcpy(m->data + sizeof(Elf64_Ehdr) + (size_t)i * sizeof(ph), &ph, sizeof(ph));
}

static inline void go_make_elf(struct go_made *m, bool pie)
{
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			  .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof(eh), .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 4 };

	memcpy(m->data, &eh, sizeof(eh));
	go_make_segment(m, 0, PT_LOAD, PF_R, GO_IMAGE, 0, GO_DATA_AT, GO_DATA_AT);
	go_make_segment(m, 1, PT_LOAD, PF_R | PF_X, GO_CODE, 0, 0, GO_CODE_LEN);
	go_make_segment(m, 2, PT_LOAD, PF_R | PF_W, GO_DATA, GO_DATA_AT, 0x1000, 0x1000);
	go_make_segment(m, 3, pie ? PT_DYNAMIC : PT_NULL, PF_R, GO_DATA + 0x800, GO_DATA_AT + 0x800, 0x40, 0x40);
}

static inline void go_make_header(struct go_made *m, enum go_layout layout, size_t n)
{
	static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	size_t at = GO_TABLE_AT, parts = at + (layout >= GO_1_18 ? 32 : 24);

	go_put(m, at, magics[layout], 4);
	go_put(m, at + 4, 0x08010000, 4);
	go_put(m, at + 8, n, 8);
	if (layout == GO_1_2)
		return;
	go_put(m, parts, GO_NAMES, 8);
	go_put(m, parts + 24, GO_PCS, 8);
	go_put(m, parts + 32, GO_FUNCTAB, 8);
}

/* A moduledata as in an executable, or as relocations of a PIE. */
static inline void go_make_module(struct go_made *m, bool pie, uint32_t code_len)
{
	const struct {
		uint64_t at, value;
	} words[] = { { 0, GO_IMAGE + GO_TABLE_AT }, { 160, GO_CODE }, { 168, GO_CODE + code_len } };

	for (size_t i = 0; i < 3; i++) {
		size_t rela = GO_DATA_AT + 0x400 + i * 24;

		if (!pie) {
			go_put(m, GO_DATA_AT + 0x100 + words[i].at, words[i].value, 8);
			continue;
		}
		go_put(m, rela, GO_DATA + 0x100 + words[i].at, 8);
		go_put(m, rela + 8, R_X86_64_RELATIVE, 8);
		go_put(m, rela + 16, words[i].value, 8);
	}
	go_put(m, GO_DATA_AT + 0x800, DT_RELA, 8);
	go_put(m, GO_DATA_AT + 0x808, GO_DATA + 0x400, 8);
	go_put(m, GO_DATA_AT + 0x810, DT_RELASZ, 8);
	go_put(m, GO_DATA_AT + 0x818, 3 * 24, 8);
}

/* The functions, in order; the last one ends at code_len. */
static inline void go_make(struct go_made *m, enum go_layout layout, bool pie, const struct go_made_func *f, size_t n,
			   uint32_t code_len)
{
	size_t wide = layout >= GO_1_18 ? 4 : 8, names = GO_NAMES, pcs = GO_PCS + 1;
	size_t functab = GO_TABLE_AT + (layout == GO_1_2 ? 16 : GO_FUNCTAB);
	size_t base = GO_TABLE_AT + (layout == GO_1_2 ? 0 : GO_FUNCTAB);
	uint64_t text = layout >= GO_1_18 ? 0 : GO_CODE;

	memset(m, 0, sizeof(*m));
	go_make_elf(m, pie);
	go_make_header(m, layout, n);
	go_make_module(m, pie, code_len);
	for (size_t i = 0; i < n; i++) {
		size_t record = GO_TABLE_AT + GO_RECORDS + i * 64, flags = record + wide + 29;

		flags += 4 * ((layout >= GO_1_16) + (layout >= GO_1_20));
		go_put(m, functab + 2 * i * wide, text + f[i].entry, wide);
		go_put(m, functab + (2 * i + 1) * wide, record - base, wide);
		go_put(m, record, text + f[i].entry, wide);
		go_put(m, record + wide, names - (layout == GO_1_2 ? 0 : GO_NAMES), 4);
		go_put(m, record + wide + 12, !f[i].pcsp ? 0 : layout == GO_1_2 ? pcs : pcs - GO_PCS, 4);
		go_put(m, flags, f[i].flags, 1);
		memcpy(m->data + GO_TABLE_AT + names, f[i].name, strlen(f[i].name) + 1);
		names += strlen(f[i].name) + 1;
		if (f[i].pcsp)
			memcpy(m->data + GO_TABLE_AT + pcs, f[i].pcsp, f[i].pcsp_len);
		pcs += f[i].pcsp_len;
	}
	go_put(m, functab + 2 * n * wide, text + code_len, wide);
}
