/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/calltree.h"
#include "pprof/profile.h"

enum { WIDTH = 1200, MARGIN = 10, ROW = 18, TITLE = 44, FOOTER = 30, CHAR = 7 };

struct box {
	uint32_t node, depth;
	double x, width;
};

struct drawing {
	const struct profile *p;
	struct calltree tree;
	vec(struct box) boxes;
	uint32_t max_depth, left_out;
	struct buf *out;
};

/* Fill of each kind: kernel orange, native blue, JIT green, interpreted teal, inlined pink, unknown grey. */
static const char *fill(uint8_t kind)
{
	static const char *const fills[] = {
		[FRAME_UNKNOWN] = "#c4c7cc", [FRAME_KERNEL] = "#f2a65e",     [FRAME_NATIVE] = "#8fb8f0",
		[FRAME_JIT] = "#8fd19e",     [FRAME_INTERPRETED] = "#7fd0cf", [CALLTREE_INLINED] = "#e6a5d8",
	};

	return kind < ARRAY_SIZE(fills) ? fills[kind] : fills[FRAME_UNKNOWN];
}

/* XML text: markup escaped, characters XML 1.0 has no place for replaced. At most max characters. */
static void put_text(struct buf *b, const char *s, size_t max)
{
	size_t n = 0;

	for (; *s && n < max; n++) {
		unsigned char c = (unsigned char)*s;
		size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (c == '<' || c == '>' || c == '&' || c == '"') {
			buf_printf(b, "&#%d;", c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_putc(b, '?');
		} else if (c < 0x80) {
			buf_putc(b, (char)c);
		} else {
			_cleanup_(buf_fini) struct buf json = BUF_INIT;

			/* buf_json_string() knows what is UTF-8: what it had to replace is replaced here. */
			len = strnlen(s, len);
			buf_json_string(&json, s, len);
			if (json.len == len + 2 && !buf_error(&json)) {
				buf_append(b, s, len);
			} else {
				buf_putc(b, '?');
				len = 1;
			}
		}
		s += len;
	}
}


static int by_parent_then_total(const void *a, const void *b, void *ctx)
{
	const struct calltree *t = ctx;
	const struct calltree_node *x = &t->nodes.v[*(const uint32_t *)a], *y = &t->nodes.v[*(const uint32_t *)b];

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return strcmp(strpool_str(&t->strings, t->frames.v[x->frame].name),
		      strpool_str(&t->strings, t->frames.v[y->frame].name));
}

/* Nodes in the order parent, then size: a parent's box is placed before its children's. */
static int lay_out(struct drawing *d)
{
	const struct calltree *t = &d->tree;
	uint32_t n = t->nodes.n;
	_cleanup_(freep) uint32_t *order = calloc(n + 1u, sizeof(*order));
	_cleanup_(freep) struct box *placed = calloc(n + 1u, sizeof(*placed));
	_cleanup_(freep) double *next_x = calloc(n + 1u, sizeof(*next_x));
	double scale = t->nodes.v[0].total > 0 ? (double)(WIDTH - 2 * MARGIN) / (double)t->nodes.v[0].total : 0;

	if (!order || !placed || !next_x)
		return -ENOMEM;
	for (uint32_t i = 1; i < n; i++)
		order[i] = i;
	if (n > 1)
		qsort_r(order + 1, n - 1, sizeof(*order), by_parent_then_total, (void *)t);
	placed[0] = (struct box){ .x = MARGIN, .width = WIDTH - 2 * MARGIN };
	next_x[0] = MARGIN;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = order[k];
		const struct calltree_node *node = &t->nodes.v[i];
		struct box *b;

		if (i) {
			placed[i] = (struct box){ .node = i, .depth = placed[node->parent].depth + 1,
						  .x = next_x[node->parent], .width = (double)node->total * scale };
			next_x[node->parent] += placed[i].width;
			next_x[i] = placed[i].x;
		}
		if (placed[i].width < (WIDTH - 2 * MARGIN) / 1000.0) {
			d->left_out++;
			continue;
		}
		b = vec_push(&d->boxes);
		if (!b)
			return -ENOMEM;
		*b = placed[i];
		if (b->depth > d->max_depth)
			d->max_depth = b->depth;
	}
	return 0;
}

static const struct calltree_frame *box_frame(const struct drawing *d, const struct box *b)
{
	static const struct calltree_frame all = { .kind = FRAME_UNKNOWN };

	return b->node ? &d->tree.frames.v[d->tree.nodes.v[b->node].frame] : &all;
}

/* " (inlined) src/list.c:120" */
static void put_source(struct drawing *d, const struct calltree_frame *f)
{
	if (f->kind == CALLTREE_INLINED)
		buf_puts(d->out, " (inlined)");
	if (!f->file)
		return;
	buf_putc(d->out, ' ');
	put_text(d->out, strpool_str(&d->tree.strings, f->file), 2000);
	if (f->line)
		buf_printf(d->out, ":%u", f->line);
}

static void draw_box(struct drawing *d, const struct box *b)
{
	const struct calltree_node *n = &d->tree.nodes.v[b->node];
	double y = TITLE + (double)(d->max_depth - b->depth) * ROW;
	size_t fits = b->width > 3 * CHAR ? (size_t)((b->width - 6) / CHAR) : 0;
	const struct calltree_frame *f = box_frame(d, b);
	const char *name = b->node ? strpool_str(&d->tree.strings, f->name) : "all";

	buf_puts(d->out, "<g><title>");
	put_text(d->out, name, 2000);
	put_source(d, f);
	buf_printf(d->out, " (%.3f CPU s, %.2f %%)</title><rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>",
		   (double)n->total / 1e9, 100.0 * (double)n->total / (double)(d->tree.nodes.v[0].total ? d->tree.nodes.v[0].total : 1),
		   b->x, y, b->width, ROW - 1, fill(f->kind));
	if (fits) {
		buf_printf(d->out, "<text x=\"%.1f\" y=\"%.0f\">", b->x + 3, y + 13);
		if (strlen(name) <= fits) {
			put_text(d->out, name, fits);
		} else {
			put_text(d->out, name, fits - 1);
			buf_puts(d->out, "\xe2\x80\xa6");
		}
		buf_puts(d->out, "</text>");
	}
	buf_puts(d->out, "</g>\n");
}

static void draw(struct drawing *d)
{
	uint32_t height = TITLE + (d->max_depth + 1) * ROW + FOOTER;

	buf_printf(d->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" "
			   "font-family=\"monospace\" font-size=\"12\">\n"
			   "<rect width=\"100%%\" height=\"100%%\" fill=\"#fafafa\"/>\n"
			   "<text x=\"%d\" y=\"26\" font-size=\"16\" text-anchor=\"middle\">Flame graph: %.2f CPU s</text>\n",
		   WIDTH, height, WIDTH, height, WIDTH / 2, (double)d->tree.nodes.v[0].total / 1e9);
	vec_foreach(b, &d->boxes)
		draw_box(d, b);
	buf_printf(d->out, "<text x=\"%d\" y=\"%u\" fill=\"#666\">%u boxes narrower than 0.1 %% are not drawn</text>\n</svg>\n",
		   MARGIN, height - 10, d->left_out);
}

int svg_encode(const struct profile *p, struct buf *out)
{
	struct drawing d = { .p = p, .out = out };
	int r = calltree_build(p, 0, &d.tree);

	if (r < 0)
		return r;
	r = lay_out(&d);
	if (r >= 0)
		draw(&d);
	calltree_fini(&d.tree);
	vec_fini(&d.boxes);
	return r < 0 ? r : buf_error(out);
}
