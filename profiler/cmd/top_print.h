/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * top_print - an interval of `hotspan top` as text or as a line of JSON; and a row's text, which the
 * screen shows too.
 */
#include <stdbool.h>
#include <stdint.h>

struct buf;
struct top_facts;
struct top_function;
struct top_process;
struct top_rows;

struct top_page {
	const struct top_facts *facts;
	const struct top_rows *rows; /* functions of everything, and processes */
	uint32_t max_rows;
	bool by_thread;
	uint64_t time_utc_ns;
	const char *filter; /* NULL or "": none */
};

void top_print_text(const struct top_page *p, struct buf *out);
void top_print_json(const struct top_page *p, struct buf *out);

/* Column titles, and a row in exactly so many columns. */
void top_print_function_title(int width, struct buf *out);
void top_print_function(const struct top_function *f, const struct top_rows *rows, int width, struct buf *out);
void top_print_process_title(bool by_thread, int width, struct buf *out);
void top_print_process(const struct top_process *p, const struct top_rows *rows, bool by_thread, int width, struct buf *out);
