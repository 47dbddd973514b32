/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config - what the agent is asked to do: defaults, then a YAML file, then HOTSPAN_* variables, then
 * flags; each overrides the one before. The keys are the rows of options.def.
 *
 * Errors are one line: "FILE:LINE: KEY: what is wrong: what to do".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strmap.h"
#include "exporter/receiver_opts.h"

struct buf;

struct strlist {
	char **v;
	uint32_t n, cap;
};

/* One of targets.include or targets.exclude: globs, all of which have to match. NULL, empty and 0: not asked. */
struct selector_opts {
	char *service, *container;
	struct strmap pod_label;
	char *cgroup, *user, *executable;
	uint32_t pid;
};

struct selector_list {
	struct selector_opts *v;
	uint32_t n, cap;
};

/* One of relabel_configs; strings that are empty are NULL. */
struct relabel_opts {
	struct strlist source_labels;
	char *separator, *target_label, *regex, *replacement, *action;
	uint32_t modulus;
};

struct relabel_list {
	struct relabel_opts *v;
	uint32_t n, cap;
};

struct relabel;

struct config {
	uint32_t frequency;
	uint64_t flush_interval_ns;
	struct strmap labels;
	bool kernel_stacks, user_stacks;
	bool symbolize;
	struct strmap path_map;
	char *symbol_cache;
	uint64_t symbol_cache_bytes;
	bool debuginfod;
	uint64_t max_window_bytes;
	uint64_t max_unwind_bytes;
	double max_cpu_percent;
	uint64_t max_memory_bytes;
	char *kubernetes;
	char *listen, *prometheus_listen;
	bool trace_enabled;
	char *trace_cpu;
	char *trace_hooks;
	double trace_sample_percent;
	bool trace_keep_errors, trace_query;
	uint64_t trace_keep_slower_ns;
	struct strlist trace_routes;
	bool trace_learn_routes;
	uint32_t trace_max_routes;
	char *trace_routes_file, *trace_metric_names;
	uint64_t trace_metrics_interval_ns, trace_forget_ns;
	char *receive_listen;
	uint64_t shutdown_timeout_ns;
	char *log_format;
	vec(struct receiver_opts) receivers;
	struct selector_list include, exclude; /* of targets */
	struct relabel_list relabel_configs;
};

/* A flag given on the command line: key as in options.def. */
struct config_override {
	const char *key, *value;
};

struct config_source {
	const char *path; /* NULL: no file */
	char *const *environment;
	const struct config_override *overrides;
	size_t n_overrides;
};

/* 0, -EINVAL (the configuration is wrong), or another negative errno; err says which line. */
int config_load(const struct config_source *src, struct config **ret, char *err, size_t err_len);
struct config *config_free(struct config *c);

/* The rules of targets and behind them those of relabel_configs, which are right; *ret is NULL where there are none. 0 or
 * -ENOMEM. */
int config_rules(const struct config *c, struct relabel **ret);

/* The YAML that would make this configuration, defaults included, secrets masked. */
void config_print(const struct config *c, struct buf *out);

/*
 * Gives `to` the values of `from` in every row that may not change while running, and so each receiver that is in both;
 * told(ctx, key) for each that differs: "listen", "receivers[prod].spool". 0 or -ENOMEM.
 */
int config_keep_fixed(const struct config *from, struct config *to, void (*told)(void *ctx, const char *key), void *ctx);
