/* SPDX-License-Identifier: Apache-2.0 */
/* A symcache_build that keeps all it is told and finds nothing fast: what the scanner is tested against. */
#include "fixture_symcache.h"

#include <errno.h>
#include <stdlib.h>

int symcache_build_new(struct symcache_build **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct symcache_build *symcache_build_free(struct symcache_build *b)
{
	if (!b)
		return NULL;
	strpool_fini(&b->strings);
	strpool_fini(&b->files);
	strpool_fini(&b->functions);
	vec_fini(&b->nodes);
	vec_fini(&b->ranges);
	vec_fini(&b->rows);
	free(b);
	return NULL;
}

int symcache_build_string(struct symcache_build *b, const char *s, size_t len, uint32_t *ret)
{
	*ret = strpool_add_len(&b->strings, s, len);
	return strpool_error(&b->strings) ? -ENOMEM : 0;
}

static int intern(struct strpool *p, const void *key, size_t len, uint32_t *ret)
{
	bool new;

	*ret = strpool_intern(p, key, len, &new) - 1;
	return strpool_error(p) ? -ENOMEM : 0;
}

int symcache_build_file(struct symcache_build *b, uint32_t path, uint32_t *ret)
{
	return intern(&b->files, &path, sizeof(path), ret);
}

int symcache_build_function(struct symcache_build *b, const struct symcache_function *f, uint32_t *ret)
{
	struct symcache_function copy;

	memset(&copy, 0, sizeof(copy)); /* the hole at its end is part of the key */
	copy.name = f->name;
	copy.linkage = f->linkage;
	copy.file = f->file;
	copy.line = f->line;
	copy.language = f->language;
	return intern(&b->functions, &copy, sizeof(copy), ret);
}

int symcache_build_node(struct symcache_build *b, uint32_t function, uint32_t parent, uint32_t call_file,
			uint32_t call_line, uint32_t *ret)
{
	struct fixture_node *n = vec_push(&b->nodes);

	if (!n)
		return -ENOMEM;
	*n = (struct fixture_node){ function, parent, call_file, call_line,
				    parent == SYMCACHE_NONE ? 0 : b->nodes.v[parent].depth + 1 };
	*ret = b->nodes.n - 1;
	return 0;
}

int symcache_build_range(struct symcache_build *b, uint32_t node, uint64_t start, uint64_t end)
{
	struct fixture_range *r = vec_push(&b->ranges);

	if (!r)
		return -ENOMEM;
	*r = (struct fixture_range){ start, end, node };
	return 0;
}

int symcache_build_lines(struct symcache_build *b, const struct symcache_line *rows, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		struct fixture_row *r = vec_push(&b->rows);

		if (!r)
			return -ENOMEM;
		if (rows[i].address > rows[i + 1].address)
			abort();
		*r = (struct fixture_row){ rows[i].address, rows[i + 1].address, rows[i].file, rows[i].line };
	}
	return 0;
}

const char *fixture_file(const struct symcache_build *b, uint32_t file)
{
	uint32_t path = 0;

	if (file == SYMCACHE_NONE)
		return "";
	memcpy(&path, strpool_str(&b->files, file + 1), sizeof(path));
	return strpool_str(&b->strings, path);
}

const struct symcache_function *fixture_function(const struct symcache_build *b, uint32_t function)
{
	return (const void *)strpool_str(&b->functions, function + 1);
}

uint32_t fixture_node_at(const struct symcache_build *b, uint64_t address)
{
	uint32_t best = SYMCACHE_NONE;

	vec_foreach (r, &b->ranges)
		if (address >= r->start && address < r->end &&
		    (best == SYMCACHE_NONE || b->nodes.v[r->node].depth > b->nodes.v[best].depth))
			best = r->node;
	return best;
}

const struct fixture_row *fixture_row_at(const struct symcache_build *b, uint64_t address)
{
	vec_foreach (r, &b->rows)
		if (address >= r->start && address < r->end)
			return r;
	return NULL;
}
