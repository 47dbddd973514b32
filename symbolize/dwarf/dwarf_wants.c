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

/* .gnu_debugaltlink: a path, NUL, a build id. */
static int parse_altlink(const char *data, size_t len, struct dwarf_wants *w)
{
	size_t path = strnlen(data, len), id = len - path - 1;

	if (!path || path >= len)
		return 0;
	w->alt = strndup(data, path);
	if (!w->alt)
		return -ENOMEM;
	if (id && id <= BUILD_ID_MAX) {
		w->alt_id.kind = BUILD_ID_GNU;
		w->alt_id.len = (uint8_t)id;
		memcpy(w->alt_id.bytes, data + path + 1, id);
	}
	return 0;
}

/* Notes: whether the file has a .debug_addr. */
static int read_links(int fd, struct dwarf_wants *w, bool *ret_split)
{
	struct elf_image *img;
	char data[LINK_MAX];
	GElf_Shdr sh;
	int r = elf_image_open(fd, &img);

	if (r < 0)
		return r;
	if (elf_image_section(img, ".gnu_debugaltlink", &sh) && sh.sh_size <= LINK_MAX &&
	    !elf_image_read(img, sh.sh_offset, data, sh.sh_size))
		r = parse_altlink(data, sh.sh_size, w);
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
