/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an ELF file with DWARF. It is the image, the dwz file, the .dwo and the .dwp at once: seeds carry
 * the sections of all of them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/dwarf/dwarf_wants.h"
#include "symbolize/symcache_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct dwarf_files files = { .image = fd, .debug = -1, .alt = fd, .dwp = fd, .dwos = &fd, .n_dwos = 1,
				     .scratch = -1, .inflated_max = 1 << 22, .exact = true };
	struct dwarf_scan_stats stats;
	struct symcache_build *b;
	struct dwarf_wants wants;

	if (fd < 0 || file_write_all(fd, data, len) < 0 || symcache_build_new(&b) < 0)
		abort();
	dwarf_scan(&files, b, &stats);
	if (stats.dwo_units) { /* again, from the package */
		files.n_dwos = 0;
		dwarf_scan(&files, b, &stats);
	}
	symcache_build_free(b);
	if (!dwarf_wants_read(&files, &wants))
		dwarf_wants_fini(&wants);
	close(fd);
	return 0;
}
