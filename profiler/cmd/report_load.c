/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/strpool.h"
#include "cmd/columns.h"
#include "cmd/report_opts.h"
#include "pprof/decode.h"
#include "pprof/filter.h"
#include "pprof/merge.h"
#include "pprof/profile.h"
#include "pprof/reader.h"

/* Of what a file holds, in a message. */
enum { NAME_WIDTH = 30, MAX_KEYS = 20 };

struct loader {
	const struct report_opts *o;
	struct merge_part *parts;
	uint32_t n;
	int64_t whole;
	uint64_t n_read, n_labelled, n_kept; /* samples: all, with the labels, with focus and ignore too */
	struct strpool keys;                 /* of labels: for the message when none fits */
	char *err;
	size_t err_len;
};

static const char *shown_name(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

static int cannot_read(struct loader *l, const char *path, int r)
{
	const char *what = r == -EISDIR ? "it is a directory: name a file in it" :
			   r == -ENOENT ? "there is no such file" :
					  strerror(-r);

	if (r == -EFBIG)
		snprintf(l->err, l->err_len, "%s: it is larger than %u MiB: convert parts of it with -o x.pb.gz, which add up", shown_name(path), PPROF_MAX_BYTES >> 20);
	else
		snprintf(l->err, l->err_len, "cannot read %s: %s", shown_name(path), what);
	return r;
}

/* Named by whoever runs us: a FIFO (a shell's <(...)) is as good as a file. */
static int read_bytes(struct loader *l, const char *path, struct buf *bytes)
{
	_cleanup_(closep) int fd = -1;
	int r;

	if (strcmp(path, "-")) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return cannot_read(l, path, -errno);
	}
	r = file_read_all(fd < 0 ? STDIN_FILENO : fd, PPROF_MAX_BYTES, bytes);
	return r < 0 ? cannot_read(l, path, r) : 0;
}

static int decode(struct loader *l, const char *path, struct profile **ret)
{
	_cleanup_(buf_fini) struct buf bytes = BUF_INIT;
	char why[256];
	int r = read_bytes(l, path, &bytes);

	if (r < 0)
		return r;
	r = reader_decode(bytes.data, bytes.len, ret, why, sizeof(why));
	if (r < 0)
		snprintf(l->err, l->err_len, "%s: %s", shown_name(path), why);
	return r;
}

static void list_types(const struct profile *p, char *out, size_t len)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	vec_foreach(t, &p->types) {
		buf_puts(&b, b.len ? ", " : "");
		columns_put_last(&b, profile_str(p, t->type), NAME_WIDTH);
		buf_puts(&b, " (");
		columns_put_last(&b, profile_str(p, t->unit), NAME_WIDTH);
		buf_putc(&b, ')');
	}
	snprintf(out, len, "%.*s", (int)b.len, b.len ? (char *)b.data : "none");
}

static int keep_type(struct loader *l, struct profile *p, const char *path)
{
	char types[256];

	if (!l->o->type || !filter_type(p, l->o->type))
		return 0;
	list_types(p, types, sizeof(types));
	snprintf(l->err, l->err_len, "%s has no sample type '%s': it has %s", shown_name(path), l->o->type, types);
	return -ENOENT;
}

static void note_keys(struct loader *l, const struct profile *p)
{
	vec_foreach(label, &p->labels)
		strpool_add(&l->keys, profile_str(p, label->key));
}

static void add_whole(struct loader *l, const struct profile *p)
{
	uint32_t n = p->types.n, type = profile_default_type(p);

	for (uint32_t i = 0; n && i < p->samples.n; i++)
		l->whole = profile_sum(l->whole, profile_size(p->values.v[(size_t)i * n + type]));
}

/* In two steps, so that a filter that leaves nothing can be named. */
static int filter(struct loader *l, struct profile *p)
{
	const struct report_opts *o = l->o;
	const struct filter labels = { .labels = o->labels, .n_labels = o->n_labels };
	const struct filter names = { .focus = o->focus ? &o->focus_regex : NULL,
				      .ignore = o->ignore ? &o->ignore_regex : NULL };
	int r;

	add_whole(l, p);
	l->n_read += p->samples.n;
	note_keys(l, p);
	r = filter_samples(p, &labels);
	l->n_labelled += p->samples.n;
	if (r >= 0)
		r = filter_samples(p, &names);
	l->n_kept += p->samples.n;
	return r;
}

static int load_one(struct loader *l, char *const *files)
{
	const char *path = files[l->n];
	struct profile *p;
	char a[256], b[256];
	int r = decode(l, path, &p);

	if (r < 0)
		return r;
	l->parts[l->n++] = (struct merge_part){ .p = p };
	r = keep_type(l, p, path);
	if (r >= 0 && l->o->no_inline)
		filter_inlined(p);
	if (r >= 0)
		r = filter(l, p);
	if (r < 0 || merge_fits(l->parts[0].p, p))
		return r;
	list_types(l->parts[0].p, a, sizeof(a));
	list_types(p, b, sizeof(b));
	snprintf(l->err, l->err_len, "%s and %s do not add up: %s against %s; --type NAME takes one type of each", shown_name(files[0]),
		 shown_name(path), a, b);
	return -EINVAL;
}

static void list_keys(struct loader *l, struct buf *b)
{
	for (uint32_t i = 1; i < l->keys.entries.n && i <= MAX_KEYS; i++) {
		buf_puts(b, i > 1 ? ", " : " ");
		columns_put_last(b, strpool_str(&l->keys, i), NAME_WIDTH);
	}
	buf_putc(b, '\0');
}

/* Nothing is left though there was something: say what took it. */
static int check_left(struct loader *l, const char *files)
{
	const struct report_opts *o = l->o;
	_cleanup_(buf_fini) struct buf keys = BUF_INIT;

	if (l->n_kept || !l->n_read)
		return 0;
	list_keys(l, &keys);
	if (buf_error(&keys))
		return -ENOMEM;
	if (!l->n_labelled && !keys.data[0])
		snprintf(l->err, l->err_len, "%s: its samples have no labels: leave out --label", files);
	else if (!l->n_labelled)
		snprintf(l->err, l->err_len, "%s: no sample has the label %s=%s%s; keys are%s", files, o->labels[0].key,
			 o->labels[0].value, o->n_labels > 1 ? " and the others" : "", (char *)keys.data);
	else
		snprintf(l->err, l->err_len, "%s: %s%s%s leaves no stack: hotspan report without it lists the functions", files,
			 o->focus ? "--focus" : "", o->focus && o->ignore ? " with " : "", o->ignore ? "--ignore" : "");
	return -ENOENT;
}

static void loader_fini(struct loader *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		profile_free((struct profile *)l->parts[i].p);
	free(l->parts);
	strpool_fini(&l->keys);
}

int report_load(const struct report_opts *o, char *const *files, uint32_t n, struct loaded *ret, char *err,
		size_t err_len)
{
	_cleanup_(loader_fini) struct loader l = { .o = o, .err = err, .err_len = err_len,
						   .parts = calloc(n, sizeof(*l.parts)) };
	int r = l.parts ? 0 : -ENOMEM;

	while (r >= 0 && l.n < n)
		r = load_one(&l, files);
	if (r >= 0)
		r = check_left(&l, n > 1 ? "the files" : shown_name(files[0]));
	if (r >= 0)
		r = profile_merge(l.parts, n, &ret->p);
	ret->whole = l.whole;
	return r;
}
