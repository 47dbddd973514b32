/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that were seen become requests of OTLP traces: gathered, by service, encoded, packed. What leaves is counted, not sent. */
#include <stdlib.h>
#include <string.h>

#include "agent/push_spans.h"
#include "base/hash.h"
#include "base/units.h"
#include "bench.h"
#include "bpf/http1.h"
#include "bpf/trace.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"

enum { SPANS = 6000, CONNECTIONS = 16 };

#define ANSWER "GET /answer HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
#define BROWSER(path)                                                                                                          \
	"GET " path " HTTP/1.1\r\nHost: shop.example.org\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n"           \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n" \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"                   \
	"Accept-Encoding: gzip, deflate\r\nAccept-Language: en-GB,en;q=0.9\r\n\r\n"

static const char labels[] = "container_id=4c01db0b339c\nhost_name=bench\nservice_name=shop\n";

static const struct {
	const char *head, *route;
	uint64_t answer_bytes;
} answer[] = { { ANSWER, "/answer", 31 } }, mix[] = {
	{ ANSWER, "/answer", 31 },
	{ BROWSER("/products/4711?from=search"), "/products/*", 18233 },
	{ BROWSER("/cart"), "/cart", 2210 },
	{ BROWSER("/static/css/main.7c2.css"), "/static/css/*", 90412 },
};

static uint8_t wanted; /* PARCEL_FORMAT_* */
static uint64_t sent_bytes;

uint32_t __wrap_net_formats(struct net *n, enum parcel_signal signal);
int __wrap_net_send(struct net *n, struct parcel *p);

uint32_t __wrap_net_formats(struct net *n, enum parcel_signal signal)
{
	return 1u << wanted;
}

int __wrap_net_send(struct net *n, struct parcel *p)
{
	sent_bytes += p->bytes.len;
	return 0;
}

/* The i-th of those that come over so many connections at 8,000 a second. */
static struct ev_request seen(uint32_t i, const char *head, uint64_t answer_bytes)
{
	uint64_t x = hash_u64(i + 1);
	struct ev_request ev = { .span_id = hash_u64(x), .trace_id = { hash_u64(x + 1), hash_u64(x + 2) }, .start_ns = i * 125000ull + x % 20000,
				 .response_bytes = answer_bytes, .cgroup_id = 4711, .tgid = 812, .tid = 813, .service = 1, .route = 1,
				 .flags = TRACE_SPAN | TRACE_OURS, .status = 200, .local_port = 8080, .peer_port = (uint16_t)(40000 + 2 * (x % CONNECTIONS)),
				 .method = HTTP1_METHOD_GET, .side = TRACE_SERVER, .trace_flags = 3, .local_address = { 127, 0, 0, 1 }, .peer_address = { 127, 0, 0, 1 } };

	ev.end_ns = ev.start_ns + 40000 + x % 9000;
	ev.head_len = (uint16_t)strlen(head);
	memcpy(ev.head, head, ev.head_len);
	return ev;
}

/* In the order in which the ring buffer has them, without what is not sent of each. */
static void measure(struct bench *b, uint8_t format, const typeof(mix[0]) *of, uint32_t n)
{
	struct ev_request *events = calloc(SPANS, sizeof(*events));
	struct push_spans *s;

	if (!events || push_spans_new(&(struct push_spans_opts){ .threshold = 0 }, &s) < 0)
		abort();
	for (uint32_t i = 0; i < SPANS; i++)
		events[i] = seen(i, of[i % n].head, of[i % n].answer_bytes);
	wanted = format;
	BENCH_LOOP(b) {
		sent_bytes = 0;
		for (uint32_t i = 0; i < SPANS; i++)
			push_spans_add(s, &events[i], labels, of[i % n].route);
		push_spans_flush(s);
	}
	bench_metric(b, "bytes_per_span", (double)sent_bytes / SPANS);
	push_spans_free(s);
	free(events);
}

BENCH(spans_otlp, "span", SPANS)
{
	measure(b, PARCEL_FORMAT_OTLP, mix, 4);
}

BENCH(spans_otlp_gzip, "span", SPANS)
{
	measure(b, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, mix, 4);
}

BENCH(spans_answer_otlp_gzip, "span", SPANS)
{
	measure(b, PARCEL_FORMAT_OTLP | PARCEL_FORMAT_GZIP, answer, 1);
}
