/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as .debug_line and as the strings it refers to; the first one chooses the unit's version. */
#include <stdint.h>
#include <stdlib.h>

#include "symbolize/dwarf/line_program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dwarf_section s = { data + 1, len - 1 };
	struct dwarf_object o = { .s = { [DWARF_LINE] = s, [DWARF_STR] = s, [DWARF_LINE_STR] = s, [DWARF_INFO] = s } };
	struct dwarf_unit u = { .obj = &o, .has_stmt_list = true, .comp_dir = { "/dir", 4 } };
	struct dwarf_budget budget = { .bytes = 1 << 20 };
	struct dwarf_range all = { 1, UINT64_MAX };
	struct dwarf_live live = { .v = { .v = &all, .n = 1 } };
	struct dwarf_line_rows rows = { 0 };
	struct dwarf_line_stats stats = { 0 };
	struct dwarf_line_files *lf = NULL;
	struct buf path = BUF_INIT;
	struct symcache_build *b;
	bool damaged;

	if (!len)
		return 0;
	u.format = (struct dwarf_format){ .version = 2 + (data[0] & 3), .address_size = 8, .offset_size = data[0] & 4 ? 8 : 4 };
	memcpy(u.parts.s, o.s, sizeof(o.s));
	if (symcache_build_new(&b) < 0)
		abort();
	if (!dwarf_line_files_read(&u, &budget, &lf))
		dwarf_line_program_run(lf, &live, b, &path, &rows, &stats, &damaged);
	dwarf_line_files_free(lf);
	symcache_build_free(b);
	vec_fini(&rows.v);
	buf_fini(&path);
	return 0;
}
