/* SPDX-License-Identifier: Apache-2.0 */
#include "base/environment.h"

#include <stddef.h>
#include <string.h>

const char *environment_get(char *const *environment, const char *name)
{
	size_t n = strlen(name);

	for (char *const *e = environment; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=' && (*e)[n + 1])
			return *e + n + 1;
	return NULL;
}
