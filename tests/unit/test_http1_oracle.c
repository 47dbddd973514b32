/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 parser beside http-parser, on the same random and damaged streams: each message's method or status, path, the bytes of
 * its head and body, where it ends. Where the two differ, a row of http1_causes.h says why they may.
 */
#include "unit.h"

#include <http_parser.h>
#include <linux/types.h>

#include "bpf/http1.h"
#include "http1_causes.h"

#ifndef SEED
#define SEED 0x9e3779b97f4a7c15
#endif
enum { CASES = 150000, STREAM = 4096 };

static struct {
	uint64_t random;
	char stream[STREAM];
	size_t len;
	uint32_t to_head; /* all responses answer HEAD */
} all = { .random = SEED };

static uint64_t next(void)
{
	all.random ^= all.random << 13;
	all.random ^= all.random >> 7;
	all.random ^= all.random << 17;
	return all.random * 0x2545f4914f6cdd1dull >> 11;
}

static uint64_t below(uint64_t n)
{
	return next() % n;
}

static const char *one_of(const char *const *v, size_t n)
{
	return v[below(n)];
}
#define ONE_OF(...)                                                    \
	({                                                             \
		static const char *const choices_[] = { __VA_ARGS__ }; \
		one_of(choices_, ARRAY_SIZE(choices_));                \
	})

static void __attribute__((format(printf, 1, 2))) put(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(all.stream + all.len, STREAM - all.len, format, args);
	va_end(args);
	all.len += (size_t)n < STREAM - all.len ? (size_t)n : STREAM - all.len - 1;
}

static const char *eol(void)
{
	return below(16) ? "\r\n" : "\n";
}

static void put_path(void)
{
	for (uint64_t n = below(5); n || !all.len; n--)
		put("/%s", ONE_OF("", "a", "users", "4711", "v1", "v22", "v333", "a-b_c~d", "%20",
				  "x.html", "..", "0123456789abcdef", "longer-than-eight"));
	put("/%s", ONE_OF("", "", "a", "cart", "17"));
	if (!below(4))
		put("?%s", ONE_OF("", "q=1&r=/2", "a?b", "x=%3f"));
	if (!below(16))
		put("#%s", ONE_OF("", "top", "?a"));
}

static void put_request_line(void)
{
	put("%s ", ONE_OF("GET", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH",
			  "TRACE", "PROPFIND", "M-SEARCH", "LOCK"));
	if (!below(16))
		put("http://%s", ONE_OF("h", "h:80", "user@h:1", "[::1]:8080"));
	if (below(40))
		put_path();
	else
		put("*");
	put(" HTTP/1.%s%s", ONE_OF("1", "1", "1", "0"), eol());
}

static void put_status_line(void)
{
	put("HTTP/1.%s %s%s%s", ONE_OF("1", "1", "1", "0"),
	    ONE_OF("200", "200", "200", "404", "500", "204", "304", "100", "103", "301", "599"),
	    ONE_OF(" OK", " Not Found", " ", "", " \xc3\xa4 b"), eol());
}

static void put_header(void)
{
	put("%s:%s%s%s",
	    ONE_OF("Host", "Server", "Date", "Content-Type", "User-Agent", "Cookie", "X", "ETag",
		   "Content-Lengths", "Transfer", "Tracestate", "Upgrade-Insecure-Requests",
		   "Expect-CT", "traceparent", "Expect", "Connection", "Upgrade"),
	    ONE_OF("", " ", " ", " ", "\t", "   "),
	    ONE_OF("", "a", "b c", "close", "keep-alive", "Upgrade", "text/html; charset=utf-8",
		   "Mon, 23 Nov 2026 10:00:00 GMT",
		   "a long value of a header, longer than a word or two of eight",
		   "\xc3\xa4\xc3\xb6", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
	    eol());
	if (!below(24))
		put("%s%s%s", ONE_OF(" ", "\t"), ONE_OF("folded", "Content-Length: 3", ""), eol());
}

static void put_headers(uint64_t n)
{
	while (n--)
		put_header();
}

static void put_chunks(void)
{
	for (uint64_t n = below(4); n; n--) {
		uint64_t len = 1 + below(40);

		put(ONE_OF("%lx%s%s", "%lX%s%s", "0%lx%s%s"), len,
		    ONE_OF("", "", "", ";a", ";a=\"b\"", " "), "\r\n");
		while (len--)
			put("%c", (int)('a' + below(26)));
		put("\r\n");
	}
	put("%s\r\n", ONE_OF("0", "0", "000"));
	put_headers(below(8) ? 0 : 1 + below(2));
	put("%s", eol());
}

static void put_message(int is_response)
{
	uint64_t how = below(4), len = below(60);

	if (!below(32))
		put("%s", eol());
	if (is_response)
		put_status_line();
	else
		put_request_line();
	put_headers(below(5));
	if (how == 1)
		put("%s:%s%lu%s%s", ONE_OF("Content-Length", "content-length", "CONTENT-LENGTH"),
		    ONE_OF(" ", "", "\t", "  "), len, ONE_OF("", "", "", " "), eol());
	else if (how == 2)
		put("%s:%s%s%s", ONE_OF("Transfer-Encoding", "transfer-encoding"),
		    ONE_OF(" ", "", "\t"),
		    ONE_OF("chunked", "chunked", "chunked", "Chunked", "gzip, chunked",
			   "gzip,chunked", "gzip", "chunked, gzip"),
		    eol());
	put_headers(below(4));
	put("%s", eol());
	if (how == 1)
		put("%.*s", (int)len,
		    "0123456789\r\nGET / HTTP/1.1\r\n\r\n01234567890123456789012345678901");
	else if (how == 2)
		put_chunks();
}

static void damage(void)
{
	static const char bytes[] = "\r\n\t :;,/?#*-+0159aAfFxX.\"\x80\x01\x7f";
	size_t at = below(all.len), n = 1 + below(6);

	switch (below(6)) {
	case 0:
		all.stream[at] = bytes[below(sizeof(bytes))];
		return;
	case 1:
		all.stream[at] ^= 1 << below(8);
		return;
	case 2:
		if (all.len + 1 < STREAM)
			memmove(all.stream + at + 1, all.stream + at, all.len++ - at);
		all.stream[at] = bytes[below(sizeof(bytes))];
		return;
	case 3:
		n = n < all.len - at ? n : all.len - at;
		memmove(all.stream + at, all.stream + at + n, all.len - at - n);
		all.len -= n;
		return;
	case 4:
		all.len = at + 1;
		return;
	default:
		n = n < all.len - at ? n : all.len - at;
		if (all.len + n < STREAM) {
			memmove(all.stream + at + n, all.stream + at, all.len - at);
			all.len += n;
		}
		return;
	}
}

static int make_stream(void)
{
	int is_response = (int)below(2);

	all.len = 0;
	all.to_head = is_response && !below(12);
	for (uint64_t n = 1 + below(3); n; n--)
		put_message(is_response);
	for (uint64_t n = below(2) ? 0 : 1 + below(3); n && all.len > 1; n--)
		damage();
	return is_response;
}

/* Ours. */

static void ours_on(struct http1_answer *a, struct http1 *m, uint32_t events, size_t at)
{
	struct http1_message *last = &a->v[a->n ? a->n - 1 : 0];

	if (events & HTTP1_HEAD && a->n < HTTP1_MESSAGES) {
		last = &a->v[a->n++];
		*last = (struct http1_message){
			.code = m->code,
			.minor = !(m->flags & HTTP1_MINOR_0),
			.head_end = at,
			.path = m->path,
			.path_at = a->begin + m->path_at,
			.path_len = m->path_len,
			.is_coded = (m->flags & HTTP1_CODED) != 0,
		};
		if (m->flags & HTTP1_RESPONSES) {
			events |= http1_answers(m,
						all.to_head ? HTTP1_METHOD_HEAD : HTTP1_METHOD_GET);
			last->path = 0;
			if (m->code < 200 && m->code != 101)
				events |= HTTP1_END;
		}
	}
	if (events & HTTP1_END) {
		last->end = at;
		last->body = m->body;
		a->begin = at;
	}
	a->failed |= (events & HTTP1_NOT) != 0;
}

static void ask_ours(struct http1_answer *a, int is_response)
{
	static struct http1_window w;
	struct http1 m = { .flags = HTTP1_LITERAL };
	size_t at = 0, n;

	*a = (struct http1_answer){ .is_response = is_response };
	while (at < all.len) {
		uint64_t unseen = http1_unseen(&m);

		n = all.len - at < HTTP1_WINDOW ? all.len - at : HTTP1_WINDOW;
		if (unseen) {
			n = unseen < n ? unseen : n;
			at += n;
			ours_on(a, &m, http1_pass(&m, n), at);
			continue;
		}
		memcpy(w.bytes, all.stream + at, n);
		w.at = 0;
		w.end = (uint32_t)n;
		at += n;
		while (w.at < w.end) {
			uint32_t events = http1_next(&m, &w);

			ours_on(a, &m, events, at - (w.end - w.at));
		}
	}
}

/* The library's: a byte at a time, so that each event has a place. */

struct asked {
	http_parser parser;
	struct http1_answer *a;
	size_t at;
	int in_url;
};

static int on_begin(http_parser *p)
{
	struct asked *q = p->data;

	q->in_url = 0;
	q->a->begin = q->at;
	q->a->url_at = q->a->url_len = 0;
	q->a->body = 0;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
	struct asked *q = p->data;

	if (!q->a->url_len)
		q->a->url_at = (size_t)(at - all.stream);
	q->a->url_len += len;
	return 0;
}

static uint32_t method_of(const http_parser *p)
{
	const char *name = http_method_str(p->method);

#define METHOD(m)              \
	if (!strcmp(name, #m)) \
		return HTTP1_METHOD_##m;
	HTTP1_METHODS(METHOD)
#undef METHOD
	return HTTP1_METHOD_OTHER;
}

static void take_url(struct http1_answer *a, struct http1_message *m, int is_connect)
{
	const char *url = all.stream + a->url_at;
	struct http_parser_url parts;

	http_parser_url_init(&parts);
	if (!is_connect && !http_parser_parse_url(url, a->url_len, 0, &parts) &&
	    parts.field_set & 1 << UF_PATH) {
		m->path_at = a->url_at + parts.field_data[UF_PATH].off;
		m->path_len = parts.field_data[UF_PATH].len;
		m->path = path_hash(all.stream + m->path_at, m->path_len);
	} else {
		m->path = is_connect ? path_hash("", 0) : path_hash("/", 1);
		m->has_no_path = 1;
	}
}

static int on_head(http_parser *p)
{
	struct asked *q = p->data;
	struct http1_answer *a = q->a;
	struct http1_message *m;

	if (a->n == HTTP1_MESSAGES)
		return 0;
	m = &a->v[a->n++];
	*m = (struct http1_message){ .minor = p->http_minor != 0, .head_end = q->at + 1 };
	if (p->type == HTTP_RESPONSE) {
		m->code = p->status_code;
		return all.to_head;
	}
	m->code = method_of(p);
	take_url(a, m, p->method == HTTP_CONNECT);
	return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
	((struct asked *)p->data)->a->body += len;
	return 0;
}

static int on_end(http_parser *p)
{
	struct asked *q = p->data;
	struct http1_answer *a = q->a;

	if (a->n) {
		a->v[a->n - 1].end = q->at + 1;
		a->v[a->n - 1].body = a->body;
	}
	return 0;
}

static void ask_library(struct http1_answer *a, int is_response)
{
	static const http_parser_settings settings = { .on_message_begin = on_begin,
						       .on_url = on_url,
						       .on_headers_complete = on_head,
						       .on_body = on_body,
						       .on_message_complete = on_end };
	struct asked q = { .a = a };

	*a = (struct http1_answer){ 0 };
	http_parser_init(&q.parser, is_response ? HTTP_RESPONSE : HTTP_REQUEST);
	q.parser.data = &q;
	for (q.at = 0; q.at < all.len; q.at++) {
		size_t n = http_parser_execute(&q.parser, &settings, all.stream + q.at, 1);

		if (q.parser.upgrade && a->n && a->v[a->n - 1].end) {
			a->upgraded = 1;
			return;
		}
		if (n != 1) {
			a->failed = 1;
			a->error = HTTP_PARSER_ERRNO(&q.parser);
			a->error_at = q.at;
			return;
		}
	}
}

static void show_stream(void)
{
	for (size_t i = 0; i < all.len; i++) {
		unsigned char c = (unsigned char)all.stream[i];

		if (c >= ' ' && c < 127)
			print_error("%c", c);
		else
			print_error(c == '\n' ? "\\n\n" : c == '\r' ? "\\r" : "\\x%02x", c);
	}
	print_error("\n");
}

static void show(const char *who, const struct http1_answer *a)
{
	print_error("%s:", who);
	for (size_t i = 0; i < a->n; i++)
		print_error(" [%u path %zu+%zu head %zu end %zu body %lu]", a->v[i].code,
			    a->v[i].path_at, a->v[i].path_len, a->v[i].head_end, a->v[i].end,
			    a->v[i].body);
	print_error("%s %s at %zu\n", a->failed ? " failed" : "",
		    who[0] == 'h' ? http_errno_name(a->error) : "", a->error_at);
}

static void what_is_said_is_what_http_parser_says(void **state)
{
	static size_t causes[CAUSES], messages;
	int unexplained = 0;

	for (int i = 0; i < CASES && unexplained < 5; i++) {
		int is_response = make_stream();
		struct http1_answer ours, theirs;
		int cause;

		ask_ours(&ours, is_response);
		ask_library(&theirs, is_response);
		messages += theirs.n;
		cause = http1_cause(&ours, &theirs, all.stream, all.len);
		if (cause < CAUSES) {
			causes[cause]++;
		} else {
			unexplained++;
			print_error("case %d:\n", i);
			show_stream();
			show("ours", &ours);
			show("http_parser", &theirs);
		}
	}
	print_message("%d streams, %zu messages\n", CASES, messages);
	for (int i = 0; i < CAUSES; i++)
		print_message("%8zu %s\n", causes[i], http1_cause_name(i));
	assert_int_equal(unexplained, 0);
	for (int i = 0; i < CAUSES; i++)
		assert_true(causes[i] > 0); /* else its row should go */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
		what_is_said_is_what_http_parser_says) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
