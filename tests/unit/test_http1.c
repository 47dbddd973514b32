/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1 parser: what it says of streams written by hand, whole and in pieces. */
#include "unit.h"

#include <linux/types.h>

#include "bpf/http1.h"

#define TP "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define OK "HTTP/1.1 200 OK\r\n"

/*
 * What is said, a line a head: method or status, path as it lies in the stream, the head's bytes, what it has; then `end` with
 * the bytes of the body, or `not`.
 */
static const struct {
	const char *name, *stream, *said;
	uint32_t flags, answers;
} cases[] = {
	{ "a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 27 end 0" },
	{ "no header at all", "GET / HTTP/1.1\r\n\r\n", "GET / 18 end 0" },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / 18 1.0 end 0" },
	{ "bare newlines", "GET / HTTP/1.1\nHost: a\n\n", "GET / 24 end 0" },
	{ "empty lines before", "\r\n\n\r\nGET / HTTP/1.1\r\n\r\n", "GET / 23 end 0" },
	{ "each method",
	  "CONNECT a:1 HTTP/1.1\r\n\r\nDELETE /a HTTP/1.1\r\n\r\nHEAD /a HTTP/1.1\r\n\r\nOPTIONS * "
	  "HTTP/1.1\r\n\r\nPATCH /a HTTP/1.1\r\n\r\n"
	  "POST /a HTTP/1.1\r\n\r\nPUT /a HTTP/1.1\r\n\r\nQUERY /a HTTP/1.1\r\n\r\nTRACE /a "
	  "HTTP/1.1\r\n\r\n",
	  "CONNECT - 24 end 0; DELETE /a 22 end 0; HEAD /a 20 end 0; OPTIONS * 22 end 0; PATCH /a "
	  "21 end 0; "
	  "POST /a 20 end 0; PUT /a 19 end 0; QUERY /a 21 end 0; TRACE /a 21 end 0" },
	{ "another method",
	  "PROPFIND /a HTTP/1.1\r\n\r\nget /a HTTP/1.1\r\n\r\nGETS /a HTTP/1.1\r\n\r\nM-SEARCH * "
	  "HTTP/1.1\r\n\r\nVERSION-CONTROL /a HTTP/1.1\r\n\r\n",
	  "OTHER /a 24 end 0; OTHER /a 19 end 0; OTHER /a 20 end 0; OTHER * 23 end 0; OTHER /a 31 "
	  "end 0" },
	{ "a method without end", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOP / HTTP/1.1\r\n\r\n",
	  "not" },
	{ "a query", "GET /a/b?c=/d%20e#f HTTP/1.1\r\n\r\n", "GET /a/b 32 end 0" },
	{ "a fragment", "GET /a#b?c HTTP/1.1\r\n\r\n", "GET /a 23 end 0" },
	{ "absolute",
	  "GET http://h:80/a/b?c HTTP/1.1\r\n\r\nGET https://h HTTP/1.1\r\n\r\nGET http://h?q "
	  "HTTP/1.1\r\n\r\n",
	  "GET /a/b 34 end 0; GET - 26 end 0; GET - 27 end 0" },
	{ "no scheme", "GET a/b HTTP/1.1\r\n\r\n", "not" },
	{ "one slash", "GET http:/a HTTP/1.1\r\n\r\n", "not" },
	{ "a segment with a digit",
	  "GET /users/4711/a1/v1/v12/v123/1v/v1a/vv1/V1/x HTTP/1.1\r\n\r\n",
	  "GET /users/4711/a1/v1/v12/v123/1v/v1a/vv1/V1/x 59 end 0" },
	{ "a long path",
	  "GET "
	  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaa7/v7 HTTP/1.1\r\n\r\n",
	  "GET "
	  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaa7/v7 122 end 0" },
	{ "a literal path", "GET /users/4711 HTTP/1.1\r\n\r\n", "GET /users/4711 28 end 0",
	  .flags = HTTP1_LITERAL },
	{ "two spaces", "GET  /a  HTTP/1.1\r\n\r\n", "GET /a 21 end 0" },
	{ "no version", "GET /a\r\n\r\n", "not" },
	{ "two targets", "GET /a /b HTTP/1.1\r\n\r\n", "not" },
	{ "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not" },
	{ "another version", "GET / HTTP/1.7\r\n\r\n", "GET / 18 end 0" },
	{ "something behind the version", "GET / HTTP/1.1 \r\n\r\n", "not" },
	{ "a bare return", "GET / HTTP/1.1\r\rHost: a\r\n\r\n", "not" },
	{ "TLS", "\x16\x03\x01\x02\x01", "not" },
	{ "nothing of HTTP", "EHLO example.org\r\n", "not" },
	{ "a body", "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n",
	  "POST /a 39 length 5; end 5; GET /b 19 end 0" },
	{ "any case", "POST /a HTTP/1.1\r\ncOnTeNt-LeNgTh:5\r\n\r\nhello",
	  "POST /a 38 length 5; end 5" },
	{ "no body", "POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "POST /a 39 length 0 end 0" },
	{ "a length that is the last line",
	  "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length:\t 3  \n\nabc",
	  "POST /a 49 length 3; end 3" },
	{ "equal lengths",
	  "POST /a HTTP/1.1\r\nContent-Length: 5, 5\r\nContent-Length: 05\r\n\r\nhello",
	  "POST /a 62 length 5; end 5" },
	{ "lengths that differ",
	  "POST /a HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "not" },
	{ "a list that differs", "POST /a HTTP/1.1\r\nContent-Length: 5,6\r\n\r\nhello", "not" },
	{ "an empty length", "POST /a HTTP/1.1\r\nContent-Length:\r\n\r\n", "not" },
	{ "a second, empty length",
	  "POST /a HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: \r\n\r\n", "not" },
	{ "a signed length", "POST /a HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello", "not" },
	{ "a length with a space in it", "POST /a HTTP/1.1\r\nContent-Length: 5 5\r\n\r\nhello",
	  "not" },
	{ "a length without end",
	  "POST /a HTTP/1.1\r\nContent-Length: 18446744073709551621\r\n\r\nhello", "not" },
	{ "a length beyond any file",
	  "POST /a HTTP/1.1\r\nContent-Length: 1152921504606846976\r\n\r\n", "not" },
	{ "a space before the colon", "POST /a HTTP/1.1\r\nContent-Length : 5\r\n\r\nhello",
	  "not" },
	{ "a tab before the colon",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", "not" },
	{ "a return in a length", "POST /a HTTP/1.1\r\nContent-Length: 5\r5\r\n\r\nhello", "not" },
	{ "a return behind a length", "POST /a HTTP/1.1\r\nContent-Length: 5\r \r\n\r\nhello",
	  "not" },
	{ "a return in a coding", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r \r\n\r\n",
	  "not" },
	{ "a zero byte in a coding",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: g\x01p, chunked\r\n\r\n", "not" },
	{ "a folded length", "POST /a HTTP/1.1\r\nContent-Length:\r\n 5\r\n\r\nhello",
	  "POST /a 41 length 5; end 5" },
	{ "a length folded in its digits",
	  "POST /a HTTP/1.1\r\nContent-Length: 5\r\n 5\r\n\r\nhello", "not" },
	{ "a length in a fold is none",
	  "GET /a HTTP/1.1\r\nX: y\r\n Content-Length: 5\r\n\tTransfer-Encoding: chunked\r\n\r\n",
	  "GET /a 74 end 0" },
	{ "names that only begin so",
	  "GET /a HTTP/1.1\r\nContent-Lengthy: 5\r\nContent-Type: 5\r\nTransfer-Encodings: "
	  "chunked\r\nTraceparents: x\r\nUpgrades: x\r\nExpected: x\r\nContent-Len: 5\r\n\r\n",
	  "GET /a 144 end 0" },
	{ "a return is no dash", "GET /a HTTP/1.1\r\nContent\rLength: 5\r\n\r\n",
	  "GET /a 38 end 0" },
	{ "chunks",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n000\r\n\r\nGET /b "
	  "HTTP/1.1\r\n\r\n",
	  "POST /a 48 chunked; end 15; GET /b 19 end 0" },
	{ "chunks with bare newlines",
	  "POST /a HTTP/1.1\nTransfer-Encoding: chunked\n\n5 \nhello\n0\n\n",
	  "POST /a 45 chunked; end 5" },
	{ "trailers",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: "
	  "7\r\nTransfer-Encoding: x\r\n folded\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
	  "POST /a 48 chunked; end 1; GET /b 19 end 0" },
	{ "chunked last",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: gzip, ,\tChunked ,\r\n\r\n0\r\n\r\n",
	  "POST /a 58 chunked; end 0" },
	{ "chunked in a header of its own",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n0\r\n\r\n",
	  "POST /a 73 chunked; end 0" },
	{ "a length too",
	  "POST /a HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	  "POST /a 67 chunked; end 1" },
	{ "chunked not last",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "not" },
	{ "chunked twice",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n0\r\n\r\n",
	  "not" },
	{ "nearly chunked",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nPOST /a", "not" },
	{ "chunked and more", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked x\r\n\r\n0\r\n\r\n",
	  "not" },
	{ "no coding", "POST /a HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", "not" },
	{ "chunked in HTTP/1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  "not" },
	{ "a chunk without size", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n",
	  "POST /a 48 chunked; not" },
	{ "a chunk of no size", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\n",
	  "POST /a 48 chunked; not" },
	{ "a chunk beyond any file",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0fffffffffffffff\r\n",
	  "POST /a 48 chunked; " },
	{ "a chunk beyond that",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n",
	  "POST /a 48 chunked; not" },
	{ "a chunk longer than it says",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
	  "POST /a 48 chunked; not" },
	{ "a bare return in a chunk's line",
	  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a\rb\r\n",
	  "POST /a 48 chunked; not" },
	{ "expect and upgrade",
	  "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nUPGRADE: h2c\r\nupgrade-insecure-requests: "
	  "1\r\n\r\n",
	  "POST /a 86 expect upgrade end 0" },
	{ "a trace", "GET /a HTTP/1.1\r\nTraceparent: " TP "\r\n\r\n", "GET /a 89 trace end 0" },
	{ "a trace, last in its window", "GET /a HTTP/1.1\r\nTraceparent:\t" TP " \t\n\n",
	  "GET /a 89 trace end 0" },
	{ "a folded trace", "GET /a HTTP/1.1\r\ntraceparent:\r\n " TP "\r\n\r\n",
	  "GET /a 91 trace end 0" },
	{ "a trace and more", "GET /a HTTP/1.1\r\ntraceparent: " TP "\r\n x\r\n\r\n",
	  "GET /a 93 end 0" },
	{ "a longer trace", "GET /a HTTP/1.1\r\ntraceparent: " TP "-00\r\n\r\n",
	  "GET /a 92 end 0" },
	{ "a shorter trace",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01\r\n\r\n",
	  "GET /a 88 end 0" },
	{ "half a trace",
	  "GET /a HTTP/1.1\r\ntraceparent: 00-0af7651916cd43dd\r\nContent-Length: 1\r\n\r\nx",
	  "GET /a 72 length 1; end 1" },
	{ "no trace", "GET /a HTTP/1.1\r\ntraceparent:\r\nContent-Length: 1\r\n\r\nx",
	  "GET /a 52 length 1; end 1" },
	{ "a trace folded in its digits",
	  "GET /a HTTP/1.1\r\ntraceparent: 00-0af7651916cd43dd\r\n "
	  "8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
	  "GET /a 92 end 0" },
	{ "a trace in upper case",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
	  "GET /a 89 end 0" },
	{ "letters behind f",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "00-0ag7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
	  "GET /a 89 end 0" },
	{ "a trace of zeros",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n\r\n",
	  "GET /a 89 end 0" },
	{ "a parent of zeros",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01\r\n\r\n",
	  "GET /a 89 end 0" },
	{ "version ff",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
	  "GET /a 89 end 0" },
	{ "version 01",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what=ever\r\n\r\n",
	  "GET /a 99 trace end 0" },
	{ "version 01 without a dash",
	  "GET /a HTTP/1.1\r\ntraceparent: "
	  "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x\r\n\r\n",
	  "GET /a 90 end 0" },
	{ "a space before a trace's colon", "GET /a HTTP/1.1\r\ntraceparent : " TP "\r\n\r\n",
	  "GET /a 90 end 0" },
	{ "two traces", "GET /a HTTP/1.1\r\ntraceparent: " TP "\r\ntraceparent: " TP "\r\n\r\n",
	  "GET /a 159 end 0" },
	{ "two traces, of which one is none",
	  "GET /a HTTP/1.1\r\ntraceparent: x\r\ntraceparent: " TP "\r\n\r\n", "GET /a 105 end 0" },
	{ "tracestate only", "GET /a HTTP/1.1\r\ntracestate: ot=th:8\r\n\r\n", "GET /a 40 end 0" },
	{ "a trace is of its request",
	  "GET /a HTTP/1.1\r\ntraceparent: " TP "\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
	  "GET /a 89 trace end 0; GET /b 19 end 0" },
	{ "tabs, and bytes above 127",
	  "GET /\xc3\xa4 HTTP/1.1\r\nX-\xc3\xa4: \xc3\xa4\xff\x8a\x8b\tx\r\nY: "
	  "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\r\nContent-Length: 1\r\n\r\nx",
	  "GET /\xc3\xa4 68 length 1; end 1" },
	{ "a response", OK "Content-Length: 5\r\n\r\nhello" OK "Content-Length: 0\r\n\r\n",
	  "200 38 length 5; end 5; 200 38 length 0 end 0" },
	{ "no reason",
	  "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\nHTTP/1.0 500 \nContent-Length: 0\n\n",
	  "404 35 length 0 end 0; 500 33 1.0 length 0 end 0" },
	{ "a status too long", "HTTP/1.1 2000 OK\r\n\r\n", "not" },
	{ "a status too short", "HTTP/1.1 20 OK\r\n\r\n", "not" },
	{ "a status below all", "HTTP/1.1 099 OK\r\n\r\n", "not" },
	{ "a status of letters", "HTTP/1.1 2:0 OK\r\n\r\n", "not" },
	{ "no status", "HTTP/1.1\r\n\r\n", "not" },
	{ "until the end", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "200 19; " },
	{ "a chunked response",
	  OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" OK
	     "Content-Length: 0\r\n\r\n",
	  "200 47 chunked; end 3; 200 38 length 0 end 0" },
	{ "another coding", OK "Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab" OK,
	  "200 63; " },
	{ "a chunked response of HTTP/1.0",
	  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  "200 47 1.0 chunked; " },
	{ "interim responses",
	  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" OK
	  "Content-Length: 1\r\n\r\nx",
	  "100 25; 103 47 length 5; 200 38 length 1; end 1" },
	{ "an upgrade", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\x81\x05hello" OK,
	  "101 38 upgrade; " },
	{ "responses without body",
	  "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 Not\r\nTransfer-Encoding: "
	  "chunked\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
	  "204 38 length 5 end 0; 304 48 chunked end 0; 200 38 length 0 end 0" },
	{ "responses to HEAD",
	  OK "Content-Length: 5\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n" OK "\r\n" OK
	     "Content-Length: 0\r\n\r\nHTTP/1.1 100 C\r\n\r\n" OK "\r\n",
	  "200 38 length 5 end 0; 200 47 chunked end 0; 200 19 end 0; 200 38 length 0 end 0; 100 "
	  "18; 200 19 end 0",
	  .answers = HTTP1_METHOD_HEAD },
	{ "a response to CONNECT", OK "Content-Length: 0\r\n\r\n" OK, "200 38 length 0 end 0; ",
	  .answers = HTTP1_METHOD_CONNECT },
	{ "a tunnel refused",
	  "HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n" OK,
	  "403 38 length 1; end 1; 200 19; ", .answers = HTTP1_METHOD_CONNECT },
	{ "requests do not turn into responses", "GET /a HTTP/1.1\r\n\r\n" OK "\r\n",
	  "GET /a 19 end 0; not" },
	{ "nor responses into requests", "HTTP/1.1 304 Not\r\n\r\nGET /a HTTP/1.1\r\n\r\n",
	  "304 20 end 0; not" },
	{ "not even in the first bytes", "HTTP/1.1 304 Not\r\n\r\nGE", "304 20 end 0; " },
};

struct said {
	char text[1024];
	size_t len;
	const char *message; /* where this one begins */
};

static void __attribute__((format(printf, 2, 3))) say(struct said *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	s->len += (size_t)vsnprintf(s->text + s->len, sizeof(s->text) - s->len, format, args);
	va_end(args);
	assert_in_range(s->len, 0, sizeof(s->text) - 1);
}

static void say_trace(struct said *s, const struct http1 *m)
{
	static const uint8_t id[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
				      0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
	static const uint8_t parent[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };

	assert_memory_equal(m->trace_id, id, sizeof(id));
	assert_memory_equal(m->parent_id, parent, sizeof(parent));
	assert_int_equal(m->trace_flags, 1);
	say(s, " trace");
}

/* The hash is that of the path as it lies in the stream, as user space makes it. */
static void say_path(struct said *s, const struct http1 *m)
{
	const char *path = s->message + m->path_at;
	size_t len = m->path_len;
	char normal[256];

	say(s, " %.*s", len ? (int)len : 1, len ? path : "-");
	if (!len && m->code != HTTP1_METHOD_CONNECT) {
		path = "/";
		len = 1;
	}
	assert_in_range(len, 0, sizeof(normal));
	if (!(m->flags & HTTP1_LITERAL)) {
		len = path_normalize(path, len, normal);
		path = normal;
	}
	assert_int_equal(m->path, path_hash(path, len));
}

static void say_head(struct said *s, const struct http1 *m)
{
	static const char *const methods[] = { "OTHER",
#define METHOD(name) #name,
					       HTTP1_METHODS(METHOD)
#undef METHOD
	};
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = { { HTTP1_CHUNKED, " chunked" },
		      { HTTP1_EXPECT, " expect" },
		      { HTTP1_UPGRADE, " upgrade" } };

	if (m->flags & HTTP1_RESPONSES) {
		say(s, "%u", m->code);
	} else {
		say(s, "%s", methods[m->code]);
		say_path(s, m);
	}
	say(s, " %u%s", m->framing, m->flags & HTTP1_MINOR_0 ? " 1.0" : "");
	if ((m->flags & (HTTP1_LENGTH | HTTP1_CODED)) == HTTP1_LENGTH)
		say(s, " length %llu", (unsigned long long)m->left);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (m->flags & flags[i].flag)
			say(s, "%s", flags[i].name);
	if (m->flags & HTTP1_TRACED)
		say_trace(s, m);
}

static void on_events(struct said *s, struct http1 *m, uint32_t events, const char *at,
		      uint32_t answers)
{
	if (events & HTTP1_HEAD) {
		say_head(s, m);
		if (m->flags & HTTP1_RESPONSES)
			events |= http1_answers(m, answers);
		say(s, events & HTTP1_END ? " " : "; ");
		s->message = m->flags & HTTP1_RESPONSES && m->code < 200 ? at : s->message;
	}
	if (events & HTTP1_END) {
		say(s, "end %llu; ", (unsigned long long)m->body);
		s->message = at;
	}
	if (events & HTTP1_NOT)
		say(s, "not; ");
}

/* Pieces of so many bytes; the first one of its own. What a window held before is nothing that may be read. */
static void run(struct said *s, const char *stream, size_t len, size_t first, size_t piece,
		uint32_t flags, uint32_t answers)
{
	static struct http1_window w;
	struct http1 m = { .flags = (uint16_t)flags };
	size_t at = 0, left = first ? first : piece;

	s->len = 0;
	s->text[0] = '\0';
	s->message = stream;
	for (; at < len; left = piece) {
		uint64_t unseen = http1_unseen(&m);

		left = left < len - at ? left : len - at;
		if (unseen) {
			left = unseen < left ? unseen : left;
			at += left;
			on_events(s, &m, http1_pass(&m, left), stream + at, answers);
			continue;
		}
		left = left < HTTP1_WINDOW ? left : HTTP1_WINDOW;
		memset(w.bytes, at & 1 ? '\n' : '5', sizeof(w.bytes));
		memcpy(w.bytes, stream + at, left);
		w.at = 0;
		w.end = (uint32_t)left;
		at += left;
		while (w.at < w.end) {
			uint32_t was = w.at, events = http1_next(&m, &w);

			assert_in_range(w.at, events & HTTP1_NOT ? was : was + 1, w.end);
			on_events(s, &m, events, stream + at - (w.end - w.at), answers);
		}
	}
}

static int expect(size_t i, size_t first, size_t piece)
{
	struct said s;
	size_t len;

	run(&s, cases[i].stream, strlen(cases[i].stream), first, piece, cases[i].flags,
	    cases[i].answers);
	len = strlen(cases[i].said);
	if (!strncmp(s.text, cases[i].said, len) && (s.len == len || !strcmp(s.text + len, "; ")))
		return 0;
	print_error("%s, cut at %zu and each %zu: %s\nand not: %s\n", cases[i].name, first, piece,
		    s.text, cases[i].said);
	return 1;
}

static void each_stream_means_what_it_should(void **state)
{
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		wrong += expect(i, 0, HTTP1_WINDOW);
	assert_int_equal(wrong, 0);
}

static void it_means_the_same_in_pieces_of_any_size(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t piece = 1; piece < 80; piece++)
			assert_int_equal(expect(i, 0, piece), 0);
}

static void it_means_the_same_cut_anywhere(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t first = 1; first < strlen(cases[i].stream); first++)
			assert_int_equal(expect(i, first, HTTP1_WINDOW), 0);
}

static void a_head_may_be_of_many_windows(void **state)
{
	static char stream[HTTP1_MAX_HEAD + 100];
	const char *begin = "GET /a HTTP/1.1\r\nCookie: ", *end = "\r\nContent-Length: 1\r\n\r\nx";
	char said[64];
	struct said s;

	for (size_t fill = 0; fill < 3000; fill += 37) {
		size_t len = strlen(begin) + fill + strlen(end);

		memset(stream, 'x', sizeof(stream));
		memcpy(stream, begin, strlen(begin));
		memcpy(stream + strlen(begin) + fill, end, strlen(end));
		snprintf(said, sizeof(said), "GET /a %zu length 1; end 1; ", len - 1);
		run(&s, stream, len, 0, 1 + fill % 600, 0, 0);
		assert_string_equal(s.text, said);
	}
	memset(stream + 50, 'x', sizeof(stream) - 50);
	run(&s, stream, sizeof(stream), 0, HTTP1_WINDOW, 0, 0);
	assert_string_equal(s.text, "not; ");
}

static void a_path_is_normalized(void **state)
{
	static const struct {
		const char *path, *normal;
	} paths[] = {
		{ "", "" },
		{ "/", "/" },
		{ "*", "*" },
		{ "/a/b", "/a/b" },
		{ "/users/4711", "/users/*" },
		{ "/4711/", "/*/" },
		{ "//7//", "//*//" },
		{ "/v1/v22/v333/v/va1", "/v1/v22/*/v/*" },
		{ "/v1", "/v1" },
		{ "v1", "v1" },
		{ "7", "*" },
		{ "/v1.1", "/*" },
		{ "/%41", "/*" },
	};
	char to[64];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		size_t len = path_normalize(paths[i].path, strlen(paths[i].path), to);

		assert_int_equal(len, strlen(paths[i].normal));
		assert_memory_equal(to, paths[i].normal, len);
	}
	assert_int_equal(path_hash("a", 1), 0xaf63dc4c8601ec8cull); /* of FNV's own test vectors */
	assert_int_equal(path_hash("foobar", 6), 0x85944171f73967e8ull);
}

static void a_tunnel_is_not_read(void **state)
{
	struct http1 m = { 0 };

	http1_tunnel(&m);
	assert_int_equal(http1_unseen(&m), UINT64_MAX);
	assert_int_equal(http1_pass(&m, 1000), 0);
	assert_int_equal(http1_unseen(&m), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stream_means_what_it_should),
		cmocka_unit_test(it_means_the_same_in_pieces_of_any_size),
		cmocka_unit_test(it_means_the_same_cut_anywhere),
		cmocka_unit_test(a_head_may_be_of_many_windows),
		cmocka_unit_test(a_path_is_normalized),
		cmocka_unit_test(a_tunnel_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
