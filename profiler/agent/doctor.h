/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * doctor - what this kernel, its limits, this container and these privileges allow.
 *
 *	probe (what was tried) --\
 *	                          rows of doctor.c -> findings -> a verdict
 *	files below root --------/
 *
 * A finding is ok, limited (recording works, with less; it says what is less) or missing (no
 * recording without it). The verdict follows from the worst.
 * Memory: the report is the caller's; texts are inside it.
 */
#include <stddef.h>

struct probe;
struct trace_probe;

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_LIMITED,
	DOCTOR_MISSING,
};

struct doctor_finding {
	const char *group, *id, *title; /* of the row */
	enum doctor_state state;
	char found[160];  /* what is here: "held", "6.1.0-13" */
	char means[256];  /* for the user */
	char remedy[256]; /* "" when ok */
};

enum { DOCTOR_MAX_CHECKS = 64 };

struct doctor_report {
	struct doctor_finding v[DOCTOR_MAX_CHECKS];
	size_t n;
	enum doctor_state overall; /* the worst */
	char verdict[768];         /* one line: hotspan can profile this host, or why it cannot */
};

/* root: "" for this host's own files. */
void doctor_examine(const char *root, const struct probe *probe, const struct trace_probe *trace, struct doctor_report *ret);

/* "ok", "limited", "missing". */
const char *doctor_state_name(enum doctor_state s);
