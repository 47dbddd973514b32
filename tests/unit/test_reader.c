/* SPDX-License-Identifier: Apache-2.0 */
/* perf script's text and the reader that tells formats apart. */
#include "unit.h"

#include <errno.h>

#include "base/buf.h"
#include "pprof/decode.h"
#include "pprof/encode.h"
#include "pprof/folded.h"
#include "pprof/perf_line.h"
#include "pprof/perf_script.h"
#include "pprof/profile.h"
#include "pprof/reader.h"
#include "unit/fixture_profile.h"

static char err[256];

static bool is(struct perf_text t, const char *s)
{
	return t.len == strlen(s) && (!t.len || !memcmp(t.s, s, t.len));
}

static void event_lines_are_told_from_all_others(void **state)
{
	static const struct {
		const char *line, *comm, *event;
		int64_t pid, tid, period;
		uint64_t ns;
	} good[] = {
		{ "w_spin 21462  1899.049233:    2004008 cpu-clock: ", "w_spin", "cpu-clock", -1, 21462, 2004008, 1899049233000 },
		{ "Web Content 12/34 [001] 5.000000001: 1 cycles:u:", "Web Content", "cycles:u", 12, 34, 1, 5000000001 },
		{ "              dd 21469  1901.4:   10 cpu-clock:  5b f+0x1 (/bin/dd)", "dd", "cpu-clock", -1, 21469, 10, 1901400000000 },
		{ "swapper     0 [000] 7.5: sched:sched_switch: prev_comm=x prev_pid=3", "swapper", "sched:sched_switch", -1, 0, -1, 7500000000 },
		{ "kworker/0:1 8 2 9 1.5: 3 cycles:", "kworker/0:1 8 2", "cycles", -1, 9, 3, 1500000000 },
		{ ":-1    -1 1.5: 3 cycles:", ":-1", "cycles", -1, -1, 3, 1500000000 },
		{ "app 7 1.5:", "app", "", -1, 7, -1, 1500000000 },
	};
	static const char *const bad[] = { "", "   ", "\t    11c8 spin_half+0x4b (/bin/w_spin)", "main;work 42", "a b c", "x 1 2:",
					   "x 99999999999999999999 1.5: e:", "x 1 1.1234567890: e:", "x 1 [a] 1.5: e:", "x 1 1.5: e" };
	struct perf_event_line l;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(perf_event_line(good[i].line, strlen(good[i].line), &l));
		assert_true(is(l.comm, good[i].comm) && is(l.event, good[i].event));
		assert_int_equal(l.pid, good[i].pid);
		assert_int_equal(l.tid, good[i].tid);
		assert_int_equal(l.period, good[i].period);
		assert_int_equal(l.time_ns, good[i].ns);
		assert_false(l.record);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (perf_event_line(bad[i], strlen(bad[i]), &l))
			fail_msg("'%s' is no event", bad[i]);
	assert_true(perf_event_line("perf 1 1.5: PERF_RECORD_COMM: perf:1/1", 38, &l) && l.record);
}

static void frame_lines_give_address_symbol_and_image(void **state)
{
	static const struct {
		const char *line, *symbol, *image;
		uint64_t address;
		bool inlined;
	} good[] = {
		{ "\t    11c8 spin_half+0x4b (/bin/w_spin)", "spin_half", "/bin/w_spin", 0x11c8, false },
		{ " ffffffff81000000 do_syscall_64+0x5b ([kernel.kallsyms])", "do_syscall_64", "[kernel.kallsyms]", 0xffffffff81000000, false },
		{ " 5 ns::f(int, char (*)(int))+0x1 (/a b (deleted))", "ns::f(int, char (*)(int))", "/a b", 5, false },
		{ " 5 f(int) (inlined)", "f(int)", "", 5, true },
		{ " 7f00 [unknown] ([unknown])", "", "", 0x7f00, false },
		{ " 7f00 [unknown] (/lib/libc.so.6)", "", "/lib/libc.so.6", 0x7f00, false },
		{ " 5 f(int)", "f(int)", "", 5, false },
		{ " 5 operator+0x(int)+0x3 (/b)", "operator+0x(int)", "/b", 5, false },
		{ " 5", "", "", 5, false },
		{ " 5 (/b)", "", "/b", 5, false },
	};
	static const char *const bad[] = { "", "  spin.c:12", "  11c8x f", "  11112222333344445 f (/b)", " 0x5 f" };
	struct perf_frame_line f;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(perf_frame_line(good[i].line, strlen(good[i].line), &f));
		if (!is(f.symbol, good[i].symbol) || !is(f.image, good[i].image))
			fail_msg("'%s' gave '%.*s' in '%.*s'", good[i].line, (int)f.symbol.len, f.symbol.s, (int)f.image.len, f.image.s);
		assert_int_equal(f.address, good[i].address);
		assert_int_equal(f.inlined, good[i].inlined);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (perf_frame_line(bad[i], strlen(bad[i]), &f))
			fail_msg("'%s' is no frame", bad[i]);
}

static const char script[] = "# a comment\n"
			     "web server 10/11 [000] 1.000000: 100 cpu-clock: \n"
			     "\t    1000 inner (inlined)\n"
			     "\t    1000 work+0x8 (/bin/web)\n"
			     "  web.c:7\n"
			     "\t    2000 main+0x1 (/bin/web)\n"
			     "\n"
			     "web server 10/12 [001] 1.500000: 100 cpu-clock: \n"
			     "\tffffffff81000000 read+0x5 ([kernel.kallsyms])\n"
			     "\t    2000 main+0x1 (/bin/web)\n"
			     "\n"
			     "perf 9/9 [000] 1.600000: PERF_RECORD_COMM: x:9/9\n"
			     "web server 10/11 [000] 3.000000: 100 cpu-clock: \n"
			     "\n"
			     "web server 10/11 [000] 3.000000: 100 cpu-clock:  3000 [unknown] (/bin/web)\n";

static void a_script_becomes_a_profile_of_cpu_time(void **state)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	const struct profile_sample *s;

	assert_true(perf_script_looks_like(script, sizeof(script) - 1));
	assert_int_equal(perf_script_decode(script, sizeof(script) - 1, &p, err, sizeof(err)), 0);
	assert_int_equal(p->samples.n, 4);
	assert_int_equal(p->types.n, 2);
	assert_string_equal(profile_str(p, p->types.v[1].type), "cpu");
	assert_string_equal(profile_str(p, p->types.v[1].unit), "nanoseconds");
	assert_int_equal(p->period, 100);
	assert_int_equal(p->duration_ns, 2000000000);
	assert_int_equal(p->locations.n, 4); /* main once */
	s = &p->samples.v[1];
	assert_int_equal(profile_sample_label(p, s, "pid")->num, 10);
	assert_int_equal(profile_sample_label(p, s, "tid")->num, 12);
	assert_int_equal(p->locations.v[p->frames.v[s->first_frame]].kind, FRAME_KERNEL);
	assert_int_equal(folded_encode(p, &b), 0);
	buf_putc(&b, 0);
	assert_string_equal((char *)b.data, "web server;main;work;inner_[i] 1\nweb server;main;read_[k] 1\nweb server 1\n"
					    "web server;[web+0x3000] 1\n");
}

/* With sources perf marks an inlined call behind its source. */
static void sources_belong_to_the_frame_above(void **state)
{
	static const char text[] = "web 10/11 1.0: 100 cpu-clock: \n"
				   "\t    1000 leaf\n"
				   "  /src/my web.h:12 (inlined)\n"
				   "\t    1000 walk\n"
				   "  ??:0 (inlined)\n"
				   "\t    1000 work+0x8 (/bin/web)\n"
				   "  web.c:7\n"
				   "\t    2000 main (/bin/web)\n"
				   "  no source\n"
				   "  web.c:9\n"
				   "  web.c:10\n"
				   "\n"
				   "web 10/11 1.1: 100 cpu-clock: \n"
				   "\t    1000 work+0x8 (/bin/web)\n"
				   "  web.c:7\n";
	static const struct {
		const char *name, *file;
		int64_t line;
	} want[] = { { "leaf", "/src/my web.h", 12 }, { "walk", "", 0 }, { "work", "web.c", 7 }, { "main", "web.c", 9 }, { "work", "web.c", 7 } };
	_cleanup_(profile_freep) struct profile *p = NULL;

	assert_int_equal(perf_script_decode(text, sizeof(text) - 1, &p, err, sizeof(err)), 0);
	assert_int_equal(p->samples.v[0].n_frames, 2);
	assert_int_equal(p->locations.v[p->frames.v[0]].n_lines, 3);
	assert_int_equal(p->lines.n, ARRAY_SIZE(want));
	for (uint32_t i = 0; i < p->lines.n; i++) {
		const struct profile_function *f = &p->functions.v[p->lines.v[i].function];

		assert_string_equal(profile_str(p, f->name), want[i].name);
		assert_string_equal(profile_str(p, f->file), want[i].file);
		assert_int_equal(p->lines.v[i].line, want[i].line);
	}
	assert_true(p->mappings.v[0].has_line_numbers && p->mappings.v[0].has_filenames && p->mappings.v[0].has_inline_frames);
}

static void each_event_is_a_type_of_its_own(void **state)
{
	static const char text[] = "a 1 1.0: 7 cycles: 10 f (/b)\na 1 1.0: 3 cpu-clock: 10 f (/b)\na 1 1.0: 5 cycles: 10 f (/b)\n"
				   "a 1 1.0: probe:x: arg=1\n";
	_cleanup_(profile_freep) struct profile *p = NULL;

	assert_int_equal(perf_script_decode(text, sizeof(text) - 1, &p, err, sizeof(err)), 0);
	assert_int_equal(p->types.n, 3);
	assert_string_equal(profile_str(p, p->types.v[1].type), "cycles");
	assert_string_equal(profile_str(p, p->types.v[2].type), "cpu-clock"); /* "cpu" is one that is alone */
	assert_memory_equal(p->values.v, ((int64_t[]){ 1, 7, 0, 1, 0, 3, 1, 5, 0, 1, 0, 0 }), 12 * sizeof(int64_t));
	assert_int_equal(p->samples.v[3].n_frames, 0);
}

static void script_errors_name_the_line(void **state)
{
	static const char *const wrong[] = { "a 1 1.0: 7 cycles:\nfoo\n", "a 1 1.0: 7 cycles:\nfoo 3\n" };
	static const char junk_behind[] = "a 1 1.0: 7 cycles:\n\n  11 f (/b)\n";
	struct profile *p = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(perf_script_decode(wrong[i], strlen(wrong[i]), &p, err, sizeof(err)), -EBADMSG);
		assert_non_null(strstr(err, "line 2"));
	}
	assert_int_equal(perf_script_decode(junk_behind, strlen(junk_behind), &p, err, sizeof(err)), -EBADMSG);
	assert_non_null(strstr(err, "line 3"));
}

static void more_events_than_anyone_has_are_refused(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct profile *p = NULL;

	for (int i = 0; i < 33; i++)
		buf_printf(&b, "a 1 1.0: 7 event%d:\n\n", i);
	assert_int_equal(perf_script_decode((char *)b.data, b.len, &p, err, sizeof(err)), -EBADMSG);
	assert_non_null(strstr(err, "32 different"));
}

static uint32_t types_of(const void *data, size_t len)
{
	_cleanup_(profile_freep) struct profile *p = NULL;

	if (reader_decode(data, len, &p, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return p->types.n * 1000 + p->samples.n;
}

static void the_content_tells_the_format(void **state)
{
	static const struct fixture small = { .stacks = 20, .depth = 6, .functions = 12, .processes = 2, .inlined_every = 3 };
	_cleanup_(profile_freep) struct profile *p = fixture_profile(&small);
	_cleanup_(buf_fini) struct buf raw = BUF_INIT, gz = BUF_INIT;

	assert_int_equal(pprof_encode(p, &raw), 0);
	assert_int_equal(pprof_encode_gzip(p, 1, &gz), 0);
	assert_int_equal(types_of(raw.data, raw.len), 2020);
	assert_int_equal(types_of(gz.data, gz.len), 2020);
	assert_int_equal(types_of(script, sizeof(script) - 1), 2004);
	assert_int_equal(types_of("# x\n\na;b 3\r\nc 4", 15), 1002);
}

static void what_is_no_profile_is_named(void **state)
{
	static const struct {
		const char *data, *why;
		size_t len;
	} wrong[] = { { "", "empty", 0 }, { "\x7f" "ELF", "program", 4 }, { "PERFILE2", "perf script", 8 },
		      { "<!DOCTYPE html>", "web page", 15 }, { "\n\nhello world\n", "line 3", 14 }, { "\x1f\x8b", "truncated", 2 },
		      { "\0\0\0\0", "no pprof", 4 }, { "{\"a\":1}", "JSON", 7 } };
	struct profile *p = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(reader_decode(wrong[i].data, wrong[i].len, &p, err, sizeof(err)), -EBADMSG);
		if (!strstr(err, wrong[i].why))
			fail_msg("\"%s\" does not say \"%s\"", err, wrong[i].why);
	}
}

/* One location of many lines, many times in one stack: small as a file, endless as a tree. */
static void stacks_that_unfold_without_end_are_refused(void **state)
{
	enum { LINES = 20000, FRAMES = 7000 };
	_cleanup_(profile_freep) struct profile *p = profile_new(), *q = NULL;
	_cleanup_(freep) struct profile_line *lines = calloc(LINES, sizeof(*lines));
	_cleanup_(freep) uint32_t *frames = calloc(FRAMES, sizeof(*frames));
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct profile_function f = { .name = strpool_add(&p->strings, "f") };
	struct profile_location l = { .mapping = PROFILE_NO_MAPPING };
	struct profile_sample s = { .n_frames = FRAMES };

	profile_set_cpu(p, 1);
	profile_add_function(p, &f);
	profile_add_location(p, &l, lines, LINES);
	s.first_frame = profile_add_frames(p, frames, FRAMES);
	profile_add_sample(p, &s, (int64_t[]){ 1, 1 });
	assert_int_equal(pprof_encode(p, &b), 0);
	assert_int_equal(reader_decode(b.data, b.len, &q, err, sizeof(err)), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_lines_are_told_from_all_others),
		cmocka_unit_test(frame_lines_give_address_symbol_and_image),
		cmocka_unit_test(a_script_becomes_a_profile_of_cpu_time),
		cmocka_unit_test(sources_belong_to_the_frame_above),
		cmocka_unit_test(each_event_is_a_type_of_its_own),
		cmocka_unit_test(script_errors_name_the_line),
		cmocka_unit_test(more_events_than_anyone_has_are_refused),
		cmocka_unit_test(the_content_tells_the_format),
		cmocka_unit_test(what_is_no_profile_is_named),
		cmocka_unit_test(stacks_that_unfold_without_end_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
