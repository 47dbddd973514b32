/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t store(struct symtab *t, const char *s, size_t len)
{
	size_t at;

	if (!t->names.len)
		buf_putc(&t->names, '\0');
	at = t->names.len;
	buf_append(&t->names, s, len);
	buf_putc(&t->names, '\0');
	return buf_error(&t->names) || t->names.len > UINT32_MAX ? 0 : (uint32_t)at;
}

int symtab_add(struct symtab *t, uint64_t addr, uint64_t size, const char *name, size_t name_len,
	       uint32_t module, enum symbol_rank rank)
{
	struct symbol *s = vec_push(&t->v);
	uint32_t at = s ? store(t, name, name_len) : 0;

	if (!at) {
		t->v.n -= s != NULL;
		return -ENOMEM;
	}
	*s = (struct symbol){ .addr = addr, .size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX, .name = at,
			      .module = module, .rank = (uint8_t)rank, .sized = size != 0 };
	return 0;
}

uint32_t symtab_module(struct symtab *t, const char *name, size_t len)
{
	return store(t, name, len);
}

const char *symtab_str(const struct symtab *t, uint32_t offset)
{
	return offset < t->names.len ? (const char *)t->names.data + offset : "";
}

static size_t underscores(const char *s)
{
	return strspn(s, "_");
}

/* By address; of equal addresses the one to keep comes first. */
static int by_address(const void *a, const void *b, void *ctx)
{
	const struct symtab *t = ctx;
	const struct symbol *x = a, *y = b;
	const char *xs, *ys;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	xs = symtab_str(t, x->name);
	ys = symtab_str(t, y->name);
	if (underscores(xs) != underscores(ys))
		return underscores(xs) < underscores(ys) ? -1 : 1;
	return strcmp(xs, ys);
}

enum { DIGIT = 11 };

/* One pass: stable, by DIGIT bits of the distance from base. */
static void sort_digit(const struct symbol *from, struct symbol *to, uint32_t n, uint64_t base, uint32_t shift)
{
	uint32_t at[1 << DIGIT] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < n; i++)
		at[(from[i].addr - base) >> shift & ((1 << DIGIT) - 1)]++;
	for (uint32_t d = 0; d < 1 << DIGIT; d++) {
		uint32_t count = at[d];

		at[d] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < n; i++)
		to[at[(from[i].addr - base) >> shift & ((1 << DIGIT) - 1)]++] = from[i];
}

static void sort_aliases(struct symtab *t)
{
	for (uint32_t i = 0, end; i < t->v.n; i = end) {
		for (end = i + 1; end < t->v.n && t->v.v[end].addr == t->v.v[i].addr;)
			end++;
		if (end - i > 1)
			qsort_r(t->v.v + i, end - i, sizeof(*t->v.v), by_address, t);
	}
}

/* By digits of the address: with qsort() the first name in node's 78,000 symbols cost 57 ms, so 41 (bench/). */
static void sort(struct symtab *t)
{
	struct symbol *to = t->v.n ? calloc(t->v.n, sizeof(*to)) : NULL, *from = t->v.v;
	uint64_t low = UINT64_MAX, high = 0;

	if (!to) {
		if (t->v.n)
			qsort_r(t->v.v, t->v.n, sizeof(*t->v.v), by_address, t);
		return;
	}
	vec_foreach(x, &t->v) {
		low = x->addr < low ? x->addr : low;
		high = x->addr > high ? x->addr : high;
	}
	for (uint32_t shift = 0; shift < 64 && (high - low) >> shift; shift += DIGIT) {
		struct symbol *swap = from;

		sort_digit(from, to, t->v.n, low, shift);
		from = to;
		to = swap;
	}
	if (from != t->v.v) {
		memcpy(t->v.v, from, t->v.n * sizeof(*from));
		to = from;
	}
	free(to);
	sort_aliases(t);
}

/* The first of each address stays; it takes the size of an alias when it has none itself. */
static void drop_aliases(struct symtab *t)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->v.n; i++) {
		struct symbol *s = &t->v.v[i], *last = kept ? &t->v.v[kept - 1] : NULL;

		if (!last || last->addr != s->addr) {
			t->v.v[kept++] = *s;
		} else if (!last->sized && s->sized) {
			last->size = s->size;
			last->sized = 1;
		}
	}
	t->v.n = kept;
}

/* A label inside a function is a place, not a function: unsized symbols give way to what covers them. */
static void drop_labels(struct symtab *t)
{
	uint64_t covered = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->v.n; i++) {
		const struct symbol *s = &t->v.v[i];

		if (!s->sized && s->addr < covered)
			continue;
		if (s->sized && s->addr + s->size > covered)
			covered = s->addr + s->size;
		t->v.v[kept++] = *s;
	}
	t->v.n = kept;
}

static void give_back_spare(struct symtab *t)
{
	void *exact = t->v.n ? realloc(t->v.v, t->v.n * sizeof(*t->v.v)) : NULL;

	if (exact) {
		t->v.v = exact;
		t->v.cap = t->v.n;
	}
	exact = t->names.len ? realloc(t->names.data, t->names.len) : NULL;
	if (exact) {
		t->names.data = exact;
		t->names.cap = t->names.len;
	}
}

void symtab_finish(struct symtab *t, uint64_t max_gap)
{
	sort(t);
	drop_aliases(t);
	drop_labels(t);
	for (uint32_t i = 0; i < t->v.n; i++) {
		struct symbol *s = &t->v.v[i];
		uint64_t gap = i + 1 < t->v.n ? t->v.v[i + 1].addr - s->addr : max_gap;

		if (!s->sized)
			s->size = (uint32_t)(gap < max_gap ? gap : max_gap);
	}
	give_back_spare(t);
}

/* A large symbol may enclose smaller ones: when the nearest does not cover addr, a few before it may. */
const struct symbol *symtab_find(const struct symtab *t, uint64_t addr)
{
	uint32_t lo = 0, hi = t->v.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->v.v[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (uint32_t back = 0; lo && back < 16; lo--, back++) {
		const struct symbol *s = &t->v.v[lo - 1];

		if (addr - s->addr < s->size)
			return s;
	}
	return NULL;
}

size_t symtab_bytes(const struct symtab *t)
{
	return t->v.cap * sizeof(*t->v.v) + t->names.cap;
}

void symtab_fini(struct symtab *t)
{
	vec_fini(&t->v);
	buf_fini(&t->names);
}
