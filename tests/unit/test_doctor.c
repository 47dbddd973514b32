/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor: the whole report, what trying gave, what is seen of requests. */
#include "fixture_doctor.h"

#include <errno.h>

static void a_host_that_has_it_all_is_ok_in_every_line(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	expect(&h, "release", DOCTOR_OK, "6.12.1-amd64");
	for (size_t i = 0; i < h.report.n; i++) {
		assert_int_equal(h.report.v[i].state, DOCTOR_OK);
		assert_true(*h.report.v[i].found && *h.report.v[i].means);
	}
	assert_int_equal(h.report.overall, DOCTOR_OK);
	assert_string_equal(h.report.verdict, "hotspan can profile this host");
}

static void ids_are_unique(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	doctor_examine(h.root, &h.probe, &h.trace, &h.report);
	for (size_t i = 0; i < h.report.n; i++)
		assert_ptr_equal(find(&h, h.report.v[i].id), &h.report.v[i]);
}

static void an_empty_root_is_survived(void **state)
{
	_cleanup_(host_fini) struct host h = { .root = "/tmp/hotspan-doctor-XXXXXX" };

	assert_non_null(mkdtemp(h.root));
	expect(&h, "proc", DOCTOR_MISSING, "mount");
	expect(&h, "btf", DOCTOR_MISSING, "CONFIG_DEBUG_INFO_BTF");
	expect(&h, "cap_bpf", DOCTOR_MISSING, "not held");
	expect(&h, "cpus", DOCTOR_MISSING, "sysfs");
	expect(&h, "memory", DOCTOR_OK, "not told");
	expect(&h, "lockdown", DOCTOR_OK, "not told");
	expect(&h, "kallsyms", DOCTOR_LIMITED, "CONFIG_KALLSYMS");
	assert_int_equal(h.report.overall, DOCTOR_MISSING);
}

static void a_refused_program_says_why_in_its_own_words(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	h.probe.program = h.probe.start = -ENOTSUP;
	strcpy(h.probe.program_err, "the kernel refused the BPF program (Invalid argument): the verifier is in a mood");
	strcpy(h.probe.start_err, h.probe.program_err);
	expect(&h, "program", DOCTOR_MISSING, "in a mood");
	expect(&h, "start", DOCTOR_MISSING, "in a mood");
	expect(&h, "tp_btf", DOCTOR_OK, "yes");
	h.probe.program = 0;
	h.probe.followers = -ENOTSUP;
	expect(&h, "tp_btf", DOCTOR_LIMITED, "--cgroup");
	h.probe.start = -EMFILE;
	expect(&h, "start", DOCTOR_MISSING, "ulimit");
	h.probe.records = -EINVAL;
	expect(&h, "records", DOCTOR_MISSING, "Invalid argument");
}

static void requests_are_seen_at_sockets_or_at_system_calls_or_not_at_all(void **state)
{
	_cleanup_(host_fini) struct host h;

	good_host(&h);
	expect(&h, "http_hooks", DOCTOR_OK, "at sockets");
	expect(&h, "http_programs", DOCTOR_OK, "can be counted");
	expect(&h, "http_unseen", DOCTOR_OK, "TLS, HTTP/2, io_uring");
	put_text(&h, "/sys/module/tls", "");
	put_text(&h, "/proc/sys/kernel/io_uring_disabled", "2\n");
	expect(&h, "http_unseen", DOCTOR_OK, "TLS (in the kernel, too), HTTP/2: such");
	put_text(&h, "/proc/sys/kernel/io_uring_disabled", "1\n");
	h.trace.way = TRACER_BY_EXITS;
	expect(&h, "http_hooks", DOCTOR_OK, "at sockets, by the functions");
	expect(&h, "http_unseen", DOCTOR_OK, "HTTP/2, io_uring: such");
	h.trace.way = TRACER_BY_SYSCALLS;
	expect(&h, "http_hooks", DOCTOR_LIMITED, "pays for the hook, too -> boot a newer kernel: Linux 6.3");
	h.trace.refused = -EBUSY;
	expect(&h, "http_hooks", DOCTOR_LIMITED, "attach to the kernel's functions: Device or resource busy");
	expect(&h, "http_unseen", DOCTOR_OK, "only its own calls are");
	h.trace.programs = -ENOTSUP;
	strcpy(h.trace.programs_err, "the verifier is in a mood");
	expect(&h, "http_programs", DOCTOR_LIMITED, "no requests are seen: the verifier is in a mood -> boot a newer kernel");
	h.trace.programs = -EPERM;
	expect(&h, "http_programs", DOCTOR_LIMITED, "the sampling program above");
	put_status(&h, ALL_CAPS & ~(1ull << CAP_BPF | 1ull << CAP_SYS_ADMIN), 0);
	expect(&h, "http_programs", DOCTOR_LIMITED, "BPF");
	assert_int_equal(find(&h, "program")->state, DOCTOR_OK); /* profiles need none of it */
}

/* What this kernel answers agrees with itself: the whole works only when its parts do. */
static void trying_here_is_consistent(void **state)
{
	struct probe p;

	probe_run(&p);
	if (!p.start)
		assert_true(!p.bpf && !p.ring && !p.event && !p.records && !p.program);
	else
		assert_true(*p.start_err || p.start == -EPERM);
	assert_true(p.nofile.rlim_cur > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_has_it_all_is_ok_in_every_line),
		cmocka_unit_test(ids_are_unique),
		cmocka_unit_test(an_empty_root_is_survived),
		cmocka_unit_test(a_refused_program_says_why_in_its_own_words),
		cmocka_unit_test(requests_are_seen_at_sockets_or_at_system_calls_or_not_at_all),
		cmocka_unit_test(trying_here_is_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
