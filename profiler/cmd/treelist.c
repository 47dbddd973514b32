/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/treelist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "pprof/calltree.h"
#include "pprof/profile.h"
#include "pprof/top.h"

enum { SHARES_WIDTH = 20, MAX_INDENT = 45, MIN_NAME = 20 };

static const char *const kinds[] = { [FRAME_UNKNOWN] = "unknown", [FRAME_KERNEL] = "kernel", [FRAME_NATIVE] = "native",
				     [FRAME_JIT] = "jit", [FRAME_INTERPRETED] = "interpreted",
				     [CALLTREE_INLINED] = "inlined" };

/* The children of the node being shown that are still to come. */
struct level {
	uint32_t next, end; /* in order */
	uint32_t shown;     /* the parent's number in the JSON; + 1 */
	uint32_t depth;     /* of these children */
	uint32_t indent;    /* length of the prefix its lines begin with */
	bool branches;
};

struct walk {
	const struct treelist *l;
	uint32_t *order;    /* nodes that are kept, by parent, the largest first */
	uint32_t n_order, n_hidden;
	uint32_t *first;    /* by node: its children in order begin here, end at [node + 1] */
	vec(struct level) levels;
	struct buf prefix;
	struct buf *out;
	uint32_t shown;
};

static const struct calltree_node *node(const struct walk *w, uint32_t id)
{
	return &w->l->tree->nodes.v[id];
}

static const struct calltree_frame *frame(const struct walk *w, uint32_t id)
{
	return &w->l->tree->frames.v[node(w, id)->frame];
}

static const char *name(const struct walk *w, uint32_t id)
{
	return id ? strpool_str(&w->l->tree->strings, frame(w, id)->name) : w->l->root;
}

static const char *file(const struct walk *w, uint32_t id)
{
	return id ? strpool_str(&w->l->tree->strings, frame(w, id)->file) : "";
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct walk *w = ctx;
	const struct calltree_node *x = node(w, *(const uint32_t *)a), *y = node(w, *(const uint32_t *)b);
	int64_t size_x = profile_size(x->total), size_y = profile_size(y->total);
	int r;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (size_x != size_y)
		return size_x > size_y ? -1 : 1;
	r = strcmp(name(w, *(const uint32_t *)a), name(w, *(const uint32_t *)b));
	return r ? r : (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static bool is_small(const struct walk *w, uint32_t id)
{
	return top_percent(profile_size(node(w, id)->total), w->l->whole) < w->l->min_percent;
}

/* Parents come before children: a kept node's parent is kept, for it is at least as large. */
static int choose_nodes(struct walk *w)
{
	uint32_t n = w->l->tree->nodes.n;
	_cleanup_(freep) bool *kept = calloc(n, sizeof(*kept));

	w->order = calloc(n, sizeof(*w->order));
	w->first = calloc(n + 1u, sizeof(*w->first));
	if (!kept || !w->order || !w->first)
		return -ENOMEM;
	kept[0] = true;
	for (uint32_t i = 1; i < n; i++) {
		kept[i] = kept[node(w, i)->parent] && !is_small(w, i);
		w->n_hidden += !kept[i];
		if (kept[i])
			w->order[w->n_order++] = i;
		if (kept[i])
			w->first[node(w, i)->parent + 1]++;
	}
	for (uint32_t i = 0; i < n; i++)
		w->first[i + 1] += w->first[i];
	qsort_r(w->order, w->n_order, sizeof(*w->order), compare, w);
	return 0;
}

static void put_name(struct walk *w, uint32_t id, int width)
{
	static const char *const marks[] = { [FRAME_KERNEL] = " [k]", [FRAME_JIT] = " [j]", [CALLTREE_INLINED] = " [i]" };
	uint8_t kind = id ? frame(w, id)->kind : FRAME_UNKNOWN;
	const char *mark = kind < ARRAY_SIZE(marks) && marks[kind] ? marks[kind] : "";

	columns_put_function(w->out, name(w, id), id && w->l->by_line ? file(w, id) : NULL, id ? frame(w, id)->line : 0, mark, width);
	buf_putc(w->out, '\n');
}

static void put_text(struct walk *w, uint32_t id, const struct level *l, const char *mark)
{
	const struct calltree_node *n = node(w, id);
	int used = SHARES_WIDTH + w->l->amount->width + 2, rest;
	size_t indent = l->indent < MAX_INDENT ? l->indent : MAX_INDENT;

	buf_printf(w->out, "  %5.1f %%  %5.1f %%  ", top_percent(n->total, w->l->whole),
		   w->l->of_it ? top_percent(n->total, node(w, 0)->total) : top_percent(n->self, w->l->whole));
	amount_cell(w->l->amount, n->total, w->out);
	buf_puts(w->out, "  ");
	if (indent)
		buf_append(w->out, w->prefix.data, indent);
	buf_puts(w->out, mark);
	rest = COLUMNS - used - (int)indent - (int)strlen(mark);
	put_name(w, id, rest > MIN_NAME ? rest : MIN_NAME);
}

static void put_json(struct walk *w, uint32_t id, const struct level *l)
{
	const struct calltree_node *n = node(w, id);
	const char *image = id ? strpool_str(&w->l->tree->strings, frame(w, id)->image) : "";

	buf_printf(w->out, "%s{\"parent\":%lld,\"depth\":%u,\"name\":", w->shown ? "," : "", (long long)l->shown - 1, l->depth);
	buf_json_string(w->out, name(w, id), strlen(name(w, id)));
	buf_puts(w->out, ",\"image\":");
	buf_json_string(w->out, image, strlen(image));
	buf_puts(w->out, ",\"file\":");
	buf_json_string(w->out, file(w, id), strlen(file(w, id)));
	buf_printf(w->out, ",\"line\":%u,\"kind\":\"%s\",\"self\":%lld,\"total\":%lld,\"self_percent\":%.3f,\"total_percent\":%.3f}", id ? frame(w, id)->line : 0,
		   kinds[id ? frame(w, id)->kind : FRAME_UNKNOWN], (long long)n->self, (long long)n->total,
		   top_percent(n->self, w->l->whole), top_percent(n->total, w->l->whole));
}

/* Shows a node and makes its children the next to come. */
static int show(struct walk *w, uint32_t id, const struct level *l, bool json)
{
	bool last = l->next == l->end;
	struct level children = { .next = w->first[id], .end = w->first[id + 1], .depth = l->depth + 1,
				  .indent = l->indent };
	struct level *slot;

	if (json)
		put_json(w, id, l);
	else
		put_text(w, id, l, l->branches ? last ? "`- " : "|- " : "");
	children.shown = ++w->shown;
	children.branches = children.end - children.next > 1;
	w->prefix.len = l->indent;
	if (l->branches) {
		buf_puts(&w->prefix, last ? "   " : "|  ");
		children.indent += 3;
	}
	slot = vec_push(&w->levels);
	if (!slot)
		return -ENOMEM;
	*slot = children;
	return buf_error(&w->prefix);
}

static int walk_all(struct walk *w, bool json)
{
	uint32_t roots = w->first[1] - w->first[0];
	struct level top = { .next = w->first[0], .end = w->first[1] };
	struct level *slot;
	int r = 0;

	if (roots != 1 || node(w, 0)->self)
		r = show(w, 0, &(struct level){ 0 }, json);
	else if ((slot = vec_push(&w->levels)))
		*slot = top;
	else
		r = -ENOMEM;
	while (r >= 0 && w->levels.n) {
		struct level *l = &w->levels.v[w->levels.n - 1], now;

		if (l->next == l->end) {
			w->levels.n--;
			continue;
		}
		l->next++;
		now = *l;
		r = show(w, w->order[now.next - 1], &now, json);
	}
	return r;
}

static void walk_fini(struct walk *w)
{
	free(w->order);
	free(w->first);
	vec_fini(&w->levels);
	buf_fini(&w->prefix);
}

int treelist_text(const struct treelist *l, struct buf *out)
{
	_cleanup_(walk_fini) struct walk w = { .l = l, .out = out };
	int r = choose_nodes(&w);

	if (r < 0)
		return r;
	buf_printf(out, "   total  %8s  ", l->of_it ? "of it" : "self");
	amount_head(l->amount, out);
	buf_printf(out, "  %s\n", l->head);
	r = walk_all(&w, false);
	if (w.n_hidden)
		buf_printf(out, "\n%u node%s below %g %% %s left out: --min-percent shows more\n", w.n_hidden,
			   w.n_hidden > 1 ? "s" : "", l->min_percent, w.n_hidden > 1 ? "are" : "is");
	return r < 0 ? r : buf_error(out);
}

int treelist_json(const struct treelist *l, struct buf *out)
{
	_cleanup_(walk_fini) struct walk w = { .l = l, .out = out };
	int r = choose_nodes(&w);

	buf_putc(out, '[');
	if (r >= 0)
		r = walk_all(&w, true);
	buf_putc(out, ']');
	return r < 0 ? r : buf_error(out);
}
