/* SPDX-License-Identifier: Apache-2.0 */
#include "window_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pprof/merge.h"
#include "pprof/profile.h"
#include "pprof/reader.h"

uint64_t window_samples(const struct profile *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->samples.n; i++)
		sum += (uint64_t)p->values.v[(size_t)i * p->types.n];
	return sum;
}

/* TIME-SERVICE.pb.gz */
static int is_profile(const struct dirent *e)
{
	return strchr(e->d_name, '-') && strstr(e->d_name, ".pb.gz");
}

static void read_service(int folder, const char *file, struct window_services *to)
{
	_cleanup_(buf_fini) struct buf raw = BUF_INIT;
	struct window_service *s = vec_push(&to->v);
	const char *name = strchr(file, '-') + 1;
	char err[256];

	if (!s || file_read_path(folder, file, SIZE_MAX, &raw) < 0 || reader_decode(raw.data, raw.len, &s->p, err, sizeof(err)) < 0)
		abort();
	s->name = strndup(name, strlen(name) - strlen(".pb.gz"));
	if (!s->name)
		abort();
	to->stacks += s->p->samples.n;
	to->samples += window_samples(s->p);
}

void window_file_services(struct window_services *ret)
{
	const char *path = getenv("HOTSPAN_BENCH_WINDOW");
	_cleanup_(closep) int folder = -1;
	struct dirent **files;
	int n;

	*ret = (struct window_services){ 0 };
	if (!path)
		return;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = scandir(path, &files, is_profile, alphasort);
	if (folder < 0 || n < 0)
		abort();
	for (int i = 0; i < n; i++) {
		read_service(folder, files[i]->d_name, ret);
		free(files[i]);
	}
	free(files);
}

void window_services_fini(struct window_services *s)
{
	vec_foreach(it, &s->v)
	{
		free(it->name);
		profile_free(it->p);
	}
	vec_fini(&s->v);
}

struct profile *window_file_whole(void)
{
	vec(struct merge_part) parts = { 0 };
	struct window_services services;
	struct profile *ret = NULL;

	window_file_services(&services);
	vec_foreach(s, &services.v)
	{
		struct merge_part *part = vec_push(&parts);

		if (!part)
			abort();
		part->p = s->p;
	}
	if (parts.n && profile_merge(parts.v, parts.n, &ret) < 0)
		abort();
	vec_fini(&parts);
	window_services_fini(&services);
	return ret;
}
