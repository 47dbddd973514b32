/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * agent_state - what the files of agent.c share: agent_make.c makes one, agent.c runs it, agent_page.c answers those who ask,
 * agent_stop.c ends it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/governor.h"
#include "base/strmap.h"

struct buf;
struct metric_set;

enum { AGENT_MAX_RECEIVERS = 64 };

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
	uint32_t pid; /* our own: to ask for it is a system call */
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

/* With a warning where nobody hears. */
void agent_tell_systemd(const char *state);

/* Of a configuration, at the start and at each reload. 0 or negative errno. */
int agent_set_rules(struct agent *a, const struct config *c);
int agent_set_receivers(struct agent *a, const struct config *c, char *err, size_t err_len);
int agent_set_self(struct agent *a, const struct config *c);
struct budget_limits agent_limits(const struct config *c);
bool agent_wants_spans(const struct config *c);

/* web_page_fn of `listen`, and what is measured of services (scrape.h, metric_export.h). */
int agent_page(void *ctx, const char *path, struct buf *out, const char **ret_type);
int agent_measured(void *ctx, struct metric_set *ret);

/* Sends what is left. 0, or negative errno and err says what is lost. */
int agent_stop(struct agent *a, char *err, size_t err_len);
