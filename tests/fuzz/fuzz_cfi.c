/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as .eh_frame, as .debug_frame (the first byte says which), or as a whole ELF file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/elf_cfi.h"

enum { CODE = 1 << 20, AT = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The spans tile the table and agree with the search. */
static void check(const struct rows *t)
{
	struct rows_cursor at = { 0 };
	struct rows_span span;
	uint64_t end = t->base;

	while (rows_next(t, &at, &span)) {
		if (span.start != end || span.end <= span.start || rows_find(t, span.end - 1) != span.rule)
			abort();
		end = span.end;
	}
	if (end != t->base + ((uint64_t)t->n_pages << ROWS_PAGE_BITS))
		abort();
}

static void as_section(const uint8_t *data, size_t len)
{
	const struct mark marks[] = {
		{ AT - CODE / 2, AT - CODE / 2 + 64, { .how_cfa = UNWIND_STOP }, .function = true },
		{ AT + 0x1010, AT + 0x1018, { .how_cfa = UNWIND_STOP }, .weak = true },
	};
	struct cfi_section s = { .data = data + 1, .len = len - 1, .vaddr = AT, .text = AT, .data_base = AT,
				 .debug_frame = data[0] & 1, .ends_at_zero = data[0] & 2 };
	struct rows *t = NULL;

	if (!rows_build(&(struct rows_source){ .sections = &s, .n_sections = 1, .start = AT - CODE, .end = AT + CODE,
					       .marks = marks, .n_marks = 2 }, &t))
		check(t);
	rows_free(t);
}

static void as_file(const uint8_t *data, size_t len)
{
	struct elf_image *img = NULL;
	struct rows *t = NULL;

	if (!elf_image_open_memory(data, len, &img) && !elf_cfi_rows(img, ELF_CFI_ALL, &t))
		check(t);
	rows_free(t);
	elf_image_free(img);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len > 4 && !memcmp(data, "\177ELF", 4))
		as_file(data, len);
	else if (len)
		as_section(data, len);
	return 0;
}
