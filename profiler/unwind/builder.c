/* SPDX-License-Identifier: Apache-2.0 */
#include "unwind/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "proc/image.h"
#include "symbolize/elf_image.h"
#include "unwind/elf_cfi.h"

enum state { IDLE, TODO, DONE, STOP };

struct builder {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given;
	bool running;
	enum state state;
	int event_fd;
	int fd; /* the job's file; -1: the vDSO */
	struct built built;
};

static int add_segments(const struct elf_image *img, struct built *b)
{
	for (uint32_t i = 0; i < img->n_segments; i++) {
		const struct elf_segment *s = &img->segments[i];
		const struct built_segment *last = b->n_segments ? &b->segments[b->n_segments - 1] : NULL;

		if (!(s->flags & PF_X) || !s->filesz || (last && s->offset - s->vaddr == last->offset - last->vaddr))
			continue;
		if (b->n_segments == ARRAY_SIZE(b->segments) || (last && s->offset < last->offset))
			return -ENOTSUP;
		b->segments[b->n_segments++] = (struct built_segment){ .offset = s->offset, .vaddr = s->vaddr };
	}
	return b->n_segments ? 0 : -ENODATA;
}

static void build(int fd, struct built *b)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;

	if (fd >= 0)
		b->result = elf_image_open(fd, &img);
	else
		b->result = elf_image_open_vdso(&img);
	if (b->result >= 0)
		b->result = add_segments(img, b);
	if (b->result >= 0)
		b->result = elf_cfi_rows(img, ELF_CFI_ALL, &b->rows);
}

static void *run(void *arg)
{
	struct builder *b = arg;
	bool stop;

	do {
		pthread_mutex_lock(&b->lock);
		while (b->state == IDLE || b->state == DONE)
			pthread_cond_wait(&b->given, &b->lock);
		stop = b->state == STOP;
		pthread_mutex_unlock(&b->lock);
		if (stop)
			break;
		build(b->fd, &b->built);
		closep(&b->fd);
		b->fd = -1;
		pthread_mutex_lock(&b->lock);
		if (b->state == TODO)
			b->state = DONE;
		stop = b->state == STOP;
		pthread_mutex_unlock(&b->lock);
		eventfd_write(b->event_fd, 1);
	} while (!stop);
	return NULL;
}

int builder_new(struct builder **ret)
{
	struct builder *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->fd = -1;
	b->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->event_fd < 0) {
		r = -errno;
		free(b);
		return r;
	}
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->given, NULL);
	r = thread_start(&b->thread, run, b);
	b->running = r == 0;
	if (r < 0) {
		builder_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

static void set_state(struct builder *b, enum state state)
{
	pthread_mutex_lock(&b->lock);
	b->state = state;
	pthread_cond_signal(&b->given);
	pthread_mutex_unlock(&b->lock);
}

static enum state get_state(struct builder *b)
{
	enum state s;

	pthread_mutex_lock(&b->lock);
	s = b->state;
	pthread_mutex_unlock(&b->lock);
	return s;
}

struct builder *builder_free(struct builder *b)
{
	if (!b)
		return NULL;
	if (b->running) {
		set_state(b, STOP);
		pthread_join(b->thread, NULL);
	}
	rows_free(b->built.rows);
	closep(&b->fd);
	closep(&b->event_fd);
	pthread_cond_destroy(&b->given);
	pthread_mutex_destroy(&b->lock);
	free(b);
	return NULL;
}

int builder_fd(const struct builder *b)
{
	return b->event_fd;
}

int builder_start(struct builder *b, uint32_t id, const struct image *image)
{
	if (get_state(b) != IDLE)
		return -EBUSY;
	b->built = (struct built){ .id = id };
	b->fd = -1;
	if (image->kind != IMAGE_VDSO) {
		b->fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 0);
		if (b->fd < 0)
			return -errno;
	}
	set_state(b, TODO);
	return 0;
}

bool builder_take(struct builder *b, struct built *ret)
{
	eventfd_t n;

	if (get_state(b) != DONE)
		return false;
	eventfd_read(b->event_fd, &n);
	*ret = b->built;
	b->built.rows = NULL;
	set_state(b, IDLE);
	return true;
}
