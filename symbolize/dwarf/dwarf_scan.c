/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/dwarf_scan.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "symbolize/dwarf/entities.h"
#include "symbolize/dwarf/split.h"

enum { PROGRAMS_MAX = 1 << 20 };
#define INFLATED_DEFAULT (4ull << 30)

int dwarf_scan_file(struct dwarf_scan *s, struct dwarf_unit *u, uint64_t number, uint32_t *ret)
{
	int r = 0;

	if (u->skeleton)
		u = u->skeleton;
	*ret = SYMCACHE_NONE;
	if (!u->files && !u->no_files)
		r = dwarf_line_files_read(u, &s->budget, &u->files);
	if (!u->files) {
		u->no_files = true;
		return r == -ENOMEM ? r : 0;
	}
	return dwarf_line_files_id(u->files, number, s->out, &s->path, ret);
}

static bool same_program(const void *ctx, uint32_t id)
{
	const struct { const struct dwarf_scan *s; uint64_t offset; } *q = ctx;

	return q->s->lines_run.v[id] == q->offset;
}

/* Partial units share their program with others: each is run once. */
static int first_time(struct dwarf_scan *s, uint64_t offset, bool *ret)
{
	struct { const struct dwarf_scan *s; uint64_t offset; } q = { s, offset };
	uint64_t *slot;

	*ret = htable_find(&s->lines_done, hash_u64(offset), same_program, &q) == HTABLE_NONE;
	*ret = *ret && s->lines_run.n < PROGRAMS_MAX;
	if (!*ret)
		return 0;
	slot = vec_push(&s->lines_run);
	if (!slot)
		return -ENOMEM;
	*slot = offset;
	return htable_insert(&s->lines_done, hash_u64(offset), s->lines_run.n - 1);
}

static int run_lines(struct dwarf_scan *s, struct dwarf_unit *u)
{
	struct dwarf_line_stats stats = { 0 };
	bool first, damaged = false;
	int r;

	if (!u->has_stmt_list)
		return 0;
	r = first_time(s, u->stmt_list, &first);
	if (r < 0 || !first)
		return r;
	if (!u->files && !u->no_files) {
		r = dwarf_line_files_read(u, &s->budget, &u->files);
		if (r == -ENOMEM)
			return r;
	}
	if (!u->files) {
		s->stats.damaged_lines++;
		return 0;
	}
	/* Programs may overlap, too. */
	if (!dwarf_budget_pay(&s->budget, u->files->program.len))
		return 0;
	r = dwarf_line_program_run(u->files, &s->live, s->out, &s->path, &s->rows, &stats, &damaged);
	s->stats.sequences += stats.sequences;
	s->stats.dead_sequences += stats.dead_sequences;
	s->stats.rows += stats.rows;
	s->stats.damaged_lines += damaged;
	return r;
}

static bool is_skeleton(const struct dwarf_unit *u)
{
	return u->has_dwo_id && (u->type == DW_UT_skeleton || (u->format.version < 5 && u->dwo_name.s));
}

/* The split part has all that a skeleton has, and more (-fsplit-dwarf-inlining). 1: it was there. */
static int walk_split(struct dwarf_scan *s, const struct dwarf_split *sp, struct dwarf_unit *skeleton)
{
	struct dwarf_unit u;
	int r = dwarf_split_open(s, sp, skeleton, &u);

	if (r == -ENOENT)
		s->stats.missing_dwos++;
	else if (r < 0 && r != -ENOMEM)
		s->stats.damaged_units++;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	/* Skeletons that share an id would have it walked again and again. */
	if (!dwarf_budget_pay(&s->budget, u.end - u.offset))
		return 0;
	s->stats.dwo_units++;
	r = dwarf_walk(s, &u);
	return r < 0 ? r : 1;
}

static int read_unit(struct dwarf_scan *s, const struct dwarf_split *sp, struct dwarf_unit *u)
{
	int r = dwarf_unit_open(u, NULL, &s->abbrevs, &s->budget);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		s->stats.damaged_units++;
		return 0;
	}
	s->stats.units++;
	r = is_skeleton(u) ? walk_split(s, sp, u) : 0;
	if (!r)
		r = dwarf_walk(s, u);
	if (r >= 0)
		r = run_lines(s, u);
	dwarf_line_files_free(u->files);
	u->files = NULL;
	return r;
}

/* What was kept for the next unit is let go when it has grown. */
static void trim(struct dwarf_scan *s)
{
	if (dwarf_abbrevs_large(&s->abbrevs)) {
		dwarf_near_forget(s);
		dwarf_abbrevs_drop(&s->abbrevs);
	}
}

/* The units behind us are seldom referred to. */
static void drop_pages(struct dwarf_scan *s, uint64_t at, uint64_t *dropped)
{
	static const enum dwarf_section_id beside[] = { DWARF_LINE, DWARF_RANGES, DWARF_RNGLISTS };

	if (!dwarf_store_drop_behind(&s->store, s->main.s[DWARF_INFO].data, at, dropped))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		struct dwarf_section b = s->main.s[beside[i]];

		if (b.len)
			dwarf_store_drop_pages(&s->store, b.data, b.data + b.len);
	}
}

static int read_units(struct dwarf_scan *s, const struct dwarf_split *sp)
{
	const struct dwarf_object *o = &s->main;
	struct dwarf_unit u;
	uint64_t dropped = 0;
	int r = 0;

	for (uint64_t at = 0; at < o->s[DWARF_INFO].len && !r; at = u.end) {
		int header;

		memcpy(u.parts.s, o->s, sizeof(o->s));
		header = dwarf_unit_header(o, at, &u);
		if (header == -EBADMSG) {
			s->stats.damaged_units++;
			break;
		}
		if (header == -ENOTSUP)
			s->stats.damaged_units++;
		else if (u.type == DW_UT_compile || u.type == DW_UT_partial || u.type == DW_UT_skeleton)
			r = read_unit(s, sp, &u);
		trim(s);
		drop_pages(s, u.end, &dropped);
	}
	return r;
}

static int scan(struct dwarf_scan *s, const struct dwarf_files *files)
{
	struct dwarf_split sp = { 0 };
	int r = dwarf_scan_open(s, files);

	if (!r)
		r = dwarf_split_learn(s, &sp);
	if (!r)
		r = read_units(s, &sp);
	dwarf_split_fini(&sp);
	if (!r && !s->stats.units)
		r = -EBADMSG;
	return r;
}

static void scan_fini(struct dwarf_scan *s)
{
	dwarf_entities_fini(s);
	dwarf_abbrevs_fini(&s->abbrevs);
	dwarf_store_fini(&s->store);
	vec_fini(&s->main_index.offsets);
	vec_fini(&s->alt_index.offsets);
	vec_fini(&s->live.v);
	vec_fini(&s->ranges.v);
	vec_fini(&s->rows.v);
	vec_fini(&s->lines_run);
	htable_fini(&s->lines_done);
	buf_fini(&s->path);
	free(s->texts);
	free(s->dwos);
	free(s);
}

int dwarf_scan(const struct dwarf_files *files, struct symcache_build *out, struct dwarf_scan_stats *ret)
{
	struct dwarf_scan *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return r;
	s->store.scratch = files->scratch;
	s->store.exact = files->exact;
	s->store.inflated_max = files->inflated_max ? files->inflated_max : INFLATED_DEFAULT;
	s->out = out;
	s->texts = calloc(DWARF_TEXT_SLOTS, sizeof(*s->texts));
	if (s->texts)
		r = scan(s, files);
	s->stats.dead_ranges = s->live.dead;
	s->stats.unrelocated = s->store.unrelocated;
	s->stats.budget_spent = s->budget.spent;
	*ret = s->stats;
	scan_fini(s);
	return r;
}
