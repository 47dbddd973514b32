/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/path_map.h"

#include <string.h>

#include "base/buf.h"
#include "base/strmap.h"

static bool is_prefix(const char *prefix, size_t n, const char *path)
{
	return n && !strncmp(path, prefix, n) && (!path[n] || path[n] == '/' || prefix[n - 1] == '/');
}

bool path_map_apply(const struct strmap *map, const char *path, struct buf *out)
{
	const struct strmap_entry *best = NULL;
	size_t longest = 0;

	vec_foreach(e, &map->v) {
		size_t n = strlen(e->key);

		if (n <= longest || !is_prefix(e->key, n, path))
			continue;
		best = e;
		longest = n;
	}
	if (!best)
		return false;
	buf_puts(out, best->value);
	buf_puts(out, path + longest);
	return true;
}
