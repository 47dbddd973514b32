/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "symbolize/symtab.h"

/* kallsyms knows no sizes: the last function of a region must not swallow the gap behind it. */
#define MAX_FUNCTION (64 * KIB)

struct parser {
	struct symtab *t;
	uint64_t lines, zeros;
	char module[64]; /* of the last line; modules come in runs */
	uint32_t module_id;
};

static bool is_function(char type)
{
	return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

static uint32_t module_id(struct parser *p, const char *s, size_t len)
{
	if (len >= sizeof(p->module))
		len = sizeof(p->module) - 1;
	if (strlen(p->module) != len || memcmp(p->module, s, len)) {
		memcpy(p->module, s, len);
		p->module[len] = '\0';
		p->module_id = symtab_module(p->t, s, len);
	}
	return p->module_id;
}

/* Modules, BPF programs and trampolines may lie where vmlinux has a mark: it has no size that would tell. */
static enum symbol_rank rank_of(char type, uint32_t module)
{
	enum symbol_rank rank = type == 'T' ? SYMBOL_GLOBAL : type == 't' ? SYMBOL_LOCAL : SYMBOL_WEAK;

	return module ? SYMBOL_LOADED + rank : rank;
}

/* 16 digits, a space, a type, a space, a name, and perhaps a tab and [module]. */
static int parse_line(struct parser *p, const char *s, size_t len)
{
	const char *end = s + len, *name = s + 19, *tab, *close;
	uint64_t addr = 0;
	uint32_t module = 0;

	for (int i = 0; i < 16; i++) {
		int c = len > 19 ? s[i] | 0x20 : 0, digit = c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10;

		if (digit < 0 || digit > 15)
			return 0;
		addr = addr << 4 | (uint64_t)digit;
	}
	if (s[16] != ' ' || s[18] != ' ' || !is_function(s[17]))
		return 0;
	p->lines++;
	p->zeros += addr == 0;
	if (!addr)
		return 0;
	tab = memchr(name, '\t', (size_t)(end - name));
	if (tab && end - tab > 3 && tab[1] == '[') {
		close = memchr(tab, ']', (size_t)(end - tab));
		module = close ? module_id(p, tab + 2, (size_t)(close - tab - 2)) : 0;
		end = tab;
	}
	if (end == name || name[0] == '$')
		return 0;
	return symtab_add(p->t, addr, 0, name, (size_t)(end - name), module, rank_of(s[17], module));
}

static int finish(struct parser *p)
{
	if (p->lines && p->zeros == p->lines)
		return -EPERM;
	if (!p->t->v.n)
		return -ENODATA;
	symtab_finish(p->t, MAX_FUNCTION);
	return 0;
}

/* Parses the whole lines of text; *ret_used says how many bytes they were. */
static int parse_lines(struct parser *p, const char *text, size_t len, size_t *ret_used)
{
	const char *s = text, *end = text + len, *newline;
	int r = 0;

	while (r >= 0 && (newline = memchr(s, '\n', (size_t)(end - s)))) {
		r = parse_line(p, s, (size_t)(newline - s));
		s = newline + 1;
	}
	*ret_used = (size_t)(s - text);
	return r;
}

int kallsyms_parse(const char *text, size_t len, struct symtab *t)
{
	struct parser p = { .t = t };
	size_t used;
	int r = parse_lines(&p, text, len, &used);

	return r < 0 ? r : finish(&p);
}

int kallsyms_read(const char *path, struct symtab *t)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *text = malloc(256 * KIB);
	struct parser p = { .t = t };
	size_t have = 0, used;
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	while ((n = read(fd, text + have, 256 * KIB - have)) > 0) {
		have += (size_t)n;
		r = parse_lines(&p, text, have, &used);
		if (r < 0)
			return r;
		if (!used && have == 256 * KIB)
			return -EBADMSG; /* a line longer than any symbol */
		memmove(text, text + used, have - used);
		have -= used;
	}
	return n < 0 ? -errno : finish(&p);
}
