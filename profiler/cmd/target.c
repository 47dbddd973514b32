/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/target.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

/* Who called sudo: 0 and *ret, or -ENOENT when nobody did. */
static int sudo_user(uid_t *ret)
{
	const char *s = getenv("SUDO_UID");
	uint64_t uid;

	if (geteuid() != 0 || !s || parse_u64(s, 0, UINT32_MAX - 1, &uid) < 0)
		return -ENOENT;
	*ret = (uid_t)uid;
	return 0;
}

/* Gives up root for good; in the child. */
static int become_sudo_user(void)
{
	struct passwd *pw;
	uid_t uid;

	if (sudo_user(&uid) < 0 || uid == 0)
		return 0;
	errno = 0;
	pw = getpwuid(uid);
	if (!pw)
		return errno ? -errno : -ENOENT;
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(uid) < 0)
		return -errno;
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", pw->pw_name, 1);
	setenv("LOGNAME", pw->pw_name, 1);
	return 0;
}

static void child(int gate, int failed, char **argv)
{
	sigset_t none;
	char go;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(gate, &go, 1) != 1)
		_exit(0);
	error = -become_sudo_user();
	if (!error) {
		execvp(argv[0], argv);
		error = errno;
	}
	if (write(failed, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static int watch(struct target *t, int pidfd)
{
	int *bigger = reallocarray(t->pidfds, t->n_pidfds + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	t->pidfds = bigger;
	t->pidfds[t->n_pidfds++] = pidfd;
	return 0;
}

int target_spawn(struct target *t, char **argv, char *err, size_t err_len)
{
	int gate[2] = { -1, -1 }, failed[2] = { -1, -1 }, fd;

	snprintf(err, err_len, "cannot start %s: out of descriptors or processes", argv[0]);
	if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0)
		return -errno;
	t->pid = fork();
	if (t->pid < 0)
		return -errno;
	if (t->pid == 0) {
		close(gate[1]);
		close(failed[0]);
		child(gate[0], failed[1], argv);
	}
	close(gate[0]);
	close(failed[1]);
	t->gate = gate[1];
	t->failed = failed[0];
	fd = open_pidfd(t->pid);
	return fd < 0 ? fd : watch(t, fd);
}

int target_watch(struct target *t, const pid_t *pids, size_t n, char *err, size_t err_len)
{
	for (size_t i = 0; i < n; i++) {
		int fd = open_pidfd(pids[i]), r;

		if (fd == -EINVAL) {
			snprintf(err, err_len, "%d is a thread, not a process: give the pid of its process (Tgid in /proc/%d/status)",
				 (int)pids[i], (int)pids[i]);
			return -EINVAL;
		}
		if (fd < 0) {
			snprintf(err, err_len, "there is no process %d (it may have just ended): see ps -e for those that run",
				 (int)pids[i]);
			return fd;
		}
		r = watch(t, fd);
		if (r < 0) {
			snprintf(err, err_len, "cannot watch process %d: %s", (int)pids[i], strerror(-r));
			return r;
		}
	}
	return 0;
}

int target_release(struct target *t, char **argv, char *err, size_t err_len)
{
	int error = 0;
	ssize_t n;

	if (!t->pid)
		return 0;
	if (write(t->gate, "g", 1) != 1)
		return -errno;
	do
		n = read(t->failed, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(error))
		return 0;
	snprintf(err, err_len, "cannot run %s: %s%s", argv[0], strerror(error),
		 error == ENOENT ? ": is it installed, and in PATH?" : "");
	return -error;
}

bool target_ended(const struct target *t)
{
	for (size_t i = 0; i < t->n_pidfds; i++) {
		struct pollfd p = { .fd = t->pidfds[i], .events = POLLIN };

		if (poll(&p, 1, 0) != 1)
			return false;
	}
	return t->n_pidfds > 0;
}

int target_wait(struct target *t)
{
	int status = 0;

	while (waitpid(t->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	t->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void target_fini(struct target *t)
{
	for (size_t i = 0; i < t->n_pidfds; i++)
		close(t->pidfds[i]);
	free(t->pidfds);
	closep(&t->gate);
	closep(&t->failed);
	*t = TARGET_NONE;
}
