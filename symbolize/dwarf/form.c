/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/form.h"

#include <dwarf.h>

uint32_t dwarf_form_size(uint16_t form, struct dwarf_format f)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_flag:
	case DW_FORM_ref1:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_ref_sup4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sup8:
	case DW_FORM_ref_sig8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return f.address_size;
	case DW_FORM_ref_addr: /* DWARF 2 gave it the size of an address */
		return f.version <= 2 ? f.address_size : f.offset_size;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return f.offset_size;
	case DW_FORM_string:
	case DW_FORM_block:
	case DW_FORM_block1:
	case DW_FORM_block2:
	case DW_FORM_block4:
	case DW_FORM_exprloc:
	case DW_FORM_sdata:
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_indirect:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		return DWARF_FORM_VARIABLE;
	default:
		return DWARF_FORM_UNKNOWN;
	}
}

static uint64_t read_string(struct bytes *b, const uint8_t *base)
{
	const uint8_t *at = b->at, *nul = memchr(at, 0, bytes_left(b));

	if (!nul) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	b->at = nul + 1;
	return (uint64_t)(at - base);
}

uint64_t dwarf_form_read(struct bytes *b, uint16_t *form, struct dwarf_format f, const uint8_t *base)
{
	uint32_t size;

	if (*form == DW_FORM_indirect) {
		uint64_t real = bytes_uleb(b);

		/* implicit_const would need a value from the abbreviation. */
		if (real == DW_FORM_indirect || real == DW_FORM_implicit_const || real > UINT16_MAX) {
			b->bad = true;
			return 0;
		}
		*form = (uint16_t)real;
	}
	switch (*form) {
	case DW_FORM_flag_present:
		return 1;
	case DW_FORM_string:
		return read_string(b, base);
	case DW_FORM_block:
	case DW_FORM_exprloc:
		bytes_take(b, bytes_uleb(b));
		return 0;
	case DW_FORM_block1:
		bytes_take(b, bytes_u8(b));
		return 0;
	case DW_FORM_block2:
		bytes_take(b, bytes_uint(b, 2));
		return 0;
	case DW_FORM_block4:
		bytes_take(b, bytes_uint(b, 4));
		return 0;
	case DW_FORM_data16:
		bytes_take(b, 16);
		return 0;
	case DW_FORM_sdata:
		return (uint64_t)bytes_sleb(b);
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		return bytes_uleb(b);
	default:
		size = dwarf_form_size(*form, f);
		if (size <= 8)
			return bytes_uint(b, size);
		b->bad = true;
		return 0;
	}
}
