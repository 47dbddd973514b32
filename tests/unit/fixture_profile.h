/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_profile - deterministic profiles for tests and benches.
 */
#include <stdint.h>

struct profile;

struct fixture {
	uint32_t stacks, depth, functions, processes; /* depth: frames of each stack */
	uint32_t inlined_every;  /* each n-th location has an inlined callee; 0: none */
	uint32_t seed;
	uint32_t routes;         /* stacks go round services, and so many routes and none; 0: round processes */
	int hostile; /* names that try to break out of every format */
};

/* Aborts when out of memory: for tests only. */
struct profile *fixture_profile(const struct fixture *f);
