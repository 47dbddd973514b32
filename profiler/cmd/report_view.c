/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/amount.h"
#include "cmd/columns.h"
#include "cmd/difflist.h"
#include "cmd/nearest.h"
#include "cmd/report_load.h"
#include "cmd/report_opts.h"
#include "cmd/toplist.h"
#include "cmd/treelist.h"
#include "pprof/calltree.h"
#include "pprof/diff.h"
#include "pprof/profile.h"
#include "pprof/slice.h"
#include "pprof/top.h"

enum { TYPE_WIDTH = 30 };

struct view {
	const struct report_input *in;
	const struct report_opts *o;
	const struct profile *p;
	struct top top;
	struct amount amount;
	struct buf *out;
	char *err;
	size_t err_len;
};

/* 1.01 CPU s, 503 samples, 1.0 s from 2026-01-31 10:00:00 UTC */
static void put_facts(const struct profile *p, int64_t whole, struct buf *out)
{
	uint32_t n = p->types.n, shown = profile_default_type(p);
	struct amount amount;

	amount_of(p, whole, &amount);
	amount_text(&amount, whole, out);
	if (n && shown && !strcmp(profile_str(p, p->types.v[0].type), "samples")) {
		int64_t samples = 0;

		for (uint32_t i = 0; i < p->samples.n; i++)
			samples = profile_sum(samples, profile_size(p->values.v[(size_t)i * n]));
		buf_printf(out, ", %lld samples", (long long)samples);
	}
	if (p->duration_ns > 0)
		buf_printf(out, ", %.1f s", (double)p->duration_ns / 1e9);
	if (p->time_ns > 0) {
		time_t seconds = (time_t)(p->time_ns / (int64_t)NSEC_PER_SEC);
		struct tm tm;
		char text[64];

		if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%F %T UTC", &tm))
			buf_printf(out, " from %s", text);
	}
	buf_putc(out, '\n');
}

static void put_filters(struct view *v)
{
	const struct report_opts *o = v->o;

	if (!o->n_labels && !o->focus && !o->ignore)
		return;
	buf_printf(v->out, "kept       %.1f %% of it:", top_percent(v->top.whole, v->in->now->whole));
	for (uint32_t i = 0; i < o->n_labels; i++)
		buf_printf(v->out, " %s=%s", o->labels[i].key, o->labels[i].value);
	if (o->focus)
		buf_printf(v->out, " stacks with '%s'", o->focus);
	if (o->ignore)
		buf_printf(v->out, " stacks without '%s'", o->ignore);
	buf_puts(v->out, "; shares below are of what was kept\n");
}

/* Others to choose from, where the choice is not the usual one of samples and cpu. */
static void put_types(struct view *v)
{
	const struct profile *p = v->p;
	uint32_t shown = profile_default_type(p);

	if (p->types.n < 2 || (p->types.n == 2 && shown == 1))
		return;
	buf_puts(v->out, "types      ");
	for (uint32_t i = 0; i < p->types.n; i++) {
		buf_puts(v->out, i ? ", " : "");
		columns_put_last(v->out, profile_str(p, p->types.v[i].type), TYPE_WIDTH);
		buf_puts(v->out, i == shown ? " (shown)" : "");
	}
	buf_puts(v->out, ": --type NAME shows another\n");
}

static void put_head(struct view *v)
{
	buf_puts(v->out, "profile    ");
	put_facts(v->p, v->top.whole, v->out);
	put_filters(v);
	put_types(v);
	buf_putc(v->out, '\n');
}

/* {"type":...,"unit":...,"whole":...  left open. */
static void put_json_head(struct view *v)
{
	const struct profile *p = v->p;
	struct profile_type t = p->types.n ? p->types.v[profile_default_type(p)] : (struct profile_type){ 0 };

	buf_puts(v->out, "{\"type\":");
	buf_json_string(v->out, profile_str(p, t.type), strlen(profile_str(p, t.type)));
	buf_puts(v->out, ",\"unit\":");
	buf_json_string(v->out, profile_str(p, t.unit), strlen(profile_str(p, t.unit)));
	buf_printf(v->out, ",\"whole\":%lld,\"unfiltered\":%lld,\"duration_ns\":%lld,\"time_ns\":%lld", (long long)v->top.whole,
		   (long long)v->in->now->whole, (long long)p->duration_ns, (long long)p->time_ns);
}

static int view_top(struct view *v)
{
	if (v->o->sort == REPORT_SORT_TOTAL)
		top_sort(&v->top, TOP_BY_TOTAL);
	if (v->o->json) {
		buf_printf(v->out, ",\"functions\":%u,\"top\":", v->top.rows.n);
		toplist_json(&v->top, v->o->top, "value", v->out);
		return 0;
	}
	toplist_text(&v->top, v->o->unit, v->o->top, &v->amount, v->out);
	if (v->top.rows.n > v->o->top)
		buf_printf(v->out, "\n%u of %u %s: --top N shows more\n", v->o->top, v->top.rows.n,
			   v->o->unit == PROFILE_LINES ? "lines" : "functions");
	return 0;
}

static int put_tree(struct view *v, struct treelist *l)
{
	l->amount = &v->amount;
	l->whole = v->top.whole;
	l->min_percent = v->o->min_percent;
	l->by_line = v->o->unit == PROFILE_LINES;
	if (!v->o->json)
		return treelist_text(l, v->out);
	buf_puts(v->out, ",\"nodes\":");
	return treelist_json(l, v->out);
}

static uint32_t tree_flags(const struct view *v)
{
	return v->o->unit == PROFILE_LINES ? CALLTREE_BY_LINE : 0;
}

static int view_tree(struct view *v)
{
	struct calltree tree;
	struct treelist l = { .tree = &tree, .root = "all", .head = "call tree" };
	int r = calltree_build(v->p, tree_flags(v), &tree);

	if (r < 0)
		return r;
	r = put_tree(v, &l);
	calltree_fini(&tree);
	return r;
}

static int no_such_function(struct view *v)
{
	_cleanup_(buf_fini) struct buf near = BUF_INIT;

	nearest_list(&v->top, v->o->function, &near);
	buf_putc(&near, '\0');
	if (buf_error(&near))
		return -ENOMEM;
	if (near.len > 1)
		snprintf(v->err, v->err_len, "no function '%s' in the profile: did you mean %s?", v->o->function, near.data);
	else
		snprintf(v->err, v->err_len, "no function '%s' in the profile: hotspan report --top 1000 lists what there is",
			 v->o->function);
	return -ENOENT;
}

static int view_slice(struct view *v, bool callers)
{
	_cleanup_(profile_freep) struct profile *cut = NULL;
	struct calltree tree;
	struct treelist l = { .tree = &tree, .root = v->o->function, .of_it = callers,
			      .head = callers ? "function, below it who called it" : "function, below it what it called" };
	int r = callers ? slice_callers(v->p, v->o->function, &cut) : slice_callees(v->p, v->o->function, &cut);

	if (r == -ENOENT)
		return no_such_function(v);
	if (r >= 0)
		r = calltree_build(cut, tree_flags(v), &tree);
	if (r < 0)
		return r;
	r = put_tree(v, &l);
	calltree_fini(&tree);
	return r;
}

static int view_diff(struct view *v)
{
	static const enum diff_order orders[] = { [REPORT_SORT_UNSAID] = DIFF_BY_EITHER, [REPORT_SORT_SELF] = DIFF_BY_SELF,
						  [REPORT_SORT_TOTAL] = DIFF_BY_TOTAL };
	struct diff d;
	int r = diff_build(v->in->base->p, v->p, v->o->unit, &d);

	if (r < 0)
		return r;
	diff_sort(&d, orders[v->o->sort]);
	if (v->o->json) {
		buf_printf(v->out, ",\"base_whole\":%lld,\"functions\":", (long long)d.base.whole);
		difflist_json(&d, v->o->top, v->out);
	} else {
		difflist_text(&d, v->o->unit, v->o->top, &v->amount, v->out);
	}
	diff_fini(&d);
	return 0;
}

static int base_facts(struct view *v)
{
	struct top base;
	int r = top_build(v->in->base->p, PROFILE_FUNCTIONS, &base);

	if (r < 0)
		return r;
	buf_printf(v->out, "base       ");
	put_facts(v->in->base->p, base.whole, v->out);
	buf_printf(v->out, "now        ");
	put_facts(v->p, v->top.whole, v->out);
	put_filters(v);
	buf_printf(v->out, "compared   shares, each of its own side's %s: runs of different length compare;\n"
			   "           the points are put in %s as if base had run as long as now\n\n",
		   v->amount.head, v->amount.head);
	top_fini(&base);
	return 0;
}

static int dispatch(struct view *v)
{
	if (v->in->base)
		return view_diff(v);
	switch (v->o->view) {
	case REPORT_TREE:
		return view_tree(v);
	case REPORT_CALLERS:
		return view_slice(v, true);
	case REPORT_CALLEES:
		return view_slice(v, false);
	default:
		return view_top(v);
	}
}

static int head(struct view *v)
{
	amount_of(v->p, v->top.whole, &v->amount);
	if (v->o->json)
		put_json_head(v);
	else if (v->in->base)
		return base_facts(v);
	else
		put_head(v);
	return 0;
}

int report_view(const struct report_input *in, struct buf *out, char *err, size_t err_len)
{
	struct view v = { .in = in, .o = in->opts, .p = in->now->p, .out = out, .err = err, .err_len = err_len };
	/* Beside other views it holds the names to choose from. */
	int r = top_build(v.p, v.o->view == REPORT_TOP ? v.o->unit : PROFILE_FUNCTIONS, &v.top);

	if (r >= 0)
		r = head(&v);
	if (r >= 0)
		r = dispatch(&v);
	if (r >= 0 && v.o->json)
		buf_puts(out, "}\n");
	top_fini(&v.top);
	return r < 0 ? r : buf_error(out);
}
