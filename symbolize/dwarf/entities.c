/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/entities.h"

#include <dwarf.h>

enum {
	CHAIN_MAX = 16,		/* entries that together describe one function; three in practice */
	ENTITIES_MAX = 1 << 18, /* kept; 16 bytes and a slot each */
};

/* What of a function is known, and what has not been looked at. */
struct chain {
	struct symcache_function f;
	bool has_line, has_file, has_name, has_linkage;
	uint32_t n, n_seen;
	uint64_t seen[CHAIN_MAX];
	struct {
		const struct dwarf_object *obj;
		uint64_t offset;
	} todo[CHAIN_MAX];
};

static uint64_t key_of(const struct dwarf_object *o, uint64_t offset)
{
	return (uint64_t)o->id << 48 ^ offset;
}

/* Units lie one behind the other: the last one that begins at or before the offset. */
static bool unit_offset(const struct dwarf_unit_index *x, uint64_t offset, uint64_t *ret)
{
	uint32_t lo = 0, hi = x->offsets.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (x->offsets.v[mid] <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	*ret = x->offsets.v[lo - 1];
	return true;
}

static int near_open(struct dwarf_scan *s, struct dwarf_unit *n, const struct dwarf_object *obj, uint64_t begins)
{
	int r;

	dwarf_line_files_free(n->files);
	*n = (struct dwarf_unit){ 0 };
	memcpy(n->parts.s, obj->s, sizeof(obj->s));
	r = dwarf_unit_header(obj, begins, n);
	if (!r)
		r = dwarf_unit_open(n, NULL, &s->abbrevs, &s->budget);
	if (r < 0)
		*n = (struct dwarf_unit){ 0 };
	return r;
}

/* The unit an offset lies in: u itself, or another one, opened. NULL: none. */
static struct dwarf_unit *unit_at(struct dwarf_scan *s, struct dwarf_unit *u, const struct dwarf_object *obj,
				  uint64_t offset)
{
	const struct dwarf_unit_index *x = obj == &s->alt ? &s->alt_index : obj == &s->main ? &s->main_index : NULL;
	struct dwarf_unit *n;
	uint64_t begins;

	if (obj == u->obj && offset >= u->entries && offset < u->end)
		return u;
	/* Split units refer to themselves only. */
	if (!x || !unit_offset(x, offset, &begins))
		return NULL;
	n = &s->near[hash_u64(key_of(obj, begins)) % DWARF_NEAR_UNITS];
	if ((n->obj != obj || n->offset != begins) &&
	    (!dwarf_budget_pay(&s->budget, 64) || near_open(s, n, obj, begins) < 0))
		return NULL;
	return offset >= n->entries && offset < n->end ? n : NULL;
}

/* Where a reference leads; false when its form is none of a reference's, or of a file that is not there. */
static bool target_of(struct dwarf_scan *s, const struct dwarf_unit *u, uint16_t form, uint64_t value,
		      const struct dwarf_object **ret_obj, uint64_t *ret)
{
	*ret_obj = u->obj;
	switch (form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		*ret = u->offset + value;
		return value < u->end - u->offset;
	case DW_FORM_ref_addr:
		*ret = value;
		return value < u->obj->s[DWARF_INFO].len;
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
		*ret_obj = u->obj->alt;
		*ret = value;
		return u->obj->alt && value < u->obj->alt->s[DWARF_INFO].len;
	default:
		return false;
	}
}

static int text_id(struct dwarf_scan *s, const struct dwarf_unit *u, uint16_t form, uint64_t value, uint32_t *ret)
{
	struct dwarf_text t;
	struct dwarf_text_slot *slot;
	uint64_t key;
	int r;

	*ret = 0;
	if (!dwarf_unit_text(u, form, value, &t)) {
		dwarf_budget_pay(&s->budget, DWARF_TEXT_MAX / 8); /* looked for its end, perhaps */
		return 0;
	}
	if (!dwarf_budget_pay(&s->budget, t.len / 8))
		return 0;
	/* Linkers keep each text once: its place is as good as its bytes. */
	key = (uint64_t)(uintptr_t)t.s;
	slot = &s->texts[hash_u64(key) % DWARF_TEXT_SLOTS];
	if (slot->key == key) {
		*ret = slot->id;
		return 0;
	}
	r = symcache_build_string(s->out, t.s, t.len, ret);
	if (!r)
		*slot = (struct dwarf_text_slot){ .key = key, .id = *ret };
	return r;
}

static void add_target(struct dwarf_scan *s, struct chain *c, const struct dwarf_unit *u, const struct dwarf_die *d,
		       enum dwarf_attr attr)
{
	const struct dwarf_object *obj;
	uint64_t offset;

	if (!dwarf_die_has(d, attr) || !target_of(s, u, d->form[attr], d->value[attr], &obj, &offset))
		return;
	for (uint32_t i = 0; i < c->n_seen; i++)
		if (c->seen[i] == key_of(obj, offset))
			return;
	if (c->n_seen == CHAIN_MAX || c->n == CHAIN_MAX)
		return;
	c->seen[c->n_seen++] = key_of(obj, offset);
	c->todo[c->n].obj = obj;
	c->todo[c->n++].offset = offset;
}

/* What an entry says that was not said before; and where it leads. */
static int take(struct dwarf_scan *s, struct chain *c, struct dwarf_unit *u, const struct dwarf_die *d)
{
	int r = 0;

	if (!c->has_name && dwarf_die_has(d, ATTR_NAME)) {
		c->has_name = true;
		r = text_id(s, u, d->form[ATTR_NAME], d->value[ATTR_NAME], &c->f.name);
	}
	if (!r && !c->has_linkage && dwarf_die_has(d, ATTR_LINKAGE_NAME)) {
		c->has_linkage = true;
		r = text_id(s, u, d->form[ATTR_LINKAGE_NAME], d->value[ATTR_LINKAGE_NAME], &c->f.linkage);
	}
	if (!r && !c->has_file && dwarf_die_has(d, ATTR_DECL_FILE)) {
		c->has_file = true;
		r = dwarf_scan_file(s, u, d->value[ATTR_DECL_FILE], &c->f.file);
	}
	if (!c->has_line && dwarf_die_has(d, ATTR_DECL_LINE)) {
		c->has_line = true;
		c->f.line = (uint32_t)d->value[ATTR_DECL_LINE];
	}
	if (!c->f.language)
		c->f.language = u->language;
	add_target(s, c, u, d, ATTR_ABSTRACT_ORIGIN);
	add_target(s, c, u, d, ATTR_SPECIFICATION);
	return r;
}

static bool complete(const struct chain *c)
{
	return c->has_name && c->has_linkage && c->has_file && c->has_line;
}

/* Follows what take() found, until all is known or nothing is left. */
static int follow(struct dwarf_scan *s, struct chain *c, struct dwarf_unit *u)
{
	int r = 0;

	while (!r && c->n && !complete(c)) {
		const struct dwarf_object *obj = c->todo[--c->n].obj;
		uint64_t offset = c->todo[c->n].offset;
		struct dwarf_unit *of = unit_at(s, u, obj, offset);
		struct dwarf_die d;
		struct bytes b;

		if (!of)
			continue;
		b = dwarf_unit_bytes(of, offset);
		if (dwarf_die_read(of, &b, &d) && d.abbrev)
			r = take(s, c, of, &d);
		if (!dwarf_budget_pay(&s->budget, (uint64_t)(b.at - obj->s[DWARF_INFO].data) - offset))
			break;
	}
	return r;
}

static int finish(struct dwarf_scan *s, struct chain *c, const struct dwarf_unit *u, uint32_t *ret)
{
	if (!c->f.language)
		c->f.language = u->language; /* dwz's partial units have none */
	return symcache_build_function(s->out, &c->f, ret);
}

struct question {
	const struct dwarf_scan *s;
	uint64_t key;
};

static bool same(const void *ctx, uint32_t id)
{
	const struct question *q = ctx;

	return q->s->entities.v[id].key == q->key;
}

static void forget(struct dwarf_scan *s)
{
	s->entities.n = 0;
	htable_reset(&s->entity_index);
}

static int remember(struct dwarf_scan *s, uint64_t key, uint32_t function)
{
	struct dwarf_entity *e;

	if (s->entities.n == ENTITIES_MAX)
		forget(s);
	e = vec_push(&s->entities);
	if (!e)
		return -ENOMEM;
	*e = (struct dwarf_entity){ .key = key, .function = function };
	return htable_insert(&s->entity_index, hash_u64(key), s->entities.n - 1);
}

int dwarf_entity_function(struct dwarf_scan *s, struct dwarf_unit *u, uint16_t form, uint64_t value, uint32_t *ret)
{
	const struct dwarf_object *obj;
	struct chain c = { .f = { .file = SYMCACHE_NONE } };
	struct question q = { .s = s };
	uint64_t offset;
	uint32_t id;
	int r;

	if (!target_of(s, u, form, value, &obj, &offset))
		return -ENOENT;
	q.key = key_of(obj, offset);
	id = htable_find(&s->entity_index, hash_u64(q.key), same, &q);
	if (id != HTABLE_NONE) {
		*ret = s->entities.v[id].function;
		return 0;
	}
	c.todo[c.n].obj = obj;
	c.todo[c.n++].offset = offset;
	c.seen[c.n_seen++] = q.key;
	r = follow(s, &c, u);
	if (!r)
		r = finish(s, &c, u, ret);
	return r ? r : remember(s, q.key, *ret);
}

int dwarf_entity_of_die(struct dwarf_scan *s, struct dwarf_unit *u, const struct dwarf_die *d, uint32_t *ret)
{
	struct chain c = { .f = { .file = SYMCACHE_NONE } };
	int r;

	c.seen[c.n_seen++] = key_of(u->obj, d->offset);
	r = take(s, &c, u, d);
	if (!r)
		r = follow(s, &c, u);
	return r ? r : finish(s, &c, u, ret);
}

void dwarf_near_forget(struct dwarf_scan *s)
{
	for (unsigned int i = 0; i < DWARF_NEAR_UNITS; i++) {
		dwarf_line_files_free(s->near[i].files);
		s->near[i] = (struct dwarf_unit){ 0 };
	}
}

void dwarf_entities_fini(struct dwarf_scan *s)
{
	htable_fini(&s->entity_index);
	vec_fini(&s->entities);
	dwarf_near_forget(s);
}
