/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * distance - how many slips lie between two words: letters to insert, drop or change (Levenshtein).
 * For "did you mean". Names longer than DISTANCE_MAX_LEN are DISTANCE_FAR from everything.
 */
#include <stddef.h>

enum { DISTANCE_MAX_LEN = 64, DISTANCE_FAR = 1000 };

unsigned int distance(const char *a, size_t n, const char *b, size_t m);
