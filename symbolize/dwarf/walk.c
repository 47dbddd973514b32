/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk - one pass over a unit's entries: functions and what is inlined into them become nodes and ranges.
 *
 *	subprogram            root node     open: 1
 *	  lexical_block       walked through
 *	    inlined_subr.     child node    open: 2
 *	      inlined_subr.   its child     open: 3
 *
 * A node is made when it, or something below it, has a live range; most entries are declarations and dead
 * copies. Depth is kept in an explicit stack of a bound; what is nested deeper is passed over.
 */
#include <dwarf.h>
#include <errno.h>

#include "symbolize/dwarf/entities.h"

enum {
	LEVELS_MAX = 2048, /* of nested entries; blocks nest some dozens deep */
	OPEN_MAX = SYMCACHE_DEPTH_MAX,
};

/* A function or call whose children are being read. */
struct open_entry {
	uint64_t offset;
	uint32_t node; /* SYMCACHE_NONE: not made yet */
	bool root;
};

struct walk {
	struct dwarf_scan *s;
	struct dwarf_unit *u;
	uint32_t n_open, n_levels;
	uint64_t too_deep; /* levels beyond LEVELS_MAX */
	struct open_entry open[OPEN_MAX];
	uint16_t levels[LEVELS_MAX]; /* n_open outside of each */
};

static int make_root(struct walk *w, const struct dwarf_die *d, uint32_t *ret)
{
	uint32_t function;
	int r = dwarf_entity_of_die(w->s, w->u, d, &function);

	return r ? r : symcache_build_node(w->s->out, function, SYMCACHE_NONE, SYMCACHE_NONE, 0, ret);
}

static int make_inlined(struct walk *w, const struct dwarf_die *d, uint32_t parent, uint32_t *ret)
{
	uint32_t function, call_file = SYMCACHE_NONE, call_line = 0;
	int r = -ENOENT;

	if (dwarf_die_has(d, ATTR_ABSTRACT_ORIGIN))
		r = dwarf_entity_function(w->s, w->u, d->form[ATTR_ABSTRACT_ORIGIN],
					  d->value[ATTR_ABSTRACT_ORIGIN], &function);
	if (r == -ENOENT)
		r = dwarf_entity_of_die(w->s, w->u, d, &function);
	if (!r && dwarf_die_has(d, ATTR_CALL_FILE))
		r = dwarf_scan_file(w->s, w->u, d->value[ATTR_CALL_FILE], &call_file);
	if (dwarf_die_has(d, ATTR_CALL_LINE))
		call_line = (uint32_t)d->value[ATTR_CALL_LINE];
	return r ? r : symcache_build_node(w->s->out, function, parent, call_file, call_line, ret);
}

static int make_node(struct walk *w, const struct dwarf_die *d, bool root, uint32_t parent, uint32_t *ret)
{
	w->s->stats.nodes++;
	return root ? make_root(w, d, ret) : make_inlined(w, d, parent, ret);
}

/* The node of the innermost open entry, made with those above it that are not there yet. */
static int parent_node(struct walk *w, uint32_t *ret)
{
	uint32_t i = w->n_open, parent;
	int r = 0;

	while (i && w->open[i - 1].node == SYMCACHE_NONE && !w->open[i - 1].root)
		i--;
	if (i && w->open[i - 1].node == SYMCACHE_NONE)
		i--; /* a root that is not made yet */
	parent = i ? w->open[i - 1].node : SYMCACHE_NONE;
	for (; i < w->n_open && !r; i++) {
		struct bytes b = dwarf_unit_bytes(w->u, w->open[i].offset);
		struct dwarf_die d;

		/* It was read before: it is good. */
		if (!dwarf_die_read(w->u, &b, &d))
			return -EBADMSG;
		r = make_node(w, &d, w->open[i].root, parent, &w->open[i].node);
		parent = w->open[i].node;
	}
	*ret = parent;
	return r;
}

static int add_ranges(struct walk *w, uint32_t node)
{
	int r = 0;

	vec_foreach (range, &w->s->ranges.v) {
		w->s->stats.ranges++;
		r = symcache_build_range(w->s->out, node, range->start, range->end);
		if (r < 0)
			break;
	}
	return r;
}

/* A subprogram or an inlined call. */
static int visit(struct walk *w, const struct dwarf_die *d)
{
	bool root = d->abbrev->tag == DW_TAG_subprogram;
	uint32_t node = SYMCACHE_NONE, parent = SYMCACHE_NONE;
	int r = dwarf_ranges_of(w->u, d, &w->s->live, &w->s->budget, &w->s->ranges);

	if (!r && w->s->ranges.v.n) {
		if (!root)
			r = parent_node(w, &parent);
		if (!r)
			r = make_node(w, d, root, parent, &node);
		if (!r)
			r = add_ranges(w, node);
	}
	if (!r && d->abbrev->children && w->n_open < OPEN_MAX && w->n_levels < LEVELS_MAX)
		w->open[w->n_open++] = (struct open_entry){ .offset = d->offset, .node = node, .root = root };
	return r;
}

static void level_open(struct walk *w, uint32_t n_open_outside)
{
	if (w->n_levels == LEVELS_MAX || w->too_deep)
		w->too_deep++;
	else
		w->levels[w->n_levels++] = (uint16_t)n_open_outside;
}

static void level_close(struct walk *w)
{
	if (w->too_deep)
		w->too_deep--;
	else if (w->n_levels)
		w->n_open = w->levels[--w->n_levels];
}

/* What cannot hold code is jumped over; true when it was. */
static bool skip_children(const struct walk *w, const struct dwarf_die *d, struct bytes *b)
{
	const uint8_t *to;

	if (!dwarf_die_has(d, ATTR_SIBLING) || d->form[ATTR_SIBLING] == DW_FORM_ref_addr ||
	    d->value[ATTR_SIBLING] >= w->u->end - w->u->offset)
		return false;
	to = w->u->obj->s[DWARF_INFO].data + w->u->offset + d->value[ATTR_SIBLING];
	if (to < b->at)
		return false;
	b->at = to;
	return true;
}

int dwarf_walk(struct dwarf_scan *s, struct dwarf_unit *u)
{
	struct walk w;
	struct bytes b = dwarf_unit_bytes(u, u->entries);
	struct dwarf_die d;
	uint64_t n = 0;
	int r = 0;

	w.s = s;
	w.u = u;
	w.n_open = w.n_levels = 0;
	w.too_deep = 0;
	while (!r && b.at < b.end) {
		uint32_t n_open = w.n_open;

		if (!dwarf_die_read(u, &b, &d)) {
			s->stats.damaged_units++;
			break;
		}
		n++;
		if (!d.abbrev) {
			level_close(&w);
			continue;
		}
		if (d.abbrev->tag == DW_TAG_subprogram || d.abbrev->tag == DW_TAG_inlined_subroutine)
			r = visit(&w, &d);
		if (d.abbrev->children && !skip_children(&w, &d, &b))
			level_open(&w, n_open);
	}
	s->stats.dies += n;
	return r;
}
