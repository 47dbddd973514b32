/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a target's ELF file: identity, segments, symbols, names. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/symbolizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct sym_source src = { .kind = SYM_ELF, .fd = fd, .root_fd = -1, .path = "/fuzz/image" };
	struct sym_frame frames[4];
	struct sym_segment seg;
	struct symbolizer *s;
	struct sym_image *img;

	if (fd < 0 || file_write_all(fd, data, len) < 0)
		abort();
	build_id_of_file(fd, &src.id);
	if (symbolizer_new(&(struct symbolizer_opts){ .debug_dir = "/nonexistent" }, &s) < 0)
		abort();
	if (!symbolizer_load(s, &src, &img))
		for (uint64_t off = 0; off < 8192; off += 37) {
			sym_image_resolve(img, off, frames, 4);
			sym_image_segment(img, off, &seg);
		}
	symbolizer_free(s);
	close(fd);
	return 0;
}
