/* SPDX-License-Identifier: Apache-2.0 */
/* symbols_dump FILE [DEBUG_DIR [ROOT]]: reads file offsets (hex, one a line), prints "offset linkage-name\tname" each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/symbolizer.h"

int main(int argc, char **argv)
{
	struct symbolizer_opts opts = { .debug_dir = argc > 2 ? argv[2] : "/nonexistent" };
	struct sym_source src = { .kind = SYM_ELF, .fd = -1, .root_fd = -1 };
	struct symbolizer *s;
	struct sym_image *img;
	struct sym_frame f;
	char line[64];

	if (argc < 2)
		return 2;
	src.path = argv[1];
	src.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (argc > 3) /* FILE is an absolute path; it lies in ROOT for the search of debug files */
		src.root_fd = open(argv[3], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (src.fd < 0 || build_id_of_file(src.fd, &src.id) < 0 || symbolizer_new(&opts, &s) < 0 ||
	    symbolizer_load(s, &src, &img) < 0)
		return 1;
	if (sym_image_error(img))
		printf("error %s\n", strerrorname_np(-sym_image_error(img)));
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t off = strtoull(line, NULL, 16);

		if (sym_image_resolve(img, off, &f, 1) == 1)
			printf("%llx %s\t%s\n", (unsigned long long)off, f.system_name, f.name);
		else
			printf("%llx \t\n", (unsigned long long)off);
	}
	symbolizer_free(s);
	close(src.fd);
	return 0;
}
