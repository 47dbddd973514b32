/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/scrape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/web.h"
#include "base/buf.h"
#include "exporter/metric.h"
#include "exporter/prom_metrics.h"
#include "exporter/prometheus.h"

struct scrape {
	struct web *web;
	scrape_fill_fn *fill;
	void *ctx;
};

static int page(void *ctx, const char *path, struct buf *out, const char **ret_type)
{
	struct scrape *s = ctx;
	struct metric_set set = { 0 };
	int r;

	if (strcmp(path, "/metrics")) {
		buf_puts(out, "there is no such page: see /metrics\n");
		return 404;
	}
	r = s->fill(s->ctx, &set);
	if (r < 0) {
		buf_printf(out, "%s\n", strerror(-r));
		return 500;
	}
	*ret_type = PROM_CONTENT_TYPE;
	prom_metrics(&set, out);
	return 200;
}

int scrape_new(const char *listen, scrape_fill_fn *fill, void *ctx, struct scrape **ret, char *err,
	       size_t err_len)
{
	struct scrape *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->fill = fill;
	s->ctx = ctx;
	r = web_new("prometheus.listen", listen, page, s, &s->web, err, err_len);
	if (r < 0)
		free(s);
	else
		*ret = s;
	return r;
}

struct scrape *scrape_free(struct scrape *s)
{
	if (!s)
		return NULL;
	web_free(s->web);
	free(s);
	return NULL;
}

const char *scrape_address(const struct scrape *s)
{
	return web_address(s->web);
}

int scrape_fd(const struct scrape *s)
{
	return web_fd(s->web);
}

void scrape_run(struct scrape *s)
{
	web_run(s->web);
}
