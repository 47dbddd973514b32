/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * form - how one attribute's value is written.
 *
 * A value is read raw: an index stays an index, an offset an offset; for DW_FORM_string it is the offset of
 * the text in .debug_info. Blocks are passed over and read as 0.
 * Source: DWARF 5, 7.5.6; the GNU forms from binutils' include/dwarf2.def.
 */
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/bytes.h"

/* What a unit's header says about the size of its values. */
struct dwarf_format {
	uint8_t version;
	uint8_t address_size; /* 1, 2, 4, 8 */
	uint8_t offset_size; /* 4 or 8 */
	uint8_t reserved;
};

#define DWARF_FORM_VARIABLE UINT32_MAX
#define DWARF_FORM_UNKNOWN  (UINT32_MAX - 1)

/* Bytes of a value, or one of the above. */
uint32_t dwarf_form_size(uint16_t form, struct dwarf_format f);

/*
 * Reads, or passes over, one value. An indirect form is written to *form. base: where .debug_info begins.
 * Unknown forms set b->bad: nothing behind them can be read.
 */
uint64_t dwarf_form_read(struct bytes *b, uint16_t *form, struct dwarf_format f, const uint8_t *base);
