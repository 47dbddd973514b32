/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * faults - what the fake server does wrong on purpose, set by text at run time.
 *
 * One fault a line, words KEY=VALUE; the first line that applies and is not used up is taken:
 *
 *	status=429 retry_after=2 count=3	the next three pushes are answered so and not stored
 *	status=503				every push, until the faults are set anew
 *	status=500 store=1			answered so although stored
 *	status=307 location=http://...		a redirect
 *	status=400 service=web			only series whose service_name contains "web" are refused
 *	delay=700				ms between storing and the answer; goes with the others
 *	cut=body				the connection ends while the body is read
 *	cut=stored				... when all is stored, before any answer
 *	cut=head | cut=answer			... within the answer's first line, or within its body
 *	garbage=1				an answer that is no HTTP; stored
 *	stall=1					stored, never answered
 *	authorization=Bearer abc		401 unless the header is this one (takes the rest of the line)
 *	message=not today			the text of the refusal (takes the rest of the line)
 *	rate=100000				bytes a second over which pushes are answered 429
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

enum fault_cut { CUT_NONE, CUT_BODY, CUT_STORED, CUT_HEAD, CUT_ANSWER };

struct fault {
	int status;
	uint32_t retry_after;
	uint32_t delay_ms;
	enum fault_cut cut;
	bool store, garbage, stall;
	char service[64], location[300], message[200], authorization[300];
	uint64_t rate, level; /* bytes a second; what is used up of the burst */
	int64_t level_ms;
	int64_t count;        /* pushes left; -1: no end */
};

struct faults {
	vec(struct fault) v;
};

/* Replaces all; the empty text ends them. 0, or -EINVAL with the word that is wrong in err. */
int faults_set(struct faults *f, const char *text, char *err, size_t err_len);
void faults_fini(struct faults *f);

/* What a fault is asked about: one push. */
struct fault_push {
	bool reading; /* its body is still being read: only cut=body applies */
	const char *authorization; /* NULL: none */
	const char *const *services;
	size_t n_services;
	size_t bytes;
	int64_t now_ms;
};

/* The fault of this push, used up by one; false when there is none. */
bool faults_take(struct faults *f, const struct fault_push *p, struct fault *ret);
const char *fault_name(const struct fault *f);
