/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/units.h"

#define PAGES_KEPT (32 * MIB)

static int keep(struct dwarf_store *st, void *at, size_t len, bool heap, bool file)
{
	struct dwarf_mapping *m = vec_push(&st->mappings);

	if (m) {
		*m = (struct dwarf_mapping){ .at = at, .len = len, .heap = heap, .file = file };
		return 0;
	}
	if (heap)
		free(at);
	else
		munmap(at, len);
	return -ENOMEM;
}

static void drop(struct dwarf_mapping *m)
{
	if (m->heap)
		free(m->at);
	else
		munmap(m->at, m->len);
}

static int heap_bytes(struct dwarf_store *st, uint64_t len, uint8_t **ret)
{
	uint8_t *p = malloc(len);
	int r = p ? keep(st, p, len, true, false) : -ENOMEM;

	if (!r)
		*ret = p;
	return r;
}

int dwarf_store_map(struct dwarf_store *st, int fd, uint64_t offset, uint64_t len, struct dwarf_section *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = offset % page;
	uint8_t *at, *copy = NULL;
	int r;

	at = mmap(NULL, len + skip, PROT_READ, MAP_PRIVATE, fd, (off_t)(offset - skip));
	if (at == MAP_FAILED)
		return -errno;
	r = keep(st, at, len + skip, false, true);
	if (r < 0)
		return r;
	if (st->exact) {
		r = heap_bytes(st, len, &copy);
		if (r < 0)
			return r;
		memcpy(copy, at + skip, len);
		*ret = (struct dwarf_section){ copy, len };
		return 0;
	}
	*ret = (struct dwarf_section){ at + skip, len };
	return 0;
}

int dwarf_store_bytes(struct dwarf_store *st, uint64_t len, uint8_t **ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t offset = (st->scratch_len + page - 1) / page * page;
	uint8_t *at;
	int r;

	if (len > st->inflated_max - st->inflated)
		return -EFBIG;
	st->inflated += len;
	if (st->exact)
		return heap_bytes(st, len, ret);
	if (st->scratch < 0) {
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	} else {
		if (ftruncate(st->scratch, (off_t)(offset + len)) < 0)
			return -errno;
		st->scratch_len = offset + len;
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, st->scratch, (off_t)offset);
	}
	if (at == MAP_FAILED)
		return -errno;
	r = keep(st, at, len, false, st->scratch >= 0);
	if (!r)
		*ret = at;
	return r;
}

void dwarf_store_let_go(struct dwarf_store *st, uint32_t i)
{
	drop(&st->mappings.v[i]);
	st->mappings.v[i] = (struct dwarf_mapping){ .heap = true };
}

void dwarf_store_forget(struct dwarf_store *st, uint32_t n)
{
	while (st->mappings.n > n)
		drop(&st->mappings.v[--st->mappings.n]);
}

void dwarf_store_drop_pages(const struct dwarf_store *st, const uint8_t *from, const uint8_t *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin, end;

	vec_foreach (m, &st->mappings) {
		const uint8_t *at = m->at;

		if (!m->file || from < at || to > at + m->len || from >= to)
			continue;
		begin = ((uintptr_t)from + page - 1) / page * page;
		end = (uintptr_t)to / page * page;
		if (begin < end)
			madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
}

bool dwarf_store_drop_behind(const struct dwarf_store *st, const uint8_t *section, uint64_t at, uint64_t *io)
{
	if (at - *io < PAGES_KEPT)
		return false;
	dwarf_store_drop_pages(st, section + *io, section + at);
	*io = at;
	return true;
}

void dwarf_store_fini(struct dwarf_store *st)
{
	dwarf_store_forget(st, 0);
	vec_fini(&st->mappings);
}
