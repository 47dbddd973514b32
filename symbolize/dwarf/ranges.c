/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/ranges.h"

#include <dwarf.h>
#include <errno.h>

bool dwarf_live_clip(struct dwarf_live *live, struct dwarf_range *io)
{
	if (io->start < io->end && io->start)
		vec_foreach (s, &live->v)
			if (io->start >= s->start && io->start < s->end) {
				io->end = io->end < s->end ? io->end : s->end;
				return true;
			}
	if (io->start != io->end)
		live->dead++;
	return false;
}

static int add(struct dwarf_ranges *ret, struct dwarf_live *live, uint64_t start, uint64_t end)
{
	struct dwarf_range r = { start, end }, *slot;

	if (!dwarf_live_clip(live, &r))
		return 0;
	slot = vec_push(&ret->v);
	if (!slot)
		return -ENOMEM;
	*slot = r;
	return 0;
}

/* DWARF 2 to 4: pairs of addresses, from the unit's base. */
static int read_pairs(struct bytes *b, const struct dwarf_unit *u, struct dwarf_live *live,
		      struct dwarf_ranges *ret)
{
	uint8_t size = u->format.address_size;
	uint64_t base = u->low_pc, mask = size == 8 ? UINT64_MAX : UINT32_MAX;
	int r = 0;

	while (!r) {
		uint64_t start = bytes_uint(b, size), end = bytes_uint(b, size);

		if (b->bad || (!start && !end))
			break;
		if (start == mask)
			base = end;
		else if (start < mask - 1 && base < mask - 1) /* -2: dropped by lld */
			r = add(ret, live, (base + start) & mask, (base + end) & mask);
	}
	return r;
}

/* DWARF 5: a list of operations. */
static int read_ops(struct bytes *b, const struct dwarf_unit *u, struct dwarf_live *live,
		    struct dwarf_ranges *ret)
{
	uint8_t size = u->format.address_size;
	uint64_t base = u->low_pc, start = 0, end = 0;
	bool base_dead = false;
	int r = 0;

	while (!r) {
		bool ok = true;
		uint8_t op = bytes_u8(b);

		switch (op) {
		case DW_RLE_end_of_list:
			return 0;
		case DW_RLE_base_addressx:
			base_dead = !dwarf_unit_indexed_address(u, bytes_uleb(b), &base);
			continue;
		case DW_RLE_base_address:
			base = bytes_uint(b, size);
			base_dead = b->bad;
			continue;
		case DW_RLE_offset_pair:
			start = base + bytes_uleb(b);
			end = base + bytes_uleb(b);
			ok = !base_dead && base < (size == 8 ? UINT64_MAX : UINT32_MAX) - 1;
			break;
		case DW_RLE_startx_endx:
			ok = dwarf_unit_indexed_address(u, bytes_uleb(b), &start);
			ok = dwarf_unit_indexed_address(u, bytes_uleb(b), &end) && ok;
			break;
		case DW_RLE_startx_length:
			ok = dwarf_unit_indexed_address(u, bytes_uleb(b), &start);
			end = start + bytes_uleb(b);
			break;
		case DW_RLE_start_end:
			start = bytes_uint(b, size);
			end = bytes_uint(b, size);
			break;
		case DW_RLE_start_length:
			start = bytes_uint(b, size);
			end = start + bytes_uleb(b);
			break;
		default:
			return 0;
		}
		if (b->bad)
			return 0;
		if (ok)
			r = add(ret, live, start, end);
	}
	return r;
}

/* Where the list begins in its section; false when it leads nowhere. */
static bool list_of(const struct dwarf_unit *u, uint16_t form, uint64_t value, struct dwarf_section *ret)
{
	struct dwarf_section lists;
	uint64_t offset = 0;

	if (u->format.version < 5) {
		/* A split unit's are in the file that was linked, from a base; DWARF 4 has no index. */
		const struct dwarf_unit *of = u->skeleton ? u->skeleton : u;

		*ret = dwarf_section_from(of->obj->s[DWARF_RANGES], value + (u->skeleton ? u->ranges_base : 0));
		return ret->len > 0;
	}
	lists = u->parts.s[DWARF_RNGLISTS];
	if (form == DW_FORM_rnglistx) {
		struct dwarf_section index = dwarf_section_from(lists, u->rnglists_base);

		if (value >= index.len / u->format.offset_size)
			return false;
		memcpy(&offset, index.data + value * u->format.offset_size, u->format.offset_size);
		lists = index; /* offsets count from there */
		value = offset;
	}
	*ret = dwarf_section_from(lists, value);
	return ret->len > 0;
}

int dwarf_ranges_of(const struct dwarf_unit *u, const struct dwarf_die *d, struct dwarf_live *live,
		    struct dwarf_budget *budget, struct dwarf_ranges *ret)
{
	struct dwarf_section list;
	uint64_t low, high;
	struct bytes b;
	int r;

	ret->v.n = 0;
	if (dwarf_die_has(d, ATTR_LOW_PC) && dwarf_die_has(d, ATTR_HIGH_PC)) {
		if (!dwarf_unit_address(u, d->form[ATTR_LOW_PC], d->value[ATTR_LOW_PC], &low))
			return 0;
		if (!dwarf_unit_address(u, d->form[ATTR_HIGH_PC], d->value[ATTR_HIGH_PC], &high))
			high = low + d->value[ATTR_HIGH_PC];
		return add(ret, live, low, high);
	}
	if (!dwarf_die_has(d, ATTR_RANGES) || budget->spent ||
	    !list_of(u, d->form[ATTR_RANGES], d->value[ATTR_RANGES], &list))
		return 0;
	b = dwarf_section_bytes(list);
	r = u->format.version < 5 ? read_pairs(&b, u, live, ret) : read_ops(&b, u, live, ret);
	dwarf_budget_pay(budget, (uint64_t)(b.at - list.data));
	return r;
}
