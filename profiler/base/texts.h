/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * texts - short texts made of parts, one behind the other in a room of fixed size.
 *
 *	texts_begin(t); texts_add(t, SLICE("ot=th:")); texts_add_hex(t, 0xc, 1); s = texts_end(t);
 *
 * For what is made of every request: printf took more instructions than all else of a span.
 * Memory: the room is the owner's; a text is good as long as that is.
 */
#include <stdint.h>

#include "base/slice.h"

struct texts {
	char *room;
	size_t size, used;
	size_t at; /* where the one begins that is being made */
};

void texts_begin(struct texts *t);
void texts_add(struct texts *t, struct slice part);
void texts_add_number(struct texts *t, uint64_t number);
/* With so many digits, at most 16. */
void texts_add_hex(struct texts *t, uint64_t number, int digits);
/* What was added since texts_begin(); a NUL is behind it. s is NULL where there was no room: none is taken then. */
struct slice texts_end(struct texts *t);
