/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * prometheus - metrics in the text exposition format, version 0.0.4.
 *
 *	prom_family(b, "hotspan_samples_total", PROM_COUNTER, "Samples taken.");
 *	prom_value(b, "hotspan_samples_total", 42, NULL);
 *	prom_value(b, "hotspan_lost_total", 1, "reason", "ring_full", NULL);
 *
 * Source: prometheus.io, exposition formats. Errors: buf_error() of the buffer, once at the end.
 */
#include "base/slice.h"

struct buf;

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

/* help: one line, escaped here. */
void prom_family(struct buf *b, const char *name, enum prom_type type, const char *help);
/* Pairs of label name and value, ended by NULL. Values are escaped. */
void prom_value(struct buf *b, const char *name, double value, ...) __attribute__((sentinel));

/* The value of a label: escaped, U+FFFD for bytes that are no UTF-8, since one of them costs the whole page. */
void prom_escape(struct buf *b, struct slice text);
/* The shortest text that reads back as the same number. */
void prom_number(struct buf *b, double v);
