/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strmap.h"
#include "collect/reasons.h"
#include "collect/window.h"
#include "pprof/profile.h"
#include "proc/image.h"
#include "proc/labels.h"
#include "symbolize/symbolizer.h"

#define NOT_YET UINT32_MAX

struct namer {
	const struct window *w;
	struct symbolizer *symbols;
	struct locator locator;
	struct name_stats stats;
	uint32_t n_images;
	struct sym_image **images;          /* by image id; NULL: not in this window */
	const struct window_image **held;   /* by image id */

	struct profile *p;                  /* the one being made, and what is known of it: */
	uint32_t *location_of;              /* by window frame; NOT_YET */
	uint8_t *known;                     /* by window frame: LOCATED_* */
	struct profile_sample *stack_of;    /* by window stack; n_frames NOT_YET */
	uint32_t *named_in, *lined_in;      /* by window stack: frames with a name, with a line */
	struct profile_sample *labels_of;   /* by window labels; n_labels NOT_YET */
	uint32_t key_comm, key_pid, key_tid, key_cgroup, key_cut, key_route, key_method, key_span, key_service, unit_id;
};

static int load_image(struct namer *n, const struct window_image *held)
{
	static const enum sym_kind kinds[] = { [IMAGE_KERNEL] = SYM_KERNEL, [IMAGE_FILE] = SYM_ELF,
					       [IMAGE_VDSO] = SYM_VDSO, [IMAGE_JIT] = SYM_PERF_MAP };
	const struct image *i = &held->image;
	struct sym_source src = { .kind = kinds[i->kind], .id = i->id, .key = i->gen, .fd = i->fd,
				  .root_fd = i->root_fd, .path = i->path };
	int r;

	if (i->kind == IMAGE_KERNEL)
		src.key = i->changes;
	if (i->dump_fd >= 0) { /* says more than a perf map */
		src.kind = SYM_JITDUMP;
		src.fd = i->dump_fd;
	}
	r = symbolizer_load(n->symbols, &src, &n->images[held->id]);
	if (r < 0)
		return r;
	n->held[held->id] = held;
	n->stats.images++;
	n->stats.images_failed += sym_image_error(n->images[held->id]) < 0;
	return 0;
}

static int load_images(struct namer *n)
{
	uint32_t max = 0;

	vec_foreach(held, &n->w->images_held)
		max = held->id > max ? held->id : max;
	n->n_images = max + 1;
	n->images = calloc(n->n_images, sizeof(*n->images));
	n->held = calloc(n->n_images, sizeof(*n->held));
	if (!n->images || !n->held)
		return -ENOMEM;
	vec_foreach(held, &n->w->images_held)
	{
		int r = load_image(n, held);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t str(struct namer *n, const char *s)
{
	return strpool_add(&n->p->strings, s ? s : "");
}

static void name_frame(struct namer *n, uint32_t frame)
{
	const struct window_frame *f = &n->w->frames.v[frame];

	n->known[frame] = 0;
	if (f->image == IMAGE_ID_NONE)
		n->location_of[frame] = locator_add_unknown(&n->locator, f->offset);
	else
		n->location_of[frame] = locator_add(&n->locator, &n->held[f->image]->image, n->images[f->image], f->offset,
						    &n->known[frame]);
}

static int add_stack(struct namer *n, uint32_t stack)
{
	const struct window_stack *s = &n->w->stacks.v[stack];
	_cleanup_(freep) uint32_t *ids = calloc(s->n + 1u, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	n->named_in[stack] = n->lined_in[stack] = 0;
	for (uint32_t k = 0; k < s->n; k++) {
		uint32_t frame = n->w->stack_frames.v[s->first + k];

		if (n->location_of[frame] == NOT_YET)
			name_frame(n, frame);
		ids[k] = n->location_of[frame];
		n->named_in[stack] += (n->known[frame] & LOCATED_NAME) != 0;
		n->lined_in[stack] += (n->known[frame] & LOCATED_LINE) != 0;
	}
	n->stack_of[stack] = (struct profile_sample){ .first_frame = profile_add_frames(n->p, ids, s->n),
						      .n_frames = s->n };
	return 0;
}

static void add_text_label(struct profile_label *labels, uint32_t *n, uint32_t key, uint32_t str)
{
	if (str)
		labels[(*n)++] = (struct profile_label){ .key = key, .str = str };
}

static void add_id_label(struct profile_label *labels, uint32_t *n, uint32_t key, uint32_t id, uint32_t unit)
{
	if (id)
		labels[(*n)++] = (struct profile_label){ .key = key, .num = id, .unit = unit };
}

/* The name of a target's service, in the profile's strings. */
static uint32_t service_of(struct namer *n, const char *target)
{
	_cleanup_(strmap_fini) struct strmap labels = { 0 };

	if (!n->locator.opts.services)
		return 0;
	if (labels_parse(target, &labels) < 0)
		n->p->error = -ENOMEM;
	return str(n, strmap_get(&labels, "service_name"));
}

static void add_labels(struct namer *n, uint32_t at)
{
	const struct window_labels *l = &n->w->labels.v[at];
	struct profile_label labels[11];
	char span[20] = "", trace[36] = "";
	uint32_t count = 0;

	add_text_label(labels, &count, n->key_comm, strpool_add_len(&n->p->strings, l->comm, strnlen(l->comm, sizeof(l->comm))));
	add_id_label(labels, &count, n->key_pid, l->pid, n->unit_id);
	add_id_label(labels, &count, n->key_tid, l->tid, n->unit_id);
	add_text_label(labels, &count, n->key_cgroup, str(n, strpool_str(&n->w->strings, l->cgroup)));
	add_text_label(labels, &count, n->key_service, service_of(n, strpool_str(&n->w->strings, l->target)));
	add_text_label(labels, &count, n->key_route, str(n, strpool_str(&n->w->strings, l->route)));
	add_text_label(labels, &count, n->key_method, str(n, strpool_str(&n->w->strings, l->method)));
	if (l->span_id) {
		snprintf(span, sizeof(span), "%016" PRIx64, l->span_id);
		snprintf(trace, sizeof(trace), "%016" PRIx64 "%016" PRIx64, __builtin_bswap64(l->trace_id[0]), __builtin_bswap64(l->trace_id[1]));
	}
	add_text_label(labels, &count, n->key_span, str(n, span));
	add_text_label(labels, &count, n->key_cut, str(n, l->cut ? reason_cut_name(l->cut) : ""));
	n->labels_of[at] = (struct profile_sample){ .first_label = profile_add_labels(n->p, labels, count),
						    .n_labels = count, .trace = str(n, trace) };
}

static int add_row(struct namer *n, const struct window_row *row)
{
	int64_t values[2] = { (int64_t)row->samples, (int64_t)row->cpu_ns };
	struct profile_sample s;

	if (n->stack_of[row->stack].n_frames == NOT_YET && add_stack(n, row->stack) < 0)
		return -ENOMEM;
	if (n->labels_of[row->labels].n_labels == NOT_YET)
		add_labels(n, row->labels);
	s = n->stack_of[row->stack];
	s.first_label = n->labels_of[row->labels].first_label;
	s.n_labels = n->labels_of[row->labels].n_labels;
	s.trace = n->labels_of[row->labels].trace;
	profile_add_sample(n->p, &s, values);
	n->stats.frames += row->samples * s.n_frames;
	n->stats.frames_named += row->samples * n->named_in[row->stack];
	n->stats.frames_with_lines += row->samples * n->lined_in[row->stack];
	return profile_error(n->p);
}

struct namer *namer_free(struct namer *n)
{
	if (!n)
		return NULL;
	free(n->images);
	free(n->held);
	free(n->location_of);
	free(n->known);
	free(n->stack_of);
	free(n->named_in);
	free(n->lined_in);
	free(n->labels_of);
	locator_fini(&n->locator);
	profile_free(n->p);
	free(n);
	return NULL;
}

int namer_new(const struct window *w, struct symbolizer *symbols, const struct name_opts *opts, struct namer **ret)
{
	struct namer *n = calloc(1, sizeof(*n));
	int r = -ENOMEM;

	if (!n)
		return -ENOMEM;
	n->w = w;
	n->symbols = symbols;
	n->locator.opts = *opts;
	n->location_of = calloc(w->frames.n + 1u, sizeof(*n->location_of));
	n->known = calloc(w->frames.n + 1u, sizeof(*n->known));
	n->stack_of = calloc(w->stacks.n + 1u, sizeof(*n->stack_of));
	n->named_in = calloc(w->stacks.n + 1u, sizeof(*n->named_in));
	n->lined_in = calloc(w->stacks.n + 1u, sizeof(*n->lined_in));
	n->labels_of = calloc(w->labels.n + 1u, sizeof(*n->labels_of));
	if (n->location_of && n->known && n->stack_of && n->named_in && n->lined_in && n->labels_of)
		r = load_images(n);
	if (r < 0)
		namer_free(n);
	else
		*ret = n;
	return r;
}

/* Nothing of the last profile is known of the next. */
static int begin_profile(struct namer *n, const char *title)
{
	const struct window *w = n->w;

	n->p = profile_new();
	if (!n->p)
		return -ENOMEM;
	memset(n->location_of, 0xff, w->frames.n * sizeof(*n->location_of));
	for (uint32_t i = 0; i < w->stacks.n; i++)
		n->stack_of[i].n_frames = NOT_YET;
	for (uint32_t i = 0; i < w->labels.n; i++)
		n->labels_of[i].n_labels = NOT_YET;
	locator_begin(&n->locator, n->p);
	profile_set_cpu(n->p, (int64_t)w->period_ns);
	n->p->time_ns = (int64_t)w->start_utc_ns;
	n->p->duration_ns = (int64_t)(w->end_boot_ns - w->start_boot_ns);
	n->key_comm = str(n, "comm");
	n->key_pid = str(n, "pid");
	n->key_tid = str(n, "tid");
	n->key_cgroup = str(n, "cgroup");
	n->key_cut = str(n, "stack_cut");
	n->key_route = str(n, "http.route");
	n->key_method = str(n, "http.request.method");
	n->key_span = str(n, "span_id");
	n->key_service = str(n, "service_name");
	n->unit_id = str(n, "id");
	/* Viewers take the first mapping for the main binary; no frame lies in it. */
	locator_add_mapping(&n->locator, &(struct profile_mapping){ .limit = 1, .file = str(n, title ? title : "[host]") });
	return 0;
}

int namer_profile(struct namer *n, const char *title, const uint32_t *rows, uint32_t n_rows, struct profile **ret)
{
	int r = begin_profile(n, title);

	if (!rows)
		n_rows = n->w->rows.n;
	for (uint32_t i = 0; r >= 0 && i < n_rows; i++)
		r = add_row(n, &n->w->rows.v[rows ? rows[i] : i]);
	if (r < 0) {
		n->p = profile_free(n->p);
		return r;
	}
	locator_end(&n->locator);
	*ret = take_ptr(n->p);
	return 0;
}

void namer_stats(const struct namer *n, struct name_stats *ret)
{
	*ret = n->stats;
}
