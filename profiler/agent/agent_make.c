/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/kube.h"
#include "agent/metric_export.h"
#include "agent/node.h"
#include "agent/notify.h"
#include "agent/privileges.h"
#include "agent/push.h"
#include "agent/push_spans.h"
#include "agent/receive.h"
#include "agent/red_metrics.h"
#include "agent/resource.h"
#include "agent/scrape.h"
#include "agent/session.h"
#include "agent/web.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "collect/bpf_load.h"
#include "exporter/files.h"
#include "exporter/net.h"
#include "trace/tracing.h"
#include "version.h"

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

int agent_set_self(struct agent *a, const struct config *c)
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
	int r = agent_set_self(a, c);

	if (r >= 0 && strcmp(c->listen, "off"))
		r = web_new("listen", c->listen, agent_page, a, &a->web, err, err_len);
	if (r >= 0 && a->web)
		r = watch(a, web_fd(a->web));
	if (r >= 0 && strcmp(c->prometheus_listen, "off"))
		r = scrape_new(c->prometheus_listen, agent_measured, a, &a->scrape, err, err_len);
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

struct budget_limits agent_limits(const struct config *c)
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

int agent_set_rules(struct agent *a, const struct config *c)
{
	struct relabel *rules;
	int r = config_rules(c, &rules);

	if (r >= 0)
		session_set_rules(a->session, rules);
	return r;
}

int agent_set_receivers(struct agent *a, const struct config *c, char *err, size_t err_len)
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

bool agent_wants_spans(const struct config *c)
{
	vec_foreach(o, &c->receivers)
		if (o->send >> PARCEL_TRACES & 1)
			return c->trace_enabled;
	return false;
}

/* What we send would make what we send next. */
static void on_span(void *ctx, const struct ev_request *ev, const char *labels, const char *route)
{
	struct agent *a = ctx;

	if (ev->tgid != a->pid)
		push_spans_add(a->spans, ev, labels, route);
}

static struct tracer_opts tracer_opts_of(const struct config *c)
{
	struct tracer_opts o = { .spans = agent_wants_spans(c), .ring_bytes = agent_wants_spans(c) ? 4 * MIB : 0, .ratio = c->trace_sample_percent / 100, .errors = c->trace_keep_errors,
				 .slow_ns = c->trace_keep_slower_ns, .exact = !strcmp(c->trace_cpu, "exact") };

	tracer_hooks_parse(c->trace_hooks, &o.hooks);
	return o;
}

static int make_spans(struct agent *a)
{
	const struct config *c = a->config;
	const struct push_spans_opts opts = { .net = a->net, .threshold = tracer_threshold(c->trace_sample_percent / 100), .query = c->trace_query };
	int r = agent_wants_spans(c) ? push_spans_new(&opts, &a->spans) : 0;

	a->pid = (uint32_t)getpid();
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
		r = agent_set_receivers(a, c, err, err_len);
	if (r >= 0)
		r = push_new(a->net, a->files, a->receive ? receive_mark(a->receive) : NULL, &c->labels, &a->push);
	if (r >= 0 && a->receive)
		r = receive_start(a->receive, a->net, err, err_len);
	if (r >= 0)
		r = red_metrics_new(&a->red);
	if (r >= 0)
		r = make_spans(a);
	if (r >= 0)
		r = metric_export_new(&(struct metric_export_opts){ .net = a->net, .fill = agent_measured, .ctx = a }, &a->metric_export);
	if (r >= 0)
		r = session_new(&session, &a->session, err, err_len);
	limits = agent_limits(c);
	governor_init(&a->governor, a->session, &limits);
	if (r >= 0)
		r = agent_set_rules(a, c);
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
