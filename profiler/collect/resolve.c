/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/resolve.h"

#include <errno.h>
#include <string.h>

#include "proc/process.h"
#include "proc/scan.h"
#include "proc/startup.h"

/* All that is known of it is in the sample: what it was started with, none of its mappings. /proc shows another program. */
static struct process *add_gone(struct processes *t, const struct ev_sample *ev)
{
	struct process *p = process_add(t, ev->tgid, ev->time_ns);

	if (!p)
		return NULL;
	p->needs_scan = true;
	if (ev->tid == ev->tgid)
		memcpy(p->comm, ev->comm, sizeof(p->comm));
	process_exit(t, ev->tgid, ev->time_ns);
	return p;
}

/*
 * A process we never heard of, or only half: its records were lost, or its main thread is dead and
 * reaped. /proc shows it as it is now, later than the sample: the sample has to bring something by which it can be
 * told from what it became. Without that a sample stays nobody's; those after the scan are known. So one that is older
 * than a scan asks for no other: they all come late, and each scan would make the next ones older than it.
 */
static int scan_late(struct processes *t, const struct ev_sample *ev, struct process **ret)
{
	const struct ev_rest *rest = ev_rest_of(ev);
	struct process *p = process_find(t, ev->tgid);
	int r;

	*ret = NULL;
	if (!rest && p && p->scanned_ns > ev->time_ns)
		return 0;
	r = scan_process(t, (pid_t)ev->tgid, (pid_t)ev->tid);
	if (r == -ENOMEM || !rest)
		return r == -ENOMEM ? r : 0;
	p = r < 0 ? NULL : process_find(t, ev->tgid);
	if (!p || !startup_is_current(ev->tgid, ev->tid, rest))
		p = add_gone(t, ev);
	if (!p)
		return -ENOMEM;
	process_note_program(p, ev->start_ns, ev->exec_id);
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

static bool is_return(const struct unwound *user, uint32_t i)
{
	return i && user->pc[i] >> EV_FRAME_KIND_SHIFT != EV_FRAME_EXACT;
}

static void resolve_user(struct processes *t, struct unwinder *u, const struct process *p,
			 uint64_t now_ns, struct resolved *out)
{
	struct images *images = processes_images(t);

	for (uint32_t i = 0; i < out->user.n; i++) {
		uint64_t addr = (out->user.pc[i] & EV_FRAME_ADDR_MASK) - is_return(&out->user, i);
		const struct mapping *m = maps_find(p->maps, addr);

		if (!m && i) {
			out->cut = EV_CUT_RETURN_NO_CODE;
			return;
		}
		if (!m) {
			push(out, IMAGE_ID_NONE, addr);
			continue;
		}
		image_open(images, m->image,
			   &(struct image_owner){ (pid_t)p->pid, m->vma_start, m->vma_end });
		unwinder_touch(u, m->image, now_ns);
		push(out, m->image, addr - m->start + m->pgoff);
	}
}

static bool has_user(const struct ev_sample *ev)
{
	return ev->uframes || ev_rest_of(ev);
}

/* A process that nobody knows: its leaf is all that can be told. */
static void resolve_stranger(const struct ev_sample *ev, struct resolved *ret)
{
	const struct ev_rest *rest = ev_rest_of(ev);

	if (has_user(ev))
		push(ret, IMAGE_ID_NONE, (ev->uframes ? ev->pc[ev->kframes] : rest->pc) & EV_FRAME_ADDR_MASK);
	ret->cut = EV_CUT_UNKNOWN_PROCESS;
}

static bool is_of(const struct processes *t, const struct ev_sample *ev, const struct process *p, uint64_t exec_id)
{
	return p && process_is(t, p, ev->start_ns, exec_id, ev->time_ns);
}

/* The kernel announces an exec and counts it a moment later. */
static bool is_of_exec(const struct processes *t, const struct ev_sample *ev, const struct process *p)
{
	return is_of(t, ev, p, ev->exec_id) || is_of(t, ev, p, ev->exec_id + 1);
}

int resolve_process(struct processes *t, const struct ev_sample *ev, struct process **ret)
{
	struct process *p = process_find(t, ev->tgid);

	*ret = p;
	if (ev->flags & EV_SAMPLE_KTHREAD)
		return 0;
	if (ev->flags & EV_SAMPLE_IN_EXEC) {
		*ret = is_of_exec(t, ev, p) ? p : NULL;
		return 0;
	}
	if (!is_of(t, ev, p, ev->exec_id) || (p->needs_scan && has_user(ev)))
		return scan_late(t, ev, ret);
	process_note_program(p, ev->start_ns, ev->exec_id);
	return 0;
}

int resolve_stack(struct processes *t, struct unwinder *u, const struct ev_sample *ev,
		  const struct process *p, struct resolved *ret)
{
	int r;

	ret->n = 0;
	ret->cut = ev->status;
	resolve_kernel(ev, ret);
	if (ev->flags & EV_SAMPLE_KTHREAD || (p && !has_user(ev)))
		return 0;
	if (!p || p->needs_scan) {
		resolve_stranger(ev, ret);
		return 0;
	}
	r = unwinder_finish(u, p, ev, ev_rest_of(ev), &ret->user);
	if (r < 0)
		return r;
	ret->cut = ret->user.status;
	resolve_user(t, u, p, ev->time_ns, ret);
	return 0;
}
