/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/whose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/events.h"
#include "bpf/flight.h"
#include "collect/reasons.h"
#include "collect/sampler.h"
#include "proc/cgroup.h"
#include "proc/identity.h"
#include "proc/process.h"
#include "proc/target.h"

struct whose {
	enum collect_by by;
	struct cgroups *cgroups;
	struct targets *targets;
	struct whose_requests requests;
	uint32_t hz; /* of the agent now */
};

int whose_new(enum collect_by by, const struct whose_requests *requests, struct whose **ret)
{
	struct whose *w = calloc(1, sizeof(*w));
	int r = w ? cgroups_new(&w->cgroups) : -ENOMEM;

	if (r >= 0)
		r = targets_new(&w->targets);
	if (r < 0) {
		whose_free(w);
		return r;
	}
	w->by = by;
	w->requests = *requests;
	*ret = w;
	return 0;
}

struct whose *whose_free(struct whose *w)
{
	if (!w)
		return NULL;
	cgroups_free(w->cgroups);
	targets_free(w->targets);
	free(w);
	return NULL;
}

void whose_set_rules(struct whose *w, struct sampler *s, struct relabel *rules)
{
	targets_set_rules(w->targets, rules);
	sampler_reset_shares(s);
}

void whose_set_pods(struct whose *w, struct sampler *s, struct pods *pods)
{
	if (targets_set_pods(w->targets, pods))
		sampler_reset_shares(s);
}

uint64_t whose_pods_missed(const struct whose *w)
{
	return targets_pods_missed(w->targets);
}

uint64_t whose_target_restarts(const struct whose *w)
{
	return targets_restarts(w->targets);
}

void whose_losses(const struct whose *w, struct relabel_losses *ret)
{
	targets_losses(w->targets, ret);
}

void whose_set_frequency(struct whose *w, struct sampler *s, uint32_t hz)
{
	w->hz = hz;
	sampler_reset_shares(s);
}

/* Of so many samples one is wanted. */
static uint16_t one_in(const struct whose *w, const struct target *t)
{
	uint32_t n = t->frequency_hz && t->frequency_hz < w->hz ? (w->hz + t->frequency_hz / 2) / t->frequency_hz : 1;

	return t->labels ? (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX) : 0;
}

static void tell_sampler(const struct whose *w, struct sampler *s, const struct ev_sample *ev, const struct target *t)
{
	if (ev->weight != one_in(w, t))
		sampler_set_share(s, ev->tgid, ev->start_ns, ev->exec_id, one_in(w, t));
}

static bool label_target(struct whose *w, struct sampler *s, const struct ev_sample *ev, struct process *p, const char *cgroup,
			 struct strpool *strings, struct window_labels *ret)
{
	const struct identity_view v = { .process = p, .rest = ev_rest_of(ev), .cgroup = cgroup, .time_ns = ev->time_ns,
					 .kernel_thread = ev->flags & EV_SAMPLE_KTHREAD };
	struct target t;

	targets_find(w->targets, &v, &t);
	/* What is left out is not judged again: not by a name that is only its executable's because its own is not known yet. */
	if (p && !v.kernel_thread && (t.labels || identity_is_settled(&v)))
		tell_sampler(w, s, ev, &t);
	ret->target = t.labels ? strpool_add(strings, t.labels) : 0;
	return t.labels;
}

const char *whose_target(struct whose *w, struct process *p, uint64_t cgroup_id, uint64_t now_ns)
{
	struct identity_view v = { .process = p, .time_ns = now_ns };
	struct target t;

	cgroups_note(w->cgroups, cgroup_id);
	v.cgroup = cgroups_path(w->cgroups, cgroup_id);
	targets_find(w->targets, &v, &t);
	return t.labels;
}

static void label_process(const struct whose *w, const struct ev_sample *ev, const struct process *p, struct window_labels *ret)
{
	ret->pid = ev->tgid;
	if (w->by == COLLECT_BY_THREAD) {
		ret->tid = ev->tid;
		memcpy(ret->comm, ev->comm, sizeof(ret->comm));
	} else {
		memcpy(ret->comm, p && p->comm[0] ? p->comm : ev->comm, sizeof(ret->comm));
	}
}

static void label_request(const struct whose *w, const struct ev_sample *ev, struct strpool *strings, struct window_labels *ret)
{
	const struct whose_requests *r = &w->requests;

	if (!ev->span_id || !r->route)
		return;
	ret->method = strpool_add(strings, r->method(ev->method));
	ret->route = strpool_add(strings, r->route(r->ctx, ev->route));
	/* One that is sampled out may still become a span, for its outcome: its samples were told long before. */
	if (!r->spans || !(ev->request & FLIGHT_SAMPLED))
		return;
	ret->span_id = ev->span_id;
	memcpy(ret->trace_id, ev->trace_id, sizeof(ret->trace_id));
}

bool whose_labels(struct whose *w, struct sampler *s, const struct ev_sample *ev, struct process *p,
		  struct strpool *strings, struct window_labels *ret)
{
	const char *cgroup;

	*ret = (struct window_labels){ 0 };
	label_request(w, ev, strings, ret);
	if (w->by == COLLECT_BY_NONE)
		return true;
	cgroups_note(w->cgroups, ev->cgroup_id);
	cgroup = cgroups_path(w->cgroups, ev->cgroup_id);
	if (w->by == COLLECT_BY_TARGET)
		return label_target(w, s, ev, p, cgroup, strings, ret);
	ret->cgroup = strpool_add(strings, cgroup);
	label_process(w, ev, p, ret);
	return true;
}

void whose_note_cut(const struct whose *w, uint32_t cut, struct window_labels *labels)
{
	if (w->by == COLLECT_BY_PROCESS || w->by == COLLECT_BY_THREAD)
		labels->cut = reason_cut_is_complete(cut) ? 0 : cut;
}
