/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture_scan - DWARF as a scan sees it: the symcache made of it, and what was counted. */
#include "fixture_dwarf.h"
#include "symbolize/dwarf/dwarf_scan.h"
#include "symbolize/symcache.h"

struct scanned {
	struct dwarf_scan_stats stats;
	struct symcache *cache;
	int result;
};

struct scanned scan_files(const struct dwarf_files *files);
/* The one file that f is. */
struct scanned scan(const struct fix *f);
/* "inner:line<outer:line", by linkage name or name; until the next call. */
const char *scanned_at(const struct scanned *s, uint64_t address);
uint32_t scanned_start_line(const struct scanned *s, uint64_t address);
/* Lets go of both. */
void scanned_done(struct scanned *s, struct fix *f);
