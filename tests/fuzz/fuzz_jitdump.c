/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a jitdump, read in two rounds: what comes out is sorted and disjoint, every answer within it. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/jitdump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct jitdump *d)
{
	const struct jit_map *m = &d->map;
	struct jitdump_frame f;

	for (uint32_t i = 0; i < m->pieces.n; i++) {
		const struct jit_piece *p = &m->pieces.v[i];

		if (!p->size || p->code >= m->codes.n || (i && p[-1].start + p[-1].size > p->start))
			abort();
		if (jitdump_find(d, p->start, &f) < 0 || jitdump_find(d, p->start + p->size - 1, &f) < 0 || !f.name)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct jitdump d = { 0 };

	if (fd < 0 || file_write_all(fd, data, len / 2) < 0)
		abort();
	jitdump_update(&d, fd);
	check(&d);
	if (file_write_all(fd, data + len / 2, len - len / 2) < 0)
		abort();
	jitdump_update(&d, fd);
	check(&d);
	jitdump_fini(&d);
	close(fd);
	return 0;
}
