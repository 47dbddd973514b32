/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_screen.h"

#define NCURSES_NOMACROS 1 /* its macros are called erase and move */
#include <errno.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cmd/text.h"
#include "cmd/top_facts.h"
#include "cmd/top_print.h"
#include "cmd/top_rows.h"
#include "cmd/top_view.h"

/* Facts, the line of what is chosen, column titles; and the line of keys at the bottom. */
enum { HEAD = TOP_FACTS_LINES + 2, FOOT = 1, ESCAPE_MS = 25 };

enum { PAIR_HOT = 1, PAIR_WARM, PAIR_KERNEL, PAIR_BAR };

struct top_screen {
	SCREEN *screen;
	struct buf line;
	bool colour;
};

/* https://no-color.org: set and not empty. */
static bool wants_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return !(no && *no) && has_colors();
}

static void start_colour(struct top_screen *s)
{
	s->colour = wants_colour();
	if (!s->colour)
		return;
	start_color();
	use_default_colors();
	init_pair(PAIR_HOT, COLOR_RED, -1);
	init_pair(PAIR_WARM, COLOR_GREEN, -1);
	init_pair(PAIR_KERNEL, COLOR_YELLOW, -1);
	init_pair(PAIR_BAR, COLOR_BLACK, COLOR_CYAN);
}

int top_screen_new(struct top_screen **ret, char *err, size_t err_len)
{
	struct top_screen *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->screen = newterm(NULL, stdout, stdin);
	if (!s->screen) {
		const char *term = getenv("TERM");

		snprintf(err, err_len, "the terminal type '%s' (TERM) is not known here: use --batch, or TERM=xterm",
			 term ? term : "");
		free(s);
		return -ENODEV;
	}
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	start_colour(s);
	*ret = s;
	return 0;
}

struct top_screen *top_screen_free(struct top_screen *s)
{
	if (!s)
		return NULL;
	curs_set(1);
	endwin();
	delscreen(s->screen);
	buf_fini(&s->line);
	free(s);
	return NULL;
}

uint32_t top_screen_key(struct top_screen *s)
{
	static const struct {
		wint_t code;
		uint32_t key;
	} keys[] = { { KEY_UP, TOP_KEY_UP }, { KEY_DOWN, TOP_KEY_DOWN }, { KEY_PPAGE, TOP_KEY_PAGE_UP },
		     { KEY_NPAGE, TOP_KEY_PAGE_DOWN }, { KEY_HOME, TOP_KEY_HOME }, { KEY_END, TOP_KEY_END },
		     { KEY_ENTER, TOP_KEY_ENTER }, { KEY_BACKSPACE, TOP_KEY_BACKSPACE } };
	wint_t c;
	int r;

	for (;;) {
		r = get_wch(&c);
		if (r == ERR)
			return TOP_KEY_NONE;
		if (r == OK)
			return c == '\r' ? TOP_KEY_ENTER : c == '\b' ? TOP_KEY_BACKSPACE : (uint32_t)c;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (keys[i].code == c)
				return keys[i].key;
	}
}

void top_screen_resize(struct top_screen *s)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(stdscr, TRUE); /* the terminal may have moved lines about */
}

uint32_t top_screen_page(const struct top_screen *s)
{
	return LINES > HEAD + FOOT ? (uint32_t)(LINES - HEAD - FOOT) : 1;
}

/* The line made in s->line; cut here once more, so that a narrow terminal never wraps. */
static void put_line(struct top_screen *s, int y, attr_t attr)
{
	if (y >= LINES)
		return;
	buf_putc(&s->line, '\0');
	if (!buf_error(&s->line)) {
		attrset((int)attr);
		mvaddnstr(y, 0, (const char *)s->line.data, -1);
		attrset(A_NORMAL);
	}
	buf_reset(&s->line);
}

static void put_text(struct top_screen *s, int y, attr_t attr, const char *text)
{
	text_pad(text, COLS, &s->line);
	put_line(s, y, attr);
}

static attr_t bar(const struct top_screen *s)
{
	return s->colour ? (attr_t)COLOR_PAIR(PAIR_BAR) : A_REVERSE;
}

static attr_t heat(const struct top_screen *s, double percent, bool is_kernel)
{
	if (percent >= 5)
		return s->colour ? (attr_t)COLOR_PAIR(PAIR_HOT) | A_BOLD : A_BOLD;
	if (!s->colour)
		return A_NORMAL;
	return is_kernel ? (attr_t)COLOR_PAIR(PAIR_KERNEL) : percent >= 0.5 ? (attr_t)COLOR_PAIR(PAIR_WARM) : A_NORMAL;
}

static void paint_facts(struct top_screen *s, const struct top_picture *p)
{
	_cleanup_(buf_fini) struct buf text = BUF_INIT;

	for (int i = 0; i < TOP_FACTS_LINES; i++) {
		buf_reset(&text);
		if (p->facts)
			top_facts_line(p->facts, i, &text);
		else if (i == 0)
			buf_puts(&text, "sampling: the first numbers come after one interval");
		buf_putc(&text, '\0');
		put_text(s, i, A_NORMAL, buf_error(&text) ? "" : (const char *)text.data);
	}
}

static const char *sort_name(enum top_sort sort)
{
	static const char *const names[] = { [TOP_SORT_SELF] = "self", [TOP_SORT_TOTAL] = "total", [TOP_SORT_NAME] = "name",
					     [TOP_SORT_CPU] = "CPU", [TOP_SORT_COMM] = "command", [TOP_SORT_PID] = "pid" };

	return names[sort];
}

/* What the keys have chosen, in the order of how much it changes what is seen. */
static void paint_choice(struct top_screen *s, const struct top_picture *p)
{
	const struct top_view *v = p->view;
	_cleanup_(buf_fini) struct buf text = BUF_INIT;

	buf_printf(&text, "%s%s by %s", v->paused ? "PAUSED  " : "", v->table == TOP_FUNCTIONS ? "Functions" : "Processes",
		   sort_name(v->sort[v->table]));
	if (v->in_process && v->table == TOP_FUNCTIONS)
		buf_printf(&text, "  in %s %u, %.1f %% of all", v->comm, v->tid ? v->tid : v->pid,
			   top_share(p->rows->base_ns, p->rows->all_ns));
	if (v->typing || *v->filter)
		buf_printf(&text, "  filter: %s%s", v->filter, v->typing ? "_" : "");
	if (*v->filter || v->hide_kernel || v->hide_user)
		buf_printf(&text, "  matched %.2f %%", top_share(p->rows->matched_ns, p->rows->base_ns));
	if (v->hide_kernel || v->hide_user)
		buf_printf(&text, "  no %s functions", v->hide_kernel ? "kernel" : "user");
	if (v->n_rows > v->page)
		buf_printf(&text, "  row %u of %u", v->place[v->table].selected + 1, v->n_rows);
	if (p->notice && *p->notice)
		buf_printf(&text, "  %s", p->notice);
	buf_putc(&text, '\0');
	put_text(s, TOP_FACTS_LINES, A_BOLD, buf_error(&text) ? "" : (const char *)text.data);
}

static void paint_row(struct top_screen *s, const struct top_picture *p, uint32_t row, int y)
{
	const struct top_view *v = p->view;
	bool selected = row == v->place[v->table].selected;
	attr_t attr;

	if (v->table == TOP_FUNCTIONS) {
		const struct top_function *f = &p->rows->functions.v[row];

		top_print_function(f, p->rows, COLS, &s->line);
		attr = heat(s, top_share(f->self_ns, p->rows->base_ns), f->is_kernel);
	} else {
		const struct top_process *f = &p->rows->processes.v[row];

		top_print_process(f, p->rows, p->by_thread, COLS, &s->line);
		attr = heat(s, top_share(f->cpu_ns, p->rows->all_ns), false);
	}
	put_line(s, y, selected ? A_REVERSE : attr);
}

static void paint_table(struct top_screen *s, const struct top_picture *p)
{
	const struct top_view *v = p->view;
	uint32_t first = v->place[v->table].first;

	if (v->table == TOP_FUNCTIONS)
		top_print_function_title(COLS, &s->line);
	else
		top_print_process_title(p->by_thread, COLS, &s->line);
	put_line(s, HEAD - 1, bar(s));
	for (uint32_t i = 0; i < v->page && first + i < v->n_rows; i++)
		paint_row(s, p, first + i, HEAD + (int)i);
}

static void paint_help(struct top_screen *s)
{
	static const char *const lines[] = {
		"Tab, f, p    functions, processes",
		"s t n        functions by self time, by total time, by name",
		"c m p        processes by CPU, by command, by pid",
		"Enter        the functions of the selected process; Esc goes back",
		"/            filter by a part of a function, image or command; Esc clears it",
		"k u          hide kernel functions, user functions",
		"Up Down PgUp PgDn Home End",
		"Space        pause; what happens meanwhile is not counted",
		"+ -          more or fewer samples a second",
		"q            quit",
		"",
		"self   time in the function itself        total  and in what it calls",
		"CPU s  of self time, in the average       CPU %  of one CPU",
		"Bold takes 5 % or more. With colours the kernel's functions are yellow.",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		put_text(s, HEAD - 1 + (int)i, A_NORMAL, lines[i]);
}

void top_screen_paint(struct top_screen *s, const struct top_picture *p)
{
	erase();
	paint_facts(s, p);
	if (p->view->help) {
		paint_help(s);
		put_text(s, LINES - 1, bar(s), "any key goes back");
	} else {
		paint_choice(s, p);
		paint_table(s, p);
		put_text(s, LINES - 1, bar(s), p->view->typing ?
				"type a part of a name; Enter keeps it, Esc clears it" :
				"q quit  ? help  Tab table  / filter  Space pause  Enter process  k u hide  + -");
	}
	wnoutrefresh(stdscr);
}

void top_screen_show(struct top_screen *s)
{
	doupdate();
}
