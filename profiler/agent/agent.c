/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/governor.h"
#include "agent/kube.h"
#include "agent/metric_export.h"
#include "agent/node.h"
#include "agent/notify.h"
#include "agent/privileges.h"
#include "agent/push.h"
#include "agent/push_spans.h"
#include "agent/red_metrics.h"
#include "agent/receive.h"
#include "agent/resource.h"
#include "agent/scrape.h"
#include "agent/session.h"
#include "agent/telemetry.h"
#include "agent/web.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "collect/bpf_load.h"
#include "exporter/files.h"
#include "exporter/metric.h"
#include "exporter/net.h"
#include "exporter/prometheus.h"
#include "exporter/pyroscope.h"
#include "trace/tracing.h"
#include "version.h"

enum { MAX_RECEIVERS = 64 };

/* Naming that takes longer than this many intervals, and this long, is no longer alive. */
#define STUCK_INTERVALS 4
#define STUCK_NS (60 * NSEC_PER_SEC)

struct agent {
	struct config *config;
	const struct config_source *source;
	struct net *net;
	struct files *files;
	struct push *push;
	struct session *session;
	struct governor governor;
	struct web *web; /* NULL: switched off */
	struct receive *receive; /* the same */
	struct scrape *scrape; /* the same */
	struct red_metrics *red;
	struct push_spans *spans; /* NULL: no receiver took traces when we began */
	struct metric_export *metric_export;
	int routes_error; /* told */
	struct strmap self;    /* what we are to OpenTelemetry */
	struct kube *kube; /* NULL: no Kubernetes */
	uint64_t pods_missed;
	int signal_fd, epoll_fd; /* epoll: signals and the pages */
	uint64_t start_utc_ns;
	uint64_t watchdog_ns, watchdog_told_ns;
	uint64_t windows, windows_changed_ns; /* seen by the page: does naming move? */
	uint64_t reloads_ok, reloads_failed;
	atomic_uint_fast64_t windows_failed; /* the worker counts */
	char capabilities[128]; /* that it kept */
	bool running;
};

static void tell_systemd(const char *state)
{
	int r = notify_send(getenv("NOTIFY_SOCKET"), state);

	if (r < 0)
		log_warn("cannot tell systemd '%s': %s; going on", state, strerror(-r));
}

static void on_net_event(void *ctx, const struct net_event *ev)
{
	if (ev->kind == NET_RECOVERED)
		log_info("%s", ev->text);
	else
		log_warn("%s", ev->text);
}

static void on_kube_event(void *ctx, bool ok, const char *text)
{
	if (ok)
		log_info("%s", text);
	else
		log_warn("%s", text);
}

static int on_window(void *ctx, struct namer *n, const struct window *w)
{
	struct agent *a = ctx;
	int r = push_window(a->push, n, w);

	if (r < 0) {
		atomic_fetch_add(&a->windows_failed, 1);
		log_error("this interval's profiles are lost: %s; going on with the next", strerror(-r));
	}
	return 0;
}

/* ---- the page ---- */

static bool is_stuck(struct agent *a, const struct session_stats *s)
{
	uint64_t now = time_boot_ns(), limit = STUCK_INTERVALS * a->config->flush_interval_ns;

	if (s->windows != a->windows || !a->windows_changed_ns) {
		a->windows = s->windows;
		a->windows_changed_ns = now;
	}
	return now - a->windows_changed_ns > (limit > STUCK_NS ? limit : STUCK_NS);
}

static size_t at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

static void print_metrics(struct agent *a, const struct session_stats *s, struct buf *out)
{
	struct net_receiver_stats receivers[MAX_RECEIVERS];
	struct push_stats push;
	struct receive_stats received;
	struct kube_stats kube;
	struct push_spans_stats spans;
	struct telemetry t = { .session = s, .push = &push, .receivers = receivers, .reloads_ok = a->reloads_ok,
			       .reloads_failed = a->reloads_failed, .windows_failed = atomic_load(&a->windows_failed),
			       .start_utc_ns = a->start_utc_ns, .budget = &a->governor.budget };

	push_stats(a->push, &push);
	if (a->receive) {
		receive_stats(a->receive, &received);
		t.receive = &received;
	}
	if (a->kube) {
		kube_stats(a->kube, &kube);
		t.kube = &kube;
	}
	if (a->spans) {
		push_spans_stats(a->spans, &spans);
		t.spans = &spans;
	}
	t.n_receivers = at_most(net_stats(a->net, receivers, MAX_RECEIVERS), MAX_RECEIVERS);
	t.n_receivers += at_most(files_stats(a->files, receivers + t.n_receivers, MAX_RECEIVERS - t.n_receivers), MAX_RECEIVERS - t.n_receivers);
	telemetry_print(&t, out);
}

static const char index_page[] = "hotspan " HOTSPAN_VERSION "\n\n"
				 "/metrics  Prometheus metrics\n"
				 "/healthz  200 while windows are named, 503 when naming is stuck\n"
				 "/readyz   200 once every CPU is sampled\n";

static int page(void *ctx, const char *path, struct buf *out, const char **ret_type)
{
	struct agent *a = ctx;
	struct session_stats s;
	char text[192];

	if (!strcmp(path, "/")) {
		buf_puts(out, index_page);
		buf_printf(out, "\nsampling at %s\n", governor_text(&a->governor, text, sizeof(text)));
		return 200;
	}
	if (!strcmp(path, "/readyz")) {
		buf_puts(out, a->running ? "ready\n" : "not sampling\n");
		return a->running ? 200 : 503;
	}
	session_stats(a->session, &s);
	if (!strcmp(path, "/healthz")) {
		bool stuck = is_stuck(a, &s);

		buf_puts(out, stuck ? "naming is stuck\n" : "ok\n");
		return stuck ? 503 : 200;
	}
	if (!strcmp(path, "/metrics")) {
		*ret_type = PROM_CONTENT_TYPE;
		print_metrics(a, &s, out);
		return 200;
	}
	buf_puts(out, "there is no such page: see /\n");
	return 404;
}

static int measured(void *ctx, struct metric_set *ret)
{
	struct agent *a = ctx;
	enum red_names names = strcmp(a->config->trace_metric_names, "beyla") ? RED_NAMES_STABLE : RED_NAMES_BEYLA;

	return red_metrics_fill(a->red, session_tracing(a->session), &a->self, &a->config->labels, names, ret);
}

static int set_self(struct agent *a, const struct config *c)
{
	struct strmap self = { 0 };
	int r = resource_of_agent(&c->labels, &self);

	if (r < 0) {
		strmap_fini(&self);
		return r;
	}
	strmap_fini(&a->self);
	a->self = self;
	return 0;
}

/* ---- making one ---- */

static int watch(struct agent *a, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int open_pages(struct agent *a, char *err, size_t err_len)
{
	const struct config *c = a->config;
	int r = set_self(a, c);

	if (r >= 0 && strcmp(c->listen, "off"))
		r = web_new("listen", c->listen, page, a, &a->web, err, err_len);
	if (r >= 0 && a->web)
		r = watch(a, web_fd(a->web));
	if (r >= 0 && strcmp(c->prometheus_listen, "off"))
		r = scrape_new(c->prometheus_listen, measured, a, &a->scrape, err, err_len);
	return r < 0 || !a->scrape ? r : watch(a, scrape_fd(a->scrape));
}

static int open_events(struct agent *a, char *err, size_t err_len)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (a->signal_fd < 0 || a->epoll_fd < 0)
		return -errno;
	r = watch(a, a->signal_fd);
	if (r >= 0 && strcmp(a->config->receive_listen, "off") != 0)
		r = receive_new(a->config->receive_listen, &a->receive, err, err_len);
	return r < 0 ? r : open_pages(a, err, err_len);
}

static struct budget_limits limits_of(const struct config *c)
{
	return (struct budget_limits){ .cpu_percent = c->max_cpu_percent, .memory_bytes = c->max_memory_bytes, .frequency_hz = c->frequency };
}

/* As soon as the ports, which may be privileged ones, are open: no thread is there yet, nothing foreign was read. */
static int give_up_privileges(struct agent *a, char *err, size_t err_len)
{
	int r;

	bpf_load_lift_limit();
	r = privileges_drop(a->capabilities, sizeof(a->capabilities));
	if (r < 0)
		snprintf(err, err_len, "capabilities that are not needed cannot be given up: %s", strerror(-r));
	return r;
}

static int set_rules(struct agent *a, const struct config *c)
{
	struct relabel *rules;
	int r = config_rules(c, &rules);

	if (r >= 0)
		session_set_rules(a->session, rules);
	return r;
}

static int set_receivers(struct agent *a, const struct config *c, char *err, size_t err_len)
{
	int r = net_set_receivers(a->net, c->receivers.v, c->receivers.n, err, err_len);
	char ignored[64];

	if (r < 0)
		return r;
	r = files_set_receivers(a->files, c->receivers.v, c->receivers.n, err, err_len);
	if (r < 0 && c != a->config) /* of a reload all or nothing */
		net_set_receivers(a->net, a->config->receivers.v, a->config->receivers.n, ignored, sizeof(ignored));
	return r;
}

/* Pods are named by Kubernetes where there is one to ask. */
static int open_kube(struct agent *a)
{
	struct kube_opts opts = { .account_dir = KUBE_ACCOUNT_DIR, .on_event = on_kube_event };
	char url[1024], node[NODE_NAME_SIZE];
	int r;

	node_name(node);
	r = kube_url(a->config->kubernetes, a->source->environment, node, opts.account_dir, url, sizeof(url));
	opts.url = url;
	return r < 0 ? 0 : kube_new(&opts, &a->kube);
}

static bool wants_spans(const struct config *c)
{
	vec_foreach(o, &c->receivers)
		if (o->send >> PARCEL_TRACES & 1)
			return c->trace_enabled;
	return false;
}

/* What we send would make what we send next. */
static void on_span(void *ctx, const struct ev_request *ev, const char *labels, const char *route)
{
	if (ev->tgid != (uint32_t)getpid())
		push_spans_add(((struct agent *)ctx)->spans, ev, labels, route);
}

static struct tracer_opts tracer_opts_of(const struct config *c)
{
	struct tracer_opts o = { .spans = wants_spans(c), .ring_bytes = wants_spans(c) ? 4 * MIB : 0, .ratio = c->trace_sample_percent / 100, .errors = c->trace_keep_errors,
				 .slow_ns = c->trace_keep_slower_ns, .exact = !strcmp(c->trace_cpu, "exact") };

	tracer_hooks_parse(c->trace_hooks, &o.hooks);
	return o;
}

static int make_spans(struct agent *a)
{
	const struct config *c = a->config;
	const struct push_spans_opts opts = { .net = a->net, .threshold = tracer_threshold(c->trace_sample_percent / 100), .query = c->trace_query };
	int r = wants_spans(c) ? push_spans_new(&opts, &a->spans) : 0;

	if (r >= 0 && a->spans)
		push_spans_set_labels(a->spans, &c->labels);
	return r;
}

static struct tracing_opts tracing_of(struct agent *a)
{
	const struct config *c = a->config;

	return (struct tracing_opts){ .tracer = tracer_opts_of(c),
				      .routes = { .patterns = (const char *const *)c->trace_routes.v, .n_patterns = c->trace_routes.n,
						  .learn = c->trace_learn_routes, .max_per_service = c->trace_max_routes },
				      .routes_file = strcmp(c->trace_routes_file, "off") ? c->trace_routes_file : NULL,
				      .forget_ns = c->trace_forget_ns,
				      .on_span = on_span,
				      .ctx = a };
}

static int make_parts(struct agent *a, char *err, size_t err_len)
{
	const struct config *c = a->config;
	const struct tracing_opts tracing = tracing_of(a);
	struct session_opts session = {
		.tracing = c->trace_enabled ? &tracing : NULL,
		.collector = { .sampler = { .frequency_hz = c->frequency, .kernel_stacks = c->kernel_stacks, .user_stacks = c->user_stacks },
			       .by = COLLECT_BY_TARGET, .max_window_bytes = c->max_window_bytes,
			       .max_unwind_bytes = c->max_unwind_bytes },
		.names = { .name_unnamed = true, .no_symbols = !c->symbolize, .path_map = &c->path_map },
		.symbols = { .lines = c->symbolize && strcmp(c->symbol_cache, "off") != 0, .cache_dir = c->symbol_cache,
			     .cache_bytes = c->symbol_cache_bytes,
			     .debuginfod_urls = c->debuginfod ? getenv("DEBUGINFOD_URLS") : NULL },
		.flush_interval_ns = c->flush_interval_ns,
		.on_window = on_window,
		.ctx = a,
	};
	struct budget_limits limits;
	struct net_opts net = { .on_event = on_net_event, .user_agent = "hotspan/" HOTSPAN_VERSION };
	int r = open_events(a, err, err_len);

	if (r >= 0)
		r = give_up_privileges(a, err, err_len);
	if (r >= 0)
		r = net_new(&net, &a->net);
	if (r >= 0)
		r = files_new(&net, &a->files);
	if (r >= 0)
		r = set_receivers(a, c, err, err_len);
	if (r >= 0)
		r = push_new(a->net, a->files, a->receive ? receive_mark(a->receive) : NULL, &c->labels, &a->push);
	if (r >= 0 && a->receive)
		r = receive_start(a->receive, a->net, err, err_len);
	if (r >= 0)
		r = red_metrics_new(&a->red);
	if (r >= 0)
		r = make_spans(a);
	if (r >= 0)
		r = metric_export_new(&(struct metric_export_opts){ .net = a->net, .fill = measured, .ctx = a }, &a->metric_export);
	if (r >= 0)
		r = session_new(&session, &a->session, err, err_len);
	limits = limits_of(c);
	governor_init(&a->governor, a->session, &limits);
	if (r >= 0)
		r = set_rules(a, c);
	return r < 0 ? r : open_kube(a);
}

int agent_new(struct config *config, const struct config_source *source, struct agent **ret, char *err, size_t err_len)
{
	struct agent *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->config = config;
	a->source = source;
	a->signal_fd = a->epoll_fd = -1;
	a->start_utc_ns = time_utc_ns();
	a->watchdog_ns = notify_watchdog_ns(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), getpid());
	snprintf(err, err_len, "out of memory");
	r = make_parts(a, err, err_len);
	if (r < 0) {
		a->config = NULL; /* still the caller's */
		agent_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct agent *agent_free(struct agent *a)
{
	if (!a)
		return NULL;
	receive_free(a->receive); /* its thread sends: before net */
	kube_free(a->kube);
	session_free(a->session); /* its worker pushes: before push, net and files */
	push_free(a->push);
	push_spans_free(a->spans);
	metric_export_free(a->metric_export);
	files_free(a->files);
	net_free(a->net);
	web_free(a->web);
	scrape_free(a->scrape);
	red_metrics_free(a->red);
	strmap_fini(&a->self);
	closep(&a->signal_fd);
	closep(&a->epoll_fd);
	config_free(a->config);
	free(a);
	return NULL;
}

/* ---- its life ---- */

static void tell_fixed(void *ctx, const char *key)
{
	log_warn("reload: %s changes with a restart only; the old value stays in force", key);
}

static int apply(struct agent *a, const struct config *c, char *err, size_t err_len)
{
	struct budget_limits limits = limits_of(c);
	int r = set_receivers(a, c, err, err_len);

	if (r < 0)
		return r;
	r = push_set_labels(a->push, &c->labels);
	if (r >= 0)
		r = set_self(a, c);
	if (a->spans)
		push_spans_set_labels(a->spans, &c->labels);
	if (r >= 0)
		r = governor_set(&a->governor, &limits);
	if (r >= 0)
		r = set_rules(a, c);
	session_set_flush_interval(a->session, c->flush_interval_ns);
	log_use_json(!strcmp(c->log_format, "json"));
	if (r < 0)
		snprintf(err, err_len, "%s", strerror(-r));
	return r;
}

/* All of it, or none: what was set before the failure is set back. */
static int replace(struct agent *a, struct config *c, char *err, size_t err_len)
{
	char ignored[768];
	int r = config_keep_fixed(a->config, c, tell_fixed, NULL);

	if (r < 0)
		snprintf(err, err_len, "out of memory");
	else
		r = apply(a, c, err, err_len);
	if (r < 0) {
		apply(a, a->config, ignored, sizeof(ignored));
		config_free(c);
		return r;
	}
	config_free(a->config);
	a->config = c;
	return 0;
}

static void reload(struct agent *a)
{
	char err[768], state[64];
	struct config *c;
	int r;

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(time_mono_ns() / NSEC_PER_USEC));
	tell_systemd(state);
	r = config_load(a->source, &c, err, sizeof(err));
	if (r >= 0)
		r = replace(a, c, err, sizeof(err));
	if (r >= 0 && wants_spans(c) && !a->spans)
		log_warn("reload: a receiver takes traces now; spans are made from the next start on");
	if (r < 0)
		log_error("reload failed: %s; the old configuration stays in force", err);
	else
		log_info("reloaded: %u Hz, flush every %.0f s, %u receivers", c->frequency, (double)c->flush_interval_ns / 1e9, c->receivers.n);
	a->reloads_ok += r >= 0;
	a->reloads_failed += r < 0;
	tell_systemd("READY=1");
}

static void run_pages(struct agent *a)
{
	if (a->web)
		web_run(a->web);
	if (a->scrape)
		scrape_run(a->scrape);
}

/* Signals and pages. True: it is time to go. */
static bool handle_events(struct agent *a)
{
	struct signalfd_siginfo si;
	bool stop = false;

	run_pages(a);
	while (read(a->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			reload(a);
		else
			stop = true;
	}
	return stop;
}

static void follow_pods(struct agent *a)
{
	uint64_t missed = session_pods_missed(a->session);
	struct pods *pods = kube_take(a->kube);

	if (pods)
		session_set_pods(a->session, pods);
	if (missed != a->pods_missed)
		kube_hurry(a->kube);
	a->pods_missed = missed;
}

/* Once, and when it has changed. */
static void tell_routes(struct agent *a)
{
	int error = tracing_routes_error(session_tracing(a->session));

	if (error == a->routes_error)
		return;
	if (error < 0)
		log_warn("trace.routes_file %s: %s; learned routes are lost with a restart", a->config->trace_routes_file, strerror(-error));
	else
		log_info("trace.routes_file %s: learned routes are kept again", a->config->trace_routes_file);
	a->routes_error = error;
}

static void trace_tick(struct agent *a, uint64_t now)
{
	int r = tracing_count(session_tracing(a->session)); /* what a process counted that ends now is read before it is gone */

	if (r < 0)
		log_error("requests could not be counted: %s; going on", strerror(-r));
	tell_routes(a);
	r = metric_export_tick(a->metric_export, a->config->trace_metrics_interval_ns, now);
	if (r < 0)
		log_error("metrics could not be sent: %s; they are in the next interval's", strerror(-r));
}

static void tick(void *ctx, uint64_t elapsed_ns)
{
	struct agent *a = ctx;
	uint64_t now = time_boot_ns();
	int r;

	run_pages(a); /* connections time out */
	if (session_tracing(a->session))
		trace_tick(a, now);
	if (a->spans)
		push_spans_tick(a->spans, now);
	if (a->kube)
		follow_pods(a);
	r = governor_tick(&a->governor);
	if (r < 0)
		log_error("budget: %s; going on", strerror(-r));
	if (!a->watchdog_ns || now - a->watchdog_told_ns + NSEC_PER_SEC < a->watchdog_ns)
		return;
	tell_systemd("WATCHDOG=1");
	a->watchdog_told_ns = now;
}

static void tell_start(struct agent *a)
{
	struct session_stats s;
	char page_at[160] = "", text[192];

	session_stats(a->session, &s);
	if (a->web)
		snprintf(page_at, sizeof(page_at), "; metrics on http://%s/metrics", web_address(a->web));
	log_info("sampling %u CPUs at %u Hz, sending to %u receivers every %.0f s%s", s.collect.cpus, a->config->frequency,
		 a->config->receivers.n, (double)a->config->flush_interval_ns / 1e9, page_at);
	if (a->receive)
		log_info("taking pushes at http://%s" PYROSCOPE_PUSH_PATH, receive_address(a->receive));
	if (a->scrape)
		log_info("what is measured of services is on http://%s/metrics",
			 scrape_address(a->scrape));
	log_info("capabilities kept: %s", a->capabilities);
	if (!a->config->receivers.n)
		log_warn("no receivers are configured: profiles go nowhere; see hotspan config --reference");
	if (s.lines_error)
		log_warn("symbol_cache %s: %s; names only, no lines", a->config->symbol_cache, lines_complaint(s.lines_error, text, sizeof(text)));
	if (session_tracing(a->session))
		tell_routes(a);
	tell_systemd("READY=1");
}

/* From here on another signal ends us at once: waiting for the network is all that is left to do. */
static void let_signals_kill(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* "; 12 profiles stay in a spool for the next start; 3 spans could not be sent in time, dropped", or "". */
static void describe_left(struct agent *a, char *out, size_t len)
{
	struct net_receiver_stats rows[MAX_RECEIVERS];
	size_t n = net_stats(a->net, rows, MAX_RECEIVERS), at = 0;
	char items[64];

	out[0] = '\0';
	for (int s = 0; s < PARCEL_SIGNALS; s++) {
		uint64_t disk = 0, memory = 0;

		for (size_t i = 0; i < n && i < MAX_RECEIVERS; i++) {
			disk += rows[i].signals[s].spooled;
			memory += rows[i].signals[s].queued - rows[i].signals[s].spooled;
		}
		if (disk && at < len)
			at += (size_t)snprintf(out + at, len - at,
					       "; %s stay%s in a spool for the next start",
					       parcel_count_items((enum parcel_signal)s, disk,
								  items, sizeof(items)),
					       disk == 1 ? "s" : "");
		if (memory && at < len)
			at += (size_t)snprintf(out + at, len - at,
					       "; %s could not be sent in time, dropped",
					       parcel_count_items((enum parcel_signal)s, memory,
								  items, sizeof(items)));
	}
}

static uint64_t left_ns(uint64_t until_ns)
{
	uint64_t now = time_boot_ns();

	return until_ns > now ? until_ns - now : 0;
}

/* Those of requests that have ended. */
static void finish_spans(struct agent *a)
{
	int r = a->spans ? tracing_poll(session_tracing(a->session)) : 0;

	if (r < 0)
		log_error("the last spans could not be read: %s", strerror(-r));
	if (a->spans)
		push_spans_flush(a->spans);
}

static int shut_down(struct agent *a, char *err, size_t err_len)
{
	uint64_t limit = a->config->shutdown_timeout_ns, until = time_boot_ns() + limit;
	struct session_stats s;
	char left[256];
	int r;

	tell_systemd("STOPPING=1");
	a->running = false;
	log_info("stopping: naming and sending what is left, at most %.0f s", (double)limit / 1e9);
	let_signals_kill();
	if (a->receive)
		receive_stop(a->receive);
	finish_spans(a);
	r = session_tracing(a->session) ? metric_export_send(a->metric_export) : 0;
	if (r < 0)
		log_error("the last metrics are lost: %s", strerror(-r));
	r = session_finish(a->session, limit ? limit : 1);
	if (r < 0) {
		snprintf(err, err_len, "the last interval is lost: %s",
			 r == -ETIMEDOUT ? "naming took longer than shutdown_timeout" : strerror(-r));
		return r;
	}
	net_flush(a->net, left_ns(until));
	describe_left(a, left, sizeof(left));
	if (files_flush(a->files, left_ns(until)) < 0)
		log_warn("the last files could not be written in shutdown_timeout");
	session_stats(a->session, &s);
	log_info("stopped: %llu samples, %llu lost; own CPU %.2f s in %.0f s%s", (unsigned long long)s.collect.samples,
		 (unsigned long long)s.collect.lost, (double)s.cpu_ns / 1e9, (double)s.wall_ns / 1e9,
		 left);
	return 0;
}

int agent_run(struct agent *a, char *err, size_t err_len)
{
	struct session_until until = { .signal_fd = a->epoll_fd, .tick = tick, .ctx = a };
	int r = session_start(a->session, err, err_len);

	if (r < 0)
		return r;
	a->running = true;
	tell_start(a);
	do {
		r = session_run(a->session, &until);
	} while (r == SESSION_SIGNAL && !handle_events(a));
	if (r >= 0)
		return shut_down(a, err, err_len);
	snprintf(err, err_len, "sampling stopped: %s", strerror(-r));
	return r;
}
