/* SPDX-License-Identifier: Apache-2.0 */
#include "step_causes.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "bpf/events.h"

enum where { LEAF, CALLER, LAST, NO_RULE };
enum how { EARLY, FEWER, OTHER };

static struct {
	enum where where;
	const char *function; /* its file where it has no symbol; NO_RULE: any */
	uint32_t status;      /* enum ev_cut; EV_CUT_MAX: any */
	enum how how;
	uint64_t most;
	const char *why;
	uint64_t count;
} known[] = {
	{ LAST, "ld-linux-x86-64.so.2", EV_CUT_REG_LOST, EARLY, 5000,
	  "_dl_runtime_resolve keeps its CFA in rbx, which only the leaf has" },
	{ LEAF, "setcontext", EV_CUT_MAX, OTHER, 64, "the registers are the target's one by one" },
	{ LEAF, "swapcontext", EV_CUT_MAX, OTHER, 128,
	  "the registers are the target's one by one" },
	{ LEAF, "_Unwind_RaiseException", EV_CUT_MAX, OTHER, 200,
	  "its frame is overwritten with the landing's registers" },
	{ LEAF, "_Unwind_Resume_or_Rethrow", EV_CUT_MAX, OTHER, 200,
	  "its frame is overwritten with the landing's registers" },
	{ LEAF, "_Unwind_Resume", EV_CUT_MAX, OTHER, 200,
	  "its frame is overwritten with the landing's registers" },
	{ CALLER, "_Unwind_RaiseException", EV_CUT_MAX, OTHER, 400,
	  "its frame is overwritten with the landing's registers" },
	{ CALLER, "_Unwind_Resume_or_Rethrow", EV_CUT_MAX, OTHER, 400,
	  "its frame is overwritten with the landing's registers" },
	{ CALLER, "_Unwind_Resume", EV_CUT_MAX, OTHER, 600,
	  "its frame is overwritten with the landing's registers" },
	{ LEAF, "step_aligned", EV_CUT_MAX, EARLY, 16,
	  "GCC's CFI reads the caller's rbp at [rbp] after `leave` too" },
	{ LAST, "libc.so.6", EV_CUT_NO_TABLES, EARLY, 16,
	  "clone3()'s child, for three instructions without CFI" },
	{ LEAF, "libc.so.6", EV_CUT_RETURN_BAD, EARLY, 16,
	  "the same, where what lies above the child's stack can be read" },
	{ NO_RULE, "", EV_CUT_MAX, FEWER, 400,
	  "crt's _init, _fini and destructors, longjmp half way: code without CFI" },
};

static const char *const cuts[] = {
#define CUT(id, name, is_complete, help) name,
#include "bpf/drops.def"
#undef CUT
};

/* Those that are not known. */
static struct {
	struct {
		char function[64];
		uint32_t status;
		uint64_t count;
	} v[256];
	uint32_t n;
} causes;

static bool is_function(const char *name, const char *function)
{
	return strcspn(name, "+") == strlen(function) && !strncmp(name, function, strlen(function));
}

static bool is_here(size_t i, const struct difference *d)
{
	switch (known[i].where) {
	case LEAF:
		return is_function(d->leaf, known[i].function);
	case CALLER:
		return is_function(d->caller, known[i].function);
	case LAST:
		return is_function(d->last, known[i].function);
	default:
		return !strncmp(d->leaf_rule, "- ", 2);
	}
}

static bool is_allowed(size_t i, const struct difference *d)
{
	if (known[i].status != EV_CUT_MAX && known[i].status != d->status)
		return false;
	return known[i].how == OTHER || (known[i].how == FEWER && d->fewer) || d->early;
}

uint64_t causes_add(const struct difference *d)
{
	char function[64];
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (is_here(i, d) && is_allowed(i, d) && known[i].count < known[i].most) {
			known[i].count++;
			return 0;
		}
	snprintf(function, sizeof(function), "%.*s", (int)strcspn(d->last, "+"), d->last);
	while (n < causes.n &&
	       (causes.v[n].status != d->status || strcmp(causes.v[n].function, function)))
		n++;
	if (n == ARRAY_SIZE(causes.v))
		n--; /* so many kinds are one failure as well */
	causes.n = n < causes.n ? causes.n : n + 1;
	memcpy(causes.v[n].function, function, sizeof(function));
	causes.v[n].status = d->status;
	return ++causes.v[n].count;
}

uint64_t causes_report(void)
{
	uint64_t unknown = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].count)
			printf("  %8lu walks end early or elsewhere%s%s: %s\n", known[i].count,
			       *known[i].function ? " in " : "", known[i].function, known[i].why);
	for (uint32_t i = 0; i < causes.n; i++) {
		printf("  %8lu WALKS DIFFER in %s, %s\n", causes.v[i].count, causes.v[i].function,
		       cuts[causes.v[i].status]);
		unknown += causes.v[i].count;
	}
	return unknown;
}
