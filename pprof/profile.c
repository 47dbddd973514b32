/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct profile *profile_new(void)
{
	return calloc(1, sizeof(struct profile));
}

struct profile *profile_free(struct profile *p)
{
	if (!p)
		return NULL;
	strpool_fini(&p->strings);
	htable_fini(&p->function_index);
	vec_fini(&p->types);
	vec_fini(&p->comments);
	vec_fini(&p->mappings);
	vec_fini(&p->functions);
	vec_fini(&p->lines);
	vec_fini(&p->locations);
	vec_fini(&p->frames);
	vec_fini(&p->labels);
	vec_fini(&p->samples);
	vec_fini(&p->values);
	vec_fini(&p->routes);
	free(p);
	return NULL;
}

int profile_error(const struct profile *p)
{
	return p->error ? p->error : strpool_error(&p->strings);
}

static uint32_t no_memory(struct profile *p)
{
	p->error = -ENOMEM;
	return 0;
}

void profile_add_type(struct profile *p, const char *type, const char *unit)
{
	struct profile_type *t = vec_push(&p->types);

	if (!t) {
		no_memory(p);
		return;
	}
	t->type = strpool_add(&p->strings, type);
	t->unit = strpool_add(&p->strings, unit);
}

void profile_set_cpu(struct profile *p, int64_t period_ns)
{
	profile_add_type(p, "samples", "count");
	profile_add_type(p, "cpu", "nanoseconds");
	p->period_type.type = strpool_add(&p->strings, "cpu");
	p->period_type.unit = strpool_add(&p->strings, "nanoseconds");
	p->period = period_ns;
}

void profile_comment(struct profile *p, const char *text)
{
	uint32_t *c = vec_push(&p->comments);

	if (!c)
		no_memory(p);
	else
		*c = strpool_add(&p->strings, text);
}

uint32_t profile_add_mapping(struct profile *p, const struct profile_mapping *m)
{
	struct profile_mapping *slot = vec_push(&p->mappings);

	if (!slot)
		return no_memory(p);
	*slot = *m;
	return p->mappings.n - 1;
}

struct function_key {
	const struct profile *p;
	const struct profile_function *f;
};

static bool same_function(const void *ctx, uint32_t id)
{
	const struct function_key *k = ctx;
	const struct profile_function *f = &k->p->functions.v[id];

	return f->name == k->f->name && f->system_name == k->f->system_name && f->file == k->f->file &&
	       f->start_line == k->f->start_line;
}

uint32_t profile_add_function(struct profile *p, const struct profile_function *f)
{
	struct function_key key = { p, f };
	uint64_t hash = hash_u64(f->name | (uint64_t)f->system_name << 32) ^
			hash_u64(~(f->file | (uint64_t)f->start_line << 32));
	uint32_t id = htable_find(&p->function_index, hash, same_function, &key);
	struct profile_function *slot;

	if (id != HTABLE_NONE)
		return id;
	slot = vec_push(&p->functions);
	if (!slot)
		return no_memory(p);
	*slot = *f;
	if (htable_insert(&p->function_index, hash, p->functions.n - 1) < 0)
		return no_memory(p);
	return p->functions.n - 1;
}

uint32_t profile_add_location(struct profile *p, const struct profile_location *loc,
			      const struct profile_line *lines, uint32_t n_lines)
{
	struct profile_location *slot;

	if (vec_reserve(&p->lines, n_lines) < 0 || !(slot = vec_push(&p->locations)))
		return no_memory(p);
	*slot = *loc;
	slot->first_line = p->lines.n;
	slot->n_lines = n_lines;
	if (n_lines)
		memcpy(p->lines.v + p->lines.n, lines, n_lines * sizeof(*lines));
	p->lines.n += n_lines;
	return p->locations.n - 1;
}

uint32_t profile_add_labels(struct profile *p, const struct profile_label *labels, uint32_t n)
{
	if (vec_reserve(&p->labels, n) < 0)
		return no_memory(p);
	if (n)
		memcpy(p->labels.v + p->labels.n, labels, n * sizeof(*labels));
	p->labels.n += n;
	return p->labels.n - n;
}

uint32_t profile_add_frames(struct profile *p, const uint32_t *locations, uint32_t n)
{
	if (vec_reserve(&p->frames, n) < 0)
		return no_memory(p);
	if (n)
		memcpy(p->frames.v + p->frames.n, locations, n * sizeof(*locations));
	p->frames.n += n;
	return p->frames.n - n;
}

void profile_add_sample(struct profile *p, const struct profile_sample *s, const int64_t *values)
{
	struct profile_sample *slot;

	if (vec_reserve(&p->values, p->types.n) < 0 || !(slot = vec_push(&p->samples))) {
		no_memory(p);
		return;
	}
	*slot = *s;
	if (p->types.n)
		memcpy(p->values.v + p->values.n, values, p->types.n * sizeof(*values));
	p->values.n += p->types.n;
}

void profile_add_route(struct profile *p, const char *service, const char *method, const char *route, int64_t requests)
{
	struct profile_route *slot = vec_push(&p->routes);

	if (slot)
		*slot = (struct profile_route){ strpool_add(&p->strings, service), strpool_add(&p->strings, method),
						strpool_add(&p->strings, route), requests };
	else
		no_memory(p);
}

uint32_t profile_default_type(const struct profile *p)
{
	for (uint32_t i = 0; p->default_type && i < p->types.n; i++)
		if (p->types.v[i].type == p->default_type)
			return i;
	return p->types.n ? p->types.n - 1 : 0;
}

const struct profile_label *profile_sample_label(const struct profile *p, const struct profile_sample *s,
						 const char *key)
{
	for (uint32_t i = 0; i < s->n_labels; i++) {
		const struct profile_label *l = &p->labels.v[s->first_label + i];

		if (!strcmp(profile_str(p, l->key), key))
			return l;
	}
	return NULL;
}

const char *profile_base_name(const char *path)
{
	const char *slash = path[0] == '[' ? NULL : strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

uint8_t profile_guess_kind(const char *image)
{
	const char *ko = strstr(image, ".ko");

	if (!strncmp(image, "[kernel", 7) || !strncmp(image, "[guest.kernel", 13))
		return FRAME_KERNEL;
	if (!strcmp(image, "[anon]") || !strncmp(image, "//anon", 6) || strstr(image, "/perf-"))
		return FRAME_JIT;
	if (!strncmp(image, "[vdso]", 6) || !strncmp(image, "[vsyscall]", 10))
		return FRAME_NATIVE;
	if (!strncmp(profile_base_name(image), "vmlinux", 7) || (ko && (!ko[3] || ko[3] == '.')))
		return FRAME_KERNEL;
	return image[0] == '[' ? FRAME_KERNEL : FRAME_NATIVE; /* "[nf_tables]": a module */
}

static const char *image_name(const struct profile *p, const struct profile_location *l)
{
	const char *file = l->mapping < p->mappings.n ? profile_str(p, p->mappings.v[l->mapping].file) : "";

	return file[0] ? profile_base_name(file) : "unknown";
}

void profile_location_name(const struct profile *p, uint32_t location, uint32_t line_index, struct buf *out)
{
	const struct profile_location *l = &p->locations.v[location];
	const char *image;

	if (line_index < l->n_lines) {
		const struct profile_function *f =
			&p->functions.v[p->lines.v[l->first_line + line_index].function];

		buf_append(out, profile_str(p, f->name), strpool_len(&p->strings, f->name));
		return;
	}
	image = image_name(p, l);
	if (image[0] == '[') /* "[vdso]" has its brackets already */
		buf_printf(out, "[%.*s+0x%llx]", (int)strcspn(image + 1, "]"), image + 1, (unsigned long long)l->address);
	else
		buf_printf(out, "[%s+0x%llx]", image, (unsigned long long)l->address);
}

struct profile_source profile_location_source(const struct profile *p, uint32_t location, uint32_t line_index,
					      enum profile_unit unit)
{
	const struct profile_location *l = &p->locations.v[location];
	const struct profile_line *line;
	const struct profile_function *f;

	if (line_index >= l->n_lines)
		return (struct profile_source){ 0 };
	line = &p->lines.v[l->first_line + line_index];
	f = &p->functions.v[line->function];
	return (struct profile_source){ .file = f->file, .line = unit == PROFILE_LINES ? line->line : f->start_line };
}
