/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * target_opts - what to sample and how, as every sampling command's flags say it.
 *
 * A command lists the rows it wants in its own table and hands each flag to target_opts_set() first.
 * Memory: cgroup descriptors, between target_opts_open() and target_opts_fini().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/name.h"
#include "base/strmap.h"
#include "cmd/flags.h"
#include "collect/collector.h"
#include "symbolize/symbolizer.h"

enum { TARGET_MAX_FILTERS = 64, TARGET_MAX_PIDS = 1024 };

struct target_opts {
	uint32_t frequency_hz;
	bool kernel_stacks, user_stacks;
	enum collect_by by;
	struct name_opts names;
	const char *debuginfod_urls; /* NULL: not asked for */
	const char *symbol_cache; /* NULL: the user's own; "off": no lines and no inlined frames */
	struct strmap path_map; /* names.path_map, where one was given */
	pid_t pids[TARGET_MAX_PIDS];
	uint32_t n_pids;
	const char *comms[TARGET_MAX_FILTERS];
	uint32_t n_comms;
	const char *cgroups[TARGET_MAX_FILTERS];
	uint32_t n_cgroups;
	int cgroup_fds[TARGET_MAX_FILTERS];
	uint32_t n_cgroup_fds;
};

#define TARGET_OPTS_INIT ((struct target_opts){ .frequency_hz = 99, .kernel_stacks = true, .user_stacks = true })

/* Rows for a command's table. */
#define TARGET_ROW_PID { 'p', "pid", "PID[,PID]", "these processes and the children they make; until they end" }
#define TARGET_ROW_COMM { 0, "comm", "NAME", "only threads of this name (may be repeated)" }
#define TARGET_ROW_CGROUP                                                                                          \
	{ 0, "cgroup", "PATH", "only below this cgroup, e.g. system.slice/nginx.service\n(may be repeated)" }
#define TARGET_ROW_FREQUENCY { 'F', "frequency", "HZ", "samples per second and CPU (default 99; 1 to 10000)" }
#define TARGET_ROW_KERNEL { 0, "kernel", NULL, "kernel stacks only" }
#define TARGET_ROW_USER { 0, "user", NULL, "user stacks only" }
#define TARGET_ROW_NO_INLINE { 0, "no-inline", NULL, "inlined calls count as the function they stand in" }
#define TARGET_ROW_PATH_MAP                                                                                        \
	{ 0, "path-map", "FROM=TO", "source files below FROM are shown below TO; may be repeated, the\n" \
				    "longest that fits is taken" }
#define TARGET_ROW_NO_SYMBOLS                                                                                      \
	{ 0, "no-symbols", NULL, "addresses and build ids instead of names, for tools that name them\n" \
				 "themselves; kernel and generated code have names all the same" }

#define TARGET_ROW_SYMBOL_CACHE                                                                                    \
	{ 0, "symbol-cache", "DIR", "where lines and inlined frames of debug information are kept (default:\nbelow ~/.cache, root's in /var/cache/hotspan), and fetched debug files;\noff: names only", .values = "DIR" }

#define TARGET_ROW_DEBUGINFOD                                                                                      \
	{ 0, "debuginfod", NULL, "ask the servers in DEBUGINFOD_URLS for debug files that this host lacks;\nit tells them which programs run here" }

enum { TARGET_MIN_HZ = 1, TARGET_MAX_HZ = 10000 };

/* 0; -ENOENT: this row is the command's own; -EINVAL after a message on stderr. */
int target_opts_set(struct target_opts *o, const struct cli *c, size_t row, const char *value);

/* process, thread or none -> *ret. 0; -EINVAL after a message on stderr. */
int target_opts_parse_by(const struct cli *c, const char *what, enum collect_by *ret);

/* What excludes each other. 0; -EINVAL after a message on stderr. */
int target_opts_check(const struct target_opts *o, const struct cli *c);

/* Opens the cgroups. 0 or negative errno with err in one line. */
int target_opts_open(struct target_opts *o, char *err, size_t err_len);
/* Borrows o's lists; o has been opened. */
void target_opts_fill(const struct target_opts *o, struct collector_opts *ret);
/* What --symbol-cache says; NULL: nothing. */
struct symbolizer_opts target_symbols(const char *cache);
/* DEBUGINFOD_URLS, for --debuginfod; NULL after a message on stderr: there are none. */
const char *target_debuginfod_urls(const struct cli *c);
struct symbolizer_opts target_opts_symbols(const struct target_opts *o);
void target_opts_fini(struct target_opts *o);
