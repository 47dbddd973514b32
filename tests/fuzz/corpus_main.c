/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over every file of a folder: the corpus as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int main(int argc, char **argv)
{
	_cleanup_(closedirp) DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *e;
	int n = 0;

	if (!dir) {
		fprintf(stderr, "usage: %s FOLDER (%s)\n", argv[0], argc == 2 ? argv[1] : "none given");
		return 2;
	}
	while ((e = readdir(dir))) {
		_cleanup_(buf_fini) struct buf b = BUF_INIT;

		if (e->d_name[0] == '.')
			continue;
		if (file_read_path(dirfd(dir), e->d_name, 64u << 20, &b) < 0) {
			fprintf(stderr, "cannot read %s\n", e->d_name);
			return 1;
		}
		LLVMFuzzerTestOneInput(b.data, b.len);
		n++;
	}
	printf("%d inputs\n", n);
	return n ? 0 : 1;
}
