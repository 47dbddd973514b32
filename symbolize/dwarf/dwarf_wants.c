/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/dwarf_wants.h"

#include <dwarf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "symbolize/dwarf/units.h"
#include "symbolize/elf_image.h"

/* PATH_MAX and a build id. */
#define LINK_MAX 4200
/* All names together; a file's own is at most PATH_MAX. */
#define NAMES_MAX (32 * MIB)
/* Skeletons are small: those of Chromium together have 40 MB. */
#define INFO_MAX (256 * MIB)

static int want_alt(const char *path, const uint8_t *id, size_t id_len, struct dwarf_wants *w)
{
	if (!*path || w->alt)
		return 0;
	w->alt = strdup(path);
	if (!w->alt)
		return -ENOMEM;
	if (id_len && id_len <= BUILD_ID_MAX) {
		w->alt_id.kind = BUILD_ID_GNU;
		w->alt_id.len = (uint8_t)id_len;
		memcpy(w->alt_id.bytes, id, id_len);
	}
	return 0;
}

/* .gnu_debugaltlink: a path, NUL, a build id. */
static int parse_altlink(struct bytes *b, struct dwarf_wants *w)
{
	const char *path = (const char *)b->at;
	size_t len = strnlen(path, bytes_left(b));

	if (!bytes_take(b, len + 1))
		return 0;
	return want_alt(path, b->at, bytes_left(b), w);
}

/* .debug_sup: the same since DWARF 5 (7.3.6): version, whether this is the other file, path, size of the id, id. */
static int parse_sup(struct bytes *b, struct dwarf_wants *w)
{
	uint64_t version = bytes_uint(b, 2), is_sup = bytes_u8(b), id_len;
	const char *path = (const char *)b->at;
	const uint8_t *id;

	bytes_take(b, strnlen(path, bytes_left(b)) + 1);
	id_len = bytes_uleb(b);
	id = bytes_take(b, id_len);
	return b->bad || !id || version != 5 || is_sup ? 0 : want_alt(path, id, id_len, w);
}

static int read_link(const struct elf_image *img, const char *name, int (*parse)(struct bytes *, struct dwarf_wants *),
		     struct dwarf_wants *w)
{
	uint8_t data[LINK_MAX];
	struct bytes b;
	GElf_Shdr sh;

	if (!elf_image_section(img, name, &sh) || sh.sh_size > LINK_MAX ||
	    elf_image_read(img, sh.sh_offset, data, sh.sh_size) < 0)
		return 0;
	b = (struct bytes){ data, data + sh.sh_size };
	return parse(&b, w);
}

/* Notes: whether the file has a .debug_addr. */
static int read_links(int fd, struct dwarf_wants *w, bool *ret_split)
{
	struct elf_image *img;
	GElf_Shdr sh;
	int r = elf_image_open(fd, &img);

	if (r < 0)
		return r;
	r = read_link(img, ".gnu_debugaltlink", parse_altlink, w);
	if (!r)
		r = read_link(img, ".debug_sup", parse_sup, w);
	*ret_split = elf_image_section(img, ".debug_addr", &sh) || elf_image_section(img, ".zdebug_addr", &sh);
	elf_image_free(img);
	return r;
}

static int add_dwo(struct dwarf_wants *w, const struct dwarf_unit *u)
{
	struct dwarf_dwo *d;

	if (!u->dwo_name.s || u->dwo_name.len >= PATH_MAX || u->comp_dir.len >= PATH_MAX ||
	    w->dwos.n == DWARF_DWOS_MAX || w->strings.arena.used_bytes > NAMES_MAX)
		return 0;
	d = vec_push(&w->dwos);
	if (!d)
		return -ENOMEM;
	d->name = strpool_str(&w->strings, strpool_add_len(&w->strings, u->dwo_name.s, u->dwo_name.len));
	d->dir = "";
	if (u->comp_dir.s)
		d->dir = strpool_str(&w->strings, strpool_add_len(&w->strings, u->comp_dir.s, u->comp_dir.len));
	d->id = u->dwo_id;
	w->dwp = true;
	return strpool_error(&w->strings);
}

static int read_skeletons(const struct dwarf_object *o, struct dwarf_wants *w)
{
	struct dwarf_abbrev_cache abbrevs = { 0 };
	struct dwarf_budget budget = { .bytes = 32 * (o->s[DWARF_INFO].len + o->s[DWARF_ABBREV].len) };
	struct dwarf_unit u;
	int r = 0;

	for (uint64_t at = 0; at < o->s[DWARF_INFO].len && r != -ENOMEM; at = u.end) {
		memcpy(u.parts.s, o->s, sizeof(o->s));
		r = dwarf_unit_header(o, at, &u);
		if (r == -EBADMSG)
			break;
		if (!r && (u.type == DW_UT_compile || u.type == DW_UT_skeleton))
			r = dwarf_unit_open(&u, NULL, &abbrevs, &budget);
		if (!r && u.has_dwo_id)
			r = add_dwo(w, &u);
		if (dwarf_abbrevs_large(&abbrevs))
			dwarf_abbrevs_drop(&abbrevs);
	}
	dwarf_abbrevs_fini(&abbrevs);
	return r == -ENOMEM ? r : 0;
}

int dwarf_wants_read(const struct dwarf_files *files, struct dwarf_wants *ret)
{
	const uint32_t which = 1u << DWARF_INFO | 1u << DWARF_ABBREV | 1u << DWARF_STR | 1u << DWARF_LINE_STR |
			       1u << DWARF_STR_OFFSETS;
	struct dwarf_store store = { .scratch = files->scratch, .exact = files->exact,
				     .inflated_max = files->inflated_max ? files->inflated_max : INFO_MAX };
	int fd = files->debug >= 0 ? files->debug : files->image;
	struct dwarf_object o = { 0 };
	struct dwarf_wants w = { 0 };
	bool split = false;
	int r = read_links(fd, &w, &split);

	if (!r && split) {
		r = dwarf_object_open(&store, fd, DWARF_LINKED, which, &o);
		if (!r)
			r = read_skeletons(&o, &w);
	}
	dwarf_store_fini(&store);
	if (r < 0)
		dwarf_wants_fini(&w);
	else
		*ret = w;
	return r;
}

void dwarf_wants_fini(struct dwarf_wants *w)
{
	free(w->alt);
	w->alt = NULL;
	vec_fini(&w->dwos);
	strpool_fini(&w->strings);
}
