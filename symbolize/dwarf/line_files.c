/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/line_files.h"

#include <ctype.h>
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "symbolize/symcache_build.h"

static struct dwarf_text read_text(struct bytes *b)
{
	struct dwarf_text t = { (const char *)b->at, strnlen((const char *)b->at, bytes_left(b)) };

	bytes_take(b, t.len + 1);
	return t;
}

/* More than any unit names: a hostile table makes 32 bytes of one. What is beyond has no name. */
#define TABLE_MAX (1u << 16)

static int add_dir(struct dwarf_line_files *lf, struct dwarf_text name)
{
	struct dwarf_text *d;

	if (lf->dirs.n == TABLE_MAX)
		return 0;
	d = vec_push(&lf->dirs);
	if (!d)
		return -ENOMEM;
	*d = name;
	return 0;
}

static int add_file(struct dwarf_line_files *lf, struct dwarf_text name, uint64_t dir)
{
	struct dwarf_line_file *f;

	if (lf->files.n == TABLE_MAX)
		return 0;
	f = vec_push(&lf->files);
	if (!f)
		return -ENOMEM;
	*f = (struct dwarf_line_file){ .name = name,
				       .dir = dir < UINT32_MAX ? (uint32_t)dir : UINT32_MAX,
				       .id = SYMCACHE_NONE };
	return 0;
}

/* DWARF 2 to 4: both lists end with an empty name. Directory 0 is the unit's, files count from 1. */
static int read_old_tables(struct bytes *b, struct dwarf_line_files *lf)
{
	int r = add_dir(lf, (struct dwarf_text){ 0 });
	struct dwarf_text t;

	while (!r && (t = read_text(b)).len)
		r = add_dir(lf, t);
	if (!r)
		r = add_file(lf, (struct dwarf_text){ 0 }, 0);
	while (!r && !b->bad && (t = read_text(b)).len) {
		uint64_t dir = bytes_uleb(b);

		bytes_uleb(b); /* time */
		bytes_uleb(b); /* size */
		if (!b->bad)
			r = add_file(lf, t, dir);
	}
	return r;
}

enum { MAX_FORMATS = 255 }; /* the count is one byte */

struct entry_format {
	uint64_t content;
	uint16_t form;
};

static unsigned int read_formats(struct bytes *b, struct dwarf_format f, struct entry_format *ret)
{
	unsigned int n = bytes_u8(b);

	for (unsigned int i = 0; i < n; i++) {
		uint64_t form;

		ret[i].content = bytes_uleb(b);
		form = bytes_uleb(b);
		ret[i].form = form <= UINT16_MAX ? (uint16_t)form : 0;
		/* A value without a byte would let a count of 2^64 pass. */
		if (dwarf_form_size(ret[i].form, f) == 0)
			b->bad = true;
	}
	return n;
}

/* DWARF 5: a list of entries whose shape is told first. */
static int read_table(struct bytes *b, const struct dwarf_unit *u, struct dwarf_line_files *lf, bool dirs)
{
	struct entry_format formats[MAX_FORMATS];
	unsigned int n_formats = read_formats(b, lf->format, formats);
	const uint8_t *info = u->obj->s[DWARF_INFO].data;
	uint64_t n = bytes_uleb(b);
	int r = 0;

	if (n && !n_formats)
		b->bad = true;
	for (uint64_t i = 0; i < n && !r && !b->bad; i++) {
		struct dwarf_text name = { 0 };
		uint64_t dir = 0;

		for (unsigned int k = 0; k < n_formats; k++) {
			uint16_t form = formats[k].form;
			struct bytes inline_text = *b;
			uint64_t v;

			v = dwarf_form_read(b, &form, lf->format, info);
			if (b->bad)
				break;
			if (formats[k].content == DW_LNCT_directory_index)
				dir = v;
			else if (formats[k].content != DW_LNCT_path)
				continue;
			else if (form == DW_FORM_string)
				name = read_text(&inline_text);
			else
				dwarf_unit_text(u, form, v, &name);
		}
		if (!b->bad)
			r = dirs ? add_dir(lf, name) : add_file(lf, name, dir);
	}
	return r;
}

static int read_header(struct bytes *b, const struct dwarf_unit *u, struct dwarf_line_files *lf)
{
	uint64_t len = bytes_uint(b, 4), header_len;
	const uint8_t *lengths;
	struct bytes tables;
	int r;

	lf->format.offset_size = 4;
	if (len == 0xffffffff) {
		lf->format.offset_size = 8;
		len = bytes_uint(b, 8);
	}
	if (b->bad || len > bytes_left(b))
		return -EBADMSG;
	b->end = b->at + len;
	lf->format.version = (uint8_t)bytes_uint(b, 2);
	lf->format.address_size = u->format.address_size;
	if (lf->format.version < 2 || lf->format.version > 5)
		return -EBADMSG;
	if (lf->format.version >= 5) {
		lf->format.address_size = bytes_u8(b);
		bytes_u8(b); /* segment selectors */
	}
	header_len = bytes_uint(b, lf->format.offset_size);
	if (b->bad || header_len > bytes_left(b))
		return -EBADMSG;
	lf->program = (struct dwarf_section){ b->at + header_len, bytes_left(b) - header_len };
	lf->min_inst_length = bytes_u8(b);
	lf->max_ops = lf->format.version >= 4 ? bytes_u8(b) : 1;
	bytes_u8(b); /* default_is_stmt */
	lf->line_base = (int8_t)bytes_u8(b);
	lf->line_range = bytes_u8(b);
	lf->opcode_base = bytes_u8(b);
	lengths = bytes_take(b, lf->opcode_base ? lf->opcode_base - 1 : 0);
	if (b->bad)
		return -EBADMSG;
	if (lf->opcode_base > 1)
		memcpy(lf->opcode_lengths + 1, lengths, lf->opcode_base - 1);
	/* Damage in the tables costs names of files, not the program. */
	tables = (struct bytes){ b->at, lf->program.data > b->at ? lf->program.data : b->at };
	if (lf->format.version < 5)
		return read_old_tables(&tables, lf);
	r = read_table(&tables, u, lf, true);
	return r ? r : read_table(&tables, u, lf, false);
}

int dwarf_line_files_read(const struct dwarf_unit *u, struct dwarf_budget *budget, struct dwarf_line_files **ret)
{
	/* A split unit's numbers are those of the program that was linked. */
	const struct dwarf_unit *of = u->skeleton ? u->skeleton : u;
	struct dwarf_section s = dwarf_section_from(of->parts.s[DWARF_LINE], of->stmt_list);
	struct bytes b = dwarf_section_bytes(s);
	struct dwarf_line_files *lf;
	int r;

	if (!of->has_stmt_list || !s.len)
		return -ENODATA;
	if (budget->spent)
		return -E2BIG;
	lf = calloc(1, sizeof(*lf));
	if (!lf)
		return -ENOMEM;
	lf->budget = budget;
	lf->comp_dir = of->comp_dir.s ? of->comp_dir : u->comp_dir;
	r = read_header(&b, of, lf);
	if (r < 0) {
		dwarf_line_files_free(lf);
		return r;
	}
	dwarf_budget_pay(budget, (uint64_t)(lf->program.data - s.data));
	*ret = lf;
	return 0;
}

struct dwarf_line_files *dwarf_line_files_free(struct dwarf_line_files *lf)
{
	if (!lf)
		return NULL;
	vec_fini(&lf->dirs);
	vec_fini(&lf->files);
	free(lf);
	return NULL;
}

/* "/x", and "c:\x" and "\\x" of files that were built elsewhere. */
static bool absolute(struct dwarf_text t)
{
	if (t.len && (t.s[0] == '/' || t.s[0] == '\\'))
		return true;
	return t.len > 2 && isalpha((unsigned char)t.s[0]) && t.s[1] == ':' && (t.s[2] == '\\' || t.s[2] == '/');
}

static void join(struct buf *path, struct dwarf_text t)
{
	if (!t.len)
		return;
	if (path->len && path->data[path->len - 1] == '/')
		while (t.len && t.s[0] == '/') {
			t.s++;
			t.len--;
		}
	else if (path->len && t.s[0] != '/')
		buf_putc(path, '/');
	buf_append(path, t.s, t.len);
}

static void make_path(const struct dwarf_line_files *lf, const struct dwarf_line_file *f, struct buf *path)
{
	struct dwarf_text dir = { 0 };
	/* Since DWARF 5 directory 0 is in the table, and is the unit's. */
	bool dir_is_units = f->dir == 0 && lf->format.version >= 5;

	buf_reset(path);
	if (!absolute(f->name)) {
		if (f->dir < lf->dirs.n)
			dir = lf->dirs.v[f->dir];
		if (!dir_is_units && !absolute(dir))
			join(path, lf->comp_dir);
		join(path, dir);
	}
	join(path, f->name);
}

int dwarf_line_files_id(struct dwarf_line_files *lf, uint64_t number, struct symcache_build *out, struct buf *path,
			uint32_t *ret)
{
	struct dwarf_line_file *f;
	uint32_t string;
	int r = 0;

	*ret = SYMCACHE_NONE;
	if (number >= lf->files.n || !lf->files.v[number].name.s)
		return 0;
	f = &lf->files.v[number];
	if (f->id == SYMCACHE_NONE) {
		make_path(lf, f, path);
		if (!dwarf_budget_pay(lf->budget, path->len / 8))
			return 0;
		r = buf_error(path);
		if (!r)
			r = symcache_build_string(out, (const char *)path->data, path->len, &string);
		if (!r)
			r = symcache_build_file(out, string, &f->id);
	}
	if (!r)
		*ret = f->id;
	return r;
}
