/* SPDX-License-Identifier: Apache-2.0 */
/* go_lines_dump FILE: reads addresses (hex, one a line); prints "name\tfile\tline\tstart line" for each frame of
 * each, innermost first, and a line "." behind them. Where the code lies and what a lookup takes go to stderr. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strpool.h"
#include "base/units.h"
#include "symbolize/elf_image.h"
#include "symbolize/go_lines.h"

enum { MAX_CHAIN = 64 };

int main(int argc, char **argv)
{
	_cleanup_(closep) int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(strpool_fini) struct strpool names = { 0 };
	uint64_t began, spent = 0, asked = 0, start = 0, end = 0;
	struct go_line chain[MAX_CHAIN];
	struct go_lines *g = NULL;
	char line[64];

	began = time_boot_ns();
	if (fd < 0 || elf_image_open(fd, &img) < 0 || go_lines_new(img, &g) < 0)
		return 1;
	fprintf(stderr, "opened in %.2f ms\n", (double)(time_boot_ns() - began) / 1e6);
	go_lines_range(g, &start, &end);
	fprintf(stderr, "code 0x%lx-0x%lx\n", start, end);
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t addr = strtoull(line, NULL, 16);
		int n;

		began = time_boot_ns();
		n = go_lines_find(g, addr, &names, chain, MAX_CHAIN);
		spent += time_boot_ns() - began;
		asked++;
		for (int i = 0; i < n; i++)
			printf("%s\t%s\t%u\t%u\n", chain[i].name, chain[i].file ? chain[i].file : "?", chain[i].line,
			       chain[i].start_line);
		puts(".");
	}
	fprintf(stderr, "%lu lookups, %.2f us each\n", asked, asked ? (double)spent / 1e3 / (double)asked : 0);
	go_lines_free(g);
	return 0;
}
