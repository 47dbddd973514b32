/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "base/vec.h"
#include "exporter/folder.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"

enum { NAME_MAX_LEN = 32, BAD_MAX = 8, PARCEL_MAX = 64 << 20 };

/* A file: this, then the parcel's bytes. Little-endian, as the host that reads it again. */
struct head {
	char magic[8];
	uint32_t crc; /* of all that follows it */
	uint32_t len; /* of the parcel's bytes */
	uint64_t time_ns;
	uint8_t format;
	uint8_t zero[3];
	uint32_t items;
	char what[64];
};
_Static_assert(sizeof(struct head) == 96, "the format of files");

static const char magic[8] = "hspool1";

struct spool {
	struct folder folder;
	uint64_t next;
	struct spool_stats stats;
};

static char *name_of(uint64_t number, const char *kind, char out[NAME_MAX_LEN])
{
	snprintf(out, NAME_MAX_LEN, "%016llx.%s", (unsigned long long)number, kind);
	return out;
}

/* "00000000000004d2.sent" -> its number; kind is what follows the dot. */
static bool parse_name(const char *name, uint64_t *ret, const char **ret_kind)
{
	char *end;

	if (strlen(name) < 18 || name[16] != '.' || name[0] == '-' || name[0] == '+')
		return false;
	*ret = strtoull(name, &end, 16);
	*ret_kind = name + 17;
	return end == name + 16;
}

/* ---- opening ---- */

/* Damaged files are kept for who wants to look, the newest few. */
static void put_aside(struct spool *s, uint64_t number, const char *kind)
{
	char from[NAME_MAX_LEN], to[NAME_MAX_LEN];

	name_of(number, kind, from);
	name_of(s->stats.damaged++ % BAD_MAX, "bad", to);
	if (renameat(s->folder.fd, from, s->folder.fd, to) < 0)
		unlinkat(s->folder.fd, from, 0);
}

static int open_file(const struct spool *s, const char *name, struct stat *st)
{
	return file_open_regular(s->folder.fd, name, O_NOFOLLOW, st);
}

/* What its head says: the checksum is for when it is sent. */
static int read_head(const struct spool *s, const char *name, struct head *ret)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r;

	fd = open_file(s, name, &st);
	if (fd < 0)
		return fd;
	r = file_pread(fd, ret, sizeof(*ret), 0);
	if (r == -ENODATA)
		return -EBADMSG;
	if (r < 0)
		return r;
	return memcmp(ret->magic, magic, sizeof(magic)) || ret->len > PARCEL_MAX ||
			       ret->format >= PARCEL_FORMATS * PARCEL_SIGNALS ||
			       (uint64_t)st.st_size != sizeof(*ret) + ret->len
		       ? -EBADMSG
		       : 0;
}

static uint8_t key_of(const struct head *h)
{
	char what[sizeof(h->what) + 1] = "";

	memcpy(what, h->what, sizeof(h->what));
	return parcel_key(h->format, what);
}

static uint32_t items_of(const struct head *h)
{
	return h->items ? h->items : 1;
}

/* Of us or of the host, and over in a while; any other failure is the file's. */
static bool is_passing(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static bool is_damage(int error)
{
	return error == -EBADMSG || error == -EINVAL || error == -ELOOP;
}

/* It is left alone: who sets it right restarts us. */
static void note_unreadable(struct spool *s, const char *name, int error)
{
	s->stats.unreadable++;
	s->stats.unreadable_error = -error;
	snprintf(s->stats.unreadable_name, sizeof(s->stats.unreadable_name), "%s", name);
}

static int skip_file(struct spool *s, const char *name, uint64_t number, const char *kind, int error)
{
	if (is_passing(error))
		return error;
	if (is_damage(error))
		put_aside(s, number, kind);
	else
		note_unreadable(s, name, error);
	return 0;
}

/* What lies there when it is opened. */
struct finding {
	struct spool *spool;
	struct spool_left *left;
};

static int take_file(void *ctx, const char *name)
{
	const struct finding *f = ctx;
	struct spool *s = f->spool;
	struct spool_entry *e;
	const char *kind;
	struct head h;
	uint64_t number;
	int r;

	if (!parse_name(name, &number, &kind))
		return 0;
	if (!strcmp(kind, "tmp"))
		unlinkat(s->folder.fd, name, 0); /* never whole */
	if (strcmp(kind, "parcel") && strcmp(kind, "sent"))
		return 0;
	if (number >= s->next)
		s->next = number + 1;
	r = read_head(s, name, &h);
	if (r < 0)
		return skip_file(s, name, number, kind, r);
	e = vec_push(f->left);
	if (!e)
		return -ENOMEM;
	*e = (struct spool_entry){ .number = number,
				   .time_ns = h.time_ns,
				   .bytes = h.len,
				   .items = items_of(&h),
				   .tried = !strcmp(kind, "sent"),
				   .format = h.format,
				   .key = key_of(&h) };
	s->stats.found += e->items;
	s->stats.maybe_twice += e->tried ? e->items : 0;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct spool_entry *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int take_files(struct spool *s, struct spool_left *left)
{
	int r = file_each_name(s->folder.fd, take_file, &(struct finding){ s, left });

	if (left->n)
		qsort(left->v, left->n, sizeof(*left->v), by_number);
	return r;
}

int spool_open(const char *folder, struct spool **ret, struct spool_left *ret_left, int *ret_pid)
{
	struct spool_left left = { 0 };
	struct spool *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->folder = FOLDER_INIT;
	r = folder_open(folder, &s->folder, ret_pid);
	if (r >= 0)
		r = take_files(s, &left);
	if (r < 0) {
		vec_fini(&left);
		spool_close(s);
		return r;
	}
	*ret = s;
	*ret_left = left;
	return 0;
}

struct spool *spool_close(struct spool *s)
{
	if (!s)
		return NULL;
	folder_close(&s->folder);
	free(s);
	return NULL;
}

/* ---- parcels ---- */

static uint32_t checksum(const struct head *h, const void *bytes)
{
	const size_t covered = sizeof(*h) - offsetof(struct head, len);
	uLong crc = crc32(0, (const Bytef *)&h->len, (uInt)covered);

	return (uint32_t)crc32(crc, bytes, h->len);
}

static int write_file(const struct spool *s, const char *name, const struct head *h, const struct parcel *p)
{
	_cleanup_(closep) int fd = openat(s->folder.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : file_write_all(fd, h, sizeof(*h));

	return r < 0 ? r : file_write_all(fd, p->bytes.data, p->bytes.len);
}

int spool_put(struct spool *s, const struct parcel *p, uint64_t *ret_number)
{
	struct head h = { .len = (uint32_t)p->bytes.len,
			  .time_ns = p->time_ns,
			  .format = p->format,
			  .items = p->items };
	char temporary[NAME_MAX_LEN], final[NAME_MAX_LEN];
	int r = p->bytes.len > PARCEL_MAX ? -EFBIG : 0;

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.what, p->what, sizeof(h.what) - 1);
	h.crc = checksum(&h, p->bytes.data);
	name_of(s->next, "tmp", temporary);
	if (r >= 0)
		r = write_file(s, temporary, &h, p);
	if (r >= 0 && renameat(s->folder.fd, temporary, s->folder.fd, name_of(s->next, "parcel", final)) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(s->folder.fd, temporary, 0);
		s->stats.failed += p->items;
		return r;
	}
	*ret_number = s->next++;
	return 0;
}

static int read_parcel(const struct spool *s, const char *name, struct parcel **ret)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(buf_fini) struct buf bytes = BUF_INIT;
	struct parcel *p;
	struct head h;
	int r = read_head(s, name, &h);

	if (r < 0)
		return r;
	fd = open_file(s, name, NULL);
	if (fd < 0)
		return fd;
	if (!buf_reserve(&bytes, h.len + 1u))
		return -ENOMEM;
	r = file_pread(fd, bytes.data, h.len, sizeof(h));
	if (r < 0)
		return r == -ENODATA ? -EBADMSG : r;
	bytes.len = h.len;
	if (checksum(&h, bytes.data) != h.crc)
		return -EBADMSG;
	p = parcel_new(&bytes, h.format);
	if (!p)
		return -ENOMEM;
	p->time_ns = h.time_ns;
	p->items = items_of(&h);
	memcpy(p->what, h.what, sizeof(p->what));
	p->what[sizeof(p->what) - 1] = '\0';
	*ret = p;
	return 0;
}

int spool_get(struct spool *s, uint64_t number, struct parcel **ret)
{
	const char *kind = "parcel";
	char name[NAME_MAX_LEN];
	int r = read_parcel(s, name_of(number, kind, name), ret);

	if (r == -ENOENT) {
		kind = "sent";
		r = read_parcel(s, name_of(number, kind, name), ret);
	}
	if (r >= 0 || is_passing(r))
		return r;
	skip_file(s, name, number, kind, r);
	return is_damage(r) ? -EBADMSG : -EACCES;
}

int spool_try(struct spool *s, uint64_t number)
{
	char from[NAME_MAX_LEN], to[NAME_MAX_LEN];

	name_of(number, "parcel", from);
	return renameat(s->folder.fd, from, s->folder.fd, name_of(number, "sent", to)) < 0 && errno != ENOENT ? -errno : 0;
}

void spool_done(struct spool *s, uint64_t number)
{
	char name[NAME_MAX_LEN];

	if (unlinkat(s->folder.fd, name_of(number, "sent", name), 0) < 0)
		unlinkat(s->folder.fd, name_of(number, "parcel", name), 0);
}

void spool_stats(const struct spool *s, struct spool_stats *ret)
{
	*ret = s->stats;
}
