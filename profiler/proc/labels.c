/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void print_value(struct buf *out, const char *s)
{
	for (size_t n; *s; s += n) {
		n = strcspn(s, "\\\n");
		buf_append(out, s, n);
		if (!s[n])
			continue;
		buf_puts(out, s[n++] == '\n' ? "\\n" : "\\\\");
	}
}

void labels_print(const struct strmap *labels, struct buf *out)
{
	vec_foreach(e, &labels->v) {
		buf_puts(out, e->key);
		buf_putc(out, '=');
		print_value(out, e->value);
		buf_putc(out, '\n');
	}
	buf_putc(out, '\0');
}

/* In its place: what it stands for is no longer. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			*to++ = *++s == 'n' ? '\n' : *s;
		else
			*to++ = *s;
	}
	*to = '\0';
}

int labels_parse(const char *text, struct strmap *to)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *line;
	int r = copy ? 0 : -ENOMEM;

	while (r >= 0 && (line = strsep(&rest, "\n")) && *line) {
		char *eq = strchr(line, '=');

		if (!eq)
			break;
		*eq = '\0';
		unescape(eq + 1);
		r = strmap_set(to, line, eq + 1);
	}
	return r;
}
