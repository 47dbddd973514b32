/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile - symbolized, format-neutral tables: what every encoder reads and every decoder fills.
 *
 *	samples --> frames[] (leaf first) --> locations --> lines (inlined callee first) --> functions
 *	        \-> labels[] (shared ranges)           \--> mappings
 *	        \-> values[] (types.n per sample)
 *
 * Everything refers to everything else by index into these tables, strings by strpool id. The
 * shape follows perftools.profiles (google/pprof proto/profile.proto), without its ids: index i here
 * is id i + 1 there.
 * Memory: the profile owns all of it. Threads: one owner at a time.
 * Errors: the add functions return an index; when memory runs out they return 0 and
 * profile_error() is -ENOMEM from then on. Encoders check it once.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/strpool.h"
#include "base/vec.h"

#define PROFILE_NO_MAPPING UINT32_MAX

/* How finely a view tells frames apart. */
enum profile_unit {
	PROFILE_FUNCTIONS, /* a frame is a function, wherever in it the address lies */
	PROFILE_LINES,     /* a frame is a line of a function */
};

/* What kind of code a location lies in; formats without the notion lose it, readers guess it back. */
enum frame_kind {
	FRAME_UNKNOWN,
	FRAME_KERNEL,
	FRAME_NATIVE,
	FRAME_JIT,
	FRAME_INTERPRETED,
};

struct profile_type {
	uint32_t type, unit; /* "samples" "count", "cpu" "nanoseconds" */
};

/* One image, drawn as if loaded where its file says: start is the segment's virtual address. */
struct profile_mapping {
	uint64_t start, limit, offset;
	uint32_t file;     /* path, "[kernel.kallsyms]", "[vdso]", "[anon]" */
	uint32_t build_id; /* lower-case hex, "" when there is none */
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

struct profile_function {
	uint32_t name;        /* for people: demangled */
	uint32_t system_name; /* linkage name; equal to name when there is only one */
	uint32_t file;        /* source file, "" when unknown */
	int64_t start_line;   /* 0 when unknown */
};

struct profile_line {
	uint32_t function;
	int64_t line, column; /* 0 when unknown */
};

struct profile_location {
	uint64_t address; /* in the mapping's address space; return addresses already moved into the call */
	uint32_t mapping; /* or PROFILE_NO_MAPPING */
	uint32_t first_line, n_lines; /* in lines[]; inlined callee first, physical function last; 0: no name */
	uint8_t kind;                 /* enum frame_kind */
	bool folded;
};

struct profile_label {
	uint32_t key;
	uint32_t str;  /* a string label, or 0 and then num holds it */
	uint32_t unit; /* of num */
	int64_t num;
};

struct profile_sample {
	uint32_t first_frame, n_frames; /* in frames[]: location indices, leaf first */
	uint32_t first_label, n_labels; /* in labels[]; samples may share a range */
	/* The trace, in hex, of the span that the label span_id names; 0: none. Pprof has no place for it: Pyroscope before
	 * 2.1 would make a series of each. */
	uint32_t trace;
};

/* Requests of a route, counted beside the samples. No format but the flame graph page carries them. */
struct profile_route {
	uint32_t service, method, route; /* as in the labels service_name, http.request.method, http.route */
	int64_t requests;
};

struct profile {
	struct strpool strings;
	vec(struct profile_type) types; /* by convention count first, cost last */
	struct profile_type period_type;
	int64_t period; /* in period_type's unit */
	int64_t time_ns; /* UTC start of the collection */
	int64_t duration_ns;
	uint32_t default_type; /* string id of a type's name, 0: the last type */
	uint32_t drop_frames, keep_frames, doc_url;
	vec(uint32_t) comments; /* strings, free text: losses and cost of this very profile */

	vec(struct profile_mapping) mappings;
	vec(struct profile_function) functions;
	vec(struct profile_line) lines;
	vec(struct profile_location) locations;
	vec(uint32_t) frames;
	vec(struct profile_label) labels;
	vec(struct profile_sample) samples;
	vec(int64_t) values; /* samples.n * types.n */
	vec(struct profile_route) routes; /* each once */

	struct htable function_index; /* over name, system_name, file, start_line */
	int error;
};

struct profile *profile_new(void); /* NULL when out of memory */
struct profile *profile_free(struct profile *p);
static inline void profile_freep(struct profile **p)
{
	profile_free(*p);
}

/* 0, or -ENOMEM when any add so far failed. */
int profile_error(const struct profile *p);

void profile_add_type(struct profile *p, const char *type, const char *unit);
/* (samples, count), (cpu, nanoseconds); period type (cpu, nanoseconds). */
void profile_set_cpu(struct profile *p, int64_t period_ns);
void profile_comment(struct profile *p, const char *text);

/* Copies *m / *l. */
uint32_t profile_add_mapping(struct profile *p, const struct profile_mapping *m);
/* Interned: the same four fields give the same index. */
uint32_t profile_add_function(struct profile *p, const struct profile_function *f);
/* lines[0..n_lines) are copied; loc->first_line and ->n_lines are filled in. */
uint32_t profile_add_location(struct profile *p, const struct profile_location *loc,
			      const struct profile_line *lines, uint32_t n_lines);
/* Returns the first index of the copied range. */
uint32_t profile_add_labels(struct profile *p, const struct profile_label *labels, uint32_t n);
uint32_t profile_add_frames(struct profile *p, const uint32_t *locations, uint32_t n);
void profile_add_route(struct profile *p, const char *service, const char *method, const char *route, int64_t requests);
/* values: types.n of them. */
void profile_add_sample(struct profile *p, const struct profile_sample *s, const int64_t *values);

/* a + b and |v|, held at the ends of the range: values of a hostile file do not overflow. */
static inline int64_t profile_sum(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static inline int64_t profile_size(int64_t v)
{
	return v == INT64_MIN ? INT64_MAX : v < 0 ? -v : v;
}

/* Index into types[] that a viewer shows first: default_type, else the last one. */
uint32_t profile_default_type(const struct profile *p);

static inline const char *profile_str(const struct profile *p, uint32_t id)
{
	return strpool_str(&p->strings, id);
}

/* The kind of code in an image, as far as its name tells: formats do not carry it. */
uint8_t profile_guess_kind(const char *image);

/* Last part of a path; "[vdso]" and the like stay whole. */
const char *profile_base_name(const char *path);

/*
 * The text every human-readable format shows for a frame: the function's name, or
 * "[libc.so.6+0x1234]" without one. line_index counts the location's lines, 0 the innermost.
 */
void profile_location_name(const struct profile *p, uint32_t location, uint32_t line_index, struct buf *out);

/* Where that is in the source: by function where the function begins, by line the line. file "": unknown. */
struct profile_source {
	uint32_t file;
	int64_t line; /* 0: unknown */
};
struct profile_source profile_location_source(const struct profile *p, uint32_t location, uint32_t line_index,
					      enum profile_unit unit);

/* The label of this key on this sample, NULL when it has none. */
const struct profile_label *profile_sample_label(const struct profile *p, const struct profile_sample *s,
						 const char *key);
