/* SPDX-License-Identifier: Apache-2.0 */
/* A helper that crashes, hangs, eats memory or does what it must not costs one image, and leaves no zombie. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/units.h"
#include "helper_child.h"
#include "symbolize/helper.h"
#include "symbolize/symcache.h"

#define CHILD BUILD_DIR "/tests/unit/helper_child"

static int exe_fd;

static int out_file(void)
{
	int fd = memfd_create("out", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	return fd;
}

/* Until it has ended: what came of it. */
static enum helper_result run(const struct helper_opts *opts, struct convert_job *job, struct convert_stats *stats)
{
	enum helper_result result;
	struct helper *h;

	assert_int_equal(helper_start(opts, job, time_boot_ns(), &h), 0);
	while (!helper_step(h, time_boot_ns(), &result, stats)) {
		uint64_t now = time_boot_ns(), until = helper_deadline_ns(h);
		struct pollfd p = { .fd = helper_fd(h), .events = POLLIN };

		poll(&p, 1, until > now ? (int)((until - now) / 1000000) + 1 : 0);
	}
	helper_free(h);
	/* No child is left, dead or alive. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return result;
}

static struct convert_job job_of(uint8_t deed, int out)
{
	struct convert_job job = { .id = CHILD_ID(deed, 0) };

	for (int f = 0; f < CONVERT_FILES; f++)
		job.fd[f] = f == CONVERT_OUT ? out : -1;
	return job;
}

static enum helper_result result_of(uint8_t deed, uint32_t timeout_s, const struct sandbox_limits *limits)
{
	_cleanup_(closep) int out = out_file();
	struct helper_opts opts = { .exe_fd = exe_fd, .timeout_s = timeout_s };
	struct convert_job job = job_of(deed, out);
	struct convert_stats stats;

	if (limits)
		opts.limits = *limits;
	return run(&opts, &job, &stats);
}

static void a_helper_that_dies_has_crashed(void **state)
{
	assert_int_equal(result_of(CHILD_CRASH, 0, NULL), HELPER_CRASHED);
	assert_int_equal(result_of(CHILD_ABORT, 0, NULL), HELPER_CRASHED);
	assert_int_equal(result_of(CHILD_EXIT, 0, NULL), HELPER_CRASHED);
	assert_int_equal(result_of(CHILD_GARBAGE, 0, NULL), HELPER_CRASHED);
	assert_int_equal(result_of(CHILD_CLOSE, 0, NULL), HELPER_CRASHED);
	assert_int_equal(result_of(CHILD_STACK, 0, NULL), HELPER_CRASHED);
}

static void a_helper_that_hangs_is_ended(void **state)
{
	const struct sandbox_limits second = { .cpu_s = 1 };
	uint64_t begin = time_boot_ns();

	assert_int_equal(result_of(CHILD_SPIN, 1, NULL), HELPER_TIMED_OUT);
	assert_int_equal(result_of(CHILD_HANG, 1, NULL), HELPER_TIMED_OUT);
	assert_true(time_boot_ns() - begin < 5000000000ull);
	assert_int_equal(result_of(CHILD_SPIN, 30, &second), HELPER_TIMED_OUT);
}

static void a_helper_that_eats_memory_is_refused_it(void **state)
{
	const struct sandbox_limits data = { .data_bytes = 64 * MIB }, space = { .address_bytes = 256 * MIB };

	if (sandbox_is_partial())
		skip();
	assert_int_equal(result_of(CHILD_EAT, 0, NULL), HELPER_OUT_OF_MEMORY);
	assert_int_equal(result_of(CHILD_EAT, 0, &data), HELPER_OUT_OF_MEMORY);
	assert_int_equal(result_of(CHILD_EAT, 0, &space), HELPER_OUT_OF_MEMORY);
}

static void a_helper_cannot_fill_the_disk(void **state)
{
	const struct sandbox_limits limits = { .file_bytes = 8 * MIB };

	assert_int_equal(result_of(CHILD_FILL_DISK, 0, &limits), HELPER_DAMAGED);
}

static void what_the_sandbox_forbids_is_fatal(void **state)
{
	if (sandbox_is_partial())
		skip();
	for (int deed = CHILD_FORBIDDEN; deed < CHILD_FORBIDDEN_END; deed++)
		if (result_of((uint8_t)deed, 10, NULL) != HELPER_CRASHED)
			fail_msg("deed %d was not fatal", deed);
}

/* Our only child; 0 where this kernel does not say. */
static pid_t child(void)
{
	char path[64], pids[64] = "";
	_cleanup_(closep) int fd = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, pids, sizeof(pids) - 1) <= 0 ? 0 : atoi(pids);
}

static struct helper *started(uint8_t deed, int out)
{
	struct helper_opts opts = { .exe_fd = exe_fd };
	struct convert_job job = job_of(deed, out);
	struct helper *h;

	assert_int_equal(helper_start(&opts, &job, time_boot_ns(), &h), 0);
	return h;
}

static void a_helper_that_is_killed_has_crashed(void **state)
{
	_cleanup_(closep) int out = out_file();
	struct helper *h = started(CHILD_SPIN, out);
	struct pollfd p = { .fd = helper_fd(h), .events = POLLIN };
	struct convert_stats stats;
	enum helper_result result;
	pid_t pid = child();

	if (!pid) {
		helper_free(h);
		skip();
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(helper_step(h, time_boot_ns(), &result, &stats));
	assert_int_equal(result, HELPER_CRASHED);
	helper_free(h);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void status_has(const char *status, const char *line)
{
	if (!strstr(status, line))
		fail_msg("no '%s' in %s", line, status);
}

static void it_has_given_up_everything(void **state)
{
	_cleanup_(closep) int out = out_file();
	struct helper *h = started(CHILD_SPIN, out);
	struct buf status = BUF_INIT;
	pid_t pid = child();
	char path[64];

	if (!pid || sandbox_is_partial()) {
		helper_free(h);
		skip();
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (int i = 0; i < 500 && (!status.len || !strstr((char *)status.data, "Seccomp:\t2")); i++) {
		poll(NULL, 0, 10);
		buf_reset(&status);
		assert_int_equal(file_read_path(AT_FDCWD, path, 65536, &status), 0);
		buf_putc(&status, '\0');
	}
	status_has((char *)status.data, "Seccomp:\t2");
	status_has((char *)status.data, "NoNewPrivs:\t1");
	status_has((char *)status.data, "CapPrm:\t0000000000000000");
	status_has((char *)status.data, "CapEff:\t0000000000000000");
	status_has((char *)status.data, "CapAmb:\t0000000000000000");
	if (!geteuid())
		status_has((char *)status.data, "Uid:\t65534\t65534\t65534\t65534");
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 19);
	buf_fini(&status);
	helper_free(h);
}

static void one_that_is_awaited_is_less_nice(void **state)
{
	_cleanup_(closep) int out = out_file();
	struct helper_opts opts = { .exe_fd = exe_fd, .limits.nice = 5 };
	struct convert_job job = job_of(CHILD_SPIN, out);
	struct helper *h;
	pid_t pid;

	assert_int_equal(helper_start(&opts, &job, time_boot_ns(), &h), 0);
	pid = child();
	if (!pid) {
		helper_free(h);
		skip();
	}
	for (int i = 0; i < 500 && !getpriority(PRIO_PROCESS, (id_t)pid); i++)
		poll(NULL, 0, 10);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 5);
	helper_free(h);
}

static void freeing_ends_a_running_helper(void **state)
{
	_cleanup_(closep) int out = out_file();
	struct helper_opts opts = { .exe_fd = exe_fd };
	struct convert_job job = job_of(CHILD_SPIN, out);
	struct helper *h;

	assert_int_equal(helper_start(&opts, &job, time_boot_ns(), &h), 0);
	helper_free(h);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_null(helper_free(NULL));
}

static void its_answers_are_passed_on(void **state)
{
	assert_int_equal(result_of(CHILD_NO_DWARF, 0, NULL), HELPER_NO_DEBUG_INFO);
	assert_int_equal(result_of(CHILD_DAMAGED, 0, NULL), HELPER_DAMAGED);
	assert_int_equal(result_of(CHILD_LIE, 0, NULL), HELPER_OK);
}

static void it_has_its_files_and_no_others(void **state)
{
	_cleanup_(closep) int out = out_file(), debug = open("/dev/null", O_RDONLY | O_CLOEXEC),
			      leaked = open("/dev/null", O_RDONLY);
	struct helper_opts opts = { .exe_fd = exe_fd };
	struct convert_job job = job_of(CHILD_REPORT, out);
	struct convert_stats stats;

	job.fd[CONVERT_DEBUG] = job.fd[CONVERT_DWP] = debug;
	assert_int_equal(run(&opts, &job, &stats), HELPER_OK);
	assert_int_equal(stats.units, 1 << CONVERT_OUT | 1 << CONVERT_DEBUG | 1 << CONVERT_DWP);
	/* Null thrice, the socket, the program (which is open until it has ended), three files. */
	assert_in_range(stats.symbols, 7, 8);
	assert_true(leaked >= 0);
}

static int open_yes(void *ctx, const char *dir, const char *name)
{
	int fd;

	++*(int *)ctx;
	if (strcmp(dir, "/comp") || strcmp(name, "yes.dwo"))
		return -ENOENT;
	fd = memfd_create("dwo", MFD_CLOEXEC);
	assert_int_equal(file_write_all(fd, "hello", 5), 0);
	return fd;
}

static void it_may_ask_for_more_files(void **state)
{
	_cleanup_(closep) int out = out_file();
	int asked = 0;
	struct helper_opts opts = { .exe_fd = exe_fd, .open_dwo = open_yes, .ctx = &asked };
	struct convert_job job = job_of(CHILD_ASK, out);
	struct convert_stats stats;

	assert_int_equal(run(&opts, &job, &stats), HELPER_OK);
	assert_int_equal(stats.symbols, 5);
	assert_int_equal(stats.units, ENOENT);
	assert_int_equal(asked, 2);
	job.id.bytes[0] = CHILD_ASK_FOR_EVER;
	assert_int_equal(run(&opts, &job, &stats), HELPER_CRASHED);
}

static void a_real_image_is_converted(void **state)
{
	_cleanup_(closep) int out = out_file(), image = open(CHILD, O_RDONLY | O_CLOEXEC);
	_cleanup_(symcache_freep) struct symcache *c = NULL;
	struct helper_opts opts = { .exe_fd = exe_fd };
	struct convert_job job = job_of(CHILD_CONVERT, out);
	struct convert_stats stats;

	job.fd[CONVERT_IMAGE] = image;
	assert_int_equal(run(&opts, &job, &stats), HELPER_OK);
	assert_true(stats.symbols > 10 && stats.nodes > 10 && stats.rows > 100);
	assert_int_equal(symcache_open(out, &job.id, &c), 0);
}

static void what_cannot_be_started_is_an_error(void **state)
{
	_cleanup_(closep) int out = out_file(), exe = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct helper_opts opts = { .exe_fd = exe };
	struct convert_job job = job_of(CHILD_CONVERT, out);
	struct helper *h = NULL;

	assert_true(helper_start(&opts, &job, time_boot_ns(), &h) < 0);
	opts.exe_fd = -1;
	assert_true(helper_start(&opts, &job, time_boot_ns(), &h) < 0);
	assert_null(h);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_helper_that_dies_has_crashed),
		cmocka_unit_test(a_helper_that_hangs_is_ended),
		cmocka_unit_test(a_helper_that_eats_memory_is_refused_it),
		cmocka_unit_test(a_helper_cannot_fill_the_disk),
		cmocka_unit_test(what_the_sandbox_forbids_is_fatal),
		cmocka_unit_test(a_helper_that_is_killed_has_crashed),
		cmocka_unit_test(it_has_given_up_everything),
		cmocka_unit_test(one_that_is_awaited_is_less_nice),
		cmocka_unit_test(freeing_ends_a_running_helper),
		cmocka_unit_test(its_answers_are_passed_on),
		cmocka_unit_test(it_has_its_files_and_no_others),
		cmocka_unit_test(it_may_ask_for_more_files),
		cmocka_unit_test(a_real_image_is_converted),
		cmocka_unit_test(what_cannot_be_started_is_an_error),
	};

	exe_fd = open(CHILD, O_RDONLY | O_CLOEXEC);
	if (exe_fd < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
