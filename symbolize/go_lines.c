/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/go_lines.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strpool.h"
#include "symbolize/go_inlines.h"
#include "symbolize/go_pclntab.h"

enum { BLOCKS = 64 }; /* of 16 KiB */

struct go_lines {
	struct go_pclntab *table;
	struct go_inlines inlines;
};

int go_lines_new(const struct elf_image *img, struct go_lines **ret)
{
	struct go_lines *g = calloc(1, sizeof(*g));
	int r = g ? go_pclntab_open(img, &g->table) : -ENOMEM;

	if (r < 0) {
		free(g);
		return r;
	}
	g->inlines = go_inlines_find(g->table);
	elf_peek_limit(g->table->file, BLOCKS);
	go_lines_rest(g);
	*ret = g;
	return 0;
}

struct go_lines *go_lines_free(struct go_lines *g)
{
	if (!g)
		return NULL;
	go_pclntab_free(g->table);
	free(g);
	return NULL;
}

int go_lines_range(struct go_lines *g, uint64_t *ret_start, uint64_t *ret_end)
{
	return go_pclntab_range(g->table, ret_start, ret_end);
}

void go_lines_forget(struct go_lines *g)
{
	elf_peek_forget(g->table->file);
}

void go_lines_rest(struct go_lines *g)
{
	g->table->steps = GO_STEPS_MAX;
	go_lines_forget(g);
}

/* A string of the table, in pieces. NULL: there is none, it is empty, or the round has had its share. */
static const char *read_string(struct go_pclntab *t, uint64_t at, struct strpool *names)
{
	char text[GO_STRING_MAX];
	size_t len = 0, n = 0, piece = PEEK_MAX;

	while (n == len && len + PEEK_MAX <= sizeof(text)) {
		struct bytes in = go_peek(t, at + len, PEEK_MAX);

		piece = bytes_left(&in);
		if (!piece)
			break;
		memcpy(text + len, in.at, piece);
		n = len + strnlen(text + len, piece);
		len += piece;
	}
	if (!n || t->steps < n)
		return NULL;
	t->steps -= (uint32_t)n;
	return strpool_str(names, strpool_add_len(names, text, n));
}

static const char *file_by_number(struct go_pclntab *t, const struct go_func *f, int64_t number,
				  struct strpool *names)
{
	bool old = t->layout == GO_1_2;
	uint64_t n = (uint64_t)number;
	struct bytes in;
	uint32_t off;

	if (number < 0 || number > UINT32_MAX || (!number && old))
		return NULL;
	in = go_peek(t, t->files, 4);
	if (old && n >= bytes_uint(&in, 4)) /* how many there are */
		return NULL;
	in = go_peek(t, old ? t->files + 4 * n : t->units + 4 * (f->unit + n), 4);
	off = (uint32_t)bytes_uint(&in, 4);
	if (in.bad || off == UINT32_MAX)
		return NULL;
	return read_string(t, (old ? t->at : t->files) + off, names);
}

static void place(struct go_pclntab *t, const struct go_func *f, uint64_t pc, struct strpool *names,
		  struct go_line *ret)
{
	int64_t number, line;

	if (go_value_find(t, f, f->file, pc, &number) < 0)
		return;
	ret->file = file_by_number(t, f, number, names);
	if (ret->file && go_value_find(t, f, f->line, pc, &line) >= 0 && line > 0 && line <= INT32_MAX)
		ret->line = (uint32_t)line;
}

int go_lines_find(struct go_lines *g, uint64_t vaddr, struct strpool *names, struct go_line *ret, size_t max)
{
	struct go_pclntab *t = g->table;
	uint64_t pc = vaddr;
	struct go_inline call;
	struct go_func f;
	size_t n = 0;

	if (!max || go_func_find(t, vaddr, &f) < 0)
		return -ENOENT;
	for (int depth = 0; depth < GO_DEPTH_MAX && go_inline_at(t, &g->inlines, &f, pc, &call); depth++) {
		struct go_line at = { .start_line = call.start_line };

		at.name = read_string(t, t->names + call.name_at, names);
		place(t, &f, pc, names, &at);
		if (n + 1 < max && at.name)
			ret[n++] = at;
		pc = call.call_pc;
	}
	ret[n] = (struct go_line){ .start_line = f.start_line };
	ret[n].name = read_string(t, t->names + f.name_at, names);
	place(t, &f, pc, names, &ret[n]);
	if (strpool_error(names))
		return -ENOMEM;
	return ret[n].name ? (int)n + 1 : -ENOENT;
}
