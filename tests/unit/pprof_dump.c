/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof_dump FILE: what our reader makes of a pprof file, as unit/goprof prints it with Go's reader.
 * pprof_dump --fixture raw|gzip|speedscope|folded|svg|html STACKS DEPTH [hostile] writes one instead.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pprof/decode.h"
#include "pprof/encode.h"
#include "pprof/format.h"
#include "pprof/profile.h"
#include "unit/fixture_profile.h"

static void print_hex(uint64_t v)
{
	printf("0x%llx", (unsigned long long)v);
}

static void print_header(const struct profile *p)
{
	vec_foreach(t, &p->types)
		printf("type %s %s\n", profile_str(p, t->type), profile_str(p, t->unit));
	printf("period %s %s %lld\n", profile_str(p, p->period_type.type), profile_str(p, p->period_type.unit),
	       (long long)p->period);
	printf("time %lld %lld default \"%s\"\n", (long long)p->time_ns, (long long)p->duration_ns,
	       profile_str(p, p->default_type));
	vec_foreach(c, &p->comments)
		printf("comment %s\n", profile_str(p, *c));
	vec_foreach(m, &p->mappings)
	{
		printf("mapping ");
		print_hex(m->start);
		printf("-");
		print_hex(m->limit);
		printf(" ");
		print_hex(m->offset);
		printf(" %s %s %s %s %s %s\n", profile_str(p, m->file), profile_str(p, m->build_id),
		       m->has_functions ? "true" : "false", m->has_filenames ? "true" : "false",
		       m->has_line_numbers ? "true" : "false", m->has_inline_frames ? "true" : "false");
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_labels(const struct profile *p, const struct profile_sample *s)
{
	char *labels[64];
	uint32_t n = s->n_labels < 64 ? s->n_labels : 64;

	for (uint32_t i = 0; i < n; i++) {
		const struct profile_label *l = &p->labels.v[s->first_label + i];
		int r = l->str ? asprintf(&labels[i], "%s=%s", profile_str(p, l->key), profile_str(p, l->str)) :
				 asprintf(&labels[i], "%s=%lld %s", profile_str(p, l->key), (long long)l->num,
					  profile_str(p, l->unit));

		if (r < 0)
			abort();
	}
	qsort(labels, n, sizeof(*labels), by_text);
	printf(" {");
	for (uint32_t i = 0; i < n; i++) {
		printf("%s%s", i ? "; " : "", labels[i]);
		free(labels[i]);
	}
	printf("}");
}

static void print_location(const struct profile *p, const struct profile_location *l)
{
	printf(" [%s ", l->mapping == PROFILE_NO_MAPPING ? "" : profile_str(p, p->mappings.v[l->mapping].file));
	if (l->address)
		print_hex(l->address);
	else
		printf("0x0");
	printf(" %s", l->folded ? "true" : "false");
	for (uint32_t i = 0; i < l->n_lines; i++) {
		const struct profile_line *n = &p->lines.v[l->first_line + i];
		const struct profile_function *f = &p->functions.v[n->function];

		printf(" (%s|%s|%s:%lld:%lld:%lld)", profile_str(p, f->name), profile_str(p, f->system_name),
		       profile_str(p, f->file), (long long)n->line, (long long)n->column, (long long)f->start_line);
	}
	printf("]");
}

static void dump(const struct profile *p)
{
	print_header(p);
	for (uint32_t i = 0; i < p->samples.n; i++) {
		const struct profile_sample *s = &p->samples.v[i];

		printf("sample [");
		for (uint32_t k = 0; k < p->types.n; k++)
			printf("%s%lld", k ? " " : "", (long long)p->values.v[(size_t)i * p->types.n + k]);
		printf("]");
		print_labels(p, s);
		for (uint32_t k = 0; k < s->n_frames; k++)
			print_location(p, &p->locations.v[p->frames.v[s->first_frame + k]]);
		printf("\n");
	}
}

static int write_fixture(char **argv, int argc)
{
	struct fixture f = { .stacks = (uint32_t)atoi(argv[3]), .depth = (uint32_t)atoi(argv[4]), .functions = 200,
			     .processes = 5, .inlined_every = 4, .hostile = argc > 5 };
	_cleanup_(profile_freep) struct profile *p = fixture_profile(&f);
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	const struct format *format = format_by_name(argv[2]);
	int r = !strcmp(argv[2], "raw") ? pprof_encode(p, &out) :
		!strcmp(argv[2], "gzip") ? pprof_encode_gzip(p, 6, &out) : format ? format->encode(p, &out) : -1;

	if (r >= 0)
		fwrite(out.data, 1, out.len, stdout);
	return r < 0;
}

int main(int argc, char **argv)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	char err[256];

	if (argc >= 5 && !strcmp(argv[1], "--fixture"))
		return write_fixture(argv, argc);
	if (argc != 2 || file_read_path(AT_FDCWD, argv[1], 1u << 30, &b) < 0)
		return 2;
	if (pprof_decode(b.data, b.len, &p, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], err);
		return 1;
	}
	dump(p);
	return 0;
}
