/* SPDX-License-Identifier: Apache-2.0 */
/* What processes say of themselves: an environment, and the same bytes as a process context. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "proc/declared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A label's value: UTF-8 without control characters. */
static void check(const char *s)
{
	for (size_t left = strlen(s), n; left; s += n, left -= n) {
		n = utf8_len(s, left);
		assert(n && (unsigned char)*s >= ' ' && *s != 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct strmap m = { 0 };

	declared_add_attributes(&m, (const char *)data, len);
	declared_add_context(&m, data, len);
	declared_add_service_name(&m, (const char *)data, len);
	assert(m.v.n <= DECLARED_MAX + 1);
	vec_foreach(e, &m.v)
	{
		assert(e->key[0] && e->value[0] && !strchr(e->key, '='));
		check(e->key);
		check(e->value);
	}
	strmap_fini(&m);
	return 0;
}
