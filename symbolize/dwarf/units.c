/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/units.h"

#include <dwarf.h>
#include <errno.h>

/* The length field, and with it the size of offsets. */
static uint64_t read_length(struct bytes *b, struct dwarf_format *f)
{
	uint64_t len = bytes_uint(b, 4);

	f->offset_size = 4;
	if (len == 0xffffffff) {
		f->offset_size = 8;
		len = bytes_uint(b, 8);
	} else if (len >= 0xfffffff0) {
		b->bad = true; /* reserved */
	}
	return len;
}

/* What DWARF 5 adds behind the header of some types. */
static void read_typed_tail(struct bytes *b, struct dwarf_unit *u)
{
	if (u->type == DW_UT_skeleton || u->type == DW_UT_split_compile) {
		u->dwo_id = bytes_uint(b, 8);
		u->has_dwo_id = true;
	} else if (u->type == DW_UT_type || u->type == DW_UT_split_type) {
		bytes_take(b, 8 + u->format.offset_size);
	}
}

int dwarf_unit_header(const struct dwarf_object *o, uint64_t offset, struct dwarf_unit *ret)
{
	struct dwarf_section s = dwarf_section_from(o->s[DWARF_INFO], offset);
	struct bytes b = dwarf_section_bytes(s);
	struct dwarf_unit u = { .obj = o, .offset = offset, .type = DW_UT_compile };
	uint64_t len = read_length(&b, &u.format), version;

	if (b.bad || len > bytes_left(&b))
		return -EBADMSG;
	b.end = b.at + len;
	u.end = (uint64_t)(b.end - o->s[DWARF_INFO].data);
	version = bytes_uint(&b, 2);
	u.format.version = version <= 5 ? (uint8_t)version : 0;
	if (u.format.version >= 5) {
		u.type = bytes_u8(&b);
		u.format.address_size = bytes_u8(&b);
		u.abbrev_offset = bytes_uint(&b, u.format.offset_size);
		read_typed_tail(&b, &u);
	} else {
		u.abbrev_offset = bytes_uint(&b, u.format.offset_size);
		u.format.address_size = bytes_u8(&b);
	}
	u.entries = (uint64_t)(b.at - o->s[DWARF_INFO].data);
	u.parts = ret->parts;
	*ret = u;
	if (b.bad || u.format.version < 2 ||
	    (u.format.address_size != 8 && u.format.address_size != 4))
		return -ENOTSUP;
	return 0;
}

/* The sizes that the compiler turns into one load each. */
static inline uint64_t read_fixed(struct bytes *b, uint8_t size)
{
	switch (size) {
	case 1:
		return bytes_u8(b);
	case 2:
		return bytes_uint(b, 2);
	case 4:
		return bytes_uint(b, 4);
	default:
		return bytes_uint(b, 8);
	}
}

static inline uint64_t read_op(struct bytes *b, const struct dwarf_op *op, const struct dwarf_unit *u, const uint8_t *info,
			       uint16_t *form)
{
	*form = op->form;
	if (op->size)
		return read_fixed(b, op->size);
	if (op->form == DW_FORM_exprloc) {
		bytes_take(b, bytes_uleb(b));
		return 0;
	}
	if (op->form == DW_FORM_implicit_const)
		return (uint64_t)op->implicit;
	return dwarf_form_read(b, form, u->format, info);
}

bool dwarf_die_read(const struct dwarf_unit *u, struct bytes *b, struct dwarf_die *ret)
{
	const uint8_t *info = u->obj->s[DWARF_INFO].data;
	const struct dwarf_abbrev *a;
	uint64_t code;

	ret->offset = (uint64_t)(b->at - info);
	ret->has = 0;
	ret->abbrev = NULL;
	code = bytes_uleb(b);
	if (!code)
		return !b->bad;
	a = dwarf_abbrevs_find(u->abbrevs, code);
	if (!a) {
		b->bad = true;
		return false;
	}
	ret->abbrev = a;
	for (uint32_t i = a->first; i < a->first + a->n; i++) {
		const struct dwarf_op *op = &u->abbrevs->ops.v[i];
		uint16_t form;
		uint64_t v;

		bytes_take(b, op->skip);
		v = read_op(b, op, u, info, &form);
		if (op->attr != ATTR_NONE) {
			ret->has |= 1u << op->attr;
			ret->form[op->attr] = form;
			ret->value[op->attr] = v;
		}
	}
	bytes_take(b, a->tail);
	return !b->bad;
}

static bool text_at(struct dwarf_section s, uint64_t offset, struct dwarf_text *ret)
{
	const uint8_t *nul;

	s = dwarf_section_from(s, offset);
	nul = s.len ? memchr(s.data, 0, s.len) : NULL;
	if (!nul)
		return false;
	*ret = (struct dwarf_text){ (const char *)s.data, (size_t)(nul - s.data) };
	return true;
}

static bool indexed_text(const struct dwarf_unit *u, uint64_t index, struct dwarf_text *ret)
{
	struct dwarf_section s = dwarf_section_from(u->parts.s[DWARF_STR_OFFSETS], u->str_offsets_base);
	uint8_t size = u->format.offset_size;
	uint64_t offset = 0;

	if (index >= s.len / size)
		return false;
	memcpy(&offset, s.data + index * size, size);
	return text_at(u->obj->s[DWARF_STR], offset, ret);
}

bool dwarf_unit_text(const struct dwarf_unit *u, uint16_t form, uint64_t value, struct dwarf_text *ret)
{
	switch (form) {
	case DW_FORM_string:
		return text_at(u->obj->s[DWARF_INFO], value, ret);
	case DW_FORM_strp:
		return text_at(u->obj->s[DWARF_STR], value, ret);
	case DW_FORM_line_strp:
		return text_at(u->obj->s[DWARF_LINE_STR], value, ret);
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		return u->obj->alt && text_at(u->obj->alt->s[DWARF_STR], value, ret);
	case DW_FORM_strx:
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
	case DW_FORM_GNU_str_index:
		return indexed_text(u, value, ret);
	default:
		return false;
	}
}

bool dwarf_unit_indexed_address(const struct dwarf_unit *u, uint64_t index, uint64_t *ret)
{
	/* A split unit's addresses are in the file that was linked. */
	const struct dwarf_unit *of = u->skeleton ? u->skeleton : u;
	struct dwarf_section s = dwarf_section_from(of->obj->s[DWARF_ADDR], of->addr_base);
	uint8_t size = u->format.address_size;

	if (index >= s.len / size)
		return false;
	*ret = 0;
	memcpy(ret, s.data + index * size, size);
	return true;
}

bool dwarf_unit_address(const struct dwarf_unit *u, uint16_t form, uint64_t value, uint64_t *ret)
{
	switch (form) {
	case DW_FORM_addr:
		*ret = value;
		return true;
	case DW_FORM_addrx:
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
	case DW_FORM_GNU_addr_index:
		return dwarf_unit_indexed_address(u, value, ret);
	default:
		return false;
	}
}

/* Bases that are not said: a split unit's tables begin behind their header, GNU's have none. */
static void default_bases(struct dwarf_unit *u)
{
	bool wide = u->format.offset_size == 8;

	if (u->format.version < 5)
		return;
	u->str_offsets_base = wide ? 16 : 8;
	u->rnglists_base = wide ? 20 : 12;
	u->addr_base = wide ? 16 : 8;
}

static uint64_t value_or(const struct dwarf_die *d, enum dwarf_attr a, uint64_t otherwise)
{
	return dwarf_die_has(d, a) ? d->value[a] : otherwise;
}

static void take_root(struct dwarf_unit *u, const struct dwarf_die *d)
{
	/* Bases first: the values below may be indices. */
	u->str_offsets_base = value_or(d, ATTR_STR_OFFSETS_BASE, u->str_offsets_base);
	u->addr_base = value_or(d, ATTR_ADDR_BASE, u->addr_base);
	u->rnglists_base = value_or(d, ATTR_RNGLISTS_BASE, u->rnglists_base);
	u->ranges_base = value_or(d, ATTR_GNU_RANGES_BASE, 0);
	u->language = (uint16_t)value_or(d, ATTR_LANGUAGE, 0);
	u->has_stmt_list = dwarf_die_has(d, ATTR_STMT_LIST);
	u->stmt_list = value_or(d, ATTR_STMT_LIST, 0);
	if (dwarf_die_has(d, ATTR_DWO_ID)) {
		u->has_dwo_id = true;
		u->dwo_id = d->value[ATTR_DWO_ID];
	}
	if (dwarf_die_has(d, ATTR_LOW_PC))
		u->has_low_pc = dwarf_unit_address(u, d->form[ATTR_LOW_PC], d->value[ATTR_LOW_PC], &u->low_pc);
	else if (dwarf_die_has(d, ATTR_ENTRY_PC))
		u->has_low_pc = dwarf_unit_address(u, d->form[ATTR_ENTRY_PC], d->value[ATTR_ENTRY_PC], &u->low_pc);
	if (dwarf_die_has(d, ATTR_COMP_DIR))
		dwarf_unit_text(u, d->form[ATTR_COMP_DIR], d->value[ATTR_COMP_DIR], &u->comp_dir);
	if (dwarf_die_has(d, ATTR_DWO_NAME))
		dwarf_unit_text(u, d->form[ATTR_DWO_NAME], d->value[ATTR_DWO_NAME], &u->dwo_name);
}

static void take_skeleton(struct dwarf_unit *u, struct dwarf_unit *skeleton)
{
	u->skeleton = skeleton;
	u->low_pc = skeleton->low_pc;
	u->has_low_pc = skeleton->has_low_pc;
	u->ranges_base = skeleton->ranges_base;
	if (!u->comp_dir.s)
		u->comp_dir = skeleton->comp_dir;
}

int dwarf_unit_open(struct dwarf_unit *u, struct dwarf_unit *skeleton, struct dwarf_abbrev_cache *cache,
		    struct dwarf_budget *budget)
{
	struct dwarf_section abbrevs = u->parts.s[DWARF_ABBREV];
	struct bytes b = dwarf_unit_bytes(u, u->entries);
	struct dwarf_die d;
	int r;

	if (u->abbrev_offset > abbrevs.len)
		return -EBADMSG;
	/* The cache knows tables by their place in the whole section. */
	r = dwarf_abbrevs_get(cache, u->obj,
			      (uint64_t)(abbrevs.data - u->obj->s[DWARF_ABBREV].data) + u->abbrev_offset,
			      u->format, budget, &u->abbrevs);
	if (r < 0)
		return r;
	default_bases(u);
	if (!dwarf_die_read(u, &b, &d) || !d.abbrev)
		return -EBADMSG;
	if (d.abbrev->tag != DW_TAG_compile_unit && d.abbrev->tag != DW_TAG_partial_unit &&
	    d.abbrev->tag != DW_TAG_skeleton_unit)
		return -EBADMSG;
	take_root(u, &d);
	if (skeleton)
		take_skeleton(u, skeleton);
	return 0;
}
