/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * folder - a directory that is ours alone: no link, no other user's, nobody else may write to it, one agent at a time.
 */
#include <stddef.h>

struct folder {
	int fd, lock_fd; /* -1: not open */
};

#define FOLDER_INIT ((struct folder){ -1, -1 })

/*
 * path: made with mode 0700, the one above it has to be there. 0; -EBUSY: another agent has it, *ret_pid says which (0:
 * nobody knows); -ELOOP, -ENOTDIR: it is a link, or no directory; -EPERM: it is another user's, or others may write to it;
 * other negative errno.
 */
int folder_open(const char *path, struct folder *ret, int *ret_pid);
void folder_close(struct folder *f);

/* Why it cannot be had, and the remedy, behind the key of the configuration that names it. Returns r. */
int folder_complain(const char *key, const char *path, int r, int pid, char *err, size_t err_len);
