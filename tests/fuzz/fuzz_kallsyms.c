/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "symbolize/kallsyms.h"
#include "symbolize/symtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct symtab t = { 0 };

	if (!kallsyms_parse((const char *)data, len, &t))
		for (uint32_t i = 0; i < t.v.n; i++)
			symtab_find(&t, t.v.v[i].addr + i);
	symtab_fini(&t);
	return 0;
}
