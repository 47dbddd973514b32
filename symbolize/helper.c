/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "symbolize/helper_serve.h"
#include "symbolize/helper_wire.h"

enum {
	TIMEOUT_S = 300,
	MAX_ASKS = 16384, /* .dwo files of one image; who asks for more is up to something else */
	ABOVE = 10,       /* descriptors that a child's own numbers cannot meet */
	EXE = HELPER_SOCKET + 1,
	LAST_MOMENT_MS = 1000, /* from closing its socket to being gone */
};

struct helper {
	pid_t pid; /* 0: waited for */
	int sock;
	uint32_t asks;
	uint64_t deadline_ns;
	struct helper_opts opts;
};

const char *helper_result_name(enum helper_result r)
{
	static const char *const names[] = {
		[HELPER_OK] = "ok",
		[HELPER_NO_DEBUG_INFO] = "no debug info",
		[HELPER_DAMAGED] = "damaged",
		[HELPER_CRASHED] = "crashed",
		[HELPER_TIMED_OUT] = "timed out",
		[HELPER_OUT_OF_MEMORY] = "out of memory",
		[HELPER_FAILED] = "failed",
	};

	return names[r];
}

int helper_open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* An empty environment, all signals as a new process has them, a session of its own: Ctrl-C is for who waits. */
static int spawn_with(posix_spawn_file_actions_t *files, posix_spawnattr_t *attr, int sock, int exe, pid_t *ret)
{
	char path[32], command[] = HELPER_COMMAND, name[] = "hotspan";
	char *argv[] = { name, command, NULL }, *env[] = { NULL };
	sigset_t all, none;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", EXE);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	for (int fd = 0; fd < 3 && !r; fd++)
		r = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(files, sock, HELPER_SOCKET);
	if (!r)
		r = posix_spawn_file_actions_adddup2(files, exe, EXE);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(files, EXE + 1);
	if (!r)
		r = posix_spawn(ret, path, files, attr, argv, env);
	return -r;
}

static int spawn(int sock, int exe, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int r = -posix_spawn_file_actions_init(&files);

	if (r < 0)
		return r;
	r = -posix_spawnattr_init(&attr);
	if (!r) {
		r = spawn_with(&files, &attr, sock, exe, ret);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
	return r;
}

static int send_with_fds(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CONVERT_FILES * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.align;
	ssize_t n;

	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int send_request(const struct helper *h, const struct convert_job *job)
{
	struct helper_request request = { .id = job->id, .limits = h->opts.limits };
	int fds[CONVERT_FILES];
	size_t n = 0;

	for (int f = 0; f < CONVERT_FILES; f++)
		if (job->fd[f] >= 0) {
			request.files |= (uint16_t)(1 << f);
			fds[n++] = job->fd[f];
		}
	return send_with_fds(h->sock, &request, sizeof(request), fds, n);
}

static int start(struct helper *h, const struct convert_job *job)
{
	_cleanup_(closep) int theirs = -1, exe = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	h->sock = pair[0];
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, ABOVE);
	r = theirs < 0 ? -errno : 0;
	close(pair[1]);
	if (r >= 0) {
		exe = fcntl(h->opts.exe_fd, F_DUPFD_CLOEXEC, ABOVE);
		r = exe < 0 ? -errno : 0;
	}
	if (r >= 0)
		r = spawn(theirs, exe, &h->pid);
	return r < 0 ? r : send_request(h, job);
}

int helper_start(const struct helper_opts *opts, const struct convert_job *job, uint64_t now_ns, struct helper **ret)
{
	struct helper *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->opts = *opts;
	h->sock = -1;
	h->deadline_ns = now_ns + (opts->timeout_s ? opts->timeout_s : TIMEOUT_S) * 1000000000ull;
	r = start(h, job);
	if (r < 0)
		helper_free(h);
	else
		*ret = h;
	return r;
}

int helper_fd(const struct helper *h)
{
	return h->sock;
}

uint64_t helper_deadline_ns(const struct helper *h)
{
	return h->deadline_ns;
}

/* Its status; -1 when somebody else has waited for it. */
static int reap(struct helper *h)
{
	int status = -1;

	while (h->pid && waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
	return status;
}

static int end(struct helper *h)
{
	if (h->pid)
		kill(h->pid, SIGKILL);
	return reap(h);
}

/* After its socket has closed: it is about to be gone by itself, or has closed it and goes on. */
static int await_end(struct helper *h)
{
	_cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0)
		poll(&p, 1, LAST_MOMENT_MS);
	return end(h);
}

static enum helper_result result_of_reply(int error)
{
	switch (error) {
	case 0:
		return HELPER_OK;
	case -ENODATA:
		return HELPER_NO_DEBUG_INFO;
	case -ENOMEM:
		return HELPER_OUT_OF_MEMORY;
	case -EBADMSG:
	case -EFBIG:
	case -ENOTSUP:
		return HELPER_DAMAGED;
	default:
		return HELPER_FAILED;
	}
}

static enum helper_result result_of_status(int status)
{
	if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return HELPER_TIMED_OUT;
	/* Where it has not come as far as its request, nothing of the image was read. */
	return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == HELPER_NO_REQUEST ? HELPER_FAILED : HELPER_CRASHED;
}

static bool terminated(const char *s)
{
	return memchr(s, '\0', HELPER_NAME_MAX) != NULL;
}

static int answer(struct helper *h, const struct helper_message *ask)
{
	_cleanup_(closep) int fd = -1;
	int32_t word;

	if (++h->asks > MAX_ASKS || !terminated(ask->dwo.dir) || !terminated(ask->dwo.name))
		return -EPROTO;
	word = h->opts.open_dwo ? h->opts.open_dwo(h->opts.ctx, ask->dwo.dir, ask->dwo.name) : -ENOENT;
	fd = word;
	return send_with_fds(h->sock, &word, sizeof(word), &fd, fd >= 0);
}

bool helper_step(struct helper *h, uint64_t now_ns, enum helper_result *ret, struct convert_stats *ret_stats)
{
	struct helper_message m;
	ssize_t n;

	while ((n = recv(h->sock, &m, sizeof(m), MSG_DONTWAIT)) == sizeof(m) && m.kind == HELPER_ASK)
		if (answer(h, &m) < 0) {
			end(h);
			*ret = HELPER_CRASHED;
			return true;
		}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (now_ns < h->deadline_ns)
			return false;
		end(h);
		*ret = HELPER_TIMED_OUT;
	} else if (n == sizeof(m) && m.kind == HELPER_REPLY) {
		end(h); /* it has nothing left to do */
		*ret = result_of_reply(m.error);
		*ret_stats = m.stats;
	} else if (n > 0) { /* nothing that helper_serve() says */
		end(h);
		*ret = HELPER_CRASHED;
	} else {
		*ret = result_of_status(await_end(h));
	}
	return true;
}

struct helper *helper_free(struct helper *h)
{
	if (!h)
		return NULL;
	end(h);
	if (h->sock >= 0)
		close(h->sock);
	free(h);
	return NULL;
}
