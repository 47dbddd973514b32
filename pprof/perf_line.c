/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/perf_line.h"

#include <string.h>

/* A thread's name has 16 bytes at most; perf pads it and writes ":4711" for one it does not know. */
enum { MAX_COMM = 128 };

struct cursor {
	const char *s, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool skip_spaces(struct cursor *c)
{
	const char *from = c->s;

	while (c->s < c->end && is_space(*c->s))
		c->s++;
	return c->s > from;
}

static bool take(struct cursor *c, char wanted)
{
	if (c->s == c->end || *c->s != wanted)
		return false;
	c->s++;
	return true;
}

static bool take_number(struct cursor *c, int64_t *ret)
{
	const char *from = c->s;
	int64_t v = 0;

	for (; c->s < c->end && *c->s >= '0' && *c->s <= '9'; c->s++) {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (*c->s - '0');
	}
	*ret = v;
	return c->s > from;
}

static struct perf_text take_word(struct cursor *c)
{
	struct perf_text t = { .s = c->s };

	while (c->s < c->end && !is_space(*c->s))
		c->s++;
	t.len = (size_t)(c->s - t.s);
	return t;
}

struct perf_text perf_text_trim(const char *s, size_t len)
{
	while (len && is_space(s[len - 1]))
		len--;
	while (len && is_space(*s))
		s++, len--;
	return (struct perf_text){ s, len };
}

/* "4711" or "4711/4712"; a thread that is gone has a minus. */
static bool take_ids(struct cursor *c, struct perf_event_line *l)
{
	bool minus = take(c, '-');

	l->pid = -1;
	if (!take_number(c, &l->tid))
		return false;
	l->tid = minus ? -1 : l->tid;
	if (!take(c, '/'))
		return true;
	l->pid = l->tid;
	minus = take(c, '-');
	if (!take_number(c, &l->tid))
		return false;
	l->tid = minus ? -1 : l->tid;
	return true;
}

/* "1899.049233:" has six or nine decimals. */
static bool take_time(struct cursor *c, uint64_t *ret_ns)
{
	int64_t seconds, fraction;
	const char *point;

	if (!take_number(c, &seconds) || !take(c, '.'))
		return false;
	point = c->s;
	if (!take_number(c, &fraction) || c->s - point > 9)
		return false;
	for (ptrdiff_t n = c->s - point; n < 9; n++)
		fraction *= 10;
	*ret_ns = (uint64_t)seconds * 1000000000ull + (uint64_t)fraction;
	return take(c, ':');
}

/* From the ids to the time: what tells an event from all other lines. */
static bool take_head(struct cursor *c, struct perf_event_line *l)
{
	int64_t cpu;

	if (!take_ids(c, l) || !skip_spaces(c))
		return false;
	if (take(c, '[')) {
		if (!take_number(c, &cpu) || !take(c, ']') || !skip_spaces(c))
			return false;
	}
	return take_time(c, &l->time_ns);
}

static bool take_event(struct cursor *c, struct perf_event_line *l)
{
	static const char record[] = "PERF_RECORD_";
	struct cursor number = *c;
	struct perf_text word;

	l->period = -1;
	if (take_number(&number, &l->period) && skip_spaces(&number))
		*c = number;
	else
		l->period = -1;
	word = take_word(c);
	l->record = word.len >= sizeof(record) - 1 && !memcmp(word.s, record, sizeof(record) - 1);
	if (word.len && word.s[word.len - 1] == ':')
		word.len--;
	else if (word.len && !l->record)
		return false;
	l->event = word;
	return true;
}

bool perf_event_line(const char *s, size_t len, struct perf_event_line *ret)
{
	struct cursor line = { s, s + len }, c;
	const char *comm;

	*ret = (struct perf_event_line){ 0 };
	skip_spaces(&line);
	comm = line.s;
	/* The name may hold spaces and digits: the first place from where the rest fits ends it. */
	while (line.s < line.end && line.s - comm < MAX_COMM) {
		take_word(&line);
		ret->comm = (struct perf_text){ comm, (size_t)(line.s - comm) };
		if (!skip_spaces(&line))
			return false;
		c = line;
		if (!take_head(&c, ret))
			continue;
		skip_spaces(&c);
		if (!take_event(&c, ret))
			return false;
		ret->rest = perf_text_trim(c.s, (size_t)(c.end - c.s));
		return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_address(struct cursor *c, uint64_t *ret)
{
	const char *from = c->s;

	*ret = 0;
	for (; c->s < c->end && hex_digit(*c->s) >= 0; c->s++)
		*ret = *ret << 4 | (uint64_t)hex_digit(*c->s);
	return c->s > from && c->s - from <= 16 && (c->s == c->end || is_space(*c->s));
}

/* The last balanced "(...)" of the text, behind a space: paths hold " (deleted)", symbols "(int)". */
static bool split_image(struct perf_text *text, struct perf_text *ret_image)
{
	size_t i = text->len, depth = 0;

	if (!i || text->s[i - 1] != ')')
		return false;
	while (i-- > 0) {
		depth += text->s[i] == ')';
		depth -= text->s[i] == '(';
		if (!depth)
			break;
	}
	if (depth || (i && !is_space(text->s[i - 1])))
		return false;
	*ret_image = (struct perf_text){ text->s + i + 1, text->len - i - 2 };
	*text = perf_text_trim(text->s, i);
	return true;
}

static void cut_offset(struct perf_text *symbol)
{
	size_t i = symbol->len;

	while (i && hex_digit(symbol->s[i - 1]) >= 0)
		i--;
	if (i < symbol->len && i >= 3 && !memcmp(symbol->s + i - 3, "+0x", 3))
		symbol->len = i - 3;
}

static bool equal(const struct perf_text *t, const char *s)
{
	return t->len == strlen(s) && !memcmp(t->s, s, t->len);
}

static void cut_end(struct perf_text *t, const char *end)
{
	size_t n = strlen(end);

	if (t->len > n && !memcmp(t->s + t->len - n, end, n))
		t->len -= n;
}

bool perf_frame_line(const char *s, size_t len, struct perf_frame_line *ret)
{
	struct cursor c = { s, s + len };
	struct perf_text text;

	*ret = (struct perf_frame_line){ 0 };
	skip_spaces(&c);
	if (!take_address(&c, &ret->address))
		return false;
	text = perf_text_trim(c.s, (size_t)(c.end - c.s));
	split_image(&text, &ret->image);
	ret->inlined = equal(&ret->image, "inlined");
	if (ret->inlined || equal(&ret->image, "[unknown]"))
		ret->image.len = 0;
	cut_end(&ret->image, " (deleted)");
	cut_offset(&text);
	if (!equal(&text, "[unknown]"))
		ret->symbol = text;
	return true;
}

/* Of ":120" at the end; what stands before it stays. */
static bool cut_line(struct perf_text *t, int64_t *ret)
{
	size_t i = t->len;
	struct cursor c;

	while (i && t->s[i - 1] >= '0' && t->s[i - 1] <= '9')
		i--;
	c = (struct cursor){ t->s + i, t->s + t->len };
	if (i < 2 || t->s[i - 1] != ':' || !take_number(&c, ret))
		return false;
	t->len = i - 1;
	return true;
}

bool perf_source_line(const char *s, size_t len, struct perf_frame_line *frame)
{
	struct perf_text t;
	bool inlined;
	int64_t line;
	size_t n;

	if (len < 3 || s[0] != ' ' || s[1] != ' ' || is_space(s[2]))
		return false;
	t = perf_text_trim(s, len);
	n = t.len;
	cut_end(&t, " (inlined)");
	inlined = t.len < n;
	if (!cut_line(&t, &line))
		return false;
	frame->inlined |= inlined;
	if (equal(&t, "??"))
		return true;
	frame->file = t;
	frame->line = line;
	return true;
}
