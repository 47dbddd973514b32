/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/elf_peek.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK_BITS = 14, BLOCK = 1 << BLOCK_BITS, SLOTS = 256 };

/* The block and what follows it, so that no peek lies across two. */
struct block {
	uint64_t number; /* + 1; 0: empty */
	size_t len;
	uint8_t data[BLOCK + PEEK_MAX];
};

struct elf_peek {
	const struct elf_image *img;
	const uint8_t *memory; /* of an image without a file */
	size_t memory_len;
	struct block *slots; /* NULL: none yet */
	uint32_t n_slots;
};

/* Only the blocks that are used take memory. */
static bool add_slots(struct elf_peek *p)
{
	if (!p->slots)
		p->slots = calloc(p->n_slots, sizeof(*p->slots));
	return p->slots;
}

int elf_peek_new(const struct elf_image *img, struct elf_peek **ret)
{
	struct elf_peek *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->img = img;
	p->n_slots = SLOTS;
	if (img->fd < 0)
		p->memory = (const uint8_t *)elf_rawfile(img->elf, &p->memory_len);
	else if (!add_slots(p))
		return elf_peek_free(p), -ENOMEM;
	*ret = p;
	return 0;
}

void elf_peek_forget(struct elf_peek *p)
{
	free(p->slots);
	p->slots = NULL;
}

void elf_peek_limit(struct elf_peek *p, uint32_t blocks)
{
	elf_peek_forget(p);
	p->n_slots = blocks;
}

struct elf_peek *elf_peek_free(struct elf_peek *p)
{
	if (!p)
		return NULL;
	free(p->slots);
	free(p);
	return NULL;
}

static const struct block *read_block(struct elf_peek *p, uint64_t number)
{
	struct block *b = &p->slots[number % p->n_slots];
	ssize_t n;

	if (b->number == number + 1)
		return b;
	n = pread(p->img->fd, b->data, sizeof(b->data), (off_t)(number << BLOCK_BITS));
	b->len = n > 0 ? (size_t)n : 0;
	b->number = number + 1;
	return b;
}

static struct bytes part(const uint8_t *data, size_t have, uint64_t at, size_t len)
{
	if (at >= have)
		return (struct bytes){ .at = data, .end = data };
	if (len > have - at)
		len = have - at;
	return (struct bytes){ .at = data + at, .end = data + at + len };
}

struct bytes elf_peek(struct elf_peek *p, uint64_t offset, size_t len)
{
	const struct block *b;

	if (len > PEEK_MAX)
		len = PEEK_MAX;
	if (p->img->fd < 0)
		return part(p->memory, p->memory ? p->memory_len : 0, offset, len);
	if (offset > INT64_MAX - BLOCK || !add_slots(p))
		return (struct bytes){ 0 };
	b = read_block(p, offset >> BLOCK_BITS);
	return part(b->data, b->len, offset % BLOCK, len);
}

struct bytes elf_peek_address(struct elf_peek *p, uint64_t vaddr, size_t len)
{
	for (uint32_t i = 0; i < p->img->n_segments; i++) {
		const struct elf_segment *s = &p->img->segments[i];

		if (vaddr - s->vaddr < s->filesz)
			return elf_peek(p, s->offset + (vaddr - s->vaddr), len);
	}
	return (struct bytes){ 0 };
}
