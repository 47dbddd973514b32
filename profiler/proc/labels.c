/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

void labels_print(const struct strmap *labels, struct buf *out)
{
	vec_foreach(e, &labels->v)
		buf_printf(out, "%s=%s\n", e->key, e->value);
	buf_putc(out, '\0');
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
		r = strmap_set(to, line, eq + 1);
	}
	return r;
}
