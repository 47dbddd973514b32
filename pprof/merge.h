/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * merge - several profiles into one, by the rules of google/pprof's profile.Merge.
 *
 * Equal samples (locations and labels) become one, their values are added; samples of nothing but
 * zeros go. Images of the same build id, size and offset are one, wherever they were loaded.
 * Only what samples refer to is taken over: merging one profile with nothing makes it compact.
 * The header: period the largest, time the earliest, duration the sum, comments each once.
 * A part can be subtracted: that is `pprof -diff_base`, what is less than before has negative values.
 * Source: google/pprof profile/merge.go.
 */
#include <stdbool.h>
#include <stdint.h>

struct profile;

struct merge_part {
	const struct profile *p;
	bool subtract;
};

/* Whether the two have the same sample types in the same order, and no different period types. */
bool merge_fits(const struct profile *a, const struct profile *b);

/* At least one part, all fitting the first: -EINVAL if not. 0 or -ENOMEM; the caller owns *ret. */
int profile_merge(const struct merge_part *parts, uint32_t n, struct profile **ret);
