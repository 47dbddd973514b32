/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/demangle.h"

#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Names of deep templates reach kilobytes; beyond this somebody wants us to spend time. */
enum { MAX_MANGLED = 16 * 1024, MAX_DEMANGLED = 64 * 1024 };

static bool looks_mangled(const char *s)
{
	return (s[0] == '_' && (s[1] == 'Z' || s[1] == 'R' || s[1] == 'D')) || (s[0] == '_' && s[1] == '_' && s[2] == 'Z');
}

char *demangle(const char *mangled)
{
	char *name;

	if (!looks_mangled(mangled) || strnlen(mangled, MAX_MANGLED) == MAX_MANGLED)
		return NULL;
	/* libiberty's own recursion limit is on unless DMGL_NO_RECURSE_LIMIT says otherwise. */
	name = cplus_demangle(mangled, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
	if (name && strnlen(name, MAX_DEMANGLED) == MAX_DEMANGLED)
		name[MAX_DEMANGLED - 1] = '\0';
	return name;
}
