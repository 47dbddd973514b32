/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sym_image.h"

#include <errno.h>

#include "symbolize/kallsyms.h"

enum {
	WAIT_MAX = 256, /* rounds, from 1 on twice as many each time */
	STALE = 4,      /* rounds for which names of loaded code may be those of what was there before */
};

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
	symtab_fini(&img->table);
	img->table = fresh;
	img->error = 0;
	return 0;
}
