/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/locate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/path_map.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/profile.h"
#include "proc/image.h"
#include "symbolize/symbolizer.h"

/* Deepest inline chain we ask for. */
enum { MAX_CHAIN = 64 };

/* Kernel addresses: their mapping covers the kernel's half. */
#define KERNEL_START 0xffff800000000000ull

struct mapping_query {
	const struct profile *p;
	const struct profile_mapping *m;
};

static bool same_mapping(const void *ctx, uint32_t id)
{
	const struct mapping_query *q = ctx;
	const struct profile_mapping *m = &q->p->mappings.v[id];

	/* The same build id under two paths is one image; without one the path decides. */
	return m->build_id == q->m->build_id && m->start == q->m->start && (m->build_id || m->file == q->m->file);
}

static uint32_t intern_mapping(struct locator *l, const struct profile_mapping *m)
{
	uint64_t hash = hash_u64((m->build_id ? m->build_id : (uint64_t)m->file << 32) ^ hash_u64(m->start));
	uint32_t id = htable_find(&l->mapping_index, hash, same_mapping, &(struct mapping_query){ l->p, m });

	if (id != HTABLE_NONE)
		return id;
	id = profile_add_mapping(l->p, m);
	if (!vec_push(&l->known) || htable_insert(&l->mapping_index, hash, id) < 0)
		l->p->error = -ENOMEM;
	return id;
}

void locator_add_mapping(struct locator *l, const struct profile_mapping *m)
{
	intern_mapping(l, m);
}

static uint32_t str(struct locator *l, const char *s)
{
	return strpool_add(&l->p->strings, s ? s : "");
}

static uint32_t kernel_mapping(struct locator *l, const struct image *kernel, const char *module)
{
	char file[128], hex[BUILD_ID_HEX_LEN];

	snprintf(file, sizeof(file), "[%s]", module ? module : "kernel.kallsyms");
	return intern_mapping(l, &(struct profile_mapping){ .start = KERNEL_START, .limit = UINT64_MAX,
							     .file = str(l, file),
							     .build_id = module ? 0 : str(l, build_id_hex(&kernel->id, hex)) });
}

/* A file's executable segment as it says itself; when it cannot be read, offsets serve as addresses. */
static uint32_t file_mapping(struct locator *l, const struct image *i, const struct sym_image *sym, uint64_t offset,
			     uint64_t *ret_address)
{
	struct profile_mapping m = { .limit = INT64_MAX };
	struct sym_segment seg = { 0 };
	char hex[BUILD_ID_HEX_LEN];

	*ret_address = offset;
	if (!sym_image_segment(sym, offset, &seg)) {
		m.start = seg.vaddr;
		m.limit = seg.vaddr + seg.size;
		m.offset = seg.offset;
		*ret_address = offset - seg.offset + seg.vaddr;
	}
	m.file = str(l, i->path);
	m.build_id = i->id.kind == BUILD_ID_GNU ? str(l, build_id_hex(&i->id, hex)) : 0;
	return intern_mapping(l, &m);
}

static uint32_t mapping_of(struct locator *l, const struct image *i, const struct sym_image *sym, const char *module,
			   struct profile_location *loc)
{
	switch (i->kind) {
	case IMAGE_KERNEL:
		loc->kind = FRAME_KERNEL;
		return kernel_mapping(l, i, module);
	case IMAGE_JIT:
		loc->kind = FRAME_JIT;
		return intern_mapping(l, &(struct profile_mapping){ .limit = INT64_MAX, .file = str(l, i->path) });
	default:
		loc->kind = FRAME_NATIVE;
		return file_mapping(l, i, sym, loc->address, &loc->address);
	}
}

static uint32_t source_file(struct locator *l, const char *path)
{
	_cleanup_(buf_fini) struct buf mapped = BUF_INIT;

	if (!path || !l->opts.path_map || !path_map_apply(l->opts.path_map, path, &mapped))
		return str(l, path);
	if (buf_error(&mapped))
		l->p->error = -ENOMEM;
	return strpool_add_len(&l->p->strings, (char *)mapped.data, mapped.len);
}

static uint32_t add_lines(struct locator *l, const struct sym_frame *chain, int len, struct profile_line *lines)
{
	if (l->opts.no_inline && len > 1) {
		chain += len - 1;
		len = 1;
	}
	for (int i = 0; i < len; i++) {
		struct profile_function f = { .name = str(l, chain[i].name),
					      .system_name = str(l, chain[i].system_name),
					      .file = source_file(l, chain[i].file),
					      .start_line = chain[i].start_line };

		lines[i] = (struct profile_line){ .function = profile_add_function(l->p, &f), .line = chain[i].line };
	}
	return len > 0 ? (uint32_t)len : 0;
}

/* "libfoo.so+0x1234": better than nothing, and never taken for a real name. */
static uint32_t add_made_up_line(struct locator *l, const struct profile_location *loc, struct profile_line *line)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;
	const struct profile_mapping *m = loc->mapping == PROFILE_NO_MAPPING ? NULL : &l->p->mappings.v[loc->mapping];
	struct profile_function f = { 0 };

	buf_printf(&text, "%s+0x%llx", m ? profile_base_name(profile_str(l->p, m->file)) : "[unknown]",
		   (unsigned long long)loc->address);
	f.name = f.system_name = strpool_add_len(&l->p->strings, (char *)text.data, text.len);
	*line = (struct profile_line){ .function = profile_add_function(l->p, &f) };
	return 1;
}

static void note_known(struct locator *l, uint32_t mapping, const struct sym_frame *chain, int len)
{
	struct located *k = mapping < l->known.n ? &l->known.v[mapping] : NULL;

	if (!k)
		return;
	k->unnamed |= len <= 0;
	k->chains |= len > 1;
	for (int i = 0; i < len; i++) {
		k->files |= chain[i].file != NULL;
		k->lines |= chain[i].line != 0;
	}
}

static bool is_for_others(const struct locator *l, const struct image *i)
{
	return l->opts.no_symbols && i->kind == IMAGE_FILE && i->id.kind == BUILD_ID_GNU;
}

uint32_t locator_add(struct locator *l, const struct image *i, struct sym_image *sym, uint64_t offset, uint8_t *ret_what)
{
	struct profile_location loc = { .address = offset };
	struct profile_line lines[MAX_CHAIN];
	struct sym_frame chain[MAX_CHAIN];
	bool for_others = is_for_others(l, i);
	int len = for_others ? 0 : sym_image_resolve(sym, offset, chain, MAX_CHAIN);
	uint32_t n_lines = add_lines(l, chain, len, lines);

	loc.mapping = mapping_of(l, i, sym, len > 0 ? chain[len - 1].module : NULL, &loc);
	note_known(l, loc.mapping, chain, len);
	*ret_what = (uint8_t)((n_lines ? LOCATED_NAME : 0) | (n_lines && lines[0].line ? LOCATED_LINE : 0));
	if (!n_lines && l->opts.name_unnamed && !for_others)
		n_lines = add_made_up_line(l, &loc, lines);
	return profile_add_location(l->p, &loc, lines, n_lines);
}

uint32_t locator_add_unknown(struct locator *l, uint64_t address)
{
	struct profile_location loc = { .address = address, .mapping = PROFILE_NO_MAPPING };
	struct profile_line line;
	uint32_t n_lines = l->opts.name_unnamed ? add_made_up_line(l, &loc, &line) : 0;

	return profile_add_location(l->p, &loc, &line, n_lines);
}

void locator_begin(struct locator *l, struct profile *p)
{
	l->p = p;
	htable_fini(&l->mapping_index);
	l->known.n = 0;
}

/*
 * pprof leaves a mapping with one of the first three flags alone: only when no name is left to add. Where
 * there are lines, inlined calls were looked for too.
 */
void locator_end(struct locator *l)
{
	for (uint32_t i = 0; i < l->p->mappings.n && i < l->known.n; i++) {
		struct profile_mapping *m = &l->p->mappings.v[i];
		const struct located *k = &l->known.v[i];

		m->has_functions = !k->unnamed;
		m->has_filenames = !k->unnamed && k->files;
		m->has_line_numbers = !k->unnamed && k->lines;
		m->has_inline_frames = !k->unnamed && (k->lines || k->chains) && !l->opts.no_inline;
	}
	l->p = NULL;
}

void locator_fini(struct locator *l)
{
	htable_fini(&l->mapping_index);
	vec_fini(&l->known);
}
