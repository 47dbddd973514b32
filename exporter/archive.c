/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/archive.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "base/vec.h"
#include "exporter/folder.h"
#include "exporter/parcel.h"

#define SUFFIX ".pb.gz"
#define PART   ".part"

/* "20261124T101500Z"; a name is that, '-', a service of at most 63 bytes, perhaps a number, and the suffix. */
enum { TIME_LEN = 16, NAME_SIZE = 112, MAX_OF_A_NAME = 10000 };

struct entry {
	char *name;
	uint64_t bytes;
};

struct archive {
	struct folder folder;
	vec(struct entry) files; /* by name, which is by time */
	uint64_t bytes, removed;
};

/* ---- names ---- */

static void print_time(uint64_t utc_ns, char out[TIME_LEN + 1])
{
	time_t t = (time_t)(utc_ns / NSEC_PER_SEC);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, TIME_LEN + 1, "%Y%m%dT%H%M%SZ", &tm) != TIME_LEN)
		memcpy(out, "00000000T000000Z", TIME_LEN + 1);
}

static bool is_ours(const char *name)
{
	size_t n = strlen(name);

	if (n >= NAME_SIZE || n < TIME_LEN + sizeof(SUFFIX) || name[8] != 'T' || name[15] != 'Z' || name[TIME_LEN] != '-')
		return false;
	for (size_t i = 0; i < TIME_LEN - 1; i++)
		if (i != 8 && !isdigit((unsigned char)name[i]))
			return false;
	return !strcmp(name + n - strlen(SUFFIX), SUFFIX);
}

/* ".NAME.part" */
static char *part_of(const char *name, char out[NAME_SIZE + 8])
{
	snprintf(out, NAME_SIZE + 8, ".%s" PART, name);
	return out;
}

static bool is_part(const char *name)
{
	size_t n = strlen(name);
	char whole[NAME_SIZE];

	if (name[0] != '.' || n < sizeof(PART) || n - sizeof(PART) >= NAME_SIZE || strcmp(name + n - strlen(PART), PART))
		return false;
	snprintf(whole, sizeof(whole), "%.*s", (int)(n - sizeof(PART)), name + 1);
	return is_ours(whole);
}

/* The first name that nothing has. False: there is none. */
static bool choose_name(const struct archive *a, const struct parcel *p, char out[NAME_SIZE])
{
	char at[TIME_LEN + 1], service[sizeof(p->what)], number[16] = "";
	struct stat st;

	print_time(p->time_ns, at);
	snprintf(service, sizeof(service), "%s", *p->what ? p->what : "unknown");
	for (char *c = service; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
	for (int n = 1; n < MAX_OF_A_NAME; n++) {
		if (n > 1)
			snprintf(number, sizeof(number), "-%d", n);
		snprintf(out, NAME_SIZE, "%s-%s%s" SUFFIX, at, service, number);
		if (fstatat(a->folder.fd, out, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			return true;
	}
	return false;
}

/* ---- what is there ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Behind those it is not before: mostly at the end. There is room for it. */
static void insert(struct archive *a, char *name, uint64_t bytes)
{
	uint32_t at = a->files.n++;

	for (; at && strcmp(a->files.v[at - 1].name, name) > 0; at--)
		a->files.v[at] = a->files.v[at - 1];
	a->files.v[at] = (struct entry){ name, bytes };
	a->bytes += bytes;
}

static void remove_oldest(struct archive *a)
{
	struct entry *e = a->files.v;

	unlinkat(a->folder.fd, e->name, 0);
	a->bytes -= e->bytes;
	a->removed++;
	free(e->name);
	memmove(e, e + 1, --a->files.n * sizeof(*e));
}

static int take_file(void *ctx, const char *name)
{
	struct archive *a = ctx;
	struct entry *e;
	struct stat st;

	if (is_part(name))
		unlinkat(a->folder.fd, name, 0); /* never whole */
	if (!is_ours(name) || fstatat(a->folder.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	e = vec_push(&a->files);
	if (!e || !(e->name = strdup(name)))
		return -ENOMEM;
	e->bytes = (uint64_t)st.st_size;
	a->bytes += e->bytes;
	return 0;
}

static int take_files(struct archive *a)
{
	int r = file_each_name(a->folder.fd, take_file, a);

	if (r >= 0 && a->files.n)
		qsort(a->files.v, a->files.n, sizeof(*a->files.v), by_name);
	return r;
}

int archive_open(const char *path, struct archive **ret, int *ret_pid)
{
	struct archive *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->folder = FOLDER_INIT;
	r = folder_open(path, &a->folder, ret_pid);
	if (r >= 0)
		r = take_files(a);
	if (r < 0) {
		archive_close(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct archive *archive_close(struct archive *a)
{
	if (!a)
		return NULL;
	folder_close(&a->folder);
	vec_foreach(e, &a->files)
		free(e->name);
	vec_fini(&a->files);
	free(a);
	return NULL;
}

/* ---- room ---- */

static bool is_too_old(const struct archive *a, const struct archive_limits *l, uint64_t now_utc_ns)
{
	char oldest[TIME_LEN + 1];

	if (!l->age_ns || now_utc_ns < l->age_ns)
		return false;
	print_time(now_utc_ns - l->age_ns, oldest);
	return strncmp(a->files.v[0].name, oldest, TIME_LEN) < 0;
}

static void make_room(struct archive *a, const struct archive_limits *l, uint32_t files, uint64_t bytes, uint64_t now_utc_ns)
{
	while (a->files.n && (a->files.n + files > l->files || a->bytes + bytes > l->bytes || is_too_old(a, l, now_utc_ns)))
		remove_oldest(a);
}

void archive_trim(struct archive *a, const struct archive_limits *l, uint64_t now_utc_ns)
{
	make_room(a, l, 0, 0, now_utc_ns);
}

/* ---- a profile ---- */

/* What is synced before it is renamed cannot be torn; its name may still be lost with the power. */
static int write_file(const struct archive *a, const char *part, const struct parcel *p)
{
	_cleanup_(closep) int fd = -1;
	int r;

	unlinkat(a->folder.fd, part, 0);
	fd = openat(a->folder.fd, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : file_write_all(fd, p->bytes.data, p->bytes.len);
	return r >= 0 && fdatasync(fd) < 0 ? -errno : r;
}

int archive_put(struct archive *a, const struct archive_limits *l, const struct parcel *p, uint64_t now_utc_ns)
{
	char name[NAME_SIZE], part[NAME_SIZE + 8];
	_cleanup_(freep) char *kept = NULL;
	int r;

	make_room(a, l, 1, p->bytes.len, now_utc_ns);
	if (!choose_name(a, p, name))
		return -EEXIST;
	kept = strdup(name);
	if (!kept || vec_reserve(&a->files, 1) < 0)
		return -ENOMEM;
	r = write_file(a, part_of(name, part), p);
	if (r >= 0 && renameat(a->folder.fd, part, a->folder.fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(a->folder.fd, part, 0);
	else
		insert(a, take_ptr(kept), p->bytes.len);
	return r;
}

void archive_stats(const struct archive *a, struct archive_stats *ret)
{
	*ret = (struct archive_stats){ .files = a->files.n, .bytes = a->bytes, .removed = a->removed };
}
