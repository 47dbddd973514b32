/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture_dwarf.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/file.h"

static const char *const names[DWARF_SECTIONS] = { "info",   "abbrev",	 "str",	 "line",	"line_str",
						   "ranges", "rnglists", "addr", "str_offsets", "cu_index" };

void fix_u16(struct buf *b, uint16_t v)
{
	buf_append(b, &v, 2);
}

void fix_u32(struct buf *b, uint32_t v)
{
	buf_append(b, &v, 4);
}

void fix_u64(struct buf *b, uint64_t v)
{
	buf_append(b, &v, 8);
}

void fix_uleb(struct buf *b, uint64_t v)
{
	do {
		buf_putc(b, (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0)));
		v >>= 7;
	} while (v);
}

void fix_text(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s) + 1);
}

void fix_patch32(struct buf *b, size_t at, uint32_t v)
{
	memcpy(b->data + at, &v, 4);
}

void fix_abbrev(struct fix *f, uint64_t code, uint64_t tag, bool children, const uint16_t *pairs, size_t n)
{
	struct buf *b = &f->s[DWARF_ABBREV];

	fix_uleb(b, code);
	fix_uleb(b, tag);
	buf_putc(b, children);
	for (size_t i = 0; i < 2 * n; i++)
		fix_uleb(b, pairs[i]);
	fix_u16(b, 0);
}

#define ABBREV(code, tag, children, ...)                                                           \
	do {                                                                                       \
		const uint16_t pairs[] = { __VA_ARGS__ };                                          \
		fix_abbrev(f, code, tag, children, pairs, ARRAY_SIZE(pairs) / 2);                  \
	} while (0)

void fix_abbrevs(struct fix *f)
{
	ABBREV(FIX_UNIT, DW_TAG_compile_unit, true, DW_AT_name, DW_FORM_string, DW_AT_low_pc, DW_FORM_addr);
	ABBREV(FIX_FUNCTION, DW_TAG_subprogram, true, DW_AT_name, DW_FORM_string, DW_AT_low_pc, DW_FORM_addr,
	       DW_AT_high_pc, DW_FORM_data8, DW_AT_decl_line, DW_FORM_data1);
	ABBREV(FIX_INLINED, DW_TAG_inlined_subroutine, true, DW_AT_abstract_origin, DW_FORM_ref4, DW_AT_low_pc,
	       DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8, DW_AT_call_line, DW_FORM_data1);
	ABBREV(FIX_ABSTRACT, DW_TAG_subprogram, false, DW_AT_name, DW_FORM_string, DW_AT_linkage_name, DW_FORM_string,
	       DW_AT_decl_line, DW_FORM_data1);
	ABBREV(FIX_ORIGIN, DW_TAG_subprogram, false, DW_AT_abstract_origin, DW_FORM_ref4);
	ABBREV(FIX_BLOCK, DW_TAG_lexical_block, true, DW_AT_description, DW_FORM_flag_present);
	ABBREV(FIX_FAR, DW_TAG_inlined_subroutine, false, DW_AT_abstract_origin, DW_FORM_ref_addr, DW_AT_low_pc,
	       DW_FORM_addr, DW_AT_high_pc, DW_FORM_data8);
	ABBREV(FIX_NO_RANGES, DW_TAG_inlined_subroutine, true, DW_AT_abstract_origin, DW_FORM_ref4, DW_AT_call_line,
	       DW_FORM_data1);
	ABBREV(FIX_RANGES, DW_TAG_subprogram, false, DW_AT_name, DW_FORM_string, DW_AT_ranges, DW_FORM_sec_offset);
	ABBREV(FIX_SPEC, DW_TAG_subprogram, false, DW_AT_specification, DW_FORM_ref4, DW_AT_low_pc, DW_FORM_addr,
	       DW_AT_high_pc, DW_FORM_data8);
	ABBREV(FIX_ENUM, DW_TAG_enumeration_type, true, DW_AT_sibling, DW_FORM_ref4);
}

void fix_unit(struct fix *f, const char *name, uint64_t low_pc)
{
	struct buf *b = &f->s[DWARF_INFO];

	f->unit = b->len;
	fix_u32(b, 0);
	fix_u16(b, f->version ? f->version : 4);
	if (f->version == 5) {
		buf_putc(b, DW_UT_compile);
		buf_putc(b, 8);
		fix_u32(b, 0);
	} else {
		fix_u32(b, 0);
		buf_putc(b, 8);
	}
	fix_uleb(b, FIX_UNIT);
	fix_text(b, name);
	fix_u64(b, low_pc);
}

void fix_unit_end(struct fix *f)
{
	struct buf *b = &f->s[DWARF_INFO];

	fix_null(f);
	fix_patch32(b, f->unit, (uint32_t)(b->len - f->unit - 4));
}

uint32_t fix_here(const struct fix *f)
{
	return (uint32_t)(f->s[DWARF_INFO].len - f->unit);
}

uint32_t fix_far(const struct fix *f)
{
	return (uint32_t)f->s[DWARF_INFO].len;
}

void fix_function(struct fix *f, const char *name, uint64_t start, uint64_t len)
{
	struct buf *b = &f->s[DWARF_INFO];

	fix_uleb(b, FIX_FUNCTION);
	fix_text(b, name);
	fix_u64(b, start);
	fix_u64(b, len);
	buf_putc(b, 7);
}

uint32_t fix_inlined(struct fix *f, uint32_t origin, uint64_t start, uint64_t len, uint8_t call_line)
{
	struct buf *b = &f->s[DWARF_INFO];
	uint32_t at;

	fix_uleb(b, FIX_INLINED);
	at = (uint32_t)b->len;
	fix_u32(b, origin);
	fix_u64(b, start);
	fix_u64(b, len);
	buf_putc(b, (char)call_line);
	return at;
}

uint32_t fix_abstract(struct fix *f, const char *name, uint8_t line)
{
	struct buf *b = &f->s[DWARF_INFO];
	uint32_t at = fix_here(f);

	fix_uleb(b, FIX_ABSTRACT);
	fix_text(b, name);
	buf_puts(b, "_Z");
	fix_text(b, name);
	buf_putc(b, (char)line);
	return at;
}

void fix_null(struct fix *f)
{
	buf_putc(&f->s[DWARF_INFO], 0);
}

int fix_file(const struct fix *f, bool dwo)
{
	Elf64_Shdr sh[DWARF_SECTIONS + 2] = { 0 };
	Elf64_Phdr ph = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = FIX_TEXT, .p_memsz = FIX_TEXT_END - FIX_TEXT };
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_DYN,
			  .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_ehsize = sizeof(eh), .e_phoff = sizeof(eh),
			  .e_phentsize = sizeof(ph), .e_phnum = 1, .e_shentsize = sizeof(sh[0]),
			  .e_shnum = DWARF_SECTIONS + 2, .e_shstrndx = DWARF_SECTIONS + 1 };
	_cleanup_(buf_fini) struct buf out = BUF_INIT, strings = BUF_INIT;
	int fd = memfd_create("dwarf", MFD_CLOEXEC);

	buf_append(&out, &eh, sizeof(eh));
	buf_append(&out, &ph, sizeof(ph));
	buf_putc(&strings, 0);
	for (unsigned int i = 0; i < DWARF_SECTIONS; i++) {
		sh[i + 1] = (Elf64_Shdr){ .sh_name = (Elf64_Word)strings.len, .sh_type = SHT_PROGBITS,
					  .sh_offset = out.len, .sh_size = f->s[i].len, .sh_addralign = 1 };
		buf_printf(&strings, ".debug_%s%s", names[i], dwo && i != DWARF_CU_INDEX ? ".dwo" : "");
		buf_putc(&strings, 0);
		buf_append(&out, f->s[i].data, f->s[i].len);
	}
	sh[DWARF_SECTIONS + 1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = out.len, .sh_size = strings.len,
					       .sh_addralign = 1 };
	buf_append(&out, strings.data, strings.len);
	while (out.len % 8)
		buf_putc(&out, 0);
	eh.e_shoff = out.len;
	buf_append(&out, sh, sizeof(sh));
	memcpy(out.data, &eh, sizeof(eh));
	if (fd < 0 || file_write_all(fd, out.data, out.len) < 0)
		abort();
	return fd;
}

void fix_fini(struct fix *f)
{
	for (unsigned int i = 0; i < DWARF_SECTIONS; i++)
		buf_fini(&f->s[i]);
}
