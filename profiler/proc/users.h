/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * users - the names of the host's users, by number.
 *
 * Not getpwuid(): that may ask a directory server, for seconds and on the loop thread, and in a container it reads the
 * image's list, which has other people in it than the host.
 * Memory: the file as it is, and 8 bytes a line; read again when it has changed, since the file's state is looked at with
 * each question. Threads: one.
 */
#include <stdint.h>

struct users;

/* Where the host's list is: below the first process's root, which is the host's from a container that shares the host's
 * processes too; where that is not ours to read, our own. */
const char *users_host(void);

/* path: lines as in passwd(5). One that cannot be read has no names in it. 0 or -ENOMEM. */
int users_new(const char *path, struct users **ret);
struct users *users_free(struct users *u);

/* Borrowed until the next question. NULL: nobody has that number. Of two the first line counts. */
const char *users_name(struct users *u, uint32_t uid);
