/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/resolve.h"

#include <errno.h>
#include <string.h>

#include "proc/process.h"
#include "proc/scan.h"

/*
 * A process we never heard of, or only half: its records were lost, or its main thread is dead and
 * reaped. /proc shows it as it is now, later than the sample; when the thread's name changed in
 * between it ran exec, and its mappings are not the sample's.
 */
static int scan_late(struct processes *t, const struct ev_sample *ev, struct process **ret)
{
	struct process *p;
	int r = scan_process(t, (pid_t)ev->tgid, (pid_t)ev->tid);

	*ret = NULL;
	if (r == -ENOMEM)
		return r;
	p = r < 0 ? NULL : process_find(t, ev->tgid);
	if (p && !strncmp(p->comm, ev->comm, sizeof(p->comm)))
		*ret = p;
	return 0;
}

static void push(struct resolved *out, uint32_t image, uint64_t offset)
{
	out->frames[out->n++] = (struct window_frame){ .offset = offset, .image = image };
}

static void resolve_kernel(const struct ev_sample *ev, struct resolved *out)
{
	for (uint32_t i = 0; i < ev->kframes; i++)
		push(out, IMAGE_ID_KERNEL, i ? ev->pc[i] - 1 : ev->pc[i]);
}

static void resolve_user(struct processes *t, const struct process *p, const __u64 *pc, uint32_t n,
			 struct resolved *out)
{
	struct images *images = processes_images(t);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = (pc[i] & EV_FRAME_ADDR_MASK) - (i ? 1 : 0);
		const struct mapping *m = maps_find(p->maps, addr);

		if (!m && i) {
			out->cut = EV_CUT_RETURN_NO_CODE;
			return;
		}
		if (!m) {
			push(out, IMAGE_ID_NONE, addr);
			continue;
		}
		if (!image_get(images, m->image)->opened)
			image_open(images, m->image,
				   &(struct image_owner){ (pid_t)p->pid, m->vma_start, m->vma_end });
		push(out, m->image, addr - m->start + m->pgoff);
	}
}

int resolve_sample(struct processes *t, const struct ev_sample *ev, struct resolved *ret)
{
	struct process *p = process_find(t, ev->tgid);
	int r;

	ret->n = 0;
	ret->cut = ev->status;
	resolve_kernel(ev, ret);
	if (ev->uframes && (!p || p->needs_scan)) {
		r = scan_late(t, ev, &p);
		if (r < 0)
			return r;
	}
	ret->process = p;
	if (!ev->uframes)
		return 0;
	if (p) {
		resolve_user(t, p, ev->pc + ev->kframes, ev->uframes, ret);
	} else {
		push(ret, IMAGE_ID_NONE, ev->pc[ev->kframes] & EV_FRAME_ADDR_MASK);
		ret->cut = EV_CUT_UNKNOWN_PROCESS;
	}
	return 0;
}
