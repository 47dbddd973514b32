/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/perf_frames.h"

#include <errno.h>
#include <string.h>

#include "pprof/profile.h"

static uint32_t mapping_of(struct perf_frames *f, const struct perf_text *image)
{
	struct profile_mapping m = { .has_functions = true }; /* all names there are; nobody is to look for more */
	uint32_t id;
	bool new;

	if (!image->len)
		return PROFILE_NO_MAPPING;
	id = strpool_intern(&f->images, image->s, image->len, &new);
	if (!new)
		return id - 1;
	m.file = strpool_add_len(&f->p->strings, image->s, image->len);
	return profile_add_mapping(f->p, &m);
}

static void add_line(struct perf_frames *f, const struct perf_frame_line *l, struct profile_line *ret)
{
	struct profile_function fn = { 0 };

	fn.name = fn.system_name = strpool_add_len(&f->p->strings, l->symbol.s, l->symbol.len);
	if (l->file.len)
		fn.file = strpool_add_len(&f->p->strings, l->file.s, l->file.len);
	*ret = (struct profile_line){ .function = profile_add_function(f->p, &fn), .line = l->line };
}

static uint8_t kind_of(const struct perf_frames *f, const struct profile_location *l, bool named)
{
	if (l->mapping < f->p->mappings.n)
		return profile_guess_kind(profile_str(f->p, f->p->mappings.v[l->mapping].file));
	if (l->address >> 63)
		return FRAME_KERNEL;
	return named ? FRAME_NATIVE : FRAME_UNKNOWN;
}

static void note_sources(struct perf_frames *f, const struct profile_location *l, const struct profile_line *lines, uint32_t n)
{
	struct profile_mapping *m = l->mapping < f->p->mappings.n ? &f->p->mappings.v[l->mapping] : NULL;

	for (uint32_t i = 0; m && i < n; i++) {
		m->has_filenames |= f->p->functions.v[lines[i].function].file != 0;
		m->has_line_numbers |= lines[i].line != 0;
	}
	if (m)
		m->has_inline_frames |= n > 1;
}

static uint32_t add_location(struct perf_frames *f, const struct perf_frame_line *physical)
{
	struct profile_location l = { .address = physical->address, .mapping = mapping_of(f, &physical->image) };
	struct profile_line lines[PERF_MAX_INLINED + 1] = { 0 };
	uint32_t n = 0;

	for (; n < f->n_inlined; n++)
		add_line(f, &f->inlined[n], &lines[n]);
	if (physical->symbol.len)
		add_line(f, physical, &lines[n++]);
	l.kind = kind_of(f, &l, n > 0);
	if (!profile_error(f->p))
		note_sources(f, &l, lines, n);
	return profile_add_location(f->p, &l, lines, n);
}

static void push(struct perf_frames *f, const struct perf_frame_line *physical)
{
	bool new;
	uint32_t id = strpool_intern(&f->frames, f->text.data, f->text.len, &new), *slot = vec_push(&f->stack);

	if (!slot || !id || buf_error(&f->text)) {
		f->p->error = -ENOMEM;
		return;
	}
	*slot = new ? add_location(f, physical) : id - 1;
	f->n_inlined = 0;
	buf_reset(&f->text);
}

/* Nothing more belongs to the line that is open. */
static void close_line(struct perf_frames *f)
{
	if (!f->is_open)
		return;
	f->is_open = false;
	if (f->open.inlined && f->open.symbol.len && f->n_inlined < PERF_MAX_INLINED)
		f->inlined[f->n_inlined++] = f->open;
	else
		push(f, &f->open);
}

static void keep_text(struct perf_frames *f, const char *s, size_t len)
{
	buf_append(&f->text, s, len);
	buf_putc(&f->text, '\n');
}

void perf_frames_read(struct perf_frames *f, const char *s, size_t len)
{
	struct perf_frame_line l;

	if (perf_frame_line(s, len, &l)) {
		close_line(f);
		f->open = l;
		f->is_open = true;
	} else if (!f->is_open || f->open.file.len || !perf_source_line(s, len, &f->open)) {
		return; /* the payload of a tracepoint over several lines */
	}
	keep_text(f, s, len);
}

void perf_frames_end(struct perf_frames *f, struct profile_sample *s)
{
	close_line(f);
	if (f->n_inlined) { /* the function they were inlined into is missing: the last stands for it */
		struct perf_frame_line last = f->inlined[--f->n_inlined];

		push(f, &last);
	}
	s->first_frame = profile_add_frames(f->p, f->stack.v, f->stack.n);
	s->n_frames = f->stack.n;
	f->stack.n = 0;
}

void perf_frames_fini(struct perf_frames *f)
{
	strpool_fini(&f->images);
	strpool_fini(&f->frames);
	vec_fini(&f->stack);
	buf_fini(&f->text);
}
