/* SPDX-License-Identifier: Apache-2.0 */
/* scan_files - the files of a scan: their sections, where units begin, what code is live, what work is granted. */
#include <errno.h>
#include <stdlib.h>

#include "base/units.h"
#include "symbolize/dwarf/scan.h"
#include "symbolize/elf_image.h"

enum {
	UNITS_MAX = 4 << 20, /* of one file; 8 bytes each */
	DWOS_MAX = 60000,    /* a file's number has 16 bits in a key */
	BUDGET_FACTOR = 32,
};
#define BUDGET_BASE (16 * MIB)

static int learn_segments(struct dwarf_scan *s, int fd)
{
	struct elf_image *img;
	int r = elf_image_open(fd, &img);

	if (r < 0)
		return r;
	for (uint32_t i = 0; !r && i < img->n_segments; i++) {
		const struct elf_segment *seg = &img->segments[i];
		struct dwarf_range *range;

		if (!(seg->flags & PF_X))
			continue;
		range = vec_push(&s->live.v);
		if (!range)
			r = -ENOMEM;
		else
			*range = (struct dwarf_range){ seg->vaddr, seg->vaddr + seg->memsz };
	}
	elf_image_free(img);
	return r;
}

/* A file beside the image that is absent or damaged costs what is in it, not the image. 0 or -ENOMEM. */
static int open_beside(struct dwarf_scan *s, int fd, enum dwarf_object_kind kind, struct dwarf_object *o)
{
	int r = fd >= 0 ? dwarf_object_open(&s->store, fd, kind, DWARF_ALL, o) : 0;

	return r == -ENOMEM ? r : 0;
}

static int open_dwos(struct dwarf_scan *s, const struct dwarf_files *files)
{
	uint32_t n = files->n_dwos < DWOS_MAX ? files->n_dwos : DWOS_MAX;

	s->dwos = calloc(n + 1, sizeof(*s->dwos));
	if (!s->dwos)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct dwarf_object *o = &s->dwos[s->n_dwos];
		int r;

		o->id = 3 + s->n_dwos;
		r = dwarf_object_open(&s->store, files->dwos[i], DWARF_SPLIT, DWARF_ALL, o);
		if (r == -ENOMEM)
			return r;
		s->n_dwos += r == 0; /* a damaged one is a missing one */
	}
	return 0;
}

static int open_all(struct dwarf_scan *s, const struct dwarf_files *files)
{
	int image = files->image >= 0 ? files->image : files->debug;
	int debug = files->debug >= 0 ? files->debug : files->image;
	int r;

	s->main.id = 0;
	s->alt.id = 1;
	s->dwp.id = 2;
	s->main.alt = &s->alt;
	r = dwarf_object_open(&s->store, debug, DWARF_LINKED, DWARF_ALL, &s->main);
	/* A debug file may hold symbols only. */
	if (!r && !s->main.s[DWARF_INFO].len && debug != image)
		r = dwarf_object_open(&s->store, image, DWARF_LINKED, DWARF_ALL, &s->main);
	if (!r && (!s->main.s[DWARF_INFO].len || !s->main.s[DWARF_ABBREV].len))
		r = -ENODATA;
	if (!r)
		r = learn_segments(s, image);
	if (!r)
		r = open_beside(s, files->alt, DWARF_ALT, &s->alt);
	if (!r)
		r = open_beside(s, files->dwp, DWARF_SPLIT, &s->dwp);
	return r ? r : open_dwos(s, files);
}

static uint64_t object_bytes(const struct dwarf_object *o)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < DWARF_SECTIONS; i++)
		n += o->s[i].len;
	return n;
}

static void grant_budget(struct dwarf_scan *s)
{
	uint64_t bytes = object_bytes(&s->main) + object_bytes(&s->alt) + object_bytes(&s->dwp);

	for (uint32_t i = 0; i < s->n_dwos; i++)
		bytes += object_bytes(&s->dwos[i]);
	s->budget.bytes = BUDGET_FACTOR * bytes + BUDGET_BASE;
}

/* A page per unit is touched, and the kernel maps what lies around each. */
static int index_units(const struct dwarf_store *st, const struct dwarf_object *o, struct dwarf_unit_index *x)
{
	struct dwarf_section info = o->s[DWARF_INFO];
	struct dwarf_unit u;
	uint64_t dropped = 0;

	for (uint64_t at = 0; at < info.len && x->offsets.n < UNITS_MAX; at = u.end) {
		uint64_t *slot;

		if (dwarf_unit_header(o, at, &u) == -EBADMSG)
			break;
		slot = vec_push(&x->offsets);
		if (!slot)
			return -ENOMEM;
		*slot = at;
		dwarf_store_drop_behind(st, info.data, at, &dropped);
	}
	if (info.len)
		dwarf_store_drop_pages(st, info.data + dropped, info.data + info.len);
	return 0;
}

int dwarf_scan_open(struct dwarf_scan *s, const struct dwarf_files *files)
{
	int r = open_all(s, files);

	if (r < 0)
		return r;
	grant_budget(s);
	r = index_units(&s->store, &s->main, &s->main_index);
	return r ? r : index_units(&s->store, &s->alt, &s->alt_index);
}
