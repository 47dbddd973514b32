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

/* Where arguments and environment lie; other addresses with each exec, 0 while that is not done. */
struct addresses {
	uint64_t args, env, env_end;
};

/* Fields 48, 50 and 51 of a thread's stat, after a name that may hold anything. */
static bool read_addresses(uint32_t pid, uint32_t tid, struct addresses *ret)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char path[64];
	const char *s;
	int field = 2;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
	if (file_read_path(AT_FDCWD, path, STARTUP_MAX, &b) < 0)
		return false;
	buf_putc(&b, '\0');
	s = buf_error(&b) ? NULL : strrchr((char *)b.data, ')');
	for (; s && field < 48; field++)
		s = strchr(s + 1, ' ');
	return s && sscanf(s, "%" SCNu64 " %*u %" SCNu64 " %" SCNu64, &ret->args, &ret->env, &ret->env_end) == 3 && ret->env_end;
}

bool startup_is_current(uint32_t pid, uint32_t tid, const struct ev_rest *rest)
{
	struct addresses a;

	return read_addresses(pid, tid, &a) && a.args == rest->args && a.env == rest->env;
}

/* Held against the addresses before and afterwards: what is read of a process that is about to exec is of neither program. */
static bool read_both(const struct process *p, struct startup *ret)
{
	struct addresses before, after;

	return !p->exited_ns && read_addresses(p->pid, p->pid, &before) && from_file(p, "environ", &ret->env) &&
	       from_file(p, "cmdline", &ret->args) && ret->args.len && read_addresses(p->pid, p->pid, &after) &&
	       before.args == after.args && before.env == after.env;
}

void startup_read(const struct process *p, const struct ev_rest *rest, struct startup *ret)
{
	*ret = (struct startup){ .known = false };
	if (rest && from_sample(rest, ret)) {
		ret->known = true;
		return;
	}
	startup_fini(ret);
	if (rest && !rest->env_end) /* inside execve: there are none yet */
		return;
	/* Read first: what is the same afterwards was it all the time. */
	ret->known = read_both(p, ret) && (rest ? startup_is_current(p->pid, p->pid, rest) : executable_is_current(p));
	if (!ret->known)
		startup_fini(ret);
}

void startup_fini(struct startup *s)
{
	buf_fini(&s->args);
	buf_fini(&s->env);
	*s = (struct startup){ .known = false };
}
