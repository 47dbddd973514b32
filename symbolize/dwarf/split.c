/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/split.h"

#include <dwarf.h>
#include <errno.h>

enum { ROWS_MAX = 1 << 20 }; /* units of all .dwo files */

/* Columns of an index: sections by number. Version 2 and 5 number them differently. */
static enum dwarf_section_id column_section(uint32_t version, uint64_t number)
{
	switch (number) {
	case DW_SECT_INFO:
		return DWARF_INFO;
	case DW_SECT_ABBREV:
		return DWARF_ABBREV;
	case DW_SECT_LINE:
		return DWARF_LINE;
	case DW_SECT_STR_OFFSETS:
		return DWARF_STR_OFFSETS;
	case DW_SECT_RNGLISTS: /* 8; in version 2 that is .debug_macro */
		return version >= 5 ? DWARF_RNGLISTS : DWARF_SECTIONS;
	default:
		return DWARF_SECTIONS;
	}
}

struct package_index {
	uint32_t version, n_columns, n_units, n_slots;
	const uint8_t *ids, *rows, *columns, *offsets, *sizes;
};

static uint32_t u32_at(const uint8_t *p, uint64_t i)
{
	uint32_t v;

	memcpy(&v, p + 4 * i, 4);
	return v;
}

static uint64_t u64_at(const uint8_t *p, uint64_t i)
{
	uint64_t v;

	memcpy(&v, p + 8 * i, 8);
	return v;
}

static int package_open(const struct dwarf_object *dwp, struct package_index *ret)
{
	struct bytes b = dwarf_section_bytes(dwp->s[DWARF_CU_INDEX]);
	struct package_index x;

	if (!dwp->s[DWARF_CU_INDEX].len)
		return -ENOENT;
	x.version = (uint32_t)bytes_uint(&b, 4);
	if (x.version != 2) /* version 5 is two bytes and two of padding */
		x.version &= 0xffff;
	x.n_columns = (uint32_t)bytes_uint(&b, 4);
	x.n_units = (uint32_t)bytes_uint(&b, 4);
	x.n_slots = (uint32_t)bytes_uint(&b, 4);
	x.ids = bytes_take(&b, 8ull * x.n_slots);
	x.rows = bytes_take(&b, 4ull * x.n_slots);
	x.columns = bytes_take(&b, 4ull * x.n_columns);
	x.offsets = bytes_take(&b, 4ull * x.n_columns * x.n_units);
	x.sizes = bytes_take(&b, 4ull * x.n_columns * x.n_units);
	if (b.bad || (x.version != 2 && x.version != 5) || !x.n_slots || (x.n_slots & (x.n_slots - 1)))
		return -EBADMSG;
	*ret = x;
	return 0;
}

/* The row of a unit's id, from 0. */
static int package_row(struct dwarf_scan *s, const struct package_index *x, uint64_t id, uint32_t *ret)
{
	uint64_t mask = x->n_slots - 1, at = id & mask, step = ((id >> 32) & mask) | 1;

	for (uint32_t n = 0; n < x->n_slots; n++, at = (at + step) & mask) {
		uint32_t row = u32_at(x->rows, at);

		if (!row || !dwarf_budget_pay(&s->budget, 12))
			return -ENOENT;
		if (u64_at(x->ids, at) == id) {
			*ret = row - 1;
			return row <= x->n_units ? 0 : -EBADMSG;
		}
	}
	return -ENOENT;
}

static void package_parts(const struct dwarf_object *dwp, const struct package_index *x, uint32_t row,
			  struct dwarf_parts *ret)
{
	memcpy(ret->s, dwp->s, sizeof(ret->s));
	for (uint32_t c = 0; c < x->n_columns; c++) {
		enum dwarf_section_id id = column_section(x->version, u32_at(x->columns, c));
		uint64_t cell = (uint64_t)row * x->n_columns + c;
		struct dwarf_section part;

		if (id == DWARF_SECTIONS)
			continue;
		part = dwarf_section_from(dwp->s[id], u32_at(x->offsets, cell));
		if (part.len > u32_at(x->sizes, cell))
			part.len = u32_at(x->sizes, cell);
		ret->s[id] = part;
	}
}

static int open_in_package(struct dwarf_scan *s, struct dwarf_unit *skeleton, struct dwarf_unit *ret)
{
	struct package_index x;
	uint32_t row;
	int r = package_open(&s->dwp, &x);

	if (!r)
		r = package_row(s, &x, skeleton->dwo_id, &row);
	if (r < 0)
		return r;
	package_parts(&s->dwp, &x, row, &ret->parts);
	if (!ret->parts.s[DWARF_INFO].len)
		return -EBADMSG;
	r = dwarf_unit_header(&s->dwp, (uint64_t)(ret->parts.s[DWARF_INFO].data - s->dwp.s[DWARF_INFO].data), ret);
	return r ? r : dwarf_unit_open(ret, skeleton, &s->abbrevs, &s->budget);
}

static int learn_unit(struct dwarf_split *sp, const struct dwarf_unit *u, uint32_t dwo)
{
	struct dwarf_split_row *row;

	if (!u->has_dwo_id || sp->rows.n == ROWS_MAX)
		return 0;
	row = vec_push(&sp->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct dwarf_split_row){ .id = u->dwo_id, .offset = u->offset, .dwo = dwo };
	return htable_insert(&sp->index, hash_u64(u->dwo_id), sp->rows.n - 1);
}

static int learn_file(struct dwarf_scan *s, struct dwarf_split *sp, uint32_t dwo)
{
	const struct dwarf_object *o = &s->dwos[dwo];
	struct dwarf_unit u;
	int r = 0;

	for (uint64_t at = 0; at < o->s[DWARF_INFO].len && r != -ENOMEM; at = u.end) {
		memcpy(u.parts.s, o->s, sizeof(o->s));
		r = dwarf_unit_header(o, at, &u);
		if (r == -EBADMSG)
			break;
		/* DWARF 4 has the id in the first entry. */
		if (!r && u.type == DW_UT_compile)
			r = dwarf_unit_open(&u, NULL, &s->abbrevs, &s->budget);
		if (!r)
			r = learn_unit(sp, &u, dwo);
	}
	return r == -ENOMEM ? r : 0;
}

int dwarf_split_learn(struct dwarf_scan *s, struct dwarf_split *sp)
{
	int r = 0;

	for (uint32_t i = 0; i < s->n_dwos && !r; i++)
		r = learn_file(s, sp, i);
	return r;
}

void dwarf_split_fini(struct dwarf_split *sp)
{
	vec_fini(&sp->rows);
	htable_fini(&sp->index);
}

struct question {
	const struct dwarf_split *sp;
	uint64_t id;
};

static bool same(const void *ctx, uint32_t id)
{
	const struct question *q = ctx;

	return q->sp->rows.v[id].id == q->id;
}

int dwarf_split_open(struct dwarf_scan *s, const struct dwarf_split *sp, struct dwarf_unit *skeleton,
		     struct dwarf_unit *ret)
{
	struct question q = { sp, skeleton->dwo_id };
	uint32_t found = htable_find(&sp->index, hash_u64(q.id), same, &q);
	const struct dwarf_object *o;
	int r;

	if (found == HTABLE_NONE)
		return open_in_package(s, skeleton, ret);
	o = &s->dwos[sp->rows.v[found].dwo];
	memcpy(ret->parts.s, o->s, sizeof(o->s));
	r = dwarf_unit_header(o, sp->rows.v[found].offset, ret);
	return r ? r : dwarf_unit_open(ret, skeleton, &s->abbrevs, &s->budget);
}
