/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * metric - what was counted, once: both OTLP (otlp_metrics.h) and the Prometheus page (prom_metrics.h) are written of it.
 *
 *	set: resources (a service each), families (one name each)
 *	     family: points, one for each of its series
 *	             point: whose it is, attributes, the value
 *
 * Names are dotted, units UCUM's, as the semantic conventions have them: http.server.request.duration in s. Counters and
 * histograms are cumulative: they grow from start_ns on, which changes only when they begin anew.
 * Series are told apart by resource and attributes as they are written, U+FFFD for what is no UTF-8: whoever counts sees to it.
 * Memory: all is borrowed from whoever made the set.
 */
#include <stddef.h>
#include <stdint.h>

#include "exporter/attribute.h"

struct strmap;

enum metric_kind {
	METRIC_COUNTER, /* only grows */
	METRIC_UP_DOWN, /* a sum that may shrink: requests in flight */
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
};

/* One of the requests a point counts. */
struct metric_exemplar {
	uint64_t time_ns;
	double value;
	uint8_t trace_id[16], span_id[8];
};

struct metric_point {
	uint32_t resource; /* index; points of a family stand in ascending order of it */
	uint32_t n_attributes;
	const struct attribute *attributes;
	uint64_t start_ns; /* UTC */
	union {
		int64_t number; /* of a whole family */
		double real;
		struct {
			const uint64_t *
				counts; /* one more than bounds: the last is what is above all of them. Not summed up */
			double sum;
			const struct metric_exemplar *exemplars;
			uint32_t n_exemplars;
		} histogram;
	};
};

struct metric_family {
	const char *name, *help;
	const char *unit; /* NULL: none */
	enum metric_kind kind;
	bool whole;           /* values are whole numbers; of a histogram nothing */
	const double *bounds; /* of a histogram: rising; a value equal to a bound is below it */
	uint32_t n_bounds;
	uint32_t n_points;
	const struct metric_point *points;
};

struct metric_set {
	uint64_t time_ns; /* UTC: when it was so */
	uint32_t n_resources, n_families;
	const struct strmap *resources; /* attributes of each */
	const struct metric_family *families;
};

/* Bounds of durations in seconds, as HTTP's and RPC's conventions have them; of sizes in bytes, as eBPF instrumentation has them. */
enum { METRIC_SECONDS_BOUNDS = 14, METRIC_BYTES_BOUNDS = 10 };
extern const double metric_seconds_bounds[METRIC_SECONDS_BOUNDS];
extern const double metric_bytes_bounds[METRIC_BYTES_BOUNDS];

/* How many requests a histogram's point counts. */
uint64_t metric_count(const struct metric_family *f, const struct metric_point *p);
