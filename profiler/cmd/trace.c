/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace - HTTP requests as they end, one a line, like an access log that every server of the host writes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/signals.h"
#include "trace/request_head.h"
#include "trace/tracer.h"

enum { MAX_PIDS = 64, DRAIN_MS = 100 };

enum { ROW_WHAT, ROW_PID, ROW_ALL, ROW_SIDE, ROW_HOW, ROW_DURATION, ROW_QUERY, ROW_HOOKS, ROW_JSON };

static const struct flag flags[] = {
	[ROW_WHAT] = { .heading = "What is traced" },
	[ROW_PID] = { 'p', "pid", "PID,...", "these processes" },
	[ROW_ALL] = { 'a', "all", NULL, "every process (the default)" },
	[ROW_SIDE] = { 0, "side", "SIDE", "requests that a server took, or that a client made (default: both)", .values = "server|client" },
	[ROW_HOW] = { .heading = "How" },
	[ROW_DURATION] = { 'd', "duration", "TIME", "end after TIME (default: at Ctrl-C)" },
	[ROW_QUERY] = { 0, "query", NULL, "show query strings, whatever secrets they hold" },
	[ROW_HOOKS] = { 0, "hooks", "HOOKS", "see requests at sockets, or at the end of every system call (default: auto, the cheaper that the kernel has)", .values = "auto|sockets|syscalls" },
	[ROW_JSON] = { 0, "json", NULL, "an object a line" },
};

const struct cli trace_cli = {
	.name = "trace",
	.summary = "print HTTP requests as they end, like an access log of the whole host",
	.usage = "[-p PID,... | -a] [--json]",
	.about = "Shows each HTTP/1 request in plain text that a process takes or makes: no restart, no proxy, no certificate.\n"
		 "Columns: when it began, side and process, method, path, status, duration, bytes of the response's body, peer; of a\n"
		 "server's cpu= and wait=: what the thread that read and answered the request used, and waited for a CPU. Neither is\n"
		 "told where threads hand requests on, several overlap on one, or goroutines work on them. While this runs, every\n"
		 "switch between threads of the host costs about 0.1 us more.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "Status - : the connection ended before an answer came. Encrypted and HTTP/2 connections are counted at the end.\n\n"
		 "Exit status: 0 ok, 1 failed, 2 wrong usage, 3 a privilege or a kernel feature is missing.\n",
};

struct tracing {
	uint32_t pids[MAX_PIDS];
	uint32_t n_pids;
	int side; /* -1: both */
	uint64_t duration_ns;
	bool query, json;
	enum tracer_hooks hooks;
	struct tracer *tracer;
	uint64_t utc_at_boot_ns;
	struct buf line;
	uint64_t printed;
};

static int add_pids(struct tracing *t, const char *list)
{
	_cleanup_(freep) char *copy = strdup(list);
	char *rest = copy, *word;
	uint64_t pid;

	while (copy && (word = strsep(&rest, ","))) {
		if (parse_u64(word, 1, INT32_MAX, &pid) < 0)
			return flags_complain(&trace_cli, "--pid wants numbers, not '%s'", word);
		if (t->n_pids >= MAX_PIDS)
			return flags_complain(&trace_cli, "--pid takes %d processes", MAX_PIDS);
		t->pids[t->n_pids++] = (uint32_t)pid;
	}
	return copy ? 0 : -ENOMEM;
}

static int set_side(struct tracing *t, const char *value)
{
	t->side = !strcmp(value, "server") ? TRACE_SERVER : !strcmp(value, "client") ? TRACE_CLIENT : -1;
	return t->side >= 0 ? 0 : flags_complain(&trace_cli, "--side is server or client, not '%s'", value);
}

static int set(void *ctx, size_t row, const char *value)
{
	struct tracing *t = ctx;

	switch (row) {
	case ROW_PID:
		return add_pids(t, value);
	case ROW_ALL:
		t->n_pids = 0;
		break;
	case ROW_SIDE:
		return set_side(t, value);
	case ROW_DURATION:
		if (parse_duration(value, &t->duration_ns) < 0 || !t->duration_ns)
			return flags_complain(&trace_cli, "--duration wants a time like 10s, not '%s'", value);
		break;
	case ROW_QUERY:
		t->query = true;
		break;
	case ROW_HOOKS:
		if (tracer_hooks_parse(value, &t->hooks) < 0)
			return flags_complain(&trace_cli, "--hooks is auto, sockets or syscalls, not '%s'", value);
		break;
	case ROW_JSON:
		t->json = true;
		break;
	}
	return 0;
}

/* ---- a line ---- */

/* Of the process, as long as it is there. */
static void comm_of(uint32_t tgid, char *to, size_t len)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/comm", tgid);
	*to = '\0';
	if (file_read_path(AT_FDCWD, path, 64, &b) >= 0 && b.len > 1)
		snprintf(to, len, "%.*s", (int)b.len - 1, (const char *)b.data);
}

/* "127.0.0.1:8080", "[::1]:8080", "unix". */
static void put_address(struct buf *b, const struct ev_request *ev, const uint8_t *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (ev->flags & TRACE_UNIX) {
		buf_puts(b, "unix");
		return;
	}
	inet_ntop(ev->flags & TRACE_IPV6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
	buf_printf(b, ev->flags & TRACE_IPV6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* On a terminal a peer's bytes must not move the cursor. */
static void put_printable(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_putc(b, s.s[i] > ' ' && s.s[i] < 0x7f ? s.s[i] : '?');
}

static void put_target(struct buf *b, const struct tracing *t, const struct request_head *h)
{
	if (!h->path.len && !h->query.len)
		buf_putc(b, h->authority.len ? '/' : '-');
	put_printable(b, h->path);
	if (h->query.len && t->query) {
		buf_putc(b, '?');
		put_printable(b, h->query);
	}
	if (h->target_cut)
		buf_puts(b, "...");
}

static void put_time(struct buf *b, const struct tracing *t, uint64_t boot_ns)
{
	uint64_t utc = boot_ns + t->utc_at_boot_ns;
	time_t seconds = (time_t)(utc / NSEC_PER_SEC);
	struct tm tm;

	localtime_r(&seconds, &tm);
	buf_printf(b, "%02d:%02d:%02d.%06u", tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(utc % NSEC_PER_SEC / 1000));
}

/* Measured, and all of it. */
static bool has_cpu(const struct ev_request *ev)
{
	return (ev->flags & TRACE_CPU_KNOWN) && (ev->flags & TRACE_CPU_EXACT);
}

static void put_cpu(struct buf *b, const struct ev_request *ev)
{
	char cpu[32], wait[32];

	if (has_cpu(ev))
		buf_printf(b, " cpu=%s wait=%s", format_ns(ev->used.cpu_ns, cpu, sizeof(cpu)), format_ns(ev->used.queue_ns, wait, sizeof(wait)));
}

static void put_text(struct tracing *t, const struct ev_request *ev, const struct request_head *h)
{
	struct buf *b = &t->line;
	char comm[32], duration[32], status[8] = "-";

	comm_of(ev->tgid, comm, sizeof(comm));
	if (ev->status)
		snprintf(status, sizeof(status), "%u", ev->status);
	put_time(b, t, ev->start_ns);
	buf_printf(b, " %s %s[%u] %s ", ev->side == TRACE_SERVER ? "server" : "client", comm[0] ? comm : "?", ev->tgid, tracer_method(ev->method));
	put_target(b, t, h);
	buf_printf(b, " %s %s %llu ", status, format_ns(ev->end_ns - ev->start_ns, duration, sizeof(duration)), ev->response_bytes);
	put_address(b, ev, ev->peer_address, ev->peer_port);
	put_cpu(b, ev);
	buf_puts(b, ev->flags & TRACE_UNFINISHED ? " unfinished\n" : "\n");
}

static void put_json_slice(struct buf *b, const char *key, struct slice s)
{
	buf_printf(b, ",\"%s\":", key);
	buf_json_string(b, s.s, s.len);
}

static void put_json(struct tracing *t, const struct ev_request *ev, const struct request_head *h)
{
	struct buf *b = &t->line;
	char comm[32];

	comm_of(ev->tgid, comm, sizeof(comm));
	buf_printf(b, "{\"start_unix_ns\":%llu,\"side\":\"%s\",\"pid\":%u,\"tid\":%u,\"comm\":", ev->start_ns + t->utc_at_boot_ns,
		   ev->side == TRACE_SERVER ? "server" : "client", ev->tgid, ev->tid);
	buf_json_string(b, comm, strlen(comm));
	buf_printf(b, ",\"method\":\"%s\"", tracer_method(ev->method));
	put_json_slice(b, "path", h->path);
	if (t->query)
		put_json_slice(b, "query", h->query);
	put_json_slice(b, "host", h->host);
	buf_printf(b, ",\"status\":%u,\"duration_ns\":%llu,\"request_bytes\":%llu,\"response_bytes\":%llu,\"unfinished\":%s,\"peer\":\"",
		   ev->status, ev->end_ns - ev->start_ns, ev->request_bytes, ev->response_bytes, ev->flags & TRACE_UNFINISHED ? "true" : "false");
	put_address(b, ev, ev->peer_address, ev->peer_port);
	buf_puts(b, "\",\"local\":\"");
	put_address(b, ev, ev->local_address, ev->local_port);
	buf_printf(b, "\",\"trace_id\":\"");
	for (size_t i = 0; i < sizeof(ev->trace_id); i++)
		buf_printf(b, "%02x", ((const uint8_t *)ev->trace_id)[i]);
	buf_printf(b, "\",\"span_id\":\"%016llx\"", ev->span_id);
	if (ev->flags & TRACE_PARENT)
		buf_printf(b, ",\"parent_id\":\"%016llx\"", ev->flags & TRACE_LOCAL ? ev->parent_id : (__u64)__builtin_bswap64(ev->parent_id));
	if (has_cpu(ev))
		buf_printf(b, ",\"cpu_ns\":%llu,\"wait_ns\":%llu,\"blocked_ns\":%llu", ev->used.cpu_ns, ev->used.queue_ns, ev->used.blocked_ns);
	buf_puts(b, "}\n");
}

/* Threads or goroutines: from its next request on it is known. With no room for another it stays unknown. */
static void meet(struct tracing *t, uint32_t tgid)
{
	if (!tracer_knows_proc(t->tracer, tgid))
		tracer_set_proc(t->tracer, tgid, &(struct trace_proc){ .flags = tracer_proc_kind(tgid) });
}

static int print(void *ctx, const struct ev_request *ev)
{
	struct tracing *t = ctx;
	struct request_head h;

	meet(t, ev->tgid);
	if (t->side >= 0 && ev->side != t->side)
		return 0;
	request_head_parse(ev->head, ev->head_len, &h);
	buf_reset(&t->line);
	if (t->json)
		put_json(t, ev, &h);
	else
		put_text(t, ev, &h);
	t->printed++;
	return fwrite(t->line.data, 1, t->line.len, stdout) == t->line.len && !buf_error(&t->line) ? 0 : -EIO;
}

/* ---- the run ---- */

static int begin(struct tracing *t, char *err, size_t err_len)
{
	const struct tracer_opts opts = { .hooks = t->hooks, .spans = true, .ratio = 1, .prompt = true, .exact = true, .only_known = t->n_pids, .ring_bytes = 8 * MIB };
	int r = tracer_new(&opts, &t->tracer, err, err_len);

	if (r >= 0)
		tracer_warn(t->tracer);
	t->utc_at_boot_ns = time_utc_ns() - time_boot_ns();
	for (uint32_t i = 0; i < t->n_pids && r >= 0; i++)
		r = tracer_set_proc(t->tracer, t->pids[i], &(struct trace_proc){ .flags = tracer_proc_kind(t->pids[i]) });
	return r;
}

static int follow(struct tracing *t, int signal_fd)
{
	struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN }, { .fd = tracer_fd(t->tracer), .events = POLLIN } };
	uint64_t end = t->duration_ns ? time_boot_ns() + t->duration_ns : UINT64_MAX;
	int r = 0;

	while (r >= 0 && !(fds[0].revents & POLLIN) && time_boot_ns() < end) {
		uint64_t left = end - time_boot_ns();

		poll(fds, ARRAY_SIZE(fds), left < DRAIN_MS * NSEC_PER_MSEC ? (int)(left / NSEC_PER_MSEC) + 1 : DRAIN_MS);
		r = tracer_drain(t->tracer, print, t);
		fflush(stdout);
	}
	return r;
}

static void say(unsigned long long n, const char *what)
{
	if (n)
		log_info("%llu %s", n, what);
}

/* What is not in the lines above. */
static void say_unseen(const struct tracing *t)
{
	uint64_t counts[TRACE_COUNT_MAX];

	tracer_counts(t->tracer, counts);
	say(counts[TRACE_COUNT_RING_FULL], "requests not shown: they came faster than they could be printed");
	say(counts[TRACE_COUNT_ENCRYPTED], "connections are encrypted: their requests are not seen");
	say(counts[TRACE_COUNT_HTTP2], "connections speak HTTP/2: their requests are not seen");
	say(counts[TRACE_COUNT_UNSEEN], "transfers by io_uring, sendfile or splice whose bytes are not seen, nor what follows them");
	say(counts[TRACE_COUNT_IO_URING], "calls of io_uring: what it moves over sockets, if anything, is not seen");
	say(counts[TRACE_COUNT_UNREADABLE], "transfers could not be read, nor is what follows them seen");
	say(counts[TRACE_COUNT_MISSED], "transfers missed: the kernel left our program out, which a preempted thread held");
	say(counts[TRACE_COUNT_LOST_SYNC], "connections went on as something else than HTTP/1");
	say(counts[TRACE_COUNT_CONNS_FULL], "connections are not seen: no memory for them");
}

static void tracing_fini(struct tracing *t)
{
	tracer_free(t->tracer);
	buf_fini(&t->line);
}

int cmd_trace(int argc, char **argv)
{
	static const int ends[] = { SIGINT, SIGTERM };
	_cleanup_(tracing_fini) struct tracing t = { .side = -1 };
	_cleanup_(closep) int signal_fd = -1;
	char err[512] = "";
	int first, r = flags_parse(&trace_cli, argc, argv, set, &t, &first);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	if (first < argc)
		return flags_complain(&trace_cli, "'%s' is no flag", argv[first]) ? EXIT_USAGE : EXIT_OK;
	r = signal_fd = signals_open(ends, ARRAY_SIZE(ends));
	if (r >= 0)
		r = begin(&t, err, sizeof(err));
	if (r >= 0)
		r = follow(&t, signal_fd);
	if (r >= 0) {
		say_unseen(&t);
		return EXIT_OK;
	}
	log_error("%s%s", err[0] ? err : strerror(-r), exit_status_of(r) == EXIT_CANNOT ? " (hotspan doctor says what this host allows)" : "");
	return exit_status_of(r);
}
