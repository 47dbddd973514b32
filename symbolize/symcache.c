/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/line_code.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symcache_file.h"
#include "symbolize/symcache_sum.h"

struct table {
	const struct symcache_piece *pieces;
	const uint32_t *top;
	uint32_t n, n_top, shift;
};

struct symcache {
	const uint8_t *bytes;
	size_t len;
	uint64_t base;
	struct table tables[SYMCACHE_TABLES];
	const struct symcache_node *nodes;
	const struct symcache_record *functions;
	const uint32_t *files;
	const uint8_t *rows;
	const char *strings;
	uint32_t n_nodes, n_functions, n_files, n_rows, n_strings;
};

static bool place_fits(const struct symcache_header *h, enum symcache_section s)
{
	const struct symcache_place *p = &h->places[s];

	return p->offset >= sizeof(*h) && p->offset % 8 == 0 && p->offset <= h->bytes &&
	       (uint64_t)p->n * symcache_element(s) <= h->bytes - p->offset;
}

static bool header_is_sound(const struct symcache_header *h, const struct build_id *id, uint64_t bytes)
{
	struct symcache_sum sum = SYMCACHE_SUM_INIT;

	if (h->magic != SYMCACHE_MAGIC || h->version != SYMCACHE_VERSION || h->header_bytes != sizeof(*h) ||
	    h->bytes != bytes || !build_id_equal(&h->key, id))
		return false;
	symcache_sum_add(&sum, h, offsetof(struct symcache_header, header_sum));
	if (symcache_sum_end(&sum) != h->header_sum || !h->places[SYMCACHE_STRINGS].n)
		return false;
	for (int s = 0; s < SYMCACHE_SECTIONS; s++)
		if (!place_fits(h, (enum symcache_section)s))
			return false;
	for (int t = 0; t < SYMCACHE_TABLES; t++) {
		const struct symcache_place *top = &h->places[2 * t + SYMCACHE_TOP];

		if (top->n < 2 || top->shift > 31)
			return false;
	}
	return true;
}

/* By pread, not through the mapping: a look at all of it would make all of it resident. */
static int check_body(int fd, const struct symcache_header *h)
{
	struct symcache_sum sum = SYMCACHE_SUM_INIT;
	uint64_t at = sizeof(*h);
	enum { PIECE = 128 * 1024 };
	uint8_t *piece = malloc(PIECE);
	int r = piece ? 0 : -ENOMEM;

	while (!r && at < h->bytes) {
		size_t n = h->bytes - at < PIECE ? (size_t)(h->bytes - at) : PIECE;

		r = file_pread(fd, piece, n, at);
		symcache_sum_add(&sum, piece, r ? 0 : n);
		at += n;
	}
	free(piece);
	if (r == -ENODATA || (!r && symcache_sum_end(&sum) != h->body_sum))
		return -EBADMSG;
	return r;
}

static int map(struct symcache *c, int fd, const struct symcache_header *h)
{
	const struct symcache_place *p = h->places;
	void *bytes = mmap(NULL, (size_t)h->bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	c->bytes = bytes;
	c->len = (size_t)h->bytes;
	c->base = h->base;
	for (int t = 0; t < SYMCACHE_TABLES; t++, p += 2)
		c->tables[t] = (struct table){
			.pieces = (const void *)(c->bytes + p[SYMCACHE_PIECES].offset),
			.top = (const void *)(c->bytes + p[SYMCACHE_TOP].offset),
			.n = p[SYMCACHE_PIECES].n,
			.n_top = p[SYMCACHE_TOP].n,
			.shift = p[SYMCACHE_TOP].shift,
		};
	p = h->places;
	c->rows = c->bytes + p[SYMCACHE_ROWS].offset;
	c->n_rows = p[SYMCACHE_ROWS].n;
	c->nodes = (const void *)(c->bytes + p[SYMCACHE_NODES].offset);
	c->n_nodes = p[SYMCACHE_NODES].n;
	c->functions = (const void *)(c->bytes + p[SYMCACHE_FUNCTIONS].offset);
	c->n_functions = p[SYMCACHE_FUNCTIONS].n;
	c->files = (const void *)(c->bytes + p[SYMCACHE_FILES].offset);
	c->n_files = p[SYMCACHE_FILES].n;
	c->strings = (const char *)c->bytes + p[SYMCACHE_STRINGS].offset;
	c->n_strings = p[SYMCACHE_STRINGS].n;
	/* The last string ends, so every one does. */
	return c->strings[c->n_strings - 1] ? -EBADMSG : 0;
}

static int open_checked(struct symcache *c, int fd, const struct build_id *id)
{
	struct symcache_header h;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
	    (uint64_t)st.st_size < sizeof(h))
		return -EBADMSG;
	r = file_pread(fd, &h, sizeof(h), 0);
	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	if (!header_is_sound(&h, id, (uint64_t)st.st_size))
		return -EBADMSG;
	r = check_body(fd, &h);
	return r < 0 ? r : map(c, fd, &h);
}

int symcache_open(int fd, const struct build_id *id, struct symcache **ret)
{
	struct symcache *c = calloc(1, sizeof(*c));
	int r = c ? open_checked(c, fd, id) : -ENOMEM;

	if (r < 0)
		symcache_free(c);
	else
		*ret = c;
	return r;
}

struct symcache *symcache_free(struct symcache *c)
{
	if (c && c->bytes)
		munmap((void *)c->bytes, c->len);
	free(c);
	return NULL;
}

/* Where a table's last piece at or below an address lies: among n from lo, or the one before those. */
struct search {
	uint32_t lo, n;
};

static struct search search_begin(const struct table *t, uint32_t x)
{
	uint32_t i = x >> t->shift, lo, hi;

	if (i > t->n_top - 2)
		i = t->n_top - 2;
	lo = t->top[i];
	hi = t->top[i + 1];
	hi = hi < t->n ? hi : t->n;
	__builtin_prefetch(&t->pieces[lo]);
	return (struct search){ lo, hi > lo ? hi - lo : 0 };
}

/* The piece; SYMCACHE_NONE when there is none. Without branches: each of them would be a coin toss. */
static uint32_t search_end(const struct table *t, uint32_t x, struct search s)
{
	uint32_t lo = s.lo;

	for (uint32_t half, n = s.n; n; n -= half) {
		half = n - n / 2;
		lo += t->pieces[lo + half - 1].address <= x ? half : 0;
	}
	return lo && lo <= t->n ? lo - 1 : SYMCACHE_NONE;
}

static uint32_t search_value(const struct table *t, uint32_t x, struct search s, uint32_t none)
{
	uint32_t i = search_end(t, x, s);

	return i == SYMCACHE_NONE ? none : t->pieces[i].value;
}

static uint32_t file_name(const struct symcache *c, uint32_t file)
{
	return file < c->n_files ? c->files[file] : 0;
}

/* A block of rows; empty where none is. */
struct block {
	const uint8_t *p, *end;
	uint32_t address;
};

static struct block find_block(const struct symcache *c, uint32_t x, struct search s)
{
	const struct table *t = &c->tables[SYMCACHE_LINES];
	uint32_t i = search_end(t, x, s), from, until;

	if (i == SYMCACHE_NONE)
		return (struct block){ 0 };
	from = t->pieces[i].value;
	until = i + 1 < t->n ? t->pieces[i + 1].value : c->n_rows;
	if (from > until || until > c->n_rows)
		return (struct block){ 0 };
	__builtin_prefetch(c->rows + from);
	return (struct block){ c->rows + from, c->rows + until, t->pieces[i].address };
}

/* file and line at x; zeros when unknown. */
static void find_line(const struct symcache *c, uint32_t x, struct block b, uint32_t *ret_file, uint32_t *ret_line)
{
	struct line_row row = { 0 }, next = { .addr = b.address };

	while ((b.p = line_get(b.p, b.end, &next)) && next.addr <= x)
		row = next;
	*ret_file = row.file ? file_name(c, row.file - 1) : 0;
	*ret_line = row.line;
}

/* The physical frame is called what the symbol table calls it. */
static void name_physical(struct symcache_frame *f, uint32_t symbol)
{
	if (symbol)
		f->linkage = symbol;
	if (!f->name)
		f->name = symbol;
}

static const struct symcache_node *node_at(const struct symcache *c, uint32_t node)
{
	return node < c->n_nodes && c->nodes[node].function < c->n_functions ? &c->nodes[node] : NULL;
}

static void fill(const struct symcache *c, const struct symcache_node *node, struct symcache_frame *f)
{
	const struct symcache_record *r = &c->functions[node->function];

	f->name = r->name;
	f->linkage = r->linkage ? r->linkage : r->name;
	f->start_file = file_name(c, r->file);
	f->start_line = r->line;
	f->language = (uint16_t)r->language;
}

int symcache_find(const struct symcache *c, uint64_t addr, struct symcache_frame *ret, size_t max)
{
	uint32_t x = (uint32_t)(addr - c->base), id, symbol;
	struct symcache_frame f = { 0 };
	struct search at[SYMCACHE_TABLES];
	struct block block;
	size_t n = 0;

	if (addr - c->base > UINT32_MAX || !max)
		return -ENOENT;
	/* All are under way before the first is waited for: most of a search is memory that is not in a cache. */
	for (int t = 0; t < SYMCACHE_TABLES; t++)
		at[t] = search_begin(&c->tables[t], x);
	block = find_block(c, x, at[SYMCACHE_LINES]);
	id = search_value(&c->tables[SYMCACHE_CODE], x, at[SYMCACHE_CODE], SYMCACHE_NONE);
	symbol = search_value(&c->tables[SYMCACHE_SYMBOLS], x, at[SYMCACHE_SYMBOLS], 0);
	find_line(c, x, block, &f.file, &f.line);
	for (const struct symcache_node *node; (node = node_at(c, id)); id = node->parent) {
		fill(c, node, &f);
		if (node->parent >= id) /* also SYMCACHE_NONE: a parent stands before its children */
			break;
		if (n + 1 < max)
			ret[n++] = f;
		f = (struct symcache_frame){ .file = file_name(c, node->call_file), .line = node->call_line };
	}
	name_physical(&f, symbol);
	if (!n && !f.linkage && !f.file && !f.line)
		return -ENOENT;
	ret[n++] = f;
	return (int)n;
}

const char *symcache_string(const struct symcache *c, uint32_t id)
{
	return id < c->n_strings ? c->strings + id : "";
}

size_t symcache_bytes(const struct symcache *c)
{
	return c->len;
}

void symcache_drop_pages(const struct symcache *c)
{
	madvise((void *)c->bytes, c->len, MADV_DONTNEED);
}
