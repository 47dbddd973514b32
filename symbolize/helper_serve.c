/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/helper_serve.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "symbolize/helper_wire.h"

/* One message with up to CONVERT_FILES descriptors; its length, 0 at the end, or negative errno. */
static ssize_t receive(void *data, size_t len, int *fds, int *n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CONVERT_FILES * sizeof(int))];
	} control;
	struct iovec iov = { data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(HELPER_SOCKET, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*n_fds = 0;
	for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*n_fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)*n_fds * sizeof(int));
	}
	return n < 0 ? -errno : n;
}

static int send_message(const struct helper_message *m)
{
	ssize_t n;

	do
		n = write(HELPER_SOCKET, m, sizeof(*m));
	while (n < 0 && errno == EINTR);
	return n == sizeof(*m) ? 0 : -EIO;
}

static int ask_dwo(void *ctx, const char *comp_dir, const char *name)
{
	struct helper_message ask = { .kind = HELPER_ASK };
	int32_t answer = -EIO;
	int fds[CONVERT_FILES], n_fds, r;

	if (strlen(comp_dir) >= HELPER_NAME_MAX || strlen(name) >= HELPER_NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(ask.dwo.dir, comp_dir);
	strcpy(ask.dwo.name, name);
	r = send_message(&ask);
	if (r < 0)
		return r;
	if (receive(&answer, sizeof(answer), fds, &n_fds) != sizeof(answer))
		return -EIO;
	return n_fds == 1 ? fds[0] : answer < 0 ? answer : -EIO;
}

static int take_request(struct helper_request *request, struct convert_job *job)
{
	int fds[CONVERT_FILES], n_fds, taken = 0;
	ssize_t n = receive(request, sizeof(*request), fds, &n_fds);

	if (n != sizeof(*request))
		return n < 0 ? (int)n : -EIO;
	*job = (struct convert_job){ .id = request->id, .open_dwo = ask_dwo };
	for (int f = 0; f < CONVERT_FILES; f++)
		job->fd[f] = (request->files & (1 << f)) && taken < n_fds ? fds[taken++] : -1;
	return taken == n_fds && job->fd[CONVERT_OUT] >= 0 ? 0 : -EIO;
}

int helper_serve(int (*convert)(const struct convert_job *job, struct convert_stats *ret))
{
	struct helper_message reply = { .kind = HELPER_REPLY };
	struct helper_request request;
	struct convert_stats stats = { 0 };
	struct convert_job job;
	int r;

	prctl(PR_SET_NAME, "hotspan-names", 0, 0, 0);
	r = take_request(&request, &job);
	if (r < 0)
		return HELPER_NO_REQUEST;
	/* What the sandbox refuses to do for us is no fault of the file. */
	reply.error = sandbox_enter(&request.limits) < 0 ? -EPERM : convert(&job, &stats);
	reply.stats = stats;
	return send_message(&reply) < 0;
}
