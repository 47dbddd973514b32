/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * red_metrics - what was counted of requests (trace/red.h) as metrics, by the semantic conventions for HTTP:
 *
 *	http.server.request.duration   http.client.request.duration      s, histograms
 *	http.server.request.body.size  http.server.response.body.size    By, histograms; of clients likewise
 *	hotspan.http.server.cpu.time                                     s, a counter: CPU of samples that fell on such requests
 *
 * or as Beyla 1.0 and 1.1 called them, which knew no sizes of responses:
 *
 *	http.server.duration           http.client.duration              s
 *	http.server.request.size       http.client.request.size          By
 *
 * Memory: of one set at a time, the maker's. Threads: one.
 */
enum red_names { RED_NAMES_STABLE, RED_NAMES_BEYLA, RED_NAMES };

struct metric_set;
struct red_metrics;
struct strmap;
struct tracing;

int red_metrics_new(struct red_metrics **ret);
struct red_metrics *red_metrics_free(struct red_metrics *m);

/*
 * What t has counted up to now, borrowed until the next call; t: NULL, there is nothing. self: the agent's own resource, which
 * is the first. labels: the configuration's, of every service. 0 or negative errno.
 */
int red_metrics_fill(struct red_metrics *m, struct tracing *t, const struct strmap *self, const struct strmap *labels, enum red_names names,
		     struct metric_set *ret);
