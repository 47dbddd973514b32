/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/units.h"
#include "base/vec.h"
#include "proc/executable.h"

/*
 * Slots and index work as in image.c: ids are reused, stale index entries miss, and the index is
 * rebuilt when they outnumber the living. `exits` is a queue in time order: reaping looks only at
 * its head, however many processes live.
 */
struct exit_note {
	uint64_t time_ns, key;
	uint32_t pid;
	uint32_t reserved;
};

/* A look at every process that is known; at most so often. */
#define BURY_EACH_NS (1 * NSEC_PER_SEC)

struct processes {
	struct images *images; /* borrowed */
	vec(struct process) v;
	vec(uint32_t) free_ids;
	struct htable index;
	uint32_t live;
	uint64_t next_key;
	vec(struct exit_note) exits;
	uint32_t exits_head;
	uint64_t doubt_ns, buried_ns; /* processes_doubt(); the last look for those whose exit was lost */
};

struct query {
	const struct processes *t;
	uint32_t pid;
};

static bool same_pid(const void *ctx, uint32_t id)
{
	const struct query *q = ctx;
	const struct process *p = &q->t->v.v[id];

	return p->key && p->pid == q->pid;
}

int processes_new(struct images *images, struct processes **ret)
{
	struct processes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->images = images;
	t->next_key = 1;
	*ret = t;
	return 0;
}

struct processes *processes_free(struct processes *t)
{
	if (!t)
		return NULL;
	vec_foreach(p, &t->v)
	{
		if (!p->key)
			continue;
		maps_unref(p->maps, t->images);
		free(p->declared);
		if (p->jit_image != IMAGE_ID_NONE)
			image_unref(t->images, p->jit_image);
	}
	vec_fini(&t->v);
	vec_fini(&t->free_ids);
	vec_fini(&t->exits);
	htable_fini(&t->index);
	free(t);
	return NULL;
}

struct images *processes_images(struct processes *t)
{
	return t->images;
}

uint32_t processes_count(const struct processes *t)
{
	return t->live;
}

static uint32_t find_id(const struct processes *t, uint32_t pid)
{
	struct query q = { t, pid };

	return htable_find(&t->index, hash_u64(pid), same_pid, &q);
}

struct process *process_find(struct processes *t, uint32_t pid)
{
	uint32_t id = find_id(t, pid);

	return id == HTABLE_NONE ? NULL : &t->v.v[id];
}

/* What belongs to the image a process runs, as opposed to the process. */
static void drop_mappings(struct processes *t, struct process *p)
{
	p->maps = maps_unref(p->maps, t->images);
	if (p->jit_image != IMAGE_ID_NONE)
		image_unref(t->images, p->jit_image);
	p->jit_image = IMAGE_ID_NONE;
}

/* And what is known of that. */
static void forget_program(struct process *p)
{
	free(p->declared);
	p->declared = NULL;
	p->declared_known = p->uid_known = p->named = false;
	p->asked = p->looks = 0;
	p->target = p->target_hz = 0;
	p->exe[0] = '\0';
}

static void release(struct processes *t, uint32_t id)
{
	drop_mappings(t, &t->v.v[id]);
	forget_program(&t->v.v[id]);
	t->v.v[id] = (struct process){ 0 };
	t->free_ids.v[t->free_ids.n++] = id;
	t->live--;
}

static int rebuild_index(struct processes *t)
{
	struct htable fresh = { 0 };

	for (uint32_t id = 0; id < t->v.n; id++) {
		if (!t->v.v[id].key)
			continue;
		if (htable_insert(&fresh, hash_u64(t->v.v[id].pid), id) < 0) {
			htable_fini(&fresh);
			return -ENOMEM;
		}
	}
	htable_fini(&t->index);
	t->index = fresh;
	return 0;
}

static int new_slot(struct processes *t, uint32_t *ret)
{
	if (t->free_ids.n) {
		*ret = t->free_ids.v[--t->free_ids.n];
		return 0;
	}
	if (vec_reserve(&t->free_ids, t->v.n + 1 - t->free_ids.n) < 0 || !vec_push(&t->v))
		return -ENOMEM;
	*ret = t->v.n - 1;
	return 0;
}

struct process *process_add(struct processes *t, uint32_t pid, uint64_t now_ns)
{
	uint32_t id = find_id(t, pid);

	if (id != HTABLE_NONE)
		release(t, id);
	if (t->index.n > 2 * t->live + 64 && rebuild_index(t) < 0)
		return NULL;
	if (new_slot(t, &id) < 0)
		return NULL;
	if (htable_insert(&t->index, hash_u64(pid), id) < 0) {
		t->free_ids.v[t->free_ids.n++] = id;
		return NULL;
	}
	t->v.v[id] = (struct process){ .pid = pid, .jit_image = IMAGE_ID_NONE, .key = t->next_key++,
				       .start_ns = now_ns, .program_ns = now_ns, .sure_ns = now_ns };
	t->live++;
	return &t->v.v[id];
}

static bool already_seen(const struct process *p, uint64_t time_ns)
{
	return p && p->scanned_ns && time_ns <= p->scanned_ns;
}

int process_fork(struct processes *t, uint32_t pid, uint32_t parent, uint64_t time_ns)
{
	struct process *p = process_find(t, pid), *from;

	if (already_seen(p, time_ns))
		return 0;
	p = process_add(t, pid, time_ns);
	if (!p)
		return -ENOMEM;
	from = process_find(t, parent);
	if (!from || from->needs_scan) {
		p->needs_scan = true;
		return 0;
	}
	p->sure_ns = from->sure_ns;
	p->exec_id = from->exec_id;
	p->maps = maps_ref(from->maps);
	p->jit_image = from->jit_image;
	if (p->jit_image != IMAGE_ID_NONE)
		image_ref(t->images, p->jit_image);
	memcpy(p->comm, from->comm, sizeof(p->comm));
	memcpy(p->exe, from->exe, sizeof(p->exe));
	p->target = from->target;
	p->target_hz = from->target_hz;
	p->declared = from->declared ? strdup(from->declared) : NULL;
	p->uid = from->uid;
	p->uid_known = from->uid_known;
	p->declared_known = from->declared_known && !from->declared == !p->declared;
	p->named = from->named && p->declared;
	return 0;
}

/* A process nobody announced: its fork was lost. Read from /proc when it is sampled. */
static struct process *find_or_add(struct processes *t, uint32_t pid, uint64_t time_ns)
{
	struct process *p = process_find(t, pid);

	if (p)
		return p;
	p = process_add(t, pid, time_ns);
	if (p)
		p->needs_scan = true;
	return p;
}

static void set_comm(struct process *p, const char *comm)
{
	snprintf(p->comm, sizeof(p->comm), "%s", comm);
}

int process_exec(struct processes *t, uint32_t pid, const char *comm, uint64_t time_ns)
{
	struct process *p = find_or_add(t, pid, time_ns);

	if (!p)
		return -ENOMEM;
	if (already_seen(p, time_ns))
		return 0;
	drop_mappings(t, p);
	p->key = t->next_key++;
	forget_program(p);
	p->program_ns = p->sure_ns = time_ns;
	p->exec_id += p->exec_id != 0; /* the kernel counts them */
	p->exited_ns = 0;              /* if it was taken for gone (resolve.c) */
	p->needs_scan = false; /* all it maps from here on will be announced */
	set_comm(p, comm);
	return 0;
}

int process_comm(struct processes *t, uint32_t pid, const char *comm, uint64_t time_ns)
{
	struct process *p = find_or_add(t, pid, time_ns);

	if (!p)
		return -ENOMEM;
	if (!already_seen(p, time_ns))
		set_comm(p, comm);
	return 0;
}

void process_exit(struct processes *t, uint32_t pid, uint64_t time_ns)
{
	struct process *p = process_find(t, pid);
	struct exit_note *e;

	if (!p || already_seen(p, time_ns))
		return;
	p->exited_ns = time_ns;
	/* Out of memory: the process stays until its pid is used again. */
	e = vec_push(&t->exits);
	if (e)
		*e = (struct exit_note){ .time_ns = time_ns, .key = p->key, .pid = pid };
}

bool process_is(const struct processes *t, const struct process *p, uint64_t start_ns, uint64_t exec_id, uint64_t time_ns)
{
	/* Untold, it is at least no process that began after this one was announced. */
	if (p->leader_start_ns ? start_ns != p->leader_start_ns : start_ns > p->start_ns)
		return false;
	if (p->exec_id)
		return exec_id == p->exec_id;
	return p->sure_ns <= time_ns && p->sure_ns >= t->doubt_ns;
}

void process_note_program(struct process *p, uint64_t start_ns, uint64_t exec_id)
{
	p->leader_start_ns = start_ns;
	p->exec_id = exec_id;
}

void processes_doubt(struct processes *t, uint64_t time_ns)
{
	if (time_ns > t->doubt_ns)
		t->doubt_ns = time_ns;
}

/* Without a look they would stay until their pid is used again. */
static void bury_unannounced(struct processes *t, uint64_t time_ns)
{
	vec_foreach(p, &t->v)
		if (p->key && !p->exited_ns && kill((pid_t)p->pid, 0) < 0 && errno == ESRCH)
			process_exit(t, p->pid, time_ns);
	t->buried_ns = time_ns;
}

void process_reap(struct processes *t, uint64_t time_ns)
{
	if (t->doubt_ns > t->buried_ns && time_ns > t->buried_ns + BURY_EACH_NS)
		bury_unannounced(t, time_ns);
	while (t->exits_head < t->exits.n && t->exits.v[t->exits_head].time_ns < time_ns) {
		const struct exit_note *e = &t->exits.v[t->exits_head++];
		uint32_t id = find_id(t, e->pid);

		if (id != HTABLE_NONE && t->v.v[id].key == e->key)
			release(t, id);
	}
	if (t->exits_head * 2 > t->exits.n) {
		t->exits.n -= t->exits_head;
		memmove(t->exits.v, t->exits.v + t->exits_head, t->exits.n * sizeof(*t->exits.v));
		t->exits_head = 0;
	}
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Code that no file holds: anonymous memory, and the files JITs use to map it twice. */
static bool is_jit(const struct process_mmap *m)
{
	return m->id.kind == BUILD_ID_NONE &&
	       (!m->path[0] || has_prefix(m->path, "//anon") || has_prefix(m->path, "[anon") ||
		has_prefix(m->path, "[heap]") || has_prefix(m->path, "[stack") ||
		has_prefix(m->path, "/memfd:") || has_prefix(m->path, "/dev/zero") ||
		has_prefix(m->path, "/SYSV") || has_prefix(m->path, "anon_inode:"));
}

static int jit_image(struct processes *t, struct process *p, uint32_t *ret)
{
	struct image_key key = { .kind = IMAGE_JIT, .gen = p->key };
	int r;

	if (p->jit_image == IMAGE_ID_NONE) {
		r = image_intern(t->images, &key, "[anon]", &p->jit_image);
		if (r < 0) {
			p->jit_image = IMAGE_ID_NONE;
			return r;
		}
	}
	image_ref(t->images, p->jit_image);
	*ret = p->jit_image;
	return 0;
}

/* The process says where the names of its JIT code are; before the first sample in it, or after. */
static int note_dump(struct processes *t, struct process *p, const struct process_mmap *m)
{
	const struct image_dump where = { .start = m->start, .end = m->start + m->len, .dev = m->dev, .ino = m->ino };
	uint32_t id;
	int r = jit_image(t, p, &id);

	if (r < 0)
		return r;
	r = image_add_dump(t->images, id, &where, m->path);
	image_unref(t->images, id);
	return r;
}

/* The kernel maps the program before its interpreter and the program's libraries. */
static void note_exe(struct process *p, const char *path)
{
	const char *name = executable_name(path);

	if (!p->exe[0] && strchr(path, '/'))
		snprintf(p->exe, sizeof(p->exe), "%.*s", (int)executable_path_len(name), name);
}

int process_map(struct processes *t, struct process *p, const struct process_mmap *m)
{
	struct mapping map = { .start = m->start, .end = m->start + m->len, .pgoff = m->pgoff,
			       .vma_start = m->start, .vma_end = m->start + m->len };
	struct image_key key = { .kind = IMAGE_FILE, .id = m->id, .dev = m->dev, .ino = m->ino, .gen = m->gen };
	int r;

	if (!strcmp(m->path, "[vdso]")) {
		key = (struct image_key){ .kind = IMAGE_VDSO };
		map.pgoff = 0;
	}
	if (is_jit(m)) {
		map.pgoff = m->start;
		r = jit_image(t, p, &map.image);
	} else {
		if (image_is_dump(m->path) && note_dump(t, p, m) < 0)
			return -ENOMEM;
		r = image_intern(t->images, &key, m->path, &map.image);
		note_exe(p, m->path);
	}
	return r < 0 ? r : maps_insert(&p->maps, t->images, &map);
}

int process_mmap(struct processes *t, uint32_t pid, const struct process_mmap *m, uint64_t time_ns)
{
	struct process *p = find_or_add(t, pid, time_ns);

	if (!p)
		return -ENOMEM;
	return already_seen(p, time_ns) ? 0 : process_map(t, p, m);
}
