/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/go_inlines.h"

/* How many trees have to agree, of how many functions looked at. */
enum { PROBE_TREES = 8, PROBE_FUNCS = 20000, PROBE_ENTRIES = 64 };
#define MAX_LINE (1 << 24)

static uint32_t word(struct go_pclntab *t, uint64_t at)
{
	struct bytes in = go_peek(t, at, 4);

	return (uint32_t)bytes_uint(&in, 4);
}

static uint32_t table_of(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f)
{
	return form->table < f->n_pcdata ? word(t, f->pcdata + 4ull * form->table) : 0;
}

/* The address of a function's tree; 0: it has none. */
static uint64_t tree_of(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f)
{
	uint64_t at = f->pcdata + 4ull * f->n_pcdata, vaddr;
	struct bytes in;
	uint32_t off;

	if (form->tree >= f->n_funcdata)
		return 0;
	if (t->layout >= GO_1_18) {
		off = word(t, at + 4ull * form->tree);
		return off == UINT32_MAX || !t->gofunc ? 0 : t->gofunc + off;
	}
	vaddr = at - t->at + t->vaddr;
	in = go_peek(t, at + (-vaddr & 7) + 8ull * form->tree, 8); /* aligned in memory */
	return bytes_uint(&in, 8);
}

static bool read_entry(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f, uint64_t tree,
		       uint64_t i, struct go_inline *ret)
{
	struct bytes in = elf_peek_address(t->file, tree + i * form->entry_size, form->entry_size);
	uint64_t call;

	bytes_take(&in, form->entry_size == 16 ? 4 : 12); /* what it is to the runtime; parent, file, line */
	ret->name_at = (uint32_t)bytes_uint(&in, 4);
	call = bytes_uint(&in, 4);
	ret->start_line = form->entry_size == 16 ? (uint32_t)bytes_uint(&in, 4) : 0;
	ret->call_pc = f->entry + call;
	return !in.bad && call < f->end - f->entry;
}

int go_inline_at(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f, uint64_t pc,
		 struct go_inline *ret)
{
	uint64_t tree;
	int64_t i;

	if (!form->table || go_value_find(t, f, table_of(t, form, f), pc, &i) < 0 || i < 0)
		return 0;
	tree = tree_of(t, form, f);
	return tree && i <= UINT32_MAX && read_entry(t, form, f, tree, (uint64_t)i, ret);
}

/* Whether an entry of 20 bytes reads as one. */
static bool is_plausible(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f, uint64_t tree,
			 uint64_t i)
{
	struct bytes in = elf_peek_address(t->file, tree + i * form->entry_size, form->entry_size);
	struct go_inline call;
	int64_t parent = bytes_int(&in, 2), file, line;

	bytes_take(&in, 2);
	file = bytes_int(&in, 4);
	line = bytes_int(&in, 4);
	if (in.bad || parent < -1 || parent >= (int64_t)i || file <= 0 || line <= 0 || line > MAX_LINE ||
	    !read_entry(t, form, f, tree, i, &call))
		return false;
	in = go_peek(t, t->names + call.name_at, 2);
	return bytes_u8(&in) > ' ' && bytes_u8(&in) > ' ';
}

/* 1: the function has a tree, and all of it reads as one. 0: it has none. -1: something else is there. */
static int try_tree(struct go_pclntab *t, const struct go_inlines *form, const struct go_func *f)
{
	uint32_t table = table_of(t, form, f);
	uint64_t tree = tree_of(t, form, f);
	struct go_sp_run run;
	struct go_sp step;
	int64_t max = -1;

	if (!table || !tree)
		return 0;
	go_values_begin(&run, t, f, table);
	while (go_sp_next(&run, &step) > 0)
		max = step.value > max ? step.value : max;
	if (max < 0)
		return 0;
	for (int64_t i = 0; i <= max; i++)
		if (i > PROBE_ENTRIES || !is_plausible(t, form, f, tree, (uint64_t)i))
			return -1;
	return 1;
}

static bool agrees(struct go_pclntab *t, const struct go_inlines *form)
{
	int votes = 0;
	struct go_func f;

	for (uint32_t i = 0; i < t->n_funcs && i < PROBE_FUNCS && votes > -PROBE_TREES && votes < PROBE_TREES; i++)
		if (go_func_read(t, i, &f) >= 0 && f.entry < f.end)
			votes += try_tree(t, form, &f);
	return votes > 0;
}

struct go_inlines go_inlines_find(struct go_pclntab *t)
{
	static const struct go_inlines old[] = { { 4, 2, 20 }, { 2, 1, 20 } };

	if (t->layout != GO_1_2)
		return (struct go_inlines){ 3, 2, t->layout == GO_1_20 ? 16 : 20 };
	for (uint32_t i = 0; i < 2; i++)
		if (agrees(t, &old[i]))
			return old[i];
	return (struct go_inlines){ 0 };
}
