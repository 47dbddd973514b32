/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/jit_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
	SETTLE_MIN = 64 * 1024, /* fewer pending than this wait for the end of the round */
	SCAN_MAX = 1024,        /* codes looked at for a move among those pending */
};

typedef vec(struct jit_piece) pieces_t;

static int add_name(struct jit_map *m, const char *name, size_t len, uint32_t *ret)
{
	size_t at = m->names.len;

	buf_append(&m->names, name, len);
	buf_putc(&m->names, '\0');
	if (buf_error(&m->names) || m->names.len > UINT32_MAX)
		return -ENOMEM;
	*ret = (uint32_t)at;
	return 0;
}

int jit_map_add(struct jit_map *m, uint64_t start, uint64_t size, const char *name, size_t len)
{
	uint32_t at = 0;
	struct jit_code *c = add_name(m, name, len, &at) < 0 ? NULL : vec_push(&m->codes);

	if (!c)
		return -ENOMEM;
	*c = (struct jit_code){ .start = start, .size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX, .name = at,
				.first_line = m->lines.n };
	return 0;
}

int jit_map_add_line(struct jit_map *m, uint32_t offset, const char *file, size_t len, uint32_t line)
{
	uint32_t id = strpool_add_len(&m->files, file, len);
	struct jit_line *l = strpool_error(&m->files) ? NULL : vec_push(&m->lines);

	if (!l)
		return -ENOMEM;
	*l = (struct jit_line){ .offset = offset, .file = id, .line = line };
	m->codes.v[m->codes.n - 1].n_lines++;
	return 0;
}

/* What was added last is not among the pieces yet: the latest pending code that covers it, else a settled one. */
static uint32_t find_latest(const struct jit_map *m, uint64_t addr)
{
	for (uint32_t i = m->codes.n; i-- > m->settled;)
		if (addr - m->codes.v[i].start < m->codes.v[i].size)
			return i;
	return jit_map_find(m, addr);
}

int jit_map_move(struct jit_map *m, uint64_t from, uint64_t to, uint64_t size)
{
	int r = m->codes.n - m->settled > SCAN_MAX ? jit_map_settle(m) : 0;
	uint32_t old = find_latest(m, from);
	struct jit_code *c = old == JIT_NO_CODE ? NULL : vec_push(&m->codes);

	if (r < 0)
		return r;
	if (old == JIT_NO_CODE)
		return -ENOENT;
	if (!c)
		return -ENOMEM;
	*c = m->codes.v[old];
	c->start = to;
	c->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	return 0;
}

bool jit_map_is_full(const struct jit_map *m)
{
	uint32_t pending = m->codes.n - m->settled;

	return (pending >= SETTLE_MIN && pending >= m->pieces.n / 2) || jit_map_bytes(m) > 2 * JIT_MAP_MAX_BYTES;
}

static int by_start(const void *a, const void *b, void *ctx)
{
	const struct jit_map *m = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (m->codes.v[x].start != m->codes.v[y].start)
		return m->codes.v[x].start < m->codes.v[y].start ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int push_piece(pieces_t *v, uint64_t start, uint64_t end, uint32_t code)
{
	struct jit_piece *last = v->n ? &v->v[v->n - 1] : NULL, *p;

	if (start >= end)
		return 0;
	if (last && last->code == code && last->start + last->size == start && end - last->start <= UINT32_MAX) {
		last->size = (uint32_t)(end - last->start);
		return 0;
	}
	p = vec_push(v);
	if (!p)
		return -ENOMEM;
	*p = (struct jit_piece){ .start = start, .size = (uint32_t)(end - start), .code = code };
	return 0;
}

/*
 * A sweep over the addresses: `open` holds the codes that began before `at` as a heap, the latest on top, and
 * each stretch between two beginnings or ends belongs to the top.
 */
struct sweep {
	const struct jit_map *m;
	pieces_t *out;
	vec(uint32_t) open;
	uint64_t at;
};

static int open_code(struct sweep *s, uint32_t code)
{
	uint32_t *slot = vec_push(&s->open), i = s->open.n - 1;

	if (!slot)
		return -ENOMEM;
	for (; i && s->open.v[(i - 1) / 2] < code; i = (i - 1) / 2)
		s->open.v[i] = s->open.v[(i - 1) / 2];
	s->open.v[i] = code;
	return 0;
}

static void close_top(struct sweep *s)
{
	uint32_t last = s->open.v[--s->open.n], i = 0, child;

	for (; (child = 2 * i + 1) < s->open.n; i = child) {
		if (child + 1 < s->open.n && s->open.v[child + 1] > s->open.v[child])
			child++;
		if (s->open.v[child] < last)
			break;
		s->open.v[i] = s->open.v[child];
	}
	s->open.v[i] = last;
}

/* Gives out the addresses from `at` to `to`. */
static int sweep_to(struct sweep *s, uint64_t to)
{
	while (s->open.n && s->at < to) {
		const struct jit_code *top = &s->m->codes.v[s->open.v[0]];
		uint64_t end = top->start + top->size;

		if (end > s->at) {
			if (push_piece(s->out, s->at, end < to ? end : to, s->open.v[0]) < 0)
				return -ENOMEM;
			s->at = end < to ? end : to;
		}
		if (end <= s->at)
			close_top(s);
	}
	s->at = to;
	return 0;
}

/* The pieces of what is pending. */
static int sweep_pending(const struct jit_map *m, pieces_t *out)
{
	uint32_t n = m->codes.n - m->settled;
	_cleanup_(freep) uint32_t *order = calloc(n, sizeof(*order));
	struct sweep s = { .m = m, .out = out };
	int r = order ? 0 : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < n; i++)
		order[i] = m->settled + i;
	if (r >= 0)
		qsort_r(order, n, sizeof(*order), by_start, (void *)m);
	for (uint32_t i = 0; i < n && r >= 0; i++) {
		r = sweep_to(&s, m->codes.v[order[i]].start);
		if (r >= 0)
			r = open_code(&s, order[i]);
	}
	if (r >= 0)
		r = sweep_to(&s, UINT64_MAX);
	vec_fini(&s.open);
	return r;
}

/* Old pieces where no new one lies. */
static int merge(const struct jit_map *m, const pieces_t *fresh, pieces_t *out)
{
	uint32_t i = 0;
	uint64_t at = 0;
	int r = vec_reserve(out, (size_t)m->pieces.n + 2ull * fresh->n);

	for (uint32_t k = 0; k <= fresh->n && r >= 0; k++) {
		uint64_t gap_end = k < fresh->n ? fresh->v[k].start : UINT64_MAX;

		while (i < m->pieces.n && m->pieces.v[i].start < gap_end && r >= 0) {
			const struct jit_piece *p = &m->pieces.v[i];
			uint64_t start = p->start > at ? p->start : at, end = p->start + p->size;

			r = push_piece(out, start, end < gap_end ? end : gap_end, p->code);
			if (end > gap_end)
				break; /* its tail may show behind the new one */
			i++;
		}
		if (k == fresh->n || r < 0)
			break;
		at = fresh->v[k].start + fresh->v[k].size;
		r = push_piece(out, fresh->v[k].start, at, fresh->v[k].code);
	}
	return r;
}

/* Code that was moved shares its lines: line_of says where those at an index went, + 1. */
static int copy_code(const struct jit_map *m, uint32_t code, struct jit_map *to, uint32_t *line_of)
{
	const struct jit_code *c = &m->codes.v[code];
	struct jit_code *copy = vec_push(&to->codes);
	const char *name = jit_map_name(m, code);

	if (!copy)
		return -ENOMEM;
	*copy = *c;
	if (add_name(to, name, strlen(name), &copy->name) < 0)
		return -ENOMEM;
	if (c->n_lines && !line_of[c->first_line]) {
		line_of[c->first_line] = to->lines.n + 1;
		for (uint32_t i = 0; i < c->n_lines; i++) {
			struct jit_line *l = vec_push(&to->lines);

			if (!l)
				return -ENOMEM;
			*l = m->lines.v[c->first_line + i];
			l->file = strpool_add(&to->files, jit_map_file(m, l));
		}
	}
	copy->first_line = c->n_lines ? line_of[c->first_line] - 1 : 0;
	return strpool_error(&to->files);
}

static int copy_codes(const struct jit_map *m, uint32_t from, struct jit_map *to, uint32_t *new_id)
{
	_cleanup_(freep) uint32_t *line_of = calloc(m->lines.n + 1u, sizeof(*line_of));
	int r = line_of ? 0 : -ENOMEM;

	for (uint32_t i = from; i < m->codes.n && r >= 0; i++) {
		if (!new_id[i])
			continue;
		r = copy_code(m, i, to, line_of);
		new_id[i] = to->codes.n;
	}
	return r;
}

/* Keeps the codes from `from` on that pieces still show, in their order, and what belongs to them. */
static int compact(struct jit_map *m, uint32_t from)
{
	_cleanup_(freep) uint32_t *new_id = calloc(m->codes.n + 1u, sizeof(*new_id)); /* + 1 */
	struct jit_map fresh = { .forgotten = m->forgotten };
	int r = new_id ? 0 : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < m->pieces.n; i++)
		new_id[m->pieces.v[i].code] = m->pieces.v[i].code >= from;
	if (r >= 0)
		r = copy_codes(m, from, &fresh, new_id);
	for (uint32_t i = 0; i < m->pieces.n && r >= 0; i++) {
		const struct jit_piece *p = &m->pieces.v[i];
		struct jit_piece *slot = new_id[p->code] ? vec_push(&fresh.pieces) : NULL;

		if (slot)
			*slot = (struct jit_piece){ p->start, p->size, new_id[p->code] - 1 };
		else if (new_id[p->code])
			r = -ENOMEM;
	}
	fresh.settled = fresh.codes.n;
	if (r < 0) {
		jit_map_fini(&fresh);
		return r;
	}
	jit_map_fini(m);
	*m = fresh;
	return 0;
}

static uint32_t count_shown(const struct jit_map *m)
{
	_cleanup_(freep) uint8_t *seen = calloc(m->codes.n + 1u, 1);
	uint32_t n = 0;

	for (uint32_t i = 0; seen && i < m->pieces.n; i++) {
		n += !seen[m->pieces.v[i].code];
		seen[m->pieces.v[i].code] = 1;
	}
	return seen ? n : m->codes.n;
}

/* The merge made room for the worst. */
static void give_back_spare(pieces_t *v)
{
	void *exact = v->n ? realloc(v->v, v->n * sizeof(*v->v)) : NULL;

	if (exact) {
		v->v = exact;
		v->cap = v->n;
	}
}

static int by_offset(const void *a, const void *b)
{
	const struct jit_line *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void sort_lines(struct jit_map *m)
{
	for (uint32_t i = m->settled; i < m->codes.n; i++) {
		struct jit_line *l = m->codes.v[i].n_lines ? &m->lines.v[m->codes.v[i].first_line] : NULL;

		for (uint32_t k = 1; k < m->codes.v[i].n_lines; k++)
			if (l[k].offset < l[k - 1].offset) {
				qsort(l, m->codes.v[i].n_lines, sizeof(*l), by_offset);
				break;
			}
	}
}

int jit_map_settle(struct jit_map *m)
{
	pieces_t fresh = { 0 }, merged = { 0 };
	int r;

	if (m->settled == m->codes.n)
		return 0;
	sort_lines(m);
	r = sweep_pending(m, &fresh);
	if (r >= 0)
		r = merge(m, &fresh, &merged);
	vec_fini(&fresh);
	m->settled = m->codes.n;
	if (r < 0) {
		vec_fini(&merged);
		return r;
	}
	vec_fini(&m->pieces);
	give_back_spare(&merged);
	memcpy(&m->pieces, &merged, sizeof(merged));
	if (m->codes.n > 1024 && m->codes.n / 2 > count_shown(m))
		r = compact(m, 0);
	while (r >= 0 && jit_map_bytes(m) > JIT_MAP_MAX_BYTES && m->codes.n > 1) {
		m->forgotten += m->codes.n / 2;
		r = compact(m, m->codes.n / 2);
	}
	return r;
}

uint32_t jit_map_find(const struct jit_map *m, uint64_t addr)
{
	uint32_t lo = 0, hi = m->pieces.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (m->pieces.v[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr - m->pieces.v[lo - 1].start < m->pieces.v[lo - 1].size ? m->pieces.v[lo - 1].code : JIT_NO_CODE;
}

const struct jit_line *jit_map_line(const struct jit_map *m, uint32_t code, uint64_t addr)
{
	const struct jit_code *c = &m->codes.v[code];
	const struct jit_line *l = c->n_lines ? &m->lines.v[c->first_line] : NULL;
	uint32_t lo = 0, hi = c->n_lines;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l[mid].offset <= addr - c->start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &l[lo - 1] : NULL;
}

size_t jit_map_bytes(const struct jit_map *m)
{
	return m->names.cap + m->files.arena.used_bytes + m->files.entries.cap * sizeof(*m->files.entries.v) +
	       m->files.index.cap * sizeof(*m->files.index.slots) + m->codes.cap * sizeof(*m->codes.v) +
	       m->lines.cap * sizeof(*m->lines.v) + m->pieces.cap * sizeof(*m->pieces.v);
}

void jit_map_fini(struct jit_map *m)
{
	buf_fini(&m->names);
	strpool_fini(&m->files);
	vec_fini(&m->codes);
	vec_fini(&m->lines);
	vec_fini(&m->pieces);
	*m = (struct jit_map){ 0 };
}
