/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * path_map - where sources lay when they were compiled, and where they are for who reads the profile.
 *
 *	/build/src -> /home/me/app     /build/src/list.c becomes /home/me/app/list.c
 *
 * A prefix ends where a name of the path ends: /build/src is none of /build/src2. The longest that fits is
 * taken, once.
 */
#include <stdbool.h>

struct buf;
struct strmap;

/* Appends the path as it is now. false: no prefix of the map fits, nothing was appended. */
bool path_map_apply(const struct strmap *map, const char *path, struct buf *out);
