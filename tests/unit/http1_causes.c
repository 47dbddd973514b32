/* SPDX-License-Identifier: Apache-2.0 */
#include "http1_causes.h"

#include <http_parser.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *http1_cause_name(int cause)
{
	static const char *const names[] = {
#define CAUSE(id, name) name,
		HTTP1_CAUSE_LIST(CAUSE)
#undef CAUSE
	};

	return names[cause];
}

static bool same(const struct http1_message *a, const struct http1_message *b)
{
	return a->code == b->code && a->minor == b->minor && a->path == b->path &&
	       a->head_end == b->head_end && a->end == b->end && a->body == b->body;
}

/* How many messages both see alike, from the first one on. */
static size_t prefix(const struct http1_answer *a, const struct http1_answer *b)
{
	size_t n = 0;

	while (n < a->n && n < b->n && same(&a->v[n], &b->v[n]))
		n++;
	return n;
}

/* Behind the name of a header that frames a body, where the line that begins there has such; else NULL. */
static const char *behind_name(const char *line, size_t len)
{
	static const char *const names[] = { "content-length", "transfer-encoding" };

	for (size_t i = 0; i < 2; i++)
		if (len > strlen(names[i]) && !strncasecmp(line, names[i], strlen(names[i])) &&
		    memchr(": \t", line[strlen(names[i])], 3))
			return line + strlen(names[i]);
	return NULL;
}

/* Is the place in a line that we read? */
static bool is_read(const char *stream, size_t at, size_t len)
{
	size_t begin = at;

	while (begin && stream[begin - 1] != '\n')
		begin--;
	return behind_name(stream + begin, len - begin);
}

/* A line that we read has a space in its name, or a control character in its value; http-parser, built lenient, takes both. */
static bool has_odd_header(const char *stream, size_t from, size_t len)
{
	const char *line = stream + from, *end = stream + len, *next, *p;

	for (; line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next + 1 : end;
		p = behind_name(line, (size_t)(next - line));
		if (p && *p != ':')
			return true;
		for (; p && p < next; p++)
			if (((unsigned char)*p < ' ' || *p == 0x7f) && *p != '\t' && *p != '\r' &&
			    *p != '\n')
				return true;
	}
	return false;
}

/* http-parser gives up, we do not, or not there. */
static int cause_of_error(enum http_errno error, const char *stream, size_t at, size_t len)
{
	switch (error) {
	case HPE_INVALID_HEADER_TOKEN:
	case HPE_LF_EXPECTED:
		return is_read(stream, at, len) ? CAUSES : CAUSE_LINE;
	case HPE_INVALID_METHOD:
		return CAUSE_METHOD;
	case HPE_INVALID_URL:
		return CAUSE_TARGET;
	case HPE_INVALID_VERSION:
		return CAUSE_VERSION;
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return CAUSE_LENGTHS;
	case HPE_INVALID_CONTENT_LENGTH:
		return stream[at] == ',' || stream[at] == '\t' ? CAUSE_LENGTHS : CAUSES;
	case HPE_INVALID_STATUS:
		return len - at < 4 ? CAUSE_STATUS
				    : CAUSES; /* we look at it when all of it is there */
	default:
		return CAUSES;
	}
}

/* What is left of a stream, read line by line. */
struct rest {
	const char *stream;
	size_t at, len;
	bool ends, fails; /* before the line did; by a control character */
};

/* The length of the next line without its end. */
static size_t line(struct rest *r, const char **ret)
{
	const char *end = memchr(r->stream + r->at, '\n', r->len - r->at);
	size_t n;

	*ret = r->stream + r->at;
	r->ends = !end;
	if (!end)
		return 0;
	n = (size_t)(end - *ret);
	r->at += n + 1;
	n -= n && (*ret)[n - 1] == '\r';
	for (size_t i = 0; i < n; i++)
		r->fails |= (unsigned char)(*ret)[i] < ' ' && (*ret)[i] != '\t';
	return n;
}

/* A body in chunks, read by other means than the parser's: 1 with its end and size, 0: there is more to come, -1: it is none. */
static int read_chunks(const char *stream, size_t from, size_t len, size_t *ret_end,
		       uint64_t *ret_body)
{
	struct rest r = { .stream = stream, .at = from, .len = len };
	uint64_t size = 1, body = 0;
	const char *p;
	size_t n, digits;

	while (size) {
		n = line(&r, &p);
		digits = strspn(p, "0123456789abcdefABCDEF");
		if (r.ends)
			return 0;
		if (r.fails || !digits || digits > n || digits > 8 ||
		    (digits < n && !strchr("; \t", p[digits])))
			return -1;
		size = strtoull(p, NULL, 16);
		body += size;
		if (!size)
			break;
		if (size > r.len - r.at)
			return 0;
		r.at += size;
		n = line(&r, &p);
		if (n || r.fails)
			return -1;
		if (r.ends)
			return 0;
	}
	do {
		n = line(&r, &p);
		if (n && *p == '\r')
			return -1;
	} while (n && !r.ends);
	*ret_end = r.at;
	*ret_body = body;
	return !r.ends;
}

/* Of a message in chunks that the two see differently: ours is what is there. */
static bool is_right_about_chunks(const struct http1_message *m, const char *stream, size_t len)
{
	uint64_t body = 0;
	size_t end = 0;

	if (read_chunks(stream, m->head_end, len, &end, &body) != 1)
		return !m->end;
	return m->end == end && m->body == body;
}

static bool has_bare_return(const char *stream, size_t from, size_t to)
{
	for (; from + 1 < to; from++)
		if (stream[from] == '\r' && stream[from + 1] != '\n')
			return true;
	return stream[to - 1] == '\r';
}

static size_t skip_empty_lines(const char *stream, size_t from, size_t len)
{
	while (from < len && (stream[from] == '\r' || stream[from] == '\n'))
		from++;
	return from;
}

/* In its first line, where there is such. */
static bool has_version(const char *stream, size_t from, size_t len, const char *version)
{
	const char *end = memchr(stream + from, '\n', len - from);

	return memmem(stream + from, end ? (size_t)(end - stream) - from : len - from, version,
		      strlen(version));
}

/* Three digits behind the version, of a response. */
static bool has_status(const char *stream, size_t from, size_t len)
{
	return len - from >= 13 && (stream[from + 8] == ' ' && stream[from + 9] != '0' &&
				    strspn(stream + from + 9, "0123456789") == 3);
}

static bool has_tab_in_target(const char *stream, size_t from, size_t len)
{
	const char *end = memchr(stream + from, '\n', len - from);
	size_t n = end ? (size_t)(end - stream) - from : len - from;

	return memchr(stream + from, '\t', n) || memchr(stream + from, '\f', n);
}

static bool is_response(const char *stream, size_t from, size_t len)
{
	return len - from >= 5 && !memcmp(stream + from, "HTTP/", 5);
}

/* By what both said of one message: a or b may be missing, not both. */
static int cause_of_message(const struct http1_answer *ours, const struct http1_answer *theirs,
			    const struct http1_message *a, const struct http1_message *b,
			    const char *stream, size_t len)
{
	const struct http1_message *m = a ? a : b;

	if (a && b && b->has_no_path && a->path != b->path)
		return CAUSE_TARGET;
	if (a && b && !a->is_coded && theirs->error == HPE_INVALID_TRANSFER_ENCODING)
		return CAUSE_NAME;
	if (m->minor == 0 && (!a || a->is_coded))
		return CAUSE_OLD_CODED;
	if (!ours->is_response)
		return a && b && a->is_coded && is_right_about_chunks(a, stream, len) ? CAUSE_CHUNKS
										      : CAUSES;
	if (m->code < 100)
		return CAUSE_STATUS;
	if (m->code == 101)
		return CAUSE_UPGRADED;
	if (a && (m->code < 200 || m->code == 204 || m->code == 304) && a->end == a->head_end)
		return CAUSE_BODILESS;
	return a && b && a->is_coded && is_right_about_chunks(a, stream, len) ? CAUSE_CHUNKS
									      : CAUSES;
}

int http1_cause(const struct http1_answer *ours, const struct http1_answer *theirs,
		const char *stream, size_t len)
{
	size_t n = prefix(ours, theirs), begin;
	const struct http1_message *a, *b;
	int cause;

	if (n == ours->n && n == theirs->n && ours->failed == theirs->failed && !theirs->upgraded)
		return ours->failed ? CAUSE_REFUSED : CAUSE_SAME;
	if (n + 1 >= theirs->n && theirs->upgraded)
		return CAUSE_UPGRADED;   /* it does not even read this message's body */
	n -= n && !theirs->v[n - 1].end; /* the last one is not complete: its head was the same */
	a = n < ours->n ? &ours->v[n] : NULL;
	b = n < theirs->n ? &theirs->v[n] : NULL;
	begin = skip_empty_lines(stream, n ? theirs->v[n - 1].end : 0, len);
	if (b && has_bare_return(stream, begin, b->head_end))
		return CAUSE_RETURN;
	if (ours->is_response && !is_response(stream, begin, len))
		return CAUSE_KIND;
	if (ours->failed &&
	    !has_version(stream, begin, len, ours->is_response ? "HTTP/1." : " HTTP/1."))
		return CAUSE_VERSION;
	if (ours->failed && ours->is_response && !has_status(stream, begin, len))
		return CAUSE_STATUS;
	if (ours->failed && !a && has_odd_header(stream, begin, len))
		return CAUSE_HEADER;
	if (ours->failed && !ours->is_response && has_tab_in_target(stream, begin, len))
		return CAUSE_TARGET;
	/* It tells of a head, and then that its coding is none. */
	if (!a && b && ours->failed && theirs->error == HPE_INVALID_TRANSFER_ENCODING &&
	    n + 1 == theirs->n)
		return CAUSE_REFUSED;
	cause = a || b ? cause_of_message(ours, theirs, a, b, stream, len) : CAUSES;
	if (cause == CAUSES && theirs->failed && !b)
		return cause_of_error(theirs->error, stream, theirs->error_at, len);
	return cause;
}
