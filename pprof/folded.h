/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * folded - one line a stack, root first: "comm;main;work;memcpy 42".
 *
 * As stackcollapse-perf --all writes it: the process's comm comes first when there is such a label (else the service's
 * name), then the request's method and route: "shop;GET /orders;main;work 42". Kernel frames end in _[k], JIT frames in _[j], inlined ones in _[i]. The number is the first value
 * (samples). Equal lines are merged; order is by first appearance.
 */
#include <stdbool.h>
#include <stddef.h>

struct buf;
struct profile;

/* 0 or -ENOMEM. */
int folded_encode(const struct profile *p, struct buf *out);

/*
 * Reads folded text into a new profile of (samples, count). The suffixes become kinds again; frames
 * of one name are one function. -EBADMSG with a one-line reason that names the line; -ENOMEM.
 */
int folded_decode(const char *text, size_t len, struct profile **ret, char *err, size_t err_len);

/* Whether the first line that is neither blank nor a comment ends in a space and a number. */
bool folded_looks_like(const char *text, size_t len);
