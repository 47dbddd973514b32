/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *strmap_get(const struct strmap *m, const char *key)
{
	vec_foreach(e, &m->v)
		if (!strcmp(e->key, key))
			return e->value;
	return NULL;
}

static int replace(struct strmap_entry *e, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(e->value);
	e->value = copy;
	return 0;
}

int strmap_set(struct strmap *m, const char *key, const char *value)
{
	struct strmap_entry made = { 0 };
	uint32_t at = 0;

	for (; at < m->v.n; at++) {
		int order = strcmp(key, m->v.v[at].key);

		if (!order)
			return replace(&m->v.v[at], value);
		if (order < 0)
			break;
	}
	made.key = strdup(key);
	made.value = strdup(value);
	if (!made.key || !made.value || !vec_push(&m->v)) {
		free(made.key);
		free(made.value);
		return -ENOMEM;
	}
	memmove(&m->v.v[at + 1], &m->v.v[at], (m->v.n - 1 - at) * sizeof(made));
	m->v.v[at] = made;
	return 0;
}

void strmap_unset(struct strmap *m, const char *key)
{
	vec_foreach(e, &m->v)
		if (!strcmp(e->key, key)) {
			uint32_t at = (uint32_t)(e - m->v.v);

			free(e->key);
			free(e->value);
			memmove(e, e + 1, (--m->v.n - at) * sizeof(*e));
			return;
		}
}

int strmap_copy(const struct strmap *from, struct strmap *to)
{
	vec_foreach(e, &from->v)
	{
		int r = strmap_set(to, e->key, e->value);

		if (r < 0)
			return r;
	}
	return 0;
}

bool strmap_equal(const struct strmap *a, const struct strmap *b)
{
	if (a->v.n != b->v.n)
		return false;
	for (uint32_t i = 0; i < a->v.n; i++)
		if (strcmp(a->v.v[i].key, b->v.v[i].key) || strcmp(a->v.v[i].value, b->v.v[i].value))
			return false;
	return true;
}

void strmap_fini(struct strmap *m)
{
	vec_foreach(e, &m->v)
	{
		free(e->key);
		free(e->value);
	}
	vec_fini(&m->v);
}
