/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of a builder. Each table is finished, written and let go before the next one is made, and what
 * nothing refers to any more (functions of removed code, a third of libjvm's) is not written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/symcache_file.h"
#include "symbolize/symcache_out.h"
#include "symbolize/symcache_parts.h"
#include "symbolize/symcache_table.h"

struct writer {
	struct symcache_build *b;
	struct symcache_header h;
	struct symcache_out out;
	struct symcache_build_table code, symbols, lines;
	uint32_t *node_ids, *function_ids; /* new numbers; SYMCACHE_NONE: nothing refers to it; of nodes, while sweeping: its root */
	uint32_t *strings;                 /* new offsets; while marking: 1 is in use */
	/* of lines */
	struct line_row last; /* written */
	uint32_t in_block;
	uint64_t rows_at; /* place in the file */
	uint64_t next;    /* where the last piece ended */
};

static void writer_fini(struct writer *w)
{
	symcache_table_fini(&w->code);
	symcache_table_fini(&w->symbols);
	symcache_table_fini(&w->lines);
	free(w->node_ids);
	free(w->function_ids);
	free(w->strings);
	free(w);
}

/*
 * The function added first, of it the deepest node, then the one added first. Functions lie over each other where a linker kept one
 * of several copies and points the others' debug information at it, too; the copies need not be inlined alike. What it kept is the first.
 */
static bool node_wins(const void *ctx, const struct span *x, const struct span *y)
{
	const struct writer *w = ctx;
	uint32_t fx = w->node_ids[x->id], fy = w->node_ids[y->id];
	uint32_t dx = build_node_depth(&w->b->nodes.v[x->id]), dy = build_node_depth(&w->b->nodes.v[y->id]);

	return fx != fy ? fx < fy : dx != dy ? dx > dy : x->id < y->id;
}

static int find_roots(struct writer *w)
{
	const struct symcache_build *b = w->b;

	w->node_ids = malloc((b->nodes.n + 1ul) * sizeof(uint32_t));
	if (!w->node_ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->nodes.n; i++)
		w->node_ids[i] = b->nodes.v[i].parent == SYMCACHE_NONE ? i : w->node_ids[b->nodes.v[i].parent];
	return 0;
}

static int code_piece(void *ctx, uint64_t start, uint64_t end, const struct span *owner)
{
	struct writer *w = ctx;

	return symcache_table_piece(&w->code, start - w->h.base, end - w->h.base, owner->id);
}

/* The nearest start below an address, as in symtab_find(). */
static bool symbol_wins(const void *ctx, const struct span *x, const struct span *y)
{
	return x->start != y->start ? x->start > y->start : x < y;
}

static int symbol_piece(void *ctx, uint64_t start, uint64_t end, const struct span *owner)
{
	struct writer *w = ctx;

	return symcache_table_piece(&w->symbols, start - w->h.base, end - w->h.base, owner->id);
}

static bool line_wins(const void *ctx, const struct span *x, const struct span *y)
{
	return x->id < y->id;
}

static int put_line(struct writer *w, uint64_t addr, uint32_t file, uint32_t line)
{
	struct line_row row = { (uint32_t)addr, file, line };
	uint8_t bytes[LINE_CODE_MAX];
	uint64_t at = symcache_out_at(&w->out) - w->rows_at;

	if (addr > UINT32_MAX || (row.file == w->last.file && row.line == w->last.line))
		return 0;
	if (at > UINT32_MAX - LINE_CODE_MAX)
		return -EFBIG;
	if (w->in_block == 0 || w->in_block == SYMCACHE_BLOCK) {
		if (symcache_table_row(&w->lines, row.addr, (uint32_t)at) < 0)
			return -ENOMEM;
		w->last = (struct line_row){ .addr = row.addr };
		w->in_block = 0;
	}
	symcache_out_put(&w->out, bytes, (size_t)(line_put(bytes, &w->last, &row) - bytes));
	w->last = row;
	w->in_block++;
	return w->out.error;
}

/* The next row of a sequence when it lies at or below addr, counted from the sequence's start. */
static bool advance(const struct symcache_build *b, struct build_sequence *s, uint64_t addr)
{
	struct line_row row = s->row;
	const uint8_t *after = line_get(b->rows.data + s->at, b->rows.data + s->end, &row);

	if (!after || row.addr > addr)
		return false;
	s->row = row;
	s->at = (uint64_t)(after - b->rows.data);
	return true;
}

/* Pieces of one sequence come in ascending order, so each of its rows is read once. */
static int line_piece(void *ctx, uint64_t start, uint64_t end, const struct span *owner)
{
	struct writer *w = ctx;
	struct build_sequence *s = &w->b->sequences.v[owner->id];
	uint64_t from = owner->start - w->h.base;
	int r = w->next < start - w->h.base ? put_line(w, w->next, 0, 0) : 0;

	while (advance(w->b, s, start - owner->start))
		;
	if (!r)
		r = put_line(w, start - w->h.base, s->row.file, s->row.line);
	while (!r && advance(w->b, s, end - owner->start - 1))
		r = put_line(w, from + s->row.addr, s->row.file, s->row.line);
	w->next = end - w->h.base;
	return r;
}

static int write_lines(struct writer *w)
{
	const struct spans_sweep how = { line_wins, line_piece, w };
	struct symcache_place *place = &w->h.places[SYMCACHE_ROWS];
	int r;

	place->offset = w->rows_at = symcache_out_align(&w->out);
	r = spans_sweep(&w->b->lines, &how);
	if (!r)
		r = put_line(w, w->next, 0, 0);
	place->n = (uint32_t)(symcache_out_at(&w->out) - w->rows_at);
	spans_fini(&w->b->lines);
	vec_fini(&w->b->sequences);
	buf_fini(&w->b->rows);
	if (!r)
		r = symcache_table_write(&w->lines, SYMCACHE_LINES, &w->out, &w->h);
	symcache_table_fini(&w->lines);
	return r;
}

static void use_function(struct writer *w, uint32_t id)
{
	const struct symcache_function *f = &w->b->functions.v[id];

	w->function_ids[id] = 0;
	w->strings[f->name] = w->strings[f->linkage] = 1;
}

static uint32_t number(uint32_t *ids, uint32_t n)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < n; i++)
		if (ids[i] != SYMCACHE_NONE)
			ids[i] = next++;
	return next;
}

/* Whatever an address can lead to. */
static int mark(struct writer *w)
{
	struct symcache_build *b = w->b;

	w->function_ids = malloc((b->functions.n + 1ul) * sizeof(uint32_t));
	w->strings = calloc(b->strings.entries.n + 1ul, sizeof(uint32_t));
	if (!w->function_ids || !w->strings)
		return -ENOMEM;
	memset(w->node_ids, 0xff, b->nodes.n * sizeof(uint32_t));
	memset(w->function_ids, 0xff, b->functions.n * sizeof(uint32_t));
	for (uint32_t i = 0; i < w->code.v.n; i++)
		for (uint32_t n = w->code.v.v[i].value; n != SYMCACHE_NONE && w->node_ids[n]; n = b->nodes.v[n].parent) {
			w->node_ids[n] = 0;
			use_function(w, b->nodes.v[n].function);
		}
	for (uint32_t i = 0; i < w->symbols.v.n; i++)
		w->strings[w->symbols.v.v[i].value] = 1;
	for (uint32_t i = 0; i < b->files.n; i++)
		w->strings[b->files.v[i]] = 1;
	w->h.places[SYMCACHE_NODES].n = number(w->node_ids, b->nodes.n);
	w->h.places[SYMCACHE_FUNCTIONS].n = number(w->function_ids, b->functions.n);
	return 0;
}

static void write_strings(struct writer *w)
{
	const struct strpool *pool = &w->b->strings;
	struct symcache_place *place = &w->h.places[SYMCACHE_STRINGS];
	uint64_t start = place->offset = symcache_out_align(&w->out);

	for (uint32_t id = 0; id < pool->entries.n; id++) {
		if (id && !w->strings[id])
			continue;
		w->strings[id] = (uint32_t)(symcache_out_at(&w->out) - start);
		symcache_out_put(&w->out, strpool_str(pool, id), strpool_len(pool, id) + 1ul);
	}
	place->n = (uint32_t)(symcache_out_at(&w->out) - start); /* within SYMCACHE_STRINGS_MAX */
}

static void write_records(struct writer *w)
{
	const struct symcache_build *b = w->b;

	w->h.places[SYMCACHE_NODES].offset = symcache_out_align(&w->out);
	for (uint32_t i = 0; i < b->nodes.n; i++) {
		const struct build_node *n = &b->nodes.v[i];
		struct symcache_node node = { .parent = SYMCACHE_NONE, .call_file = n->call_file,
					      .call_line = n->call >> 8 };

		if (w->node_ids[i] == SYMCACHE_NONE)
			continue;
		node.function = w->function_ids[n->function];
		if (n->parent != SYMCACHE_NONE)
			node.parent = w->node_ids[n->parent];
		symcache_out_put(&w->out, &node, sizeof(node));
	}
	w->h.places[SYMCACHE_FUNCTIONS].offset = symcache_out_align(&w->out);
	for (uint32_t i = 0; i < b->functions.n; i++) {
		const struct symcache_function *f = &b->functions.v[i];
		struct symcache_record record = { w->strings[f->name], w->strings[f->linkage], f->file, f->line,
						  f->language };

		if (w->function_ids[i] != SYMCACHE_NONE)
			symcache_out_put(&w->out, &record, sizeof(record));
	}
	w->h.places[SYMCACHE_FILES] = (struct symcache_place){ .offset = symcache_out_align(&w->out), .n = b->files.n };
	for (uint32_t i = 0; i < b->files.n; i++)
		symcache_out_put(&w->out, &w->strings[b->files.v[i]], sizeof(uint32_t));
}

/* Lines first: they are the largest, and nothing but files is referred to by them. */
static int write_body(struct writer *w)
{
	const struct spans_sweep code = { node_wins, code_piece, w }, symbols = { symbol_wins, symbol_piece, w };
	struct symcache_build *b = w->b;
	int r = write_lines(w);

	if (!r)
		r = find_roots(w);
	if (!r)
		r = spans_sweep(&b->ranges, &code);
	if (!r)
		r = symcache_table_end(&w->code);
	spans_fini(&b->ranges);
	if (!r)
		r = spans_sweep(&b->symbols, &symbols);
	if (!r)
		r = symcache_table_end(&w->symbols);
	spans_fini(&b->symbols);
	if (!r)
		r = mark(w);
	if (r)
		return r;
	write_strings(w);
	write_records(w);
	for (uint32_t i = 0; i < w->code.v.n; i++)
		if (w->code.v.v[i].value != SYMCACHE_NONE)
			w->code.v.v[i].value = w->node_ids[w->code.v.v[i].value];
	for (uint32_t i = 0; i < w->symbols.v.n; i++)
		w->symbols.v.v[i].value = w->strings[w->symbols.v.v[i].value];
	r = symcache_table_write(&w->code, SYMCACHE_CODE, &w->out, &w->h);
	return r ? r : symcache_table_write(&w->symbols, SYMCACHE_SYMBOLS, &w->out, &w->h);
}

static int write_header(struct writer *w, int fd, const struct build_id *key)
{
	struct symcache_sum sum = SYMCACHE_SUM_INIT;
	ssize_t n;

	w->h.magic = SYMCACHE_MAGIC;
	w->h.version = SYMCACHE_VERSION;
	w->h.header_bytes = sizeof(w->h);
	w->h.bytes = symcache_out_at(&w->out);
	w->h.key = *key;
	w->h.body_sum = symcache_sum_end(&w->out.sum);
	symcache_sum_add(&sum, &w->h, offsetof(struct symcache_header, header_sum));
	w->h.header_sum = symcache_sum_end(&sum);
	n = pwrite(fd, &w->h, sizeof(w->h), 0);
	return n == sizeof(w->h) ? 0 : n < 0 ? -errno : -ENOSPC;
}

static int sort_all(struct writer *w)
{
	struct spans *all[] = { &w->b->ranges, &w->b->symbols, &w->b->lines };
	int r = 0;

	w->h.base = UINT64_MAX;
	for (size_t i = 0; i < 3 && r >= 0; i++) {
		r = spans_sort(all[i]);
		if (r >= 0 && all[i]->n && all[i]->v[0].start < w->h.base)
			w->h.base = all[i]->v[0].start;
	}
	return r;
}

int symcache_build_write(struct symcache_build *b, int fd, const struct build_id *key)
{
	struct writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->b = b;
	w->code.none = SYMCACHE_NONE;
	htable_fini(&b->file_index);
	htable_fini(&b->function_index);
	htable_fini(&b->strings.index);
	symcache_out_begin(&w->out, fd, sizeof(w->h));
	r = sort_all(w);
	if (!r)
		r = write_body(w);
	if (!r)
		r = symcache_out_end(&w->out);
	if (!r)
		r = write_header(w, fd, key);
	writer_fini(w);
	return r;
}
