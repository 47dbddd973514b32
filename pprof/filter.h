/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * filter - drops samples from a profile, in place. Tables keep what is no longer referred to;
 * profile_merge() leaves it behind.
 *
 * A name is what people see: the function, or "[libc.so.6+0x1234]" where there is none.
 */
#include <regex.h>
#include <stdint.h>

struct profile;

struct filter_label {
	const char *key, *value; /* a number is compared as text: pid 4711 */
};

struct filter {
	const regex_t *focus;  /* keep stacks with a function that matches; NULL: all */
	const regex_t *ignore; /* drop stacks with one; NULL: none */
	const struct filter_label *labels; /* keep samples that have them all */
	uint32_t n_labels;
};

/* 0 or -ENOMEM. */
int filter_samples(struct profile *p, const struct filter *f);

/* Inlined calls fold into the function they stand in: of each location the last line stays. */
void filter_inlined(struct profile *p);

/* Keeps one of the types, which is then the only one. -ENOENT when none is called so. */
int filter_type(struct profile *p, const char *type);
