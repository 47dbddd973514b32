/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/transfer.h"

#include <errno.h>
#include <string.h>

/* Not carried over yet; else index + 1. */
enum { NOT_YET = 0 };

static int no_memory(struct transfer *t)
{
	t->to->error = -ENOMEM;
	return -ENOMEM;
}

int transfer_begin(struct transfer *t, const struct profile *from)
{
	uint32_t n_strings = from->strings.entries.n;

	t->from = from;
	t->string_of.n = t->mapping_of.n = t->location_of.n = 0;
	if (vec_reserve(&t->string_of, n_strings + 1u) < 0 || vec_reserve(&t->mapping_of, from->mappings.n + 1u) < 0 ||
	    vec_reserve(&t->location_of, from->locations.n + 1u) < 0)
		return no_memory(t);
	memset(t->string_of.v, 0, (n_strings + 1u) * sizeof(uint32_t));
	memset(t->mapping_of.v, 0, (from->mappings.n + 1u) * sizeof(uint32_t));
	memset(t->location_of.v, 0, (from->locations.n + 1u) * sizeof(uint32_t));
	t->string_of.n = n_strings;
	return 0;
}

uint32_t transfer_string(struct transfer *t, uint32_t id)
{
	if (id >= t->string_of.n)
		return 0;
	if (t->string_of.v[id] == NOT_YET)
		t->string_of.v[id] = 1 + strpool_add_len(&t->to->strings, strpool_str(&t->from->strings, id),
							 strpool_len(&t->from->strings, id));
	return t->string_of.v[id] - 1;
}

/* By build id, else by name; the size in pages, since the last one is not always counted whole. */
static uint32_t add_mapping(struct transfer *t, const struct profile_mapping *from)
{
	struct profile_mapping to = *from;
	bool new;
	uint32_t id;

	buf_reset(&t->key);
	transfer_key(&t->key, (from->limit - from->start + 0xfff) & ~0xfffull);
	transfer_key(&t->key, from->offset);
	transfer_key(&t->key, transfer_string(t, from->build_id ? from->build_id : from->file));
	id = strpool_intern(&t->mappings, t->key.data, t->key.len, &new);
	if (!new)
		return id ? id - 1 : 0;
	to.file = transfer_string(t, from->file);
	to.build_id = transfer_string(t, from->build_id);
	return profile_add_mapping(t->to, &to);
}

uint32_t transfer_mapping(struct transfer *t, uint32_t mapping)
{
	uint32_t *slot;

	if (mapping >= t->from->mappings.n)
		return PROFILE_NO_MAPPING;
	slot = &t->mapping_of.v[mapping];
	if (*slot == NOT_YET)
		*slot = 1 + add_mapping(t, &t->from->mappings.v[mapping]);
	return *slot - 1;
}

static void copy_lines(struct transfer *t, const struct profile_location *from)
{
	t->lines.n = 0;
	if (vec_reserve(&t->lines, from->n_lines) < 0) {
		no_memory(t);
		return;
	}
	for (uint32_t i = 0; i < from->n_lines; i++) {
		struct profile_line line = t->from->lines.v[from->first_line + i];
		struct profile_function f = t->from->functions.v[line.function];

		f.name = transfer_string(t, f.name);
		f.system_name = transfer_string(t, f.system_name);
		f.file = transfer_string(t, f.file);
		line.function = profile_add_function(t->to, &f);
		t->lines.v[t->lines.n++] = line;
	}
}

/* The address moves with its image: two runs load it at different places. */
static uint32_t add_location(struct transfer *t, const struct profile_location *from)
{
	struct profile_location to = { .mapping = transfer_mapping(t, from->mapping), .kind = from->kind,
				       .folded = from->folded, .address = from->address };
	bool new;
	uint32_t id;

	if (to.mapping < t->to->mappings.n)
		to.address += t->to->mappings.v[to.mapping].start - t->from->mappings.v[from->mapping].start;
	copy_lines(t, from);
	buf_reset(&t->key);
	transfer_key(&t->key, to.address);
	transfer_key(&t->key, to.mapping | (uint64_t)to.kind << 32 | (uint64_t)to.folded << 40);
	vec_foreach(l, &t->lines) {
		transfer_key(&t->key, l->function);
		transfer_key(&t->key, (uint64_t)l->line);
		transfer_key(&t->key, (uint64_t)l->column);
	}
	id = strpool_intern(&t->locations, t->key.data, t->key.len, &new);
	if (!new)
		return id ? id - 1 : 0;
	return profile_add_location(t->to, &to, t->lines.v, t->lines.n);
}

uint32_t transfer_location(struct transfer *t, uint32_t location)
{
	uint32_t *slot = &t->location_of.v[location];

	if (*slot == NOT_YET)
		*slot = 1 + add_location(t, &t->from->locations.v[location]);
	return *slot - 1;
}

int transfer_error(const struct transfer *t)
{
	if (buf_error(&t->key) || strpool_error(&t->mappings) || strpool_error(&t->locations))
		return -ENOMEM;
	return profile_error(t->to);
}

void transfer_fini(struct transfer *t)
{
	strpool_fini(&t->mappings);
	strpool_fini(&t->locations);
	buf_fini(&t->key);
	vec_fini(&t->string_of);
	vec_fini(&t->mapping_of);
	vec_fini(&t->location_of);
	vec_fini(&t->lines);
}
