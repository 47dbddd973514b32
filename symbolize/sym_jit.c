/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sym_image.h"

#include <errno.h>

#include "base/units.h"

/* While tables are larger than this together, no more JIT code is read: it waits for a trim. */
#define ROOM_BYTES (96 * MIB)

bool sym_is_jit(enum sym_kind kind)
{
	return kind == SYM_PERF_MAP || kind == SYM_JITDUMP;
}

const struct jit_map *sym_jit_map(const struct sym_image *img)
{
	return img->kind == SYM_JITDUMP ? &img->dump.map : &img->perf.map;
}

static int read_on(struct sym_image *img, int fd)
{
	if (fd < 0)
		return -ENOENT;
	if (img->owner->stats.table_bytes > ROOM_BYTES)
		return -EFBIG;
	return img->kind == SYM_JITDUMP ? jitdump_update(&img->dump, fd) : perf_map_update(&img->perf, fd);
}

/* What is known stays known when the file is gone. */
int sym_jit_load(struct sym_image *img, const struct sym_source *src)
{
	int r = read_on(img, src->fd);

	if (r == -ENOMEM)
		return r;
	return sym_jit_map(img)->pieces.n ? 0 : r < 0 ? r : -ENODATA;
}

/* Strings of our own: the JIT's may move when more of its file is read. */
static const char *keep(struct symbolizer *s, const char *str)
{
	uint32_t id = strpool_add(&s->names, str);

	return strpool_error(&s->names) ? str : strpool_str(&s->names, id);
}

int sym_jit_resolve(struct sym_image *img, uint64_t addr, struct sym_frame *ret)
{
	struct jitdump_frame f = { 0 };
	uint32_t code = jit_map_find(sym_jit_map(img), addr);

	if (code == JIT_NO_CODE)
		return -ENOENT;
	if (img->kind == SYM_JITDUMP)
		jitdump_find(&img->dump, addr, &f);
	else
		f.name = jit_map_name(&img->perf.map, code);
	*ret = (struct sym_frame){ .system_name = keep(img->owner, f.name), .line = f.line };
	ret->name = sym_pretty_name(img->owner, ret->system_name);
	ret->file = f.file ? keep(img->owner, f.file) : NULL;
	return 1;
}
