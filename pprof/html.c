/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "pprof/calltree.h"
#include "pprof/profile.h"

/* embed()ed by pprof/CMakeLists.txt */
extern const unsigned char page_html[], page_css[], page_js[];
extern const size_t page_html_len, page_css_len, page_js_len;

static void put_string(struct buf *b, const char *s)
{
	buf_json_string(b, s, strlen(s));
}

static void put_comments(const struct profile *p, struct buf *b)
{
	buf_puts(b, ",\"comments\":[");
	for (uint32_t i = 0; i < p->comments.n; i++) {
		buf_puts(b, i ? "," : "");
		put_string(b, profile_str(p, p->comments.v[i]));
	}
	buf_putc(b, ']');
}

static void put_strings(const struct calltree *t, struct buf *b)
{
	buf_puts(b, ",\"strings\":[\"\"");
	for (uint32_t i = 1; i < t->strings.entries.n; i++) {
		buf_putc(b, ',');
		buf_json_string(b, strpool_str(&t->strings, i), strpool_len(&t->strings, i));
	}
	buf_putc(b, ']');
}

/* The root's parent and frame are UINT32_MAX: -1 for the page. */
#define PUT_COLUMN(b, key, table, field)                                                           \
	do {                                                                                       \
		buf_puts(b, key ":[");                                                             \
		for (uint32_t i_ = 0; i_ < (table).n; i_++)                                        \
			buf_printf(b, "%s%d", i_ ? "," : "", (int)(table).v[i_].field);            \
		buf_putc(b, ']');                                                                  \
	} while (0)

/* Most nodes have one line: a number for each of them is a third of what rows in lines[] would be. */
static uint32_t *lone_lines(const struct calltree *t)
{
	uint32_t *line = calloc(t->nodes.n + 1u, sizeof(*line));
	_cleanup_(freep) int64_t *sum = calloc(t->nodes.n + 1u, sizeof(*sum));

	if (!line || !sum) {
		free(line);
		return NULL;
	}
	vec_foreach(l, &t->lines) {
		line[l->node] = !sum[l->node] || line[l->node] == l->line ? l->line : 0;
		sum[l->node] = profile_sum(sum[l->node], l->total);
	}
	for (uint32_t i = 0; i < t->nodes.n; i++)
		if (sum[i] != t->nodes.v[i].total)
			line[i] = 0;
	return line;
}

static void put_lines(const struct calltree *t, const uint32_t *lone, struct buf *b)
{
	const char *comma = "";

	buf_puts(b, ",\"lines\":[");
	vec_foreach(l, &t->lines) {
		if (lone[l->node])
			continue;
		buf_printf(b, "%s%u,%u,%u,%lld,%lld", comma, l->node, l->group, l->line, (long long)l->self, (long long)l->total);
		comma = ",";
	}
	buf_putc(b, ']');
}

/* Without routes a group is a process. */
static void put_groups(const struct calltree *t, struct buf *b)
{
	const char *comma = "";
	bool any = false;

	vec_foreach(g, &t->groups)
		any |= g->route != 0;
	if (!any)
		return;
	buf_puts(b, ",\"groups\":[");
	vec_foreach(g, &t->groups) {
		buf_printf(b, "%s%u,%u,%lld", comma, g->process, g->route, (long long)g->requests);
		comma = ",";
	}
	buf_putc(b, ']');
}

static void put_tables(const struct calltree *t, const uint32_t *lone, struct buf *b)
{
	PUT_COLUMN(b, ",\"frames\":{\"name\"", t->frames, name);
	PUT_COLUMN(b, ",\"image\"", t->frames, image);
	PUT_COLUMN(b, ",\"file\"", t->frames, file);
	PUT_COLUMN(b, ",\"line\"", t->frames, line);
	PUT_COLUMN(b, ",\"kind\"", t->frames, kind);
	PUT_COLUMN(b, "},\"nodes\":{\"parent\"", t->nodes, parent);
	PUT_COLUMN(b, ",\"frame\"", t->nodes, frame);
	buf_puts(b, ",\"line\":[");
	for (uint32_t i = 0; i < t->nodes.n; i++)
		buf_printf(b, "%s%u", i ? "," : "", lone[i]);
	buf_puts(b, "]},\"processes\":[");
	for (uint32_t i = 0; i < t->processes.n; i++)
		buf_printf(b, "%s%u", i ? "," : "", t->processes.v[i]);
	buf_putc(b, ']');
	put_groups(t, b);
	buf_puts(b, ",\"rows\":[");
	for (uint32_t i = 0; i < t->rows.n; i++) {
		const struct calltree_row *r = &t->rows.v[i];

		buf_printf(b, "%s%u,%u,%lld,%lld", i ? "," : "", r->node, r->group, (long long)r->value,
			   (long long)r->samples);
	}
	buf_putc(b, ']');
	put_lines(t, lone, b);
	buf_putc(b, '}');
}

static void put_data(const struct profile *p, const struct calltree *t, const uint32_t *lone, struct buf *b)
{
	uint32_t type = profile_default_type(p);

	buf_puts(b, "{\"unit\":");
	put_string(b, p->types.n ? profile_str(p, p->types.v[type].unit) : "");
	/* As text: nanoseconds since 1970 do not fit a JavaScript number. */
	buf_printf(b, ",\"time_ns\":\"%lld\",\"duration_ns\":%lld,\"period_ns\":%lld", (long long)p->time_ns,
		   (long long)p->duration_ns, (long long)p->period);
	put_comments(p, b);
	put_strings(t, b);
	put_tables(t, lone, b);
}

/* page.html holds @CSS@, @JS@ and @DATA@ where those go. */
static void put_page(const struct profile *p, const struct calltree *t, const uint32_t *lone, struct buf *out)
{
	const char *s = (const char *)page_html, *end = s + page_html_len, *at;

	while ((at = memchr(s, '@', (size_t)(end - s)))) {
		buf_append(out, s, (size_t)(at - s));
		s = at + 1;
		if (!strncmp(at, "@CSS@", 5))
			buf_append(out, page_css, page_css_len);
		else if (!strncmp(at, "@JS@", 4))
			buf_append(out, page_js, page_js_len);
		else if (!strncmp(at, "@DATA@", 6))
			put_data(p, t, lone, out);
		else {
			buf_putc(out, '@');
			continue;
		}
		s = (const char *)memchr(s, '@', (size_t)(end - s)) + 1;
	}
	buf_append(out, s, (size_t)(end - s));
}

int html_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(freep) uint32_t *lone = NULL;
	struct calltree t;
	int r = calltree_build(p, CALLTREE_WITH_LINES, &t);

	if (r < 0)
		return r;
	lone = lone_lines(&t);
	if (lone)
		put_page(p, &t, lone, out);
	calltree_fini(&t);
	return lone ? buf_error(out) : -ENOMEM;
}
