/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/abbrevs.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/units.h"

#define CACHE_MAX (24 * MIB)

/* Attributes of a tag that are wanted, as bits 1 << enum dwarf_attr. */
#define UNIT_ATTRS                                                                                 \
	(1u << ATTR_NAME | 1u << ATTR_LOW_PC | 1u << ATTR_HIGH_PC | 1u << ATTR_RANGES |            \
	 1u << ATTR_LANGUAGE | 1u << ATTR_STMT_LIST | 1u << ATTR_COMP_DIR | 1u << ATTR_ENTRY_PC |  \
	 1u << ATTR_STR_OFFSETS_BASE | 1u << ATTR_ADDR_BASE | 1u << ATTR_RNGLISTS_BASE |           \
	 1u << ATTR_GNU_RANGES_BASE | 1u << ATTR_DWO_NAME | 1u << ATTR_DWO_ID)
#define NAME_ATTRS                                                                                 \
	(1u << ATTR_NAME | 1u << ATTR_LINKAGE_NAME | 1u << ATTR_ABSTRACT_ORIGIN |                  \
	 1u << ATTR_SPECIFICATION | 1u << ATTR_DECL_FILE | 1u << ATTR_DECL_LINE)
#define RANGE_ATTRS (1u << ATTR_LOW_PC | 1u << ATTR_HIGH_PC | 1u << ATTR_RANGES)
#define CALL_ATTRS  (1u << ATTR_CALL_FILE | 1u << ATTR_CALL_LINE)

static uint32_t wanted_of_tag(uint64_t tag)
{
	switch (tag) {
	case DW_TAG_compile_unit:
	case DW_TAG_partial_unit:
	case DW_TAG_skeleton_unit:
		return UNIT_ATTRS;
	case DW_TAG_subprogram:
		return NAME_ATTRS | RANGE_ATTRS;
	case DW_TAG_inlined_subroutine:
		return NAME_ATTRS | RANGE_ATTRS | CALL_ATTRS;
	case DW_TAG_array_type: /* no code can be below these */
	case DW_TAG_enumeration_type:
	case DW_TAG_subroutine_type:
		return 1u << ATTR_SIBLING;
	default:
		return 0;
	}
}

static enum dwarf_attr attr_of(uint64_t at)
{
	switch (at) {
	case DW_AT_sibling:
		return ATTR_SIBLING;
	case DW_AT_name:
		return ATTR_NAME;
	case DW_AT_linkage_name:
	case DW_AT_MIPS_linkage_name:
		return ATTR_LINKAGE_NAME;
	case DW_AT_low_pc:
		return ATTR_LOW_PC;
	case DW_AT_high_pc:
		return ATTR_HIGH_PC;
	case DW_AT_ranges:
		return ATTR_RANGES;
	case DW_AT_abstract_origin:
		return ATTR_ABSTRACT_ORIGIN;
	case DW_AT_specification:
		return ATTR_SPECIFICATION;
	case DW_AT_decl_file:
		return ATTR_DECL_FILE;
	case DW_AT_decl_line:
		return ATTR_DECL_LINE;
	case DW_AT_call_file:
		return ATTR_CALL_FILE;
	case DW_AT_call_line:
		return ATTR_CALL_LINE;
	case DW_AT_language:
		return ATTR_LANGUAGE;
	case DW_AT_stmt_list:
		return ATTR_STMT_LIST;
	case DW_AT_comp_dir:
		return ATTR_COMP_DIR;
	case DW_AT_entry_pc:
		return ATTR_ENTRY_PC;
	case DW_AT_str_offsets_base:
		return ATTR_STR_OFFSETS_BASE;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base:
		return ATTR_ADDR_BASE;
	case DW_AT_rnglists_base:
		return ATTR_RNGLISTS_BASE;
	case DW_AT_GNU_ranges_base:
		return ATTR_GNU_RANGES_BASE;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name:
		return ATTR_DWO_NAME;
	case DW_AT_GNU_dwo_id:
		return ATTR_DWO_ID;
	default:
		return ATTR_NONE;
	}
}

/* The attributes of one abbreviation. 0, -EBADMSG, -ENOMEM. */
static int read_attributes(struct dwarf_abbrevs *t, struct bytes *b, struct dwarf_format f,
			   struct dwarf_abbrev *a)
{
	uint32_t wanted = wanted_of_tag(a->tag), fixed = 0;
	struct dwarf_op *op;

	a->first = t->ops.n;
	for (;;) {
		uint64_t at = bytes_uleb(b), form = bytes_uleb(b);
		int64_t implicit = form == DW_FORM_implicit_const ? bytes_sleb(b) : 0;
		enum dwarf_attr attr = attr_of(at);
		uint32_t size = dwarf_form_size((uint16_t)form, f);

		if (b->bad || form > UINT16_MAX || (form && size == DWARF_FORM_UNKNOWN))
			return -EBADMSG;
		if (!at && !form)
			break;
		if (!form)
			return -EBADMSG;
		if (!(wanted & (1u << attr)))
			attr = ATTR_NONE;
		wanted &= ~(1u << attr); /* the first of its name counts */
		if (attr == ATTR_NONE && size != DWARF_FORM_VARIABLE) {
			if (fixed > UINT32_MAX / 2)
				return -EBADMSG;
			fixed += size;
			continue;
		}
		op = vec_push(&t->ops);
		if (!op)
			return -ENOMEM;
		*op = (struct dwarf_op){ .skip = fixed,
					 .form = (uint16_t)form,
					 .attr = (uint8_t)attr,
					 .size = size == 1 || size == 2 || size == 4 || size == 8 ? (uint8_t)size : 0,
					 .implicit = implicit };
		fixed = 0;
	}
	a->tail = fixed;
	a->n = t->ops.n - a->first;
	return 0;
}

static int by_code(const void *pa, const void *pb)
{
	const struct dwarf_abbrev *a = pa, *b = pb;

	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

static void sort(struct dwarf_abbrevs *t)
{
	bool sorted = true;

	for (uint32_t i = 1; i < t->v.n; i++)
		sorted = sorted && t->v.v[i - 1].code < t->v.v[i].code;
	if (!sorted)
		qsort(t->v.v, t->v.n, sizeof(*t->v.v), by_code);
	t->dense = true;
	for (uint32_t i = 0; i < t->v.n; i++)
		t->dense = t->dense && t->v.v[i].code == i + 1;
}

const struct dwarf_abbrev *dwarf_abbrevs_search(const struct dwarf_abbrevs *t, uint64_t code)
{
	uint32_t lo = 0, hi = t->v.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->v.v[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->v.n && t->v.v[lo].code == code ? &t->v.v[lo] : NULL;
}

static int decode(struct dwarf_abbrevs *t, struct bytes *b, struct dwarf_format f)
{
	int r = 0;

	while (!r) {
		struct dwarf_abbrev a = { .code = bytes_uleb(b) }, *slot;
		uint64_t tag;

		if (!a.code || b->bad)
			break;
		tag = bytes_uleb(b);
		a.children = bytes_u8(b);
		a.tag = tag <= UINT16_MAX ? (uint16_t)tag : 0;
		r = read_attributes(t, b, f, &a);
		if (r < 0)
			break;
		slot = vec_push(&t->v);
		if (!slot)
			return -ENOMEM;
		*slot = a;
	}
	if (r == -ENOMEM)
		return r;
	t->bad = r < 0 || b->bad;
	sort(t);
	return t->v.n ? 0 : -EBADMSG;
}

static void table_free(struct dwarf_abbrevs *t)
{
	if (!t)
		return;
	vec_fini(&t->v);
	vec_fini(&t->ops);
	free(t);
}

static bool same(const void *ctx, uint32_t id)
{
	const struct { const struct dwarf_abbrev_cache *c; uint64_t key; } *q = ctx;

	return q->c->tables.v[id]->key == q->key;
}

/* What tells tables apart: the file, the place, and what decides the sizes of values. */
static uint64_t key_of(const struct dwarf_object *o, uint64_t offset, struct dwarf_format f)
{
	uint64_t old = f.version <= 2, wide = f.offset_size == 8;

	return (uint64_t)o->id << 48 ^ offset << 8 ^ old << 7 ^ wide << 6 ^ f.address_size;
}

static int insert(struct dwarf_abbrev_cache *c, struct dwarf_abbrevs *t)
{
	int r = vec_reserve(&c->tables, 1);

	if (!r)
		r = htable_insert(&c->index, hash_u64(t->key), c->tables.n);
	if (!r)
		c->tables.v[c->tables.n++] = t;
	return r;
}

int dwarf_abbrevs_get(struct dwarf_abbrev_cache *c, const struct dwarf_object *o, uint64_t offset,
		      struct dwarf_format f, struct dwarf_budget *budget, const struct dwarf_abbrevs **ret)
{
	const struct { const struct dwarf_abbrev_cache *c; uint64_t key; } q = { c, key_of(o, offset, f) };
	uint32_t id = htable_find(&c->index, hash_u64(q.key), same, &q);
	struct dwarf_section s = dwarf_section_from(o->s[DWARF_ABBREV], offset);
	struct bytes b = dwarf_section_bytes(s);
	struct dwarf_abbrevs *t;
	int r;

	if (id != HTABLE_NONE) {
		*ret = c->tables.v[id];
		return 0;
	}
	if (budget->spent)
		return -E2BIG;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->key = q.key;
	r = decode(t, &b, f);
	if (!dwarf_budget_pay(budget, s.len - bytes_left(&b)) && !r)
		r = -E2BIG;
	if (!r)
		r = insert(c, t);
	if (r < 0) {
		table_free(t);
		return r;
	}
	c->bytes += sizeof(*t) + t->v.cap * sizeof(*t->v.v) + t->ops.cap * sizeof(*t->ops.v);
	*ret = t;
	return 0;
}

bool dwarf_abbrevs_large(const struct dwarf_abbrev_cache *c)
{
	return c->bytes > CACHE_MAX;
}

void dwarf_abbrevs_drop(struct dwarf_abbrev_cache *c)
{
	for (uint32_t i = 0; i < c->tables.n; i++)
		table_free(c->tables.v[i]);
	c->tables.n = 0;
	c->bytes = 0;
	htable_fini(&c->index);
}

void dwarf_abbrevs_fini(struct dwarf_abbrev_cache *c)
{
	dwarf_abbrevs_drop(c);
	vec_fini(&c->tables);
}
