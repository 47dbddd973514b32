/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbolize/elf_symbols.h"
#include "symbolize/symtab.h"
#include "unwind/code_rows.h"

/* A symbol without a size ends at the next, or here. */
enum { UNSIZED_MAX = 4096 };

struct code {
	const struct elf_image *img;
	struct symtab symbols;
	bool loaded;
	uint64_t left; /* of CODE_BYTES_MAX */
	/* The stretch at hand, and the function in it. */
	uint64_t end;
	uint32_t next; /* symbol */
	uint64_t start;
	uint32_t at, len;
	/* Room for one function. */
	uint8_t *bytes;
	struct code_state *states;
	uint32_t *todo;
};

int code_open(const struct elf_image *img, struct code **ret)
{
	struct code *c;
	GElf_Ehdr eh;

	*ret = NULL;
	if (!gelf_getehdr(img->elf, &eh) || eh.e_machine != EM_X86_64)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->img = img;
	c->left = CODE_BYTES_MAX;
	*ret = c;
	return 0;
}

struct code *code_free(struct code *c)
{
	if (!c)
		return NULL;
	symtab_fini(&c->symbols);
	free(c->bytes);
	free(c->states);
	free(c->todo);
	free(c);
	return NULL;
}

static int load(struct code *c)
{
	int r = elf_symbols_add(c->img, &c->symbols);

	symtab_finish(&c->symbols, UNSIZED_MAX);
	c->loaded = true;
	c->bytes = malloc(CODE_FUNCTION_MAX);
	c->states = malloc(CODE_FUNCTION_MAX * sizeof(*c->states));
	c->todo = malloc(CODE_FUNCTION_MAX * sizeof(*c->todo));
	return r < 0 || !c->bytes || !c->states || !c->todo ? -ENOMEM : 0;
}

/* The first symbol at or behind an address. */
static uint32_t first_symbol(const struct code *c, uint64_t address)
{
	uint32_t lo = 0, hi = c->symbols.v.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->symbols.v.v[mid].addr < address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int code_begin(struct code *c, uint64_t start, uint64_t end)
{
	int r = c->loaded ? 0 : load(c);

	c->end = end;
	c->next = first_symbol(c, start);
	c->at = c->len = 0;
	return r;
}

static bool is_cold_part(const char *name)
{
	const char *dot = strstr(name, ".cold");

	return dot && (!dot[5] || dot[5] == '.');
}

static int read_bytes(const struct code *c, uint64_t address, uint32_t len)
{
	for (uint32_t i = 0; i < c->img->n_segments; i++) {
		const struct elf_segment *s = &c->img->segments[i];
		uint64_t skip = address - s->vaddr;

		if ((s->flags & PF_X) && address >= s->vaddr && skip < s->filesz && len <= s->filesz - skip)
			return elf_image_read(c->img, s->offset + skip, c->bytes, len);
	}
	return -ENODATA;
}

/* The next function of the stretch. 1: its states are there; 0: none is left; -EBADMSG: c->start to c->len is not understood. */
static int next_function(struct code *c)
{
	while (c->next < c->symbols.v.n) {
		const struct symbol *s = &c->symbols.v.v[c->next++];
		uint64_t size = s->size;

		if (s->addr >= c->end)
			break;
		if (size > c->end - s->addr)
			size = c->end - s->addr;
		if (!size || is_cold_part(symtab_str(&c->symbols, s->name)))
			continue;
		c->start = s->addr;
		c->at = 0;
		c->len = (uint32_t)size;
		if (size > c->left || size > CODE_FUNCTION_MAX)
			return -EBADMSG;
		c->left -= size;
		if (read_bytes(c, s->addr, c->len) < 0)
			continue;
		return code_rows_find(c->bytes, c->len, c->states, c->todo) < 0 ? -EBADMSG : 1;
	}
	return 0;
}

static bool goes_on(const struct code *c, const struct unwind_rule *rule)
{
	struct unwind_rule here = code_rule(&c->states[c->at]);

	return !memcmp(&here, rule, sizeof(here));
}

/* From the instruction at c->at on, those that follow it without a gap and have its rule. */
static void take_row(struct code *c, struct code_row *ret)
{
	ret->rule = code_rule(&c->states[c->at]);
	ret->start = c->start + c->at;
	do {
		c->at += c->states[c->at].len;
		ret->end = c->start + c->at;
	} while (c->at < c->len && c->states[c->at].len && goes_on(c, &ret->rule));
}

int code_next(struct code *c, struct code_row *ret)
{
	int r;

	*ret = (struct code_row){ .lost = false };
	for (;;) {
		while (c->at < c->len && !c->states[c->at].len)
			c->at++;
		if (c->at < c->len) {
			take_row(c, ret);
			return 1;
		}
		r = next_function(c);
		if (r == 0)
			return 0;
		if (r == -EBADMSG) {
			*ret = (struct code_row){ .start = c->start, .end = c->start + c->len, .lost = true };
			c->at = c->len = 0;
			return 1;
		}
	}
}
