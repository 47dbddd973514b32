/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scrape - the page of prometheus.listen: what is measured of services, asked for anew with each scrape and written as
 * Prometheus has it (prom_metrics.h). What the agent says of itself is on another page (telemetry.h).
 *
 * Threads: the loop's, as web.h.
 */
#include <stddef.h>

struct metric_set;
struct scrape;

/* What there is to say now; borrowed until it is asked again. 0 or negative errno: the scrape fails, and Prometheus knows. */
typedef int scrape_fill_fn(void *ctx, struct metric_set *ret);

/* 0; negative errno with why and the remedy in err. */
int scrape_new(const char *listen, scrape_fill_fn *fill, void *ctx, struct scrape **ret, char *err,
	       size_t err_len);
struct scrape *scrape_free(struct scrape *s);

/* As web.h has them. */
const char *scrape_address(const struct scrape *s);
int scrape_fd(const struct scrape *s);
void scrape_run(struct scrape *s);
