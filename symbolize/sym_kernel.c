/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sym_image.h"

#include <errno.h>

#include "base/cleanup.h"
#include "symbolize/kallsyms.h"
#include "symbolize/kernel_debug.h"
#include "symbolize/lines.h"
#include "symbolize/sym_modules.h"

enum {
	WAIT_MAX = 256, /* rounds, from 1 on twice as many each time */
	STALE = 4,      /* rounds for which names of loaded code may be those of what was there before */
};

#define KERNEL_HALF 0xffff800000000000ull
#define SLIDE_STEP  (2ull << 20) /* the kernel is put at a multiple of it */

static uint64_t lowest_code(const struct elf_image *elf)
{
	uint64_t low = UINT64_MAX;

	for (uint32_t i = 0; i < elf->n_segments; i++)
		if ((elf->segments[i].flags & PF_X) && elf->segments[i].vaddr < low)
			low = elf->segments[i].vaddr;
	return low;
}

/* Its text begins with its first symbol, wherever the kernel was put this time. */
static uint64_t lowest_symbol(const struct symtab *t)
{
	vec_foreach(sym, &t->v)
		if (sym->addr >= KERNEL_HALF && !sym->module)
			return sym->addr;
	return 0;
}

/* Lines, where the kernel's debug file is installed (linux-image-*-dbg): the same file for every boot of it. */
static int look_for_lines(struct sym_image *img, const struct sym_source *src)
{
	struct symbolizer *s = img->owner;
	_cleanup_(closep) int fd = s->lines ? kernel_debug_open(s->debug_dir, &src->id, NULL) : -ENOENT;
	_cleanup_(elf_image_freep) struct elf_image *elf = NULL;
	int r;

	if (fd < 0 || (r = elf_image_open(fd, &elf)) < 0)
		return fd == -ENOMEM ? fd : 0;
	img->slide = lowest_symbol(&img->table) - lowest_code(elf);
	if (img->slide % SLIDE_STEP)
		return 0;
	img->cache_id = src->id;
	img->news = lines_news(s->lines);
	r = lines_get(s->lines, &(struct converter_source){ .id = src->id, .fd = fd, .root_fd = -1 }, &img->cache);
	img->wants_cache = r == -EAGAIN;
	return r == -ENOMEM ? r : 0;
}

int sym_kernel_load(struct sym_image *img, const struct sym_source *src)
{
	int r = kallsyms_read(img->owner->kallsyms, &img->table);

	if (r >= 0 && img->owner->lines)
		r = sym_modules_new(img->owner, &img->modules);
	return r < 0 ? r : look_for_lines(img, src);
}

/*
 * Whether kallsyms, 50 ms of reading, may say more by now. A BPF program or a trampoline that came or went is
 * announced (another key), and matters when the last round was in such code: at once when it had no name. Modules
 * are not announced: an address without a name is reason enough, ever more seldom while it does not get one.
 */
bool sym_kernel_may_name_more(const struct sym_image *img, const struct sym_source *src)
{
	const struct symbolizer *s = img->owner;

	if (img->used == s->round) /* not in the middle of a round: its names are in use */
		return false;
	if (img->key != src->key && (img->met_unnamed || (img->met_loaded && s->round - img->read_in >= STALE)))
		return true;
	return img->met_unnamed && s->round >= img->look_again;
}

int sym_kernel_load_again(struct sym_image *img, const struct sym_source *src)
{
	struct symtab fresh = { 0 };
	int r = kallsyms_read(img->owner->kallsyms, &fresh);

	img->wait = img->key != src->key ? 1 : img->wait < WAIT_MAX / 2 ? 2 * img->wait + !img->wait : WAIT_MAX;
	img->look_again = img->owner->round + img->wait;
	img->read_in = img->owner->round;
	img->key = src->key;
	img->met_unnamed = img->met_loaded = false;
	if (r < 0) {
		symtab_fini(&fresh);
		return r == -ENOMEM ? r : 0;
	}
	/* A module may have been loaded again, elsewhere, or another of its name. */
	img->modules = sym_modules_free(img->modules);
	if (img->owner->lines && sym_modules_new(img->owner, &img->modules) < 0) {
		symtab_fini(&fresh);
		return -ENOMEM;
	}
	symtab_fini(&img->table);
	img->table = fresh;
	img->error = 0;
	return 0;
}
