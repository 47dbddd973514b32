/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/line_program.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

/* Rows of one sequence: sqlite's whole text has 150,000. 16 MiB of them. */
#define ROWS_MAX (1u << 20)

struct machine {
	struct dwarf_line_files *lf;
	struct dwarf_live *live;
	struct symcache_build *out;
	struct buf *path;
	struct dwarf_line_rows *rows;
	struct dwarf_line_stats *stats;
	uint64_t address, file;
	uint64_t known_file; /* number whose id is file_id */
	uint32_t op_index, line, file_id;
	bool unsorted;
};

static void reset(struct machine *m)
{
	m->address = 0;
	m->op_index = 0;
	m->file = 1;
	m->line = 1;
	m->unsorted = false;
	m->rows->v.n = 0;
}

static int by_address(const void *pa, const void *pb)
{
	const struct symcache_line *a = pa, *b = pb;

	return a->address < b->address ? -1 : a->address > b->address;
}

/* A producer that goes back in a sequence is wrong; its rows still say something. The last one is the end. */
static void sort_rows(struct dwarf_line_rows *rows)
{
	struct symcache_line *v = rows->v.v;
	uint32_t n = 0, last = rows->v.n - 1;
	uint64_t end = v[last].address;

	qsort(v, last, sizeof(*v), by_address);
	for (uint32_t i = 0; i < last; i++)
		if (v[i].address < end && (!n || v[n - 1].address < v[i].address))
			v[n++] = v[i];
	v[n++] = (struct symcache_line){ .address = end };
	rows->v.n = n;
}

/* The rows so far are a sequence; the last one marks its end. */
static int hand_on(struct machine *m)
{
	struct dwarf_line_rows *rows = m->rows;
	struct dwarf_range range;

	if (m->unsorted && rows->v.n)
		sort_rows(rows);
	m->unsorted = false;
	if (rows->v.n < 2)
		return 0;
	range = (struct dwarf_range){ rows->v.v[0].address, rows->v.v[rows->v.n - 1].address };
	if (!dwarf_live_clip(m->live, &range)) {
		m->stats->dead_sequences++;
		return 0;
	}
	m->stats->sequences++;
	m->stats->rows += rows->v.n;
	return symcache_build_lines(m->out, rows->v.v, rows->v.n);
}

static int push(struct machine *m, struct symcache_line row)
{
	struct symcache_line *slot = vec_push(&m->rows->v);

	if (!slot)
		return -ENOMEM;
	*slot = row;
	return 0;
}

static int append_row(struct machine *m)
{
	struct dwarf_line_rows *rows = m->rows;
	struct symcache_line row = { .address = m->address, .line = m->line }, *last;
	int r;

	if (m->file != m->known_file) {
		r = dwarf_line_files_id(m->lf, m->file, m->out, m->path, &m->file_id);
		if (r < 0)
			return r;
		m->known_file = m->file;
	}
	row.file = m->file_id;
	if (!rows->v.n)
		return push(m, row);
	last = &rows->v.v[rows->v.n - 1];
	if (row.address == last->address) {
		rows->v.n--;
		if (!rows->v.n)
			return push(m, row);
		last--;
	}
	if (row.address < last->address)
		m->unsorted = true;
	else if (row.file == last->file && row.line == last->line)
		return 0;
	if (rows->v.n < ROWS_MAX)
		return push(m, row);
	/* Too many: this row ends a part and begins the next. */
	r = push(m, (struct symcache_line){ .address = row.address });
	if (!r)
		r = hand_on(m);
	rows->v.n = 0;
	return r ? r : push(m, row);
}

static int end_sequence(struct machine *m)
{
	int r = push(m, (struct symcache_line){ .address = m->address });

	if (!r && m->rows->v.n > 1 && m->address < m->rows->v.v[m->rows->v.n - 2].address)
		m->unsorted = true;
	if (!r)
		r = hand_on(m);
	reset(m);
	return r;
}

static void advance(struct machine *m, uint64_t operations)
{
	const struct dwarf_line_files *lf = m->lf;

	if (lf->max_ops <= 1) {
		m->address += operations * lf->min_inst_length;
		return;
	}
	operations += m->op_index;
	m->address += operations / lf->max_ops * lf->min_inst_length;
	m->op_index = (uint32_t)(operations % lf->max_ops);
}

static int special(struct machine *m, uint8_t opcode)
{
	const struct dwarf_line_files *lf = m->lf;
	uint8_t adjusted = (uint8_t)(opcode - lf->opcode_base);

	if (lf->line_range) {
		advance(m, adjusted / lf->line_range);
		m->line += (uint32_t)(lf->line_base + adjusted % lf->line_range);
	}
	return append_row(m);
}

static int extended(struct machine *m, struct bytes *b)
{
	uint64_t len = bytes_uleb(b);
	const uint8_t *at = bytes_take(b, len);
	struct bytes op;

	if (!at || !len)
		return 0;
	op = (struct bytes){ at, at + len };
	switch (bytes_u8(&op)) {
	case DW_LNE_end_sequence:
		return end_sequence(m);
	case DW_LNE_set_address:
		m->op_index = 0;
		if (len - 1 <= 8)
			m->address = bytes_uint(&op, (unsigned int)(len - 1));
		/* lld's mark of dropped code; it must stay one when 4 bytes wide. */
		if (len - 1 == 4 && m->address >= UINT32_MAX - 1)
			m->address |= ~(uint64_t)UINT32_MAX;
		return 0;
	default: /* discriminators, files defined on the way (nobody writes them), vendors' own */
		return 0;
	}
}

static int standard(struct machine *m, uint8_t opcode, struct bytes *b)
{
	const struct dwarf_line_files *lf = m->lf;

	switch (opcode) {
	case DW_LNS_copy:
		return append_row(m);
	case DW_LNS_advance_pc:
		advance(m, bytes_uleb(b));
		return 0;
	case DW_LNS_advance_line:
		m->line += (uint32_t)bytes_sleb(b);
		return 0;
	case DW_LNS_set_file:
		m->file = bytes_uleb(b);
		return 0;
	case DW_LNS_const_add_pc:
		if (lf->line_range)
			advance(m, (uint8_t)(255 - lf->opcode_base) / lf->line_range);
		return 0;
	case DW_LNS_fixed_advance_pc:
		m->address += bytes_uint(b, 2);
		m->op_index = 0;
		return 0;
	case DW_LNS_negate_stmt:
	case DW_LNS_set_basic_block:
	case DW_LNS_set_prologue_end:
	case DW_LNS_set_epilogue_begin:
		return 0;
	default: /* column, isa, and those to come */
		for (unsigned int i = 0; i < lf->opcode_lengths[opcode] && !b->bad; i++)
			bytes_uleb(b);
		return 0;
	}
}

int dwarf_line_program_run(struct dwarf_line_files *lf, struct dwarf_live *live, struct symcache_build *out,
			   struct buf *path, struct dwarf_line_rows *rows, struct dwarf_line_stats *stats,
			   bool *ret_damaged)
{
	struct machine m = { .lf = lf, .live = live, .out = out, .path = path, .rows = rows, .stats = stats,
			     .known_file = UINT64_MAX, .file_id = SYMCACHE_NONE };
	struct bytes b = dwarf_section_bytes(lf->program);
	int r = 0;

	reset(&m);
	while (!r && b.at < b.end && !b.bad) {
		uint8_t opcode = bytes_u8(&b);

		if (opcode >= lf->opcode_base)
			r = special(&m, opcode);
		else if (opcode)
			r = standard(&m, opcode, &b);
		else
			r = extended(&m, &b);
	}
	/* A sequence that is not ended has no size: LLVM leaves it out, too. */
	*ret_damaged = b.bad || rows->v.n > 0;
	return r;
}
