/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/vec.h"

/*
 * Slots are reused through a free list, so ids stay small. The hash index has no removal: entries of
 * dead images stay and miss (their slot's key differs or is dead); the index is rebuilt when such
 * leftovers outnumber the living.
 */
struct images {
	vec(struct image) v;
	vec(uint32_t) free_ids;
	struct htable index;
	uint32_t live;
};

struct query {
	const struct images *t;
	const struct image_key *key;
};

static bool same_image(const void *ctx, uint32_t id)
{
	const struct query *q = ctx;
	const struct image *i = &q->t->v.v[id];
	const struct image_key *k = q->key;

	if (!i->refs || i->kind != k->kind || i->gen != k->gen || i->dev != k->dev || i->ino != k->ino)
		return false;
	/* A file known by inode may have learnt its build id since: the inode is its key for life. */
	return k->id.kind == BUILD_ID_NONE ? (k->ino || i->id.kind == BUILD_ID_NONE) :
					     build_id_equal(&i->id, &k->id);
}

static uint64_t hash_key(enum image_kind kind, const struct build_id *id, uint64_t dev, uint64_t ino,
			 uint64_t gen)
{
	uint64_t words[4] = { kind, dev, ino, gen };

	/* Files are keyed by inode when there is one (then id may be learnt later), else by id. */
	return hash_bytes(words, sizeof(words), ino ? 0 : hash_bytes(id->bytes, id->len, id->kind));
}

int images_new(struct images **ret)
{
	static const struct image_key kernel = { .kind = IMAGE_KERNEL };
	struct images *t = calloc(1, sizeof(*t));
	uint32_t id;

	if (!t)
		return -ENOMEM;
	if (image_intern(t, &kernel, "[kernel.kallsyms]", &id) < 0) {
		images_free(t);
		return -ENOMEM;
	}
	build_id_of_notes("/sys/kernel/notes", &t->v.v[id].id); /* none: the mapping has no build id */
	*ret = t;
	return 0;
}

static void close_files(struct image *i)
{
	closep(&i->fd);
	closep(&i->root_fd);
	closep(&i->dump_fd);
	i->fd = i->root_fd = i->dump_fd = -1;
}

struct images *images_free(struct images *t)
{
	if (!t)
		return NULL;
	vec_foreach(i, &t->v)
	{
		if (i->refs)
			close_files(i);
		free(i->path);
		free(i->dump);
	}
	vec_fini(&t->v);
	vec_fini(&t->free_ids);
	htable_fini(&t->index);
	free(t);
	return NULL;
}

static int rebuild_index(struct images *t)
{
	struct htable fresh = { 0 };

	for (uint32_t id = 0; id < t->v.n; id++) {
		const struct image *i = &t->v.v[id];
		struct build_id none = { 0 };

		if (!i->refs)
			continue;
		if (htable_insert(&fresh, hash_key(i->kind, i->ino ? &none : &i->id, i->dev, i->ino, i->gen), id) < 0) {
			htable_fini(&fresh);
			return -ENOMEM;
		}
	}
	htable_fini(&t->index);
	t->index = fresh;
	return 0;
}

static int new_slot(struct images *t, uint32_t *ret)
{
	if (t->free_ids.n) {
		*ret = t->free_ids.v[--t->free_ids.n];
		return 0;
	}
	/* Room in the free list is made here, so that freeing an image can never fail. */
	if (vec_reserve(&t->free_ids, t->v.n + 1 - t->free_ids.n) < 0 || !vec_push(&t->v))
		return -ENOMEM;
	*ret = t->v.n - 1;
	return 0;
}

int image_intern(struct images *t, const struct image_key *key, const char *path, uint32_t *ret)
{
	struct query q = { t, key };
	uint64_t hash = hash_key(key->kind, &key->id, key->dev, key->ino, key->gen);
	uint32_t id = htable_find(&t->index, hash, same_image, &q);
	char *copy;

	if (id != HTABLE_NONE) {
		image_ref(t, id);
		*ret = id;
		return 0;
	}
	if (t->index.n > 2 * t->live + 64 && rebuild_index(t) < 0)
		return -ENOMEM;
	copy = strdup(path);
	if (!copy || new_slot(t, &id) < 0) {
		free(copy);
		return -ENOMEM;
	}
	if (htable_insert(&t->index, hash, id) < 0) {
		t->free_ids.v[t->free_ids.n++] = id;
		free(copy);
		return -ENOMEM;
	}
	t->v.v[id] = (struct image){ .kind = key->kind, .id = key->id, .dev = key->dev, .ino = key->ino,
				     .gen = key->gen, .path = copy, .fd = -1, .root_fd = -1, .dump_fd = -1, .refs = 1 };
	t->live++;
	*ret = id;
	return 0;
}

void image_ref(struct images *t, uint32_t id)
{
	t->v.v[id].refs++;
}

void image_unref(struct images *t, uint32_t id)
{
	struct image *i = &t->v.v[id];

	if (--i->refs)
		return;
	close_files(i);
	free(i->path);
	free(i->dump);
	i->path = NULL;
	i->dump = NULL;
	t->live--;
	t->free_ids.v[t->free_ids.n++] = id;
}

bool image_is_dump(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t digits;

	if (!slash || strncmp(slash, "/jit-", 5))
		return false;
	digits = strspn(slash + 5, "0123456789");
	return digits && (!strcmp(slash + 5 + digits, ".dump") || !strcmp(slash + 5 + digits, ".dump (deleted)"));
}

int image_add_dump(struct images *t, uint32_t id, const struct image_dump *where, const char *path)
{
	struct image *i = &t->v.v[id];
	size_t len = strlen(path) + 1;

	if (i->dump)
		return 0;
	i->dump = malloc(sizeof(*i->dump) + len);
	if (!i->dump)
		return -ENOMEM;
	*i->dump = *where;
	memcpy(i->dump->path, path, len);
	return 0;
}

struct image *image_get(struct images *t, uint32_t id)
{
	return &t->v.v[id];
}

uint32_t images_live(const struct images *t)
{
	return t->live;
}
