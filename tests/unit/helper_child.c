/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper that misbehaves as it is told by the image's id (CHILD_ID), from within the sandbox that all helpers are in.
 * Anything else is converted.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper_child.h"
#include "symbolize/helper_serve.h"

static int *volatile nowhere;

static int eat_memory(void)
{
	for (size_t n = 0; n < 4096; n++) {
		char *p = malloc(1 << 20);

		if (!p)
			return -ENOMEM;
		memset(p, 1, 1 << 20);
	}
	return 0;
}

static int eat_stack(int n)
{
	volatile char here[4096];

	here[0] = (char)n;
	return n < 0 ? here[0] : eat_stack(n + 1) + here[0];
}

static _Noreturn void spin(void)
{
	for (volatile unsigned long n = 0;; n++)
		;
}

/* Everything here has to be fatal; a number that comes back says it was not. */
static int forbidden(uint8_t what)
{
	switch (what) {
	case CHILD_OPEN:
		return open("/etc/passwd", O_RDONLY);
	case CHILD_SOCKET:
		return socket(AF_INET, SOCK_STREAM, 0);
	case CHILD_FORK:
		return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	case CHILD_EXEC:
		return execl("/bin/true", "true", NULL);
	case CHILD_KILL:
		return kill(getppid(), 0);
	case CHILD_CODE:
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
	case CHILD_PROTECT: {
		void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		return mprotect(p, 4096, PROT_READ | PROT_EXEC);
	}
	case CHILD_SEND:
		return (int)send(3, "", 1, 0);
#ifdef __x86_64__
	case CHILD_X32:
		return (int)syscall(0x40000000 | SYS_getpid);
#endif
	default:
		return (int)syscall(SYS_getpid);
	}
}

/* What it can say of itself without asking the kernel for anything new. */
static int report(const struct convert_job *job, struct convert_stats *ret)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	ret->symbols = (uint64_t)n; /* descriptors */
	for (int f = 0; f < CONVERT_FILES; f++)
		ret->units |= job->fd[f] >= 0 ? 1u << f : 0;
	return 0;
}

static int ask(const struct convert_job *job, struct convert_stats *ret)
{
	char bytes[16] = "";
	int fd = job->open_dwo(job->ctx, "/comp", "yes.dwo");

	if (fd < 0)
		return fd;
	ret->symbols = (uint64_t)pread(fd, bytes, sizeof(bytes), 0);
	close(fd);
	ret->units = (uint64_t)-job->open_dwo(job->ctx, "/comp", "no.dwo");
	return 0;
}

static _Noreturn void ask_for_ever(const struct convert_job *job)
{
	for (;;)
		job->open_dwo(job->ctx, "/comp", "no.dwo");
}

static int fill_disk(const struct convert_job *job)
{
	static char bytes[1 << 20];

	for (int n = 0; n < 1 << 20; n++)
		if (write(job->fd[CONVERT_OUT], bytes, sizeof(bytes)) < 0)
			return -errno;
	return 0;
}

static int misbehave(const struct convert_job *job, struct convert_stats *ret)
{
	struct build_id told = CHILD_ID(job->id.bytes[0], job->id.bytes[1]);
	uint8_t deed = build_id_equal(&told, &job->id) ? job->id.bytes[0] : CHILD_CONVERT;

	switch (deed) {
	case CHILD_CRASH:
		*nowhere = 1;
		return 0;
	case CHILD_ABORT:
		abort();
	case CHILD_EXIT:
		_exit(0);
	case CHILD_SPIN:
		spin();
	case CHILD_HANG: /* nothing will ever come */
		return (int)read(3, ret, 1);
	case CHILD_CLOSE: /* looks gone, and is not */
		close(3);
		spin();
	case CHILD_EAT:
		return eat_memory();
	case CHILD_STACK:
		return eat_stack(0);
	case CHILD_GARBAGE:
		if (write(3, "garbage", 7) == 7)
			spin();
		return 0;
	case CHILD_LIE: /* says it is done, and has written nothing */
	case CHILD_NO_DWARF:
		return deed == CHILD_LIE ? 0 : -ENODATA;
	case CHILD_DAMAGED:
		return -EBADMSG;
	case CHILD_REPORT:
		return report(job, ret);
	case CHILD_ASK:
		return ask(job, ret);
	case CHILD_ASK_FOR_EVER:
		ask_for_ever(job);
	case CHILD_FILL_DISK:
		return fill_disk(job);
	default:
		return deed >= CHILD_FORBIDDEN ? forbidden(deed) : convert_image(job, ret);
	}
}

int main(int argc, char **argv)
{
	return argc > 1 && !strcmp(argv[1], HELPER_COMMAND) ? helper_serve(misbehave) : 2;
}
