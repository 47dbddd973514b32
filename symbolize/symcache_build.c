/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symcache_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/symcache_parts.h"
#include "symbolize/symtab.h"

int symcache_build_new(struct symcache_build **ret)
{
	struct symcache_build *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	strpool_add(&b->strings, ""); /* string 0 */
	if (strpool_error(&b->strings)) {
		symcache_build_free(b);
		return -ENOMEM;
	}
	*ret = b;
	return 0;
}

struct symcache_build *symcache_build_free(struct symcache_build *b)
{
	if (!b)
		return NULL;
	strpool_fini(&b->strings);
	htable_fini(&b->file_index);
	htable_fini(&b->function_index);
	vec_fini(&b->files);
	vec_fini(&b->functions);
	vec_fini(&b->nodes);
	spans_fini(&b->ranges);
	spans_fini(&b->symbols);
	spans_fini(&b->lines);
	vec_fini(&b->sequences);
	buf_fini(&b->rows);
	free(b);
	return NULL;
}

int symcache_build_string(struct symcache_build *b, const char *s, size_t len, uint32_t *ret)
{
	uint32_t id;
	bool new;

	if (!len) {
		*ret = 0;
		return 0;
	}
	len = strnlen(s, len < SYMCACHE_STRING_MAX ? len : SYMCACHE_STRING_MAX);
	if (b->string_bytes + len + 1 > SYMCACHE_STRINGS_MAX || b->strings.entries.n >= SYMCACHE_ITEMS_MAX)
		return -E2BIG;
	b->strings.error = 0; /* an earlier refusal was answered then */
	id = strpool_intern(&b->strings, s, len, &new);
	if (strpool_error(&b->strings))
		return -ENOMEM;
	b->string_bytes += new ? len + 1 : 0;
	*ret = id;
	return 0;
}

static bool same_file(const void *ctx, uint32_t id)
{
	const struct symcache_build *b = ((const void *const *)ctx)[0];

	return b->files.v[id] == *((const uint32_t *const *)ctx)[1];
}

int symcache_build_file(struct symcache_build *b, uint32_t path, uint32_t *ret)
{
	const void *const key[] = { b, &path };
	uint64_t hash = hash_u64(path);
	uint32_t id = htable_find(&b->file_index, hash, same_file, key), *new;

	if (id == HTABLE_NONE) {
		if (b->files.n >= SYMCACHE_ITEMS_MAX)
			return -E2BIG;
		new = vec_push(&b->files);
		if (!new)
			return -ENOMEM;
		*new = path;
		id = b->files.n - 1;
		if (htable_insert(&b->file_index, hash, id) < 0) {
			b->files.n--;
			return -ENOMEM;
		}
	}
	*ret = id;
	return 0;
}

static bool same_function(const void *ctx, uint32_t id)
{
	const struct symcache_build *b = ((const void *const *)ctx)[0];
	const struct symcache_function *f = ((const void *const *)ctx)[1], *g = &b->functions.v[id];

	return f->name == g->name && f->linkage == g->linkage && f->file == g->file && f->line == g->line &&
	       f->language == g->language;
}

static uint64_t function_hash(const struct symcache_function *f)
{
	uint64_t h = hash_u64((uint64_t)f->name << 32 | f->linkage);

	return hash_u64(h ^ hash_u64((uint64_t)f->file << 32 | f->line) ^ f->language);
}

int symcache_build_function(struct symcache_build *b, const struct symcache_function *f, uint32_t *ret)
{
	const void *const key[] = { b, f };
	uint64_t hash = function_hash(f);
	uint32_t id = htable_find(&b->function_index, hash, same_function, key);
	struct symcache_function *new;

	if (id == HTABLE_NONE) {
		if (b->functions.n >= SYMCACHE_ITEMS_MAX)
			return -E2BIG;
		new = vec_push(&b->functions);
		if (!new)
			return -ENOMEM;
		*new = *f;
		id = b->functions.n - 1;
		if (htable_insert(&b->function_index, hash, id) < 0) {
			b->functions.n--;
			return -ENOMEM;
		}
	}
	*ret = id;
	return 0;
}

int symcache_build_node(struct symcache_build *b, uint32_t function, uint32_t parent, uint32_t call_file,
			uint32_t call_line, uint32_t *ret)
{
	uint32_t depth = parent == SYMCACHE_NONE ? 0 : build_node_depth(&b->nodes.v[parent]) + 1;
	struct build_node *n;

	if (depth >= SYMCACHE_DEPTH_MAX) {
		*ret = parent;
		return 0;
	}
	if (b->nodes.n >= SYMCACHE_ITEMS_MAX)
		return -E2BIG;
	n = vec_push(&b->nodes);
	if (!n)
		return -ENOMEM;
	*n = (struct build_node){ .function = function, .parent = parent, .call_file = call_file,
				  .call = depth | (call_line < 1u << 24 ? call_line : 0) << 8 };
	*ret = b->nodes.n - 1;
	return 0;
}

int symcache_build_range(struct symcache_build *b, uint32_t node, uint64_t start, uint64_t end)
{
	return b->ranges.n < SYMCACHE_ITEMS_MAX ? spans_add(&b->ranges, start, end, node) : -E2BIG;
}

int symcache_build_symbols(struct symcache_build *b, const struct symtab *t)
{
	for (uint32_t i = 0; i < t->v.n; i++) {
		const struct symbol *s = &t->v.v[i];
		const char *name = symtab_str(t, s->name);
		uint32_t id;
		int r = symcache_build_string(b, name, strlen(name), &id);

		if (r >= 0)
			r = b->symbols.n < SYMCACHE_ITEMS_MAX ? spans_add(&b->symbols, s->addr, s->addr + s->size, id)
							      : -E2BIG;
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Of rows for one address the last holds, and one that says what its predecessor said is none: most files lose a
 * third of their rows here. Addresses that step back (they must not) are passed over.
 */
static int put_rows(struct symcache_build *b, const struct symcache_line *rows, size_t n, uint64_t end)
{
	struct line_row last = { 0 };
	bool any = false;

	for (size_t i = 0; i + 1 < n; i++) {
		struct line_row row = { (uint32_t)(rows[i].address - rows[0].address), rows[i].file + 1, rows[i].line };
		uint8_t *p;

		if (rows[i].address < rows[0].address || rows[i].address >= end || row.addr < last.addr)
			continue;
		if (rows[i + 1].address == rows[i].address)
			continue;
		if (any && row.file == last.file && row.line == last.line)
			continue;
		p = buf_reserve(&b->rows, LINE_CODE_MAX);
		if (!p)
			return -ENOMEM;
		b->rows.len += (size_t)(line_put(p, &last, &row) - p);
		last = row;
		any = true;
	}
	return 0;
}

int symcache_build_lines(struct symcache_build *b, const struct symcache_line *rows, size_t n)
{
	struct build_sequence *s;
	size_t before = b->rows.len;
	uint64_t start, end;
	int r;

	if (n < 2 || rows[n - 1].address <= rows[0].address)
		return 0;
	start = rows[0].address;
	end = rows[n - 1].address - start > UINT32_MAX ? start + UINT32_MAX : rows[n - 1].address;
	if (b->lines.n >= SYMCACHE_ITEMS_MAX || n >= SYMCACHE_ITEMS_MAX ||
	    before + n * LINE_CODE_MAX > (uint64_t)SYMCACHE_ITEMS_MAX * LINE_CODE_MAX)
		return -E2BIG;
	b->rows.error = 0;
	s = vec_push(&b->sequences);
	r = s ? put_rows(b, rows, n, end) : -ENOMEM;
	if (r >= 0)
		r = spans_add(&b->lines, start, end, b->sequences.n - 1);
	if (r < 0) {
		b->sequences.n -= s != NULL;
		b->rows.len = before;
		return r;
	}
	s->at = before;
	s->end = b->rows.len;
	return 0;
}
