/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "collect/window.h"
#include "pprof/profile.h"
#include "proc/cgroup.h"
#include "proc/image.h"
#include "symbolize/symbolizer.h"

/* Deepest inline chain we ask for. */
enum { MAX_CHAIN = 64 };

/* Kernel addresses: their mapping covers the kernel's half. */
#define KERNEL_START 0xffff800000000000ull


struct namer {
	const struct window *w;
	struct symbolizer *symbols;
	struct profile *p;
	struct name_stats stats;
	struct sym_image **images; /* by image id; NULL: not loaded */
	uint32_t n_images;
	uint32_t *location_of;     /* by window frame */
	bool *named;               /* by window frame */
	struct htable mapping_index;
	vec(bool) mapping_unnamed; /* by profile mapping: some location has no name */
	uint32_t key_comm, key_pid, key_tid, key_cgroup, unit_id;
};

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

static uint32_t intern_mapping(struct namer *n, const struct profile_mapping *m)
{
	uint64_t hash = hash_u64((m->build_id ? m->build_id : (uint64_t)m->file << 32) ^ hash_u64(m->start));
	uint32_t id = htable_find(&n->mapping_index, hash, same_mapping, &(struct mapping_query){ n->p, m });

	if (id != HTABLE_NONE)
		return id;
	id = profile_add_mapping(n->p, m);
	if (!vec_push(&n->mapping_unnamed) || htable_insert(&n->mapping_index, hash, id) < 0)
		n->p->error = -ENOMEM;
	return id;
}

static int load_image(struct namer *n, uint32_t id)
{
	static const enum sym_kind kinds[] = { [IMAGE_KERNEL] = SYM_KERNEL, [IMAGE_FILE] = SYM_ELF,
					       [IMAGE_VDSO] = SYM_VDSO, [IMAGE_JIT] = SYM_PERF_MAP };
	const struct image *i = image_get(n->w->images, id);
	struct sym_source src = { .kind = kinds[i->kind], .id = i->id, .key = i->gen, .fd = i->fd,
				  .root_fd = i->root_fd, .path = i->path };
	int r = symbolizer_load(n->symbols, &src, &n->images[id]);

	if (r < 0)
		return r;
	n->stats.images++;
	n->stats.images_failed += sym_image_error(n->images[id]) < 0;
	return 0;
}

static int load_images(struct namer *n)
{
	uint32_t max = 0;

	vec_foreach(id, &n->w->images_held)
		max = *id > max ? *id : max;
	n->n_images = max + 1;
	n->images = calloc(n->n_images, sizeof(*n->images));
	if (!n->images)
		return -ENOMEM;
	vec_foreach(id, &n->w->images_held)
	{
		int r = load_image(n, *id);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t str(struct namer *n, const char *s)
{
	return strpool_add(&n->p->strings, s ? s : "");
}

static uint32_t kernel_mapping(struct namer *n, const struct image *kernel, const char *module)
{
	char file[128], hex[BUILD_ID_HEX_LEN];

	snprintf(file, sizeof(file), "[%s]", module ? module : "kernel.kallsyms");
	return intern_mapping(n, &(struct profile_mapping){ .start = KERNEL_START, .limit = UINT64_MAX,
							     .file = str(n, file),
							     .build_id = module ? 0 : str(n, build_id_hex(&kernel->id, hex)) });
}

/* A file's executable segment as it says itself; when it cannot be read, offsets serve as addresses. */
static uint32_t file_mapping(struct namer *n, const struct image *i, const struct sym_image *sym, uint64_t offset,
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
	m.file = str(n, i->path);
	m.build_id = i->id.kind == BUILD_ID_GNU ? str(n, build_id_hex(&i->id, hex)) : 0;
	return intern_mapping(n, &m);
}

static uint32_t add_lines(struct namer *n, const struct sym_frame *chain, int len, struct profile_line *lines)
{
	for (int i = 0; i < len; i++) {
		struct profile_function f = { .name = str(n, chain[i].name),
					      .system_name = str(n, chain[i].system_name),
					      .file = str(n, chain[i].file),
					      .start_line = chain[i].start_line };

		lines[i] = (struct profile_line){ .function = profile_add_function(n->p, &f), .line = chain[i].line };
	}
	return len > 0 ? (uint32_t)len : 0;
}

static void name_frame(struct namer *n, uint32_t frame)
{
	const struct window_frame *f = &n->w->frames.v[frame];
	struct profile_location loc = { .address = f->offset, .mapping = PROFILE_NO_MAPPING };
	struct profile_line lines[MAX_CHAIN];
	struct sym_frame chain[MAX_CHAIN];
	const struct image *i;
	struct sym_image *sym;
	uint32_t n_lines;
	int len;

	if (f->image == IMAGE_ID_NONE) {
		n->location_of[frame] = profile_add_location(n->p, &loc, NULL, 0);
		return;
	}
	i = image_get(n->w->images, f->image);
	sym = n->images[f->image];
	len = sym_image_resolve(sym, f->offset, chain, MAX_CHAIN);
	n_lines = add_lines(n, chain, len, lines);
	switch (i->kind) {
	case IMAGE_KERNEL:
		loc.kind = FRAME_KERNEL;
		loc.mapping = kernel_mapping(n, i, len > 0 ? chain[len - 1].module : NULL);
		break;
	case IMAGE_JIT:
		loc.kind = FRAME_JIT;
		loc.mapping = intern_mapping(n, &(struct profile_mapping){ .limit = INT64_MAX, .file = str(n, i->path) });
		break;
	default:
		loc.kind = FRAME_NATIVE;
		loc.mapping = file_mapping(n, i, sym, f->offset, &loc.address);
	}
	n->location_of[frame] = profile_add_location(n->p, &loc, lines, n_lines);
	n->named[frame] = n_lines > 0;
	if (!n_lines && loc.mapping < n->mapping_unnamed.n)
		n->mapping_unnamed.v[loc.mapping] = true;
}

static int name_frames(struct namer *n)
{
	n->location_of = calloc(n->w->frames.n + 1u, sizeof(*n->location_of));
	n->named = calloc(n->w->frames.n + 1u, sizeof(*n->named));
	if (!n->location_of || !n->named)
		return -ENOMEM;
	for (uint32_t i = 0; i < n->w->frames.n; i++) {
		name_frame(n, i);
		n->stats.distinct++;
		n->stats.distinct_named += n->named[i];
	}
	/* pprof leaves a mapping with this flag alone: only when there is nothing left to add. */
	for (uint32_t i = 0; i < n->p->mappings.n; i++)
		n->p->mappings.v[i].has_functions = !n->mapping_unnamed.v[i];
	return profile_error(n->p);
}

static uint32_t add_labels(struct namer *n, const struct window_labels *l, const struct cgroups *cgroups,
			   uint32_t *ret_n)
{
	struct profile_label labels[4];
	uint32_t count = 0;
	const char *path;

	if (l->comm[0])
		labels[count++] = (struct profile_label){
			.key = n->key_comm,
			.str = strpool_add_len(&n->p->strings, l->comm, strnlen(l->comm, sizeof(l->comm))) };
	if (l->pid)
		labels[count++] = (struct profile_label){ .key = n->key_pid, .num = l->pid, .unit = n->unit_id };
	if (l->tid)
		labels[count++] = (struct profile_label){ .key = n->key_tid, .num = l->tid, .unit = n->unit_id };
	path = l->cgroup_id ? cgroups_path(cgroups, l->cgroup_id) : "";
	if (path[0])
		labels[count++] = (struct profile_label){ .key = n->key_cgroup, .str = str(n, path) };
	*ret_n = count;
	return profile_add_labels(n->p, labels, count);
}

static int add_rows(struct namer *n, const struct cgroups *cgroups, uint64_t period_ns)
{
	const struct window *w = n->w;
	_cleanup_(freep) struct profile_sample *stacks = calloc(w->stacks.n + 1u, sizeof(*stacks));
	_cleanup_(freep) struct profile_sample *labels = calloc(w->labels.n + 1u, sizeof(*labels));
	_cleanup_(freep) uint32_t *ids = calloc(w->stack_frames.n + 1u, sizeof(*ids));
	_cleanup_(freep) uint32_t *named = calloc(w->stacks.n + 1u, sizeof(*named));

	if (!stacks || !labels || !ids || !named)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->stacks.n; i++) {
		const struct window_stack *s = &w->stacks.v[i];

		for (uint32_t k = 0; k < s->n; k++) {
			ids[k] = n->location_of[w->stack_frames.v[s->first + k]];
			named[i] += n->named[w->stack_frames.v[s->first + k]];
		}
		stacks[i].first_frame = profile_add_frames(n->p, ids, s->n);
		stacks[i].n_frames = s->n;
	}
	for (uint32_t i = 0; i < w->labels.n; i++)
		labels[i].first_label = add_labels(n, &w->labels.v[i], cgroups, &labels[i].n_labels);
	vec_foreach(row, &w->rows)
	{
		struct profile_sample s = stacks[row->stack];
		int64_t values[2] = { (int64_t)row->samples, (int64_t)(row->samples * period_ns) };

		s.first_label = labels[row->labels].first_label;
		s.n_labels = labels[row->labels].n_labels;
		profile_add_sample(n->p, &s, values);
		n->stats.frames += row->samples * s.n_frames;
		n->stats.frames_named += row->samples * named[row->stack];
	}
	return profile_error(n->p);
}

static void namer_fini(struct namer *n)
{
	free(n->images);
	free(n->location_of);
	free(n->named);
	htable_fini(&n->mapping_index);
	vec_fini(&n->mapping_unnamed);
	profile_free(n->p);
}

int name_window(const struct window *w, struct symbolizer *symbols, const struct cgroups *cgroups,
		uint64_t period_ns, struct profile **ret, struct name_stats *ret_stats)
{
	_cleanup_(namer_fini) struct namer n = { .w = w, .symbols = symbols, .p = profile_new() };
	int r;

	if (!n.p)
		return -ENOMEM;
	profile_set_cpu(n.p, (int64_t)period_ns);
	n.p->time_ns = (int64_t)w->start_utc_ns;
	n.p->duration_ns = (int64_t)(w->end_boot_ns - w->start_boot_ns);
	n.key_comm = str(&n, "comm");
	n.key_pid = str(&n, "pid");
	n.key_tid = str(&n, "tid");
	n.key_cgroup = str(&n, "cgroup");
	n.unit_id = str(&n, "id");
	/* Viewers take the first mapping for the main binary; a profile of many programs has none. */
	intern_mapping(&n, &(struct profile_mapping){ .file = str(&n, "[host]") });
	if ((r = load_images(&n)) < 0 || (r = name_frames(&n)) < 0 || (r = add_rows(&n, cgroups, period_ns)) < 0)
		return r;
	*ret_stats = n.stats;
	*ret = take_ptr(n.p);
	return 0;
}
