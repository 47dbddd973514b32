/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/startup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bpf/events.h"
#include "proc/executable.h"
#include "proc/process.h"

/* [from, end) of what came with the sample. */
static bool take(const struct ev_rest *rest, uint64_t from, uint64_t end, struct buf *out)
{
	uint64_t skip = from - rest->args;

	if (end < from || skip > rest->start_bytes || end - from > rest->start_bytes - skip)
		return false;
	buf_append(out, rest->stack + rest->stack_bytes + skip, end - from);
	return !buf_error(out);
}

static bool from_sample(const struct ev_rest *rest, struct startup *ret)
{
	return rest->start_bytes && take(rest, rest->env, rest->env_end, &ret->env) && take(rest, rest->args, rest->args_end, &ret->args);
}

static bool from_file(const struct process *p, const char *name, struct buf *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", p->pid, name);
	return file_read_path(AT_FDCWD, path, STARTUP_MAX, out) >= 0;
}

/* Fields 48 and 50 of /proc/PID/stat, after a name that may hold anything. */
static bool has_addresses(const struct process *p, const struct ev_rest *rest)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	uint64_t args, env;
	const char *s;
	int field = 2;

	if (!from_file(p, "stat", &b))
		return false;
	buf_putc(&b, '\0');
	s = buf_error(&b) ? NULL : strrchr((char *)b.data, ')');
	for (; s && field < 48; field++)
		s = strchr(s + 1, ' ');
	return s && sscanf(s, "%" SCNu64 " %*u %" SCNu64, &args, &env) == 2 && args == rest->args && env == rest->env;
}

void startup_read(const struct process *p, const struct ev_rest *rest, struct startup *ret)
{
	*ret = (struct startup){ .known = false };
	if (rest && from_sample(rest, ret)) {
		ret->known = true;
		return;
	}
	startup_fini(ret);
	/* Read first: what is the same afterwards was it all the time. Inside execve there are no arguments yet, and no environment. */
	ret->known = !p->exited_ns && from_file(p, "environ", &ret->env) && from_file(p, "cmdline", &ret->args) && ret->args.len &&
		     (rest && rest->env ? has_addresses(p, rest) : executable_is_current(p));
	if (!ret->known)
		startup_fini(ret);
}

void startup_fini(struct startup *s)
{
	buf_fini(&s->args);
	buf_fini(&s->env);
	*s = (struct startup){ .known = false };
}
