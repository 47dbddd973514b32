/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture_tree - a directory for one test, removed with all that is in it when its scope ends. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

struct tree {
	char path[64];
};

static inline struct tree tree_new(void)
{
	struct tree t = { "/tmp/hotspan-test-XXXXXX" };

	assert_non_null(mkdtemp(t.path));
	return t;
}

static int tree_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static inline void tree_remove(struct tree *t)
{
	nftw(t->path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in it; 32 at a time. Makes the folders on the way. */
static inline const char *tree_path(const struct tree *t, const char *name)
{
	static char paths[32][PATH_MAX];
	static int next;
	char *path = paths[next++ % 32];
	int len = snprintf(path, PATH_MAX, "%s/", t->path);

	for (const char *c = name; *c; c++) {
		path[len] = '\0';
		if (*c == '/')
			mkdir(path, 0755);
		path[len++] = *c;
	}
	path[len] = '\0';
	return path;
}

static inline void tree_write(const struct tree *t, const char *name, const void *data, size_t len)
{
	int fd = open(tree_path(t, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, data, len), 0);
	close(fd);
}

static inline void tree_copy(const struct tree *t, const char *name, const char *from)
{
	struct buf b = BUF_INIT;

	assert_int_equal(file_read_path(AT_FDCWD, from, 256u << 20, &b), 0);
	tree_write(t, name, b.data, b.len);
	buf_fini(&b);
}
