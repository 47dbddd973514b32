/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * line_code - rows of address, file and line as differences: two bytes for most.
 *
 *	address difference   a byte; 255: a number follows that is the difference
 *	line difference      a byte, zigzag; 254: a number follows that is it; 255: the file changes: its
 *	                     difference and the line's follow, both zigzag numbers
 *
 * Numbers are LEB128. Reading never goes beyond the end, whatever the bytes are.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { LINE_CODE_MAX = 16 }; /* bytes of a row */

struct line_row {
	uint32_t addr, file, line; /* file 0: none, else a file's number + 1 */
};

enum { LINE_FAR = 255, LINE_JUMP = 254, LINE_OTHER_FILE = 255 };

static inline uint64_t line_zigzag(uint32_t to, uint32_t from)
{
	int64_t d = (int64_t)to - (int64_t)from;

	return ((uint64_t)d << 1) ^ (uint64_t)(d >> 63);
}

static inline uint8_t *line_put_number(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* Writes row after last, whose address is not above it, at p, which has room for LINE_CODE_MAX. Its end. */
static inline uint8_t *line_put(uint8_t *p, const struct line_row *last, const struct line_row *row)
{
	uint32_t step = row->addr - last->addr;
	uint64_t lines = line_zigzag(row->line, last->line);

	*p++ = step < LINE_FAR ? (uint8_t)step : LINE_FAR;
	if (step >= LINE_FAR)
		p = line_put_number(p, step);
	if (row->file != last->file) {
		*p++ = LINE_OTHER_FILE;
		p = line_put_number(p, line_zigzag(row->file, last->file));
		return line_put_number(p, lines);
	}
	*p++ = lines < LINE_JUMP ? (uint8_t)lines : LINE_JUMP;
	return lines < LINE_JUMP ? p : line_put_number(p, lines);
}

static inline const uint8_t *line_get_number(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; p < end && shift < 42; shift += 7) {
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p++ & 0x80)) {
			*ret = v;
			return p;
		}
	}
	return NULL;
}

static inline uint32_t line_unzigzag(uint32_t from, uint64_t v)
{
	return from + (uint32_t)((v >> 1) ^ -(v & 1));
}

/* The row at p, row being the one before it. What follows it; NULL at the end, or where no row is: row is unchanged. */
static inline const uint8_t *line_get(const uint8_t *p, const uint8_t *end, struct line_row *row)
{
	uint64_t step, lines, files = 0;

	if (end - p < 2)
		return NULL;
	step = *p++;
	if (step == LINE_FAR && (!(p = line_get_number(p, end, &step)) || p >= end))
		return NULL;
	lines = *p++;
	if (lines >= LINE_JUMP) {
		if (lines == LINE_OTHER_FILE && !(p = line_get_number(p, end, &files)))
			return NULL;
		if (!(p = line_get_number(p, end, &lines)))
			return NULL;
	}
	row->addr += (uint32_t)step;
	row->file = line_unzigzag(row->file, files);
	row->line = line_unzigzag(row->line, lines);
	return p;
}
