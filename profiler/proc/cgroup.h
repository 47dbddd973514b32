/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cgroup - paths of cgroup v2 ids, remembered from their first sight: a container's cgroup is gone
 * soon after it ends.
 *
 * The id of a sample is the kernfs node id; open_by_handle_at() turns it into the folder, whose path
 * below the cgroup2 mount is what systemd-cgls shows ("/system.slice/nginx.service").
 * Memory: bounded to 8,192 cgroups; when so many have come, all are forgotten and looked up anew.
 */
#include <stdint.h>

struct cgroups;

int cgroups_new(struct cgroups **ret);
struct cgroups *cgroups_free(struct cgroups *t);

/* Looks the id up unless it is known; failures are remembered too. */
void cgroups_note(struct cgroups *t, uint64_t id);
/* "" for an id without a name. Borrowed until the next cgroups_note(). */
const char *cgroups_path(const struct cgroups *t, uint64_t id);
/* The id of a path below the cgroup2 mount ("/" or "system.slice"), and an open folder: for filters.
 * Returns the descriptor or negative errno. */
int cgroups_open(const struct cgroups *t, const char *path);
