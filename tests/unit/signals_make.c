/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals_make traces|metrics MAX-BYTES    requests of OTLP on standard output, each behind its length (32 bits, little-endian)
 * signals_make prometheus                  a page
 * signals_make send URL PROTOCOL COMPRESSION   both to a receiver; says what became of them
 *
 * What is in them is on standard input, a line each, texts as ".TEXT", percent-encoded:
 *	resource .KEY .VALUE ...
 *	span TRACE-ID SPAN-ID PARENT-ID FLAGS KIND STATUS START END DROPPED .STATE .NAME .MESSAGE    of the resource above
 *	family .NAME .UNIT .HELP KIND WHOLE BOUND...
 *	point RESOURCE START NUMBER, or of a histogram: point RESOURCE START SUM COUNT...            of the family above
 *	exemplar TIME NUMBER TRACE-ID SPAN-ID                                                        of the point above
 *	attribute .KEY t.TEXT|iNUMBER|dNUMBER|bNUMBER                                                of the span or point above
 *	time NUMBER
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "base/units.h"
#include "exporter/metric.h"
#include "exporter/net.h"
#include "exporter/otlp_metrics.h"
#include "exporter/otlp_send.h"
#include "put_spans.h"
#include "exporter/prom_metrics.h"

enum { RESOURCES = 64, FAMILIES = 64, MANY = 50000 };

static struct strmap resources[RESOURCES];
static struct otlp_span spans[MANY];
static uint32_t span_resource[MANY];
static struct metric_family families[FAMILIES];
static struct metric_point points[MANY];
static struct metric_exemplar exemplars[MANY];
static struct attribute attributes[4 * MANY];
static uint64_t counts[16 * MANY];
static double bounds[MANY];
static uint32_t n_resources, n_families, n_spans, n_points, n_exemplars, n_attributes, n_counts,
	n_bounds;
static uint64_t time_ns;
static char *rest; /* of the line */

static char *word(void)
{
	char *w = strsep(&rest, " ");

	if (!w) {
		fprintf(stderr, "a line is too short\n");
		exit(2);
	}
	return w;
}

/* Of ".TEXT"; lives for ever. */
static char *decode(const char *s)
{
	char *text = strdup(s + 1), *to = text;

	for (const char *from = text; *from; from++) {
		*to = *from;
		if (*from == '%') {
			*to = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
			from += 2;
		}
		to++;
	}
	*to = '\0';
	return text;
}

static void read_id(uint8_t *to, size_t n)
{
	const char *hex = word();

	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
}

static uint64_t number(void)
{
	return strtoull(word(), NULL, 10);
}

static void read_resource(void)
{
	struct strmap *m = &resources[n_resources++];

	while (rest) {
		_cleanup_(freep) char *key = decode(word());
		_cleanup_(freep) char *value = decode(word());

		if (strmap_set(m, key, value) < 0)
			exit(1);
	}
}

static void read_span(void)
{
	struct otlp_span *s = &spans[n_spans];

	span_resource[n_spans++] = n_resources - 1;
	read_id(s->trace_id, 16);
	read_id(s->span_id, 8);
	read_id(s->parent_id, 8);
	s->flags = (uint32_t)number();
	s->kind = (enum otlp_span_kind)number();
	s->status = (enum otlp_span_status)number();
	s->start_ns = number();
	s->end_ns = number();
	s->dropped_attributes = (uint32_t)number();
	s->state = decode(word());
	s->name = decode(word());
	s->message = decode(word());
}

static void read_family(void)
{
	struct metric_family *f = &families[n_families++];

	f->name = decode(word());
	f->unit = decode(word());
	f->help = decode(word());
	f->kind = (enum metric_kind)number();
	f->whole = number();
	f->bounds = bounds + n_bounds;
	f->points = points + n_points;
	for (; rest; f->n_bounds++)
		bounds[n_bounds++] = strtod(word(), NULL);
}

static void read_point(void)
{
	struct metric_family *f = &families[n_families - 1];
	struct metric_point *p = &points[n_points++];

	f->n_points++;
	p->resource = (uint32_t)number();
	p->start_ns = number();
	if (f->kind != METRIC_HISTOGRAM) {
		if (f->whole)
			p->number = strtoll(word(), NULL, 10);
		else
			p->real = strtod(word(), NULL);
		return;
	}
	p->histogram.sum = strtod(word(), NULL);
	p->histogram.counts = counts + n_counts;
	p->histogram.exemplars = exemplars + n_exemplars;
	while (rest)
		counts[n_counts++] = number();
}

static void read_exemplar(void)
{
	struct metric_exemplar *x = &exemplars[n_exemplars++];

	points[n_points - 1].histogram.n_exemplars++;
	x->time_ns = number();
	x->value = strtod(word(), NULL);
	read_id(x->trace_id, 16);
	read_id(x->span_id, 8);
}

static void read_attribute(bool of_span)
{
	struct attribute *a = &attributes[n_attributes++];
	const char *value;

	if (of_span && !spans[n_spans - 1].n_attributes++)
		spans[n_spans - 1].attributes = a;
	if (!of_span && !points[n_points - 1].n_attributes++)
		points[n_points - 1].attributes = a;
	a->key = slice_of(decode(word()));
	value = word();
	a->type = *value == 't'   ? ATTRIBUTE_TEXT
		  : *value == 'i' ? ATTRIBUTE_INT
		  : *value == 'd' ? ATTRIBUTE_DOUBLE
				  : ATTRIBUTE_BOOL;
	if (a->type == ATTRIBUTE_TEXT)
		a->text = slice_of(decode(value + 1));
	else if (a->type == ATTRIBUTE_INT)
		a->number = strtoll(value + 1, NULL, 10);
	else if (a->type == ATTRIBUTE_DOUBLE)
		a->real = strtod(value + 1, NULL);
	else
		a->truth = value[1] == '1';
}

static void read_input(void)
{
	_cleanup_(freep)
	char *line = NULL;
	bool of_span = false;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		const char *what;

		line[n - 1] = '\0';
		rest = line;
		what = word();
		of_span = !strcmp(what, "span") || (of_span && !strcmp(what, "attribute"));
		if (!strcmp(what, "resource"))
			read_resource();
		else if (!strcmp(what, "span"))
			read_span();
		else if (!strcmp(what, "family"))
			read_family();
		else if (!strcmp(what, "point"))
			read_point();
		else if (!strcmp(what, "exemplar"))
			read_exemplar();
		else if (!strcmp(what, "attribute"))
			read_attribute(of_span);
		else
			time_ns = number();
	}
}

static int print(void *ctx, const struct buf *request, uint32_t items)
{
	uint32_t len = (uint32_t)request->len;

	return fwrite(&len, 1, sizeof(len), stdout) == sizeof(len) &&
			       fwrite(request->data, 1, len, stdout) == len
		       ? 0
		       : -EIO;
}

static int encode_traces(const struct otlp_opts *opts)
{
	struct otlp_traces *t;
	int r = otlp_traces_new(opts, &t);

	for (uint32_t i = 0, n; i < n_spans && r >= 0; i += n) {
		for (n = 1; i + n < n_spans && span_resource[i + n] == span_resource[i];)
			n++;
		r = put_spans(t, &resources[span_resource[i]], spans + i, n);
	}
	if (r >= 0)
		r = otlp_traces_finish(t);
	otlp_traces_free(t);
	return r;
}

static struct metric_set set(void)
{
	return (struct metric_set){ .time_ns = time_ns,
				    .n_resources = n_resources,
				    .resources = resources,
				    .n_families = n_families,
				    .families = families };
}

static int encode_metrics(const struct otlp_opts *opts)
{
	const struct metric_set all = set();
	struct otlp_metrics *m;
	int r = otlp_metrics_new(opts, &m);

	if (r >= 0)
		r = otlp_metrics_send(m, &all);
	otlp_metrics_free(m);
	return r;
}

static int print_page(void)
{
	const struct metric_set all = set();
	struct buf page = BUF_INIT;
	int r;

	prom_metrics(&all, &page);
	r = buf_error(&page) || fwrite(page.data, 1, page.len, stdout) != page.len;
	buf_fini(&page);
	return r;
}

/* ---- sending ---- */

static void tell(void *ctx, const struct net_event *ev)
{
	printf("%s\n", ev->text);
}

static int send_both(struct net *net)
{
	struct otlp_sender traces = { .net = net,
				      .signal = PARCEL_TRACES,
				      .time_ns = time_utc_ns() };
	struct otlp_sender metrics = { .net = net,
				       .signal = PARCEL_METRICS,
				       .time_ns = time_utc_ns() };
	const struct otlp_opts spans_to = { .scope_name = "hotspan",
					    .scope_version = "1",
					    .max_bytes = 64 << 10,
					    .send = otlp_send,
					    .ctx = &traces };
	const struct otlp_opts metrics_to = { .scope_name = "hotspan",
					      .scope_version = "1",
					      .max_bytes = 64 << 10,
					      .send = otlp_send,
					      .ctx = &metrics };
	int r = encode_traces(&spans_to);

	if (r >= 0)
		r = encode_metrics(&metrics_to);
	printf("sent %" PRIu64 " spans, %" PRIu64 " data points\n", traces.items, metrics.items);
	return r;
}

static int send_to(char *url, char *protocol, char *compression)
{
	struct receiver_opts to = { .name = "peer",
				    .type = "otlp",
				    .send = 1u << PARCEL_TRACES | 1u << PARCEL_METRICS,
				    .url = url,
				    .protocol = protocol,
				    .compression = compression,
				    .timeout_ns = 5 * NSEC_PER_SEC,
				    .queue_bytes = 64 * MIB,
				    .max_tries = 4 };
	struct net_receiver_stats s;
	struct net *net;
	char err[256];
	int r = net_new(&(struct net_opts){ .on_event = tell, .user_agent = "hotspan/test" }, &net);

	if (r >= 0)
		r = net_set_receivers(net, &to, 1, err, sizeof(err));
	if (r >= 0)
		r = send_both(net);
	if (r >= 0)
		r = net_flush(net, 30 * NSEC_PER_SEC);
	net_stats(net, &s, 1);
	for (int i = 0; i < PARCEL_SIGNALS; i++)
		printf("%s: %" PRIu64 " delivered, %" PRIu64 " refused, %" PRIu64 " rejected\n",
		       parcel_signal_name((enum parcel_signal)i), s.signals[i].delivered,
		       s.signals[i].dropped[NET_DROP_REFUSED], s.signals[i].rejected);
	net_free(net);
	return r;
}

int main(int argc, char **argv)
{
	const struct otlp_opts opts = { .scope_name = "hotspan",
					.scope_version = "1",
					.max_bytes = argc == 3 ? strtoul(argv[2], NULL, 10) : 0,
					.send = print };

	read_input();
	if (argc == 3)
		return (strcmp(argv[1], "traces") ? encode_metrics(&opts) : encode_traces(&opts)) <
		       0;
	if (argc == 5)
		return send_to(argv[2], argv[3], argv[4]) < 0;
	return argc == 2 ? print_page() : 2;
}
