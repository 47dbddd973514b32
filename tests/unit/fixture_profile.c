/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pprof/profile.h"

static const char *const hostile_names[] = {
	"</script><script>alert(1)</script>", "\"quoted\\\"", "bad utf8 \xff\xfe\xc3", "operator<<(std::ostream&)",
	"new\nline;and;semicolons", "\xe2\x80\xaertl override", "tab\tand\x01control", "<!--", "]]>&amp;'", "",
};

static uint32_t add_str(struct profile *p, const char *s)
{
	return strpool_add(&p->strings, s);
}

static void add_function(struct profile *p, const struct fixture *f, uint32_t i)
{
	struct profile_function fn = { .start_line = (int64_t)i * 10 + 1 };
	char name[128], file[64];

	snprintf(name, sizeof(name), "ns::function_%u(int, char const*)", i);
	snprintf(file, sizeof(file), "/src/dir%u/file%u.cc", i % 7, i % 50);
	if (f->hostile && i < sizeof(hostile_names) / sizeof(hostile_names[0]))
		snprintf(name, sizeof(name), "%s", hostile_names[i]);
	fn.name = add_str(p, name);
	snprintf(name, sizeof(name), "_ZN2ns%uE", i);
	fn.system_name = add_str(p, name);
	fn.file = add_str(p, file);
	profile_add_function(p, &fn);
}

static void add_mappings(struct profile *p)
{
	static const struct {
		const char *file, *id;
		uint64_t start;
	} maps[] = { { "[kernel.kallsyms]", "", 0xffff800000000000 }, { "/usr/bin/app", "0123456789abcdef0123456789abcdef01234567", 0x1000 },
		     { "/usr/lib/libc.so.6", "fedcba9876543210fedcba9876543210fedcba98", 0x2000 }, { "[anon]", "", 0 } };

	for (size_t i = 0; i < 4; i++)
		profile_add_mapping(p, &(struct profile_mapping){
			.start = maps[i].start, .limit = maps[i].start + 0x7fffffffffff, .offset = i << 12,
			.file = add_str(p, maps[i].file), .build_id = add_str(p, maps[i].id), .has_functions = i != 3 });
}

static void add_location(struct profile *p, const struct fixture *f, uint32_t i)
{
	static const uint8_t kinds[] = { FRAME_KERNEL, FRAME_NATIVE, FRAME_NATIVE, FRAME_JIT };
	uint32_t map = i % 16 == 0 ? 0 : i % 16 == 1 ? 3 : 1 + i % 2;
	struct profile_location l = { .address = 0x10000 + (uint64_t)i * 16, .mapping = map, .kind = kinds[map] };
	struct profile_line lines[2] = { { .function = i, .line = (int64_t)i * 10 + 5 } };
	uint32_t n = 1;

	if (f->inlined_every && i % f->inlined_every == 0) {
		lines[1] = lines[0];
		lines[0] = (struct profile_line){ .function = (i + 1) % f->functions, .line = 3, .column = 7 };
		n = 2;
	}
	profile_add_location(p, &l, lines, n);
}

/* Of the stack's service, and of its request unless its turn is without one. */
static struct profile_sample route_labels(struct profile *p, const struct fixture *f, uint32_t i)
{
	uint32_t route = i % (f->routes + 1);
	char text[32];
	struct profile_label labels[3] = { { .key = add_str(p, "service_name"), .str = add_str(p, i % f->processes % 2 ? "odd" : "even") },
					   { .key = add_str(p, "http.request.method"), .str = add_str(p, "GET") },
					   { .key = add_str(p, "http.route") } };

	snprintf(text, sizeof(text), "/route/%u", route);
	labels[2].str = add_str(p, text);
	return (struct profile_sample){ .first_label = profile_add_labels(p, labels, route ? 3 : 1), .n_labels = route ? 3 : 1 };
}

/* Each has been asked for a hundred times its number, and one that has no stack. */
static void add_routes(struct profile *p, const struct fixture *f)
{
	char text[32];

	for (uint32_t i = 1; i <= f->routes; i++) {
		snprintf(text, sizeof(text), "/route/%u", i);
		profile_add_route(p, "even", "GET", text, i * 100);
		profile_add_route(p, "odd", "GET", text, i * 100);
	}
	if (f->routes)
		profile_add_route(p, "odd", "POST", "/idle", 7);
}

struct profile *fixture_profile(const struct fixture *f)
{
	struct profile *p = profile_new();
	uint32_t *frames = calloc(f->depth + 1u, sizeof(*frames)), seed = f->seed + 1;

	if (!p || !frames)
		abort();
	profile_set_cpu(p, 10101010);
	p->time_ns = 1764000000000000000;
	p->duration_ns = 10000000000;
	profile_comment(p, "made for a test");
	add_mappings(p);
	for (uint32_t i = 0; i < f->functions; i++)
		add_function(p, f, i);
	for (uint32_t i = 0; i < f->functions; i++)
		add_location(p, f, i);
	for (uint32_t i = 0; i < f->stacks; i++) {
		uint32_t pid = 100 + i % f->processes, common = f->depth / 2;
		struct profile_label labels[3] = {
			{ .key = add_str(p, "comm"), .str = add_str(p, pid % 2 ? "odd" : "even") },
			{ .key = add_str(p, "pid"), .num = pid, .unit = add_str(p, "id") },
			{ .key = add_str(p, "cgroup"), .str = add_str(p, "/system.slice/x.service") },
		};
		struct profile_sample s = { .n_frames = f->depth, .n_labels = 3 };
		int64_t values[2];

		/* The root half is shared by groups of stacks, as real stacks do. */
		for (uint32_t k = 0; k < f->depth; k++)
			frames[f->depth - 1 - k] = k < common ? (i / 64 * 31 + k) % f->functions :
								(uint32_t)rand_r(&seed) % f->functions;
		if (f->routes)
			s = route_labels(p, f, i);
		else
			s.first_label = profile_add_labels(p, labels, 3);
		s.n_frames = f->depth;
		s.first_frame = profile_add_frames(p, frames, f->depth);
		values[0] = 1 + rand_r(&seed) % 100;
		values[1] = values[0] * p->period;
		profile_add_sample(p, &s, values);
	}
	add_routes(p, f);
	free(frames);
	if (profile_error(p))
		abort();
	return p;
}
