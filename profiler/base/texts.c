/* SPDX-License-Identifier: Apache-2.0 */
#include "base/texts.h"

#include <string.h>

void texts_begin(struct texts *t)
{
	t->at = t->used;
}

/* All of the room is used when there is none for the NUL any more. */
void texts_add(struct texts *t, struct slice part)
{
	if (part.len >= t->size - t->used) {
		t->used = t->size;
	} else if (part.len) {
		memcpy(t->room + t->used, part.s, part.len);
		t->used += part.len;
	}
}

void texts_add_number(struct texts *t, uint64_t number)
{
	char digits[20], *end = digits + sizeof(digits), *at = end;

	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	texts_add(t, (struct slice){ at, (size_t)(end - at) });
}

void texts_add_hex(struct texts *t, uint64_t number, int digits)
{
	char text[16];

	for (int i = digits; i--; number >>= 4)
		text[i] = "0123456789abcdef"[number & 15];
	texts_add(t, (struct slice){ text, (size_t)digits });
}

struct slice texts_end(struct texts *t)
{
	struct slice made = { t->room + t->at, t->used - t->at };

	if (t->used == t->size) {
		t->used = t->at;
		return (struct slice){ 0 };
	}
	t->room[t->used++] = '\0';
	return made;
}
