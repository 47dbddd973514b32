/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_view.h"

#include <string.h>

#include "base/cleanup.h"

static struct top_place *place(struct top_view *v)
{
	return &v->place[v->table];
}

static void go_home(struct top_view *v)
{
	v->place[TOP_FUNCTIONS] = v->place[TOP_PROCESSES] = (struct top_place){ 0 };
}

void top_view_fit(struct top_view *v, uint32_t n_rows, uint32_t page)
{
	struct top_place *p = place(v);

	v->n_rows = n_rows;
	v->page = page ? page : 1;
	if (p->selected >= n_rows)
		p->selected = n_rows ? n_rows - 1 : 0;
	if (p->first > p->selected)
		p->first = p->selected;
	if (p->selected - p->first >= v->page)
		p->first = p->selected - v->page + 1;
	if (p->first + v->page > n_rows)
		p->first = n_rows > v->page ? n_rows - v->page : 0;
}

static void move_by(struct top_view *v, int64_t rows)
{
	int64_t to = (int64_t)place(v)->selected + rows;

	place(v)->selected = to < 0 ? 0 : to > UINT32_MAX ? UINT32_MAX : (uint32_t)to;
	top_view_fit(v, v->n_rows, v->page);
}

static bool move_key(struct top_view *v, uint32_t key)
{
	static const struct {
		uint32_t key;
		int rows, pages;
	} moves[] = { { TOP_KEY_UP, -1, 0 }, { TOP_KEY_DOWN, 1, 0 }, { TOP_KEY_PAGE_UP, 0, -1 }, { TOP_KEY_PAGE_DOWN, 0, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		if (moves[i].key == key)
			return move_by(v, moves[i].rows + (int64_t)moves[i].pages * v->page), true;
	if (key == TOP_KEY_HOME || key == TOP_KEY_END)
		move_by(v, key == TOP_KEY_HOME ? -(int64_t)UINT32_MAX : UINT32_MAX);
	return key == TOP_KEY_HOME || key == TOP_KEY_END;
}

static void show(struct top_view *v, enum top_table table)
{
	v->table = table;
	v->has_under = false;
}

static bool sort_key(struct top_view *v, uint32_t key)
{
	static const struct {
		uint32_t key;
		enum top_table table;
		enum top_sort sort;
	} sorts[] = { { 's', TOP_FUNCTIONS, TOP_SORT_SELF }, { 't', TOP_FUNCTIONS, TOP_SORT_TOTAL }, { 'n', TOP_FUNCTIONS, TOP_SORT_NAME },
		      { 'c', TOP_PROCESSES, TOP_SORT_CPU }, { 'm', TOP_PROCESSES, TOP_SORT_COMM }, { 'p', TOP_PROCESSES, TOP_SORT_PID } };

	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
		if (sorts[i].key != key || sorts[i].table != v->table)
			continue;
		v->sort[v->table] = sorts[i].sort;
		*place(v) = (struct top_place){ 0 };
		return true;
	}
	return false;
}

/* The functions of the process under the cursor. */
static void enter(struct top_view *v)
{
	if (v->table != TOP_PROCESSES || !v->has_under || v->under.is_other)
		return;
	v->in_process = true;
	v->pid = v->under.pid;
	v->tid = v->under.tid;
	strncpy(v->comm, v->under.comm, sizeof(v->comm) - 1);
	v->place[TOP_FUNCTIONS] = (struct top_place){ 0 };
	show(v, TOP_FUNCTIONS);
}

/* What was chosen last goes first. */
static void escape(struct top_view *v)
{
	if (*v->filter) {
		*v->filter = '\0';
		go_home(v);
	} else if (v->in_process) {
		v->in_process = false;
		v->place[TOP_FUNCTIONS] = (struct top_place){ 0 };
		show(v, TOP_PROCESSES);
	}
}

static void erase_last(struct top_view *v)
{
	size_t len = strlen(v->filter);

	while (len && ((uint8_t)v->filter[--len] & 0xc0) == 0x80)
		;
	v->filter[len] = '\0';
}

static void type(struct top_view *v, uint32_t c)
{
	char utf8[5] = { 0 };
	size_t len = strlen(v->filter);
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes behind the first */
	static const uint8_t first[] = { 0, 0xc0, 0xe0, 0xf0 };

	utf8[0] = (char)(first[more] | c >> 6 * more);
	for (int i = 1; i <= more; i++)
		utf8[i] = (char)(0x80 | (c >> 6 * (more - i) & 63));
	if (len + strlen(utf8) < sizeof(v->filter))
		strcpy(v->filter + len, utf8);
}

static void filter_key(struct top_view *v, uint32_t key)
{
	if (key == TOP_KEY_ENTER || key == TOP_KEY_ESCAPE)
		v->typing = false;
	if (key == TOP_KEY_ESCAPE)
		*v->filter = '\0';
	else if (key == TOP_KEY_BACKSPACE)
		erase_last(v);
	else if (key >= ' ' && key < TOP_KEY_UP)
		type(v, key);
	go_home(v);
}

static void toggle_key(struct top_view *v, uint32_t key)
{
	if (key == 'k' || key == 'u')
		go_home(v);
	if (key == 'k') {
		v->hide_kernel = !v->hide_kernel;
		v->hide_user = false;
	} else if (key == 'u') {
		v->hide_user = !v->hide_user;
		v->hide_kernel = false;
	} else if (key == '/') {
		v->typing = true;
	} else if (key == '?' || key == 'h') {
		v->help = true;
	}
}

static enum top_action command_key(struct top_view *v, uint32_t key)
{
	switch (key) {
	case 'q':
		return TOP_QUIT;
	case ' ':
		v->paused = !v->paused;
		return TOP_PAUSE;
	case '+':
		return TOP_FASTER;
	case '-':
		return TOP_SLOWER;
	case TOP_KEY_TAB:
		show(v, v->table == TOP_FUNCTIONS ? TOP_PROCESSES : TOP_FUNCTIONS);
		break;
	case 'f':
		show(v, TOP_FUNCTIONS);
		break;
	case 'p':
		show(v, TOP_PROCESSES);
		break;
	case TOP_KEY_ENTER:
		enter(v);
		break;
	case TOP_KEY_ESCAPE:
		escape(v);
		break;
	default:
		toggle_key(v, key);
	}
	return TOP_REDRAW;
}

enum top_action top_view_key(struct top_view *v, uint32_t key)
{
	if (v->help) {
		v->help = false; /* any key leaves it */
		return TOP_REDRAW;
	}
	if (move_key(v, key))
		return TOP_REDRAW;
	if (v->typing) {
		filter_key(v, key);
		return TOP_REDRAW;
	}
	return sort_key(v, key) ? TOP_REDRAW : command_key(v, key);
}

void top_view_query(const struct top_view *v, struct top_query *ret)
{
	*ret = (struct top_query){ .sort = v->sort[v->table], .filter = v->filter, .in_process = v->in_process,
				   .pid = v->pid, .tid = v->tid, .hide_kernel = v->hide_kernel, .hide_user = v->hide_user };
}
