/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/cfi.h"

#include <dwarf.h>
#include <errno.h>

#include "unwind/cfi_run.h"

/* Real ones are some thirty bytes. Since any FDE may point at any bytes, a bound keeps it linear. */
enum { MAX_CIE_INSTRUCTIONS = 256, MAX_AUGMENTATION = 16 };

static struct bytes section_from(const struct cfi_section *s, size_t offset)
{
	return (struct bytes){ .at = s->data + offset, .end = s->data + s->len };
}

int cfi_next(const struct cfi_section *s, size_t *offset, struct cfi_entry *ret)
{
	struct cfi_entry e = { 0 };
	struct bytes in;
	uint64_t len, id;
	size_t id_at;

	do {
		if (*offset > s->len || s->len - *offset < 4)
			return 0;
		e.offset = *offset;
		in = section_from(s, *offset);
		len = bytes_uint(&in, 4);
		*offset += 4;
		/* Several terminators: parts of a static link that each brought their own. */
	} while (!len && !s->ends_at_zero);
	if (!len)
		return 0;
	e.wide = len == 0xffffffff;
	if (e.wide)
		len = bytes_uint(&in, 8);
	if (in.bad || len > bytes_left(&in) || len < (e.wide && s->debug_frame ? 8 : 4))
		return -EBADMSG;
	in.end = in.at + len;
	*offset = (size_t)(in.end - s->data);

	id_at = (size_t)(in.at - s->data);
	id = bytes_uint(&in, e.wide && s->debug_frame ? 8 : 4);
	e.is_cie = s->debug_frame ? id == (e.wide ? UINT64_MAX : UINT32_MAX) : id == 0;
	e.cie = s->debug_frame ? id : id_at - id;
	e.body = in;
	*ret = e;
	return 1;
}

static uint64_t pointer_base(const struct cfi_section *s, const struct bytes *in, uint8_t encoding)
{
	switch (encoding & 0x70) {
	case DW_EH_PE_pcrel:
		return s->vaddr + (uint64_t)(in->at - s->data);
	case DW_EH_PE_textrel:
		return s->text;
	case DW_EH_PE_datarel:
		return s->data_base;
	default:
		return 0;
	}
}

uint64_t cfi_pointer(const struct cfi_section *s, struct bytes *in, uint8_t encoding, unsigned int address_size)
{
	uint64_t base = pointer_base(s, in, encoding), place = s->vaddr + (uint64_t)(in->at - s->data);

	if (encoding == DW_EH_PE_omit)
		return 0;
	if (encoding == DW_EH_PE_aligned) {
		bytes_take(in, -place & (address_size - 1));
		return bytes_uint(in, address_size);
	}
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
		return base + bytes_uint(in, address_size);
	case 0x08: /* DW_EH_PE_signed: of an address's size */
		return base + (uint64_t)bytes_int(in, address_size);
	case DW_EH_PE_uleb128:
		return base + bytes_uleb(in);
	case DW_EH_PE_udata2:
		return base + bytes_uint(in, 2);
	case DW_EH_PE_udata4:
		return base + bytes_uint(in, 4);
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return base + bytes_uint(in, 8);
	case DW_EH_PE_sleb128:
		return base + (uint64_t)bytes_sleb(in);
	case DW_EH_PE_sdata2:
		return base + (uint64_t)bytes_int(in, 2);
	case DW_EH_PE_sdata4:
		return base + (uint64_t)bytes_int(in, 4);
	default:
		in->bad = true;
		return 0;
	}
}

/* The augmentation's data, one character at a time. -ENOTSUP where one is unknown and its size too. */
static int read_augmentation(const struct cfi_section *s, struct bytes *in, const char *names, struct cfi_cie *c)
{
	struct bytes data = *in;

	c->sized = names[0] == 'z';
	if (c->sized) {
		uint64_t len = bytes_uleb(in);
		const uint8_t *p = bytes_take(in, len);

		if (!p)
			return -EBADMSG;
		data = (struct bytes){ .at = p, .end = p + len };
		names++;
	}
	for (; *names; names++) {
		if (*names == 'R')
			c->fde_encoding = bytes_u8(&data);
		else if (*names == 'L')
			bytes_u8(&data);
		else if (*names == 'P')
			cfi_pointer(s, &data, bytes_u8(&data), c->address_size);
		else if (*names == 'S')
			c->signal = true;
		else if (*names != 'B' && *names != 'G') /* arm64's: the other PAC key, tagged memory */
			return c->sized ? 0 : -ENOTSUP;
	}
	if (!c->sized)
		*in = data;
	return data.bad ? -EBADMSG : 0;
}

static int read_names(struct bytes *in, char *names, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		names[i] = (char)bytes_u8(in);
		if (!names[i])
			return in->bad ? -EBADMSG : 0;
	}
	return -ENOTSUP;
}

static int read_cie(const struct cfi_section *s, struct bytes *in, struct cfi_cie *c)
{
	char names[MAX_AUGMENTATION];
	uint8_t version = bytes_u8(in), segment_size = 0;
	int r;

	if (version != 1 && version != 3 && version != 4)
		return -ENOTSUP;
	r = read_names(in, names, sizeof(names));
	if (r < 0)
		return r;
	if (!strcmp(names, "eh")) { /* gcc 2: a pointer to its own tables */
		bytes_take(in, 8);
		names[0] = 0;
	}
	if (version == 4) {
		c->address_size = bytes_u8(in);
		segment_size = bytes_u8(in);
	}
	if ((c->address_size != 8 && c->address_size != 4) || segment_size)
		return -ENOTSUP;
	c->code_align = bytes_uleb(in);
	c->data_align = bytes_sleb(in);
	c->ra = version == 1 ? bytes_u8(in) : bytes_uleb(in);
	r = read_augmentation(s, in, names, c);
	return r < 0 ? r : in->bad ? -EBADMSG : 0;
}

int cfi_cie_read(const struct cfi_section *s, size_t offset, struct cfi_cie *ret)
{
	struct cfi_cie c = { .offset = offset, .address_size = 8 };
	struct cfi_entry e;
	int r = offset < s->len ? cfi_next(s, &(size_t){ offset }, &e) : 0;

	if (r <= 0 || !e.is_cie || e.offset != offset)
		return -EBADMSG;
	r = read_cie(s, &e.body, &c);
	if (r < 0)
		return r;
	if (bytes_left(&e.body) > MAX_CIE_INSTRUCTIONS)
		return -ENOTSUP;
	r = cfi_run_initial(s, &c, e.body);
	if (r < 0)
		return r;
	*ret = c;
	return 0;
}

int cfi_fde_read(const struct cfi_section *s, const struct cfi_entry *e, const struct cfi_cie *cie, struct cfi_fde *ret)
{
	struct cfi_fde f = { .offset = e->offset };
	struct bytes in = e->body;

	if (cie->fde_encoding & DW_EH_PE_indirect)
		return -ENOTSUP;
	f.start = cfi_pointer(s, &in, cie->fde_encoding, cie->address_size);
	/* The length is encoded like the start, without what that counts from. */
	f.end = f.start + cfi_pointer(s, &in, cie->fde_encoding & 0x0f, cie->address_size);
	if (cie->sized)
		bytes_take(&in, bytes_uleb(&in));
	if (in.bad || f.end < f.start)
		return -EBADMSG;
	f.instructions = in;
	*ret = f;
	return 0;
}
