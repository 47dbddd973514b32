/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * relabel_regex - a regular expression of RE2's dialect, which Prometheus speaks, said in PCRE2's. Pure.
 *
 * What both read alike goes over as it is. What PCRE2 would read otherwise is written out (\s has no \v here, \v is one
 * character, {,5} is itself, \p{Greek} is the script without its extensions); what RE2 does not have is refused: looking
 * ahead and behind, back references, atomic and possessive parts, verbs, repetitions above 1000 or of a repetition.
 * Stricter than Go: no octal escapes, nothing to repeat in ^* and \b*, no two groups of one name, parentheses are balanced.
 * Otherwise than Go: a group whose last turn in a repetition is empty, as in (a*)+, holds "", as in Perl; \p{Lu} is upper
 * case after (?i) too.
 * Source: the syntax page of RE2; its Go twin, which tests/unit/relabel_oracle.py asks.
 */
#include <stddef.h>

#include "base/buf.h"

/* Appends to out, with no NUL. 0, -ENOMEM, or -EINVAL: err says what is not to be had; PCRE2 finds what else is wrong. */
int relabel_regex(const char *re2, struct buf *out, char *err, size_t err_len);
