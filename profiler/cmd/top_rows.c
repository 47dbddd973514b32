/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/top_cells.h"
#include "cmd/top_model.h"

/* What the query says of each function and process, asked once and not for each cell. */
struct selection {
	const struct top_cells *t;
	const struct top_query *q;
	bool *function_named, *process_named; /* hold the filter's text */
	uint32_t *row_of;                     /* by function or process: row + 1 */
};

static const char *name_of(const struct top_cells *t, uint32_t function)
{
	return strpool_str(&t->names, t->functions.v[function].name);
}

static const char *image_of(const struct top_cells *t, uint32_t function)
{
	return strpool_str(&t->names, t->functions.v[function].image);
}

static void selection_fini(struct selection *s)
{
	free(s->function_named);
	free(s->process_named);
	free(s->row_of);
}

static int selection_init(struct selection *s, const struct top_cells *t, const struct top_query *q)
{
	const char *text = q->filter ? q->filter : "";
	uint32_t most = t->functions.n > t->processes.n ? t->functions.n : t->processes.n;

	*s = (struct selection){ .t = t, .q = q, .function_named = calloc(t->functions.n, sizeof(bool)),
				 .process_named = calloc(t->processes.n, sizeof(bool)),
				 .row_of = calloc(most, sizeof(uint32_t)) };
	if (!s->function_named || !s->process_named || !s->row_of)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->functions.n; i++)
		s->function_named[i] = strcasestr(name_of(t, i), text) || strcasestr(image_of(t, i), text);
	for (uint32_t i = 0; i < t->processes.n; i++)
		s->process_named[i] = strcasestr(t->processes.v[i].comm, text) != NULL;
	return 0;
}

static bool in_process(const struct selection *s, const struct top_cell *c)
{
	const struct top_cell_process *p = &s->t->processes.v[c->process];

	return c->process != TOP_OTHER && p->pid == s->q->pid && p->tid == s->q->tid;
}

static bool matches(const struct selection *s, const struct top_cell *c)
{
	bool kernel = s->t->functions.v[c->function].is_kernel;

	if (c->total_ns < TOP_NOTHING_NS && c->self_ns < TOP_NOTHING_NS)
		return false;
	if (kernel ? s->q->hide_kernel : s->q->hide_user)
		return false;
	return s->function_named[c->function] || s->process_named[c->process];
}

static struct top_function *function_row(struct top_rows *t, struct selection *s, uint32_t function)
{
	struct top_function *row;

	if (s->row_of[function])
		return &t->functions.v[s->row_of[function] - 1];
	row = vec_push(&t->functions);
	if (!row)
		return NULL;
	s->row_of[function] = t->functions.n;
	*row = (struct top_function){ .name = name_of(s->t, function), .image = image_of(s->t, function),
				      .file = strpool_str(&s->t->names, s->t->functions.v[function].file),
				      .line = s->t->functions.v[function].line,
				      .is_kernel = s->t->functions.v[function].is_kernel,
				      .is_other = function == TOP_OTHER };
	return row;
}

static struct top_process *process_row(struct top_rows *t, struct selection *s, uint32_t process)
{
	const struct top_cell_process *p = &s->t->processes.v[process];
	struct top_process *row;

	if (s->row_of[process])
		return &t->processes.v[s->row_of[process] - 1];
	row = vec_push(&t->processes);
	if (!row)
		return NULL;
	s->row_of[process] = t->processes.n;
	*row = (struct top_process){ .comm = p->comm, .pid = p->pid, .tid = p->tid, .function = "",
				     .is_other = process == TOP_OTHER };
	return row;
}

static int compare(double x, double y)
{
	return x < y ? 1 : x > y ? -1 : 0;
}

static int compare_functions(const void *a, const void *b, void *ctx)
{
	const struct top_function *x = a, *y = b;
	const struct top_query *q = ctx;
	int r = 0;

	if (q->sort == TOP_SORT_TOTAL)
		r = compare(x->total_ns, y->total_ns);
	else if (q->sort != TOP_SORT_NAME)
		r = compare(x->self_ns, y->self_ns) ?: compare(x->total_ns, y->total_ns);
	r = r ?: strcmp(x->name, y->name) ?: strcmp(x->image, y->image) ?: strcmp(x->file, y->file);
	return r ?: (x->line > y->line) - (x->line < y->line);
}

static int compare_processes(const void *a, const void *b, void *ctx)
{
	const struct top_process *x = a, *y = b;
	const struct top_query *q = ctx;
	int r = 0;

	if (q->sort == TOP_SORT_COMM)
		r = strcmp(x->comm, y->comm);
	else if (q->sort != TOP_SORT_PID)
		r = compare(x->cpu_ns, y->cpu_ns);
	if (!r)
		r = x->pid < y->pid ? -1 : x->pid > y->pid;
	return r ? r : x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void begin(struct top_rows *t, const struct selection *s)
{
	t->all_ns = t->base_ns = t->matched_ns = 0;
	vec_foreach(c, &s->t->v)
		t->all_ns += c->self_ns;
	t->base_ns = t->all_ns;
}

static int sum_functions(struct top_rows *t, struct selection *s)
{
	double process_ns = 0;

	t->functions.n = 0;
	vec_foreach(c, &s->t->v)
	{
		struct top_function *row;

		if (s->q->in_process && !in_process(s, c))
			continue;
		process_ns += c->self_ns;
		if (!matches(s, c))
			continue;
		row = function_row(t, s, c->function);
		if (!row)
			return -ENOMEM;
		row->self_ns += c->self_ns;
		row->total_ns += row->is_other ? c->self_ns : c->total_ns;
		t->matched_ns += c->self_ns;
	}
	t->base_ns = s->q->in_process ? process_ns : t->all_ns;
	return 0;
}

static int sum_processes(struct top_rows *t, struct selection *s)
{
	t->processes.n = 0;
	vec_foreach(c, &s->t->v)
	{
		struct top_process *row;

		if (!matches(s, c))
			continue;
		row = process_row(t, s, c->process);
		if (!row)
			return -ENOMEM;
		row->cpu_ns += c->self_ns;
		if (c->self_ns > row->function_ns) {
			row->function_ns = c->self_ns;
			row->function = name_of(s->t, c->function);
		}
		t->matched_ns += c->self_ns;
	}
	return 0;
}

int top_rows_functions(struct top_rows *t, const struct top_model *m, const struct top_query *q)
{
	_cleanup_(selection_fini) struct selection s;
	int r = selection_init(&s, top_model_cells(m, &t->span_ns), q);

	if (r < 0)
		return r;
	begin(t, &s);
	r = sum_functions(t, &s);
	if (r >= 0 && t->functions.n)
		qsort_r(t->functions.v, t->functions.n, sizeof(*t->functions.v), compare_functions, (void *)q);
	return r;
}

int top_rows_processes(struct top_rows *t, const struct top_model *m, const struct top_query *q)
{
	_cleanup_(selection_fini) struct selection s;
	int r = selection_init(&s, top_model_cells(m, &t->span_ns), q);

	if (r < 0)
		return r;
	begin(t, &s);
	r = sum_processes(t, &s);
	if (r >= 0 && t->processes.n)
		qsort_r(t->processes.v, t->processes.n, sizeof(*t->processes.v), compare_processes, (void *)q);
	return r;
}

void top_rows_fini(struct top_rows *t)
{
	vec_fini(&t->functions);
	vec_fini(&t->processes);
}
