/* SPDX-License-Identifier: Apache-2.0 */
/* jit_dump FILE: a jitdump; reads addresses (hex, one a line), prints "name\tfile\tline" each. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "symbolize/jitdump.h"

int main(int argc, char **argv)
{
	_cleanup_(closep) int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	uint64_t began = time_boot_ns();
	struct jitdump d = { 0 };
	int r = fd < 0 ? -errno : jitdump_update(&d, fd);
	char line[64];

	fprintf(stderr, "%s%u codes, %u lines, %u bad, %zu bytes, %.2f ms\n", r < 0 ? strerror(-r) : "", d.map.codes.n,
		d.map.lines.n, d.bad, jit_map_bytes(&d.map), (double)(time_boot_ns() - began) / 1e6);
	while (fgets(line, sizeof(line), stdin)) {
		struct jitdump_frame f = { .name = "" };

		jitdump_find(&d, strtoull(line, NULL, 16), &f);
		printf("%s\t%s\t%u\n", f.name, f.file ? f.file : "", f.line);
	}
	jitdump_fini(&d);
	return r < 0;
}
