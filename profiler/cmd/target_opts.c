/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/target_opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "bpf/config.h"
#include "proc/cgroup.h"

static int parse_pids(struct target_opts *o, const struct cli *c, const char *list)
{
	char *copy = strdup(list), *rest = copy, *one;
	uint64_t pid;
	int r = copy ? 0 : -ENOMEM;

	while (r >= 0 && (one = strsep(&rest, ","))) {
		if (parse_u64(one, 1, 1 << 22, &pid) < 0)
			r = flags_complain(c, "'%s' is no pid: -p takes numbers separated by commas", one);
		else if (o->n_pids == TARGET_MAX_PIDS)
			r = flags_complain(c, "too many pids: %d at most; a cgroup holds any number, see --cgroup",
					   TARGET_MAX_PIDS);
		else
			o->pids[o->n_pids++] = (pid_t)pid;
	}
	free(copy);
	return r;
}

static int add_comm(struct target_opts *o, const struct cli *c, const char *name)
{
	if (o->n_comms == SAMPLE_MAX_COMMS)
		return flags_complain(c, "too many filters: '%s' is one more than can be", name);
	o->comms[o->n_comms++] = name;
	return 0;
}

static int add_cgroup(struct target_opts *o, const struct cli *c, const char *path)
{
	if (o->n_cgroups == SAMPLE_MAX_CGROUPS)
		return flags_complain(c, "too many filters: '%s' is one more than can be", path);
	o->cgroups[o->n_cgroups++] = path;
	return 0;
}

static int parse_frequency(struct target_opts *o, const struct cli *c, const char *s)
{
	uint64_t hz;

	if (parse_u64(s, TARGET_MIN_HZ, TARGET_MAX_HZ, &hz) < 0)
		return flags_complain(c, "-F takes a number from %d to %d, not '%s'", TARGET_MIN_HZ, TARGET_MAX_HZ, s);
	o->frequency_hz = (uint32_t)hz;
	return 0;
}

static int kernel_only(struct target_opts *o, const struct cli *c, const char *value)
{
	o->user_stacks = false;
	return 0;
}

static int user_only(struct target_opts *o, const struct cli *c, const char *value)
{
	o->kernel_stacks = false;
	return 0;
}

static int no_inline(struct target_opts *o, const struct cli *c, const char *value)
{
	o->names.no_inline = true;
	return 0;
}

static int no_symbols(struct target_opts *o, const struct cli *c, const char *value)
{
	o->names.no_symbols = true;
	return 0;
}

static int symbol_cache(struct target_opts *o, const struct cli *c, const char *value)
{
	o->symbol_cache = value;
	return 0;
}

const char *target_debuginfod_urls(const struct cli *c)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	if (!urls)
		flags_complain(c, "--debuginfod needs servers: set DEBUGINFOD_URLS, e.g. to http://127.0.0.1:8002");
	return urls;
}

static int use_debuginfod(struct target_opts *o, const struct cli *c, const char *value)
{
	o->debuginfod_urls = target_debuginfod_urls(c);
	return o->debuginfod_urls ? 0 : -EINVAL;
}

static int add_path(struct target_opts *o, const struct cli *c, const char *value)
{
	const char *equals = strchr(value, '=');
	_cleanup_(freep) char *from = equals ? strndup(value, (size_t)(equals - value)) : NULL;

	if (!equals || equals == value)
		return flags_complain(c, "--path-map takes FROM=TO such as /build/src=/home/me/app, not '%s'", value);
	o->names.path_map = &o->path_map;
	return from ? strmap_set(&o->path_map, from, equals + 1) : -ENOMEM;
}

static const struct {
	const char *flag;
	int (*set)(struct target_opts *o, const struct cli *c, const char *value);
} setters[] = { { "pid", parse_pids }, { "comm", add_comm }, { "cgroup", add_cgroup }, { "frequency", parse_frequency },
		{ "kernel", kernel_only }, { "user", user_only },
		{ "no-inline", no_inline },
		{ "no-symbols", no_symbols }, { "path-map", add_path }, { "symbol-cache", symbol_cache }, { "debuginfod", use_debuginfod } };

_Static_assert((int)SAMPLE_MAX_COMMS <= (int)TARGET_MAX_FILTERS && (int)SAMPLE_MAX_CGROUPS <= (int)TARGET_MAX_FILTERS,
	       "the lists hold as many");

int target_opts_set(struct target_opts *o, const struct cli *c, size_t row, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(setters); i++)
		if (!strcmp(c->flags[row].name, setters[i].flag))
			return setters[i].set(o, c, value);
	return -ENOENT;
}

int target_opts_parse_by(const struct cli *c, const char *what, enum collect_by *ret)
{
	static const char *const names[] = { [COLLECT_BY_PROCESS] = "process", [COLLECT_BY_THREAD] = "thread",
					     [COLLECT_BY_NONE] = "none" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(what, names[i]))
			continue;
		*ret = (enum collect_by)i;
		return 0;
	}
	return flags_complain(c, "--by does not take '%s'", what);
}

int target_opts_check(const struct target_opts *o, const struct cli *c)
{
	if (!o->kernel_stacks && !o->user_stacks)
		return flags_complain(c, "--kernel and --user exclude each other: leave both out for both");
	return 0;
}

int target_opts_open(struct target_opts *o, char *err, size_t err_len)
{
	struct cgroups *cgroups;
	int r = o->n_cgroups ? cgroups_new(&cgroups) : 0;

	if (r < 0 || !o->n_cgroups)
		return r;
	for (uint32_t i = 0; i < o->n_cgroups && r >= 0; i++) {
		r = cgroups_open(cgroups, o->cgroups[i]);
		if (r < 0)
			snprintf(err, err_len, "cannot open cgroup %s: %s: systemd-cgls lists what there is", o->cgroups[i],
				 r == -ENODEV ? "no cgroup2 file system is mounted" : strerror(-r));
		else
			o->cgroup_fds[o->n_cgroup_fds++] = r;
	}
	cgroups_free(cgroups);
	return r < 0 ? r : 0;
}

void target_opts_fill(const struct target_opts *o, struct collector_opts *ret)
{
	*ret = (struct collector_opts){
		.sampler = { .frequency_hz = o->frequency_hz, .kernel_stacks = o->kernel_stacks,
			     .user_stacks = o->user_stacks, .pids = o->pids, .n_pids = o->n_pids, .comms = o->comms,
			     .n_comms = o->n_comms, .cgroup_fds = o->cgroup_fds, .n_cgroups = o->n_cgroup_fds },
		.by = o->by };
}

struct symbolizer_opts target_symbols(const char *cache)
{
	return (struct symbolizer_opts){ .lines = !cache || strcmp(cache, "off") != 0, .awaited = true, .cache_dir = cache };
}

struct symbolizer_opts target_opts_symbols(const struct target_opts *o)
{
	struct symbolizer_opts s = target_symbols(o->symbol_cache);

	s.lines &= !o->names.no_symbols;
	s.debuginfod_urls = o->debuginfod_urls;
	return s;
}

void target_opts_fini(struct target_opts *o)
{
	for (uint32_t i = 0; i < o->n_cgroup_fds; i++)
		close(o->cgroup_fds[i]);
	o->n_cgroup_fds = 0;
	strmap_fini(&o->path_map);
}
