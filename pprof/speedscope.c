/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/speedscope.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strpool.h"
#include "pprof/profile.h"
#include "pprof/request.h"
#include "version.h"

struct scope {
	const struct profile *p;
	struct buf *out;
	struct buf text;
	vec(uint32_t) first_of;    /* by location: index in frame_of of its innermost line */
	vec(uint32_t) frame_of;    /* shared frame of each line */
	struct strpool processes;  /* "comm (pid)" */
	vec(uint32_t) process_of;  /* by sample: id in processes */
	struct strpool frames;     /* JSON text of each shared frame: equal text, one frame */
};

/* A frame there is a function with the line it begins at: one for each line that ran would tear its box apart. */
static void frame_json(struct scope *s, uint32_t location, uint32_t line)
{
	const struct profile *p = s->p;
	struct profile_source source = profile_location_source(p, location, line, PROFILE_FUNCTIONS);
	const char *file = profile_str(p, source.file);
	_cleanup_(buf_fini) struct buf name = BUF_INIT;

	profile_location_name(p, location, line, &name);
	buf_reset(&s->text);
	buf_puts(&s->text, "{\"name\":");
	buf_json_string(&s->text, (char *)name.data, name.len);
	if (file[0]) {
		buf_puts(&s->text, ",\"file\":");
		buf_json_string(&s->text, file, strlen(file));
	}
	if (source.line > 0)
		buf_printf(&s->text, ",\"line\":%lld", (long long)source.line);
	buf_putc(&s->text, '}');
}

static int share_frames(struct scope *s)
{
	for (uint32_t i = 0; i < s->p->locations.n; i++) {
		uint32_t lines = s->p->locations.v[i].n_lines, *first = vec_push(&s->first_of);

		if (!first)
			return -ENOMEM;
		*first = s->frame_of.n;
		for (uint32_t k = 0; k < (lines ? lines : 1); k++) {
			uint32_t *slot = vec_push(&s->frame_of);

			if (!slot)
				return -ENOMEM;
			frame_json(s, i, k);
			*slot = strpool_add_len(&s->frames, (char *)s->text.data, s->text.len) - 1;
		}
	}
	return strpool_error(&s->frames);
}

static int name_processes(struct scope *s)
{
	for (uint32_t i = 0; i < s->p->samples.n; i++) {
		size_t from;
		uint32_t *slot = vec_push(&s->process_of);

		if (!slot)
			return -ENOMEM;
		buf_reset(&s->text);
		request_owner(s->p, &s->p->samples.v[i], &s->text);
		if (!s->text.len)
			buf_puts(&s->text, "all");
		from = s->text.len;
		buf_puts(&s->text, ": ");
		if (!request_route(s->p, &s->p->samples.v[i], &s->text))
			s->text.len = from;
		*slot = strpool_add_len(&s->processes, (char *)s->text.data, s->text.len);
	}
	return strpool_error(&s->processes);
}

static void stack_json(struct scope *s, const struct profile_sample *sample)
{
	const struct profile *p = s->p;
	const char *comma = "";

	buf_putc(s->out, '[');
	for (uint32_t i = sample->n_frames; i-- > 0;) {
		uint32_t location = p->frames.v[sample->first_frame + i], n = p->locations.v[location].n_lines;

		for (uint32_t line = n ? n : 1; line-- > 0; comma = ",")
			buf_printf(s->out, "%s%u", comma, s->frame_of.v[s->first_of.v[location] + line]);
	}
	buf_putc(s->out, ']');
}

static const char *unit_of(const struct profile *p, uint32_t type)
{
	static const char *const known[] = { "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes" };
	const char *unit = profile_str(p, p->types.v[type].unit);

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(unit, known[i]))
			return unit;
	return "none";
}

static void process_json(struct scope *s, uint32_t process, uint32_t type)
{
	const struct profile *p = s->p;
	const char *comma = "", *name = strpool_str(&s->processes, process);
	int64_t sum = 0;

	buf_puts(s->out, "{\"type\":\"sampled\",\"name\":");
	buf_json_string(s->out, name, strlen(name));
	buf_printf(s->out, ",\"unit\":\"%s\",\"startValue\":0,\"samples\":[", unit_of(p, type));
	for (uint32_t i = 0; i < p->samples.n; i++) {
		if (s->process_of.v[i] != process)
			continue;
		buf_puts(s->out, comma);
		stack_json(s, &p->samples.v[i]);
		comma = ",";
	}
	buf_puts(s->out, "],\"weights\":[");
	comma = "";
	for (uint32_t i = 0; i < p->samples.n; i++) {
		int64_t v = p->values.v[(size_t)i * p->types.n + type];

		if (s->process_of.v[i] != process)
			continue;
		buf_printf(s->out, "%s%lld", comma, (long long)v);
		comma = ",";
		sum = profile_sum(sum, v);
	}
	buf_printf(s->out, "],\"endValue\":%lld}", (long long)sum);
}

static void document(struct scope *s)
{
	uint32_t type = profile_default_type(s->p);

	buf_puts(s->out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"hotspan@"
			 HOTSPAN_VERSION "\",\"activeProfileIndex\":0,\"shared\":{\"frames\":[");
	for (uint32_t i = 1; i < s->frames.entries.n; i++)
		buf_printf(s->out, "%s%s", i > 1 ? "," : "", strpool_str(&s->frames, i));
	buf_puts(s->out, "]},\"profiles\":[");
	for (uint32_t i = 1; i < s->processes.entries.n && s->p->types.n; i++) {
		buf_puts(s->out, i > 1 ? "," : "");
		process_json(s, i, type);
	}
	buf_puts(s->out, "]}\n");
}

static void scope_fini(struct scope *s)
{
	buf_fini(&s->text);
	vec_fini(&s->first_of);
	vec_fini(&s->frame_of);
	vec_fini(&s->process_of);
	strpool_fini(&s->processes);
	strpool_fini(&s->frames);
}

int speedscope_encode(const struct profile *p, struct buf *out)
{
	_cleanup_(scope_fini) struct scope s = { .p = p, .out = out };
	int r = profile_error(p);

	if (r >= 0)
		r = share_frames(&s);
	if (r >= 0)
		r = name_processes(&s);
	if (r < 0)
		return r;
	document(&s);
	return buf_error(out) ? buf_error(out) : buf_error(&s.text);
}
