/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "base/units.h"
#include "proc/identity.h"
#include "proc/labels.h"
#include "proc/pods.h"
#include "proc/process.h"
#include "proc/relabel.h"
#include "proc/startup.h"
#include "proc/users.h"

#define MAX_BYTES (8 * MIB) /* of label sets */

/*
 * A process keeps the id of its label set with the generation it is of: containers come and go, so a full
 * table is emptied and every process asked anew.
 */
struct targets {
	struct strpool sets;
	size_t bytes; /* in them */
	uint64_t restarts;
	uint32_t generation; /* in the upper half of process.target */
	struct relabel *rules;
	struct relabel_losses losses; /* of the rules before them */
	struct pods *pods; /* NULL: nobody lists them */
	uint64_t pods_missed;
	struct users *users;
	struct strmap labels; /* of the process at hand */
	struct startup start; /* and what it was started with */
};

#define GENERATION_SHIFT 16
#define ID_MASK ((1u << GENERATION_SHIFT) - 1)

/* Text of a target that the rules leave out; no set of labels has it. */
static const char left_out[] = "-";

int targets_new(struct targets **ret)
{
	struct targets *t = calloc(1, sizeof(*t));

	if (!t || users_new(users_host(), &t->users) < 0) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

struct targets *targets_free(struct targets *t)
{
	if (!t)
		return NULL;
	relabel_free(t->rules);
	pods_free(t->pods);
	users_free(t->users);
	strpool_fini(&t->sets);
	strmap_fini(&t->labels);
	free(t);
	return NULL;
}

static void begin_anew(struct targets *t)
{
	strpool_reset(&t->sets);
	t->bytes = 0;
	t->generation = (t->generation + 1) & 0xffff;
}

void targets_set_rules(struct targets *t, struct relabel *rules)
{
	relabel_losses(t->rules, &t->losses);
	relabel_free(t->rules);
	t->rules = rules;
	begin_anew(t);
}

void targets_losses(const struct targets *t, struct relabel_losses *ret)
{
	*ret = t->losses;
	relabel_losses(t->rules, ret);
}

static void drop_hidden(struct strmap *m)
{
	for (uint32_t i = 0; i < m->v.n;)
		if (!strncmp(m->v.v[i].key, "__", 2))
			strmap_unset(m, m->v.v[i].key);
		else
			i++;
}

bool targets_set_pods(struct targets *t, struct pods *pods)
{
	bool same = t->pods && pods && pods_equal(t->pods, pods);

	pods_free(t->pods);
	t->pods = pods;
	if (!same)
		begin_anew(t);
	return !same;
}

uint64_t targets_pods_missed(const struct targets *t)
{
	return t->pods_missed;
}

uint64_t targets_restarts(const struct targets *t)
{
	return t->restarts;
}

static uint32_t intern(struct targets *t, const char *text)
{
	bool is_new;
	uint32_t id;

	if (t->sets.entries.n > ID_MASK || t->bytes > MAX_BYTES) {
		begin_anew(t);
		t->restarts++;
	}
	id = strpool_intern(&t->sets, text, strlen(text), &is_new);
	t->bytes += is_new ? strlen(text) : 0;
	return id | t->generation << GENERATION_SHIFT;
}

static const char *text_of(const struct strmap *labels, struct buf *out)
{
	labels_print(labels, out);
	return buf_error(out) ? "" : (const char *)out->data;
}

/* A rule's text: what is no rate says nothing. */
static uint32_t frequency_of(const struct strmap *labels)
{
	const char *text = strmap_get(labels, "__frequency__");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	return digits && digits < 7 && !text[digits] ? (uint32_t)atoi(text) : 0;
}

static uint32_t decide(struct targets *t, const struct identity_view *v, uint32_t *ret_hz)
{
	_cleanup_(buf_fini)
	struct buf text = BUF_INIT;
	const struct identity_lists lists = { .pods = t->pods, .users = t->users };
	int r = 1;

	*ret_hz = 0;
	strmap_fini(&t->labels);
	t->pods_missed += !identity_labels(v, &lists, t->rules, &t->start, &t->labels);
	if (t->rules)
		r = relabel_apply(t->rules, &t->labels);
	if (r <= 0)
		return r ? 0 : intern(t, left_out);
	*ret_hz = frequency_of(&t->labels);
	drop_hidden(&t->labels);
	if (!strmap_get(&t->labels, "service_name"))
		identity_labels(v, &lists, false, &t->start, &t->labels);
	return intern(t, text_of(&t->labels, &text));
}

void targets_find(struct targets *t, const struct identity_view *v, struct target *ret)
{
	struct process *p = v->process;
	uint32_t id = p ? p->target : 0, hz = p ? p->target_hz : 0;
	const char *text;

	if (identity_learn(v, &t->start) || !(id & ID_MASK) ||
	    id >> GENERATION_SHIFT != t->generation) {
		id = decide(t, v, &hz);
		if (p) {
			p->target = identity_is_settled(v) ? id : 0;
			p->target_hz = hz;
		}
	}
	startup_fini(&t->start);
	text = id & ID_MASK ? strpool_str(&t->sets, id & ID_MASK)
			    : "service_name=unknown\n"; /* out of memory */
	*ret = (struct target){ .labels = strcmp(text, left_out) ? text : NULL,
				.frequency_hz = hz };
}
