/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Go binary: lines and inlined calls of its pclntab. What comes out is within its bounds. */
#include <stdint.h>
#include <stdlib.h>

#include "base/strpool.h"
#include "symbolize/elf_image.h"
#include "symbolize/go_lines.h"

enum { LOOKUPS = 64, MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void ask(struct go_lines *g, struct strpool *names, uint64_t pc)
{
	struct go_line at[MAX];
	int n = go_lines_find(g, pc, names, at, MAX);

	if (n > MAX || !n)
		abort();
	for (int i = 0; i < n; i++)
		if (!at[i].name || !at[i].name[0] || (at[i].file && !at[i].file[0]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct strpool names = { 0 };
	struct elf_image *img;
	struct go_lines *g;
	uint64_t start, end;

	if (elf_image_open_memory(data, len, &img) < 0)
		return 0;
	if (!go_lines_new(img, &g)) {
		if (!go_lines_range(g, &start, &end))
			for (uint64_t i = 0; i < LOOKUPS; i++)
				ask(g, &names, start + (end - start) / LOOKUPS * i + i % 16);
		ask(g, &names, 0);
		go_lines_free(g);
	}
	elf_image_free(img);
	strpool_fini(&names);
	return 0;
}
