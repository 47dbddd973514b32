/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/sym_modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "symbolize/kernel_debug.h"
#include "symbolize/lines.h"
#include "symbolize/sym_image.h"

enum { MODULES_MAX = 4096, ADDRESS_MAX = 64 };

/* Of a module's code: where the kernel put a section, and where it lies in the debug file. */
struct part {
	uint64_t loaded, at, size;
};

struct module {
	char *name;
	struct sym_image img; /* its symcache */
	vec(struct part) parts;
};

struct sym_modules {
	struct symbolizer *owner;
	vec(struct module *) v;
};

int sym_modules_new(struct symbolizer *owner, struct sym_modules **ret)
{
	struct sym_modules *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->owner = owner;
	*ret = m;
	return 0;
}

static void module_free(struct module *mod)
{
	sym_elf_free(&mod->img);
	vec_fini(&mod->parts);
	free(mod->name);
	free(mod);
}

struct sym_modules *sym_modules_free(struct sym_modules *m)
{
	if (!m)
		return NULL;
	vec_foreach(mod, &m->v)
		module_free(*mod);
	vec_fini(&m->v);
	free(m);
	return NULL;
}

/* "0xffffffffc0a31000"; 0: it cannot be read, or is hidden from us. */
static uint64_t loaded_at(const struct sym_modules *m, const char *module, const char *section)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[PATH_MAX], text[ADDRESS_MAX + 1];

	if (strchr(section, '/') ||
	    snprintf(path, sizeof(path), "%s/%s/sections/%s", m->owner->modules_dir, module, section) >= PATH_MAX)
		return 0;
	if (file_read_path(AT_FDCWD, path, ADDRESS_MAX, &b) < 0)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)b.len, (const char *)b.data);
	return strtoull(text, NULL, 16);
}

static int add_part(struct module *mod, uint64_t loaded, uint64_t at, uint64_t size)
{
	struct part *p = loaded ? vec_push(&mod->parts) : NULL;

	if (p)
		*p = (struct part){ loaded, at, size };
	return !loaded || p ? 0 : -ENOMEM;
}

static int learn_parts(const struct sym_modules *m, struct module *mod, const struct elf_image *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	size_t names;
	int r = 0;

	if (!elf->section_at || elf_getshdrstrndx(elf->elf, &names) < 0)
		return -EBADMSG;
	while (r >= 0 && (scn = elf_nextscn(elf->elf, scn))) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf->elf, names, sh.sh_name) : NULL;

		if (name && sh.sh_flags & SHF_EXECINSTR && sh.sh_flags & SHF_ALLOC && sh.sh_size)
			r = add_part(mod, loaded_at(m, mod->name, name), elf->section_at[elf_ndxscn(scn)], sh.sh_size);
	}
	return r;
}

static int open_debug_file(const struct sym_modules *m, struct module *mod)
{
	char path[PATH_MAX];
	int r;

	if (strchr(mod->name, '/') ||
	    snprintf(path, sizeof(path), "%s/%s/notes/.note.gnu.build-id", m->owner->modules_dir, mod->name) >= PATH_MAX)
		return -ENOENT;
	r = build_id_of_notes(path, &mod->img.cache_id);
	return r < 0 ? r : kernel_debug_open(m->owner->debug_dir, &mod->img.cache_id, mod->name);
}

/* What is missing leaves it without lines; -ENOMEM too: the next time the kernel's symbols are read it is tried again. */
static int load(struct sym_modules *m, struct module *mod)
{
	_cleanup_(closep) int fd = open_debug_file(m, mod);
	_cleanup_(elf_image_freep) struct elf_image *elf = NULL;
	const struct converter_source src = { .id = mod->img.cache_id, .fd = fd, .root_fd = -1 };
	int r = fd < 0 ? fd : elf_image_open(fd, &elf);

	if (r >= 0)
		r = learn_parts(m, mod, elf);
	if (r < 0 || !mod->parts.n)
		return r;
	mod->img.news = lines_news(m->owner->lines);
	r = lines_get(m->owner->lines, &src, &mod->img.cache);
	mod->img.wants_cache = r == -EAGAIN;
	return r;
}

static struct module *find(struct sym_modules *m, const char *name)
{
	struct module *mod, **slot;

	vec_foreach(known, &m->v)
		if (!strcmp((*known)->name, name))
			return *known;
	if (m->v.n >= MODULES_MAX || vec_reserve(&m->v, 1) < 0)
		return NULL;
	mod = calloc(1, sizeof(*mod));
	if (mod)
		mod->name = strdup(name);
	if (!mod || !mod->name) {
		free(mod);
		return NULL;
	}
	mod->img = (struct sym_image){ .owner = m->owner, .kind = SYM_ELF, .go_fd = -1 };
	load(m, mod);
	slot = vec_push(&m->v);
	*slot = mod;
	return mod;
}

int sym_modules_resolve(struct sym_modules *m, const char *module, uint64_t addr, struct sym_frame *ret, size_t max)
{
	struct module *mod = find(m, module);
	int n = 0;

	if (!mod || !mod->img.cache)
		return 0;
	vec_foreach(p, &mod->parts)
		if (addr - p->loaded < p->size)
			n = sym_elf_resolve(&mod->img, p->at + (addr - p->loaded), ret, max);
	return n > 0 ? n : 0;
}

void sym_modules_upgrade(struct sym_modules *m)
{
	vec_foreach(mod, &m->v)
		sym_elf_upgrade(&(*mod)->img);
}
