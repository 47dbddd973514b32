/* SPDX-License-Identifier: Apache-2.0 */
/* What a program was started with, and which one it is: only what is of the sample's moment is believed. */
#include "fixture_identity.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "proc/executable.h"
#include "proc/image.h"

static void arguments_and_environment_come_with_the_sample(void **state)
{
	struct ev_rest *rest = rest_with("prog\0-x", 8, ENV("A=1\0OTEL_SERVICE_NAME=gone\0"));
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	const struct ev_rest whole = *rest;
	struct startup s;

	startup_read(&p, rest, &s);
	assert_true(s.known);
	assert_int_equal(s.args.len, 8);
	assert_memory_equal(s.args.data, "prog\0-x", 8);
	assert_memory_equal(s.env.data, "A=1\0OTEL_SERVICE_NAME=gone\0", s.env.len);
	startup_fini(&s);
#define LIES(field, value)                       \
	do {                                     \
		*rest = whole;                   \
		rest->field = value;             \
		startup_read(&p, rest, &s);      \
		assert_false(s.known);           \
	} while (0)
	LIES(env_end, whole.env_end + 1); /* a byte beyond what came */
	LIES(env_end, whole.env - 1);
	LIES(env, whole.args - 8);
	LIES(args_end, UINT64_MAX);
	LIES(start_bytes, 0);
	free(rest);
}

/* Fields 48 and 50 of our own. */
static void own_addresses(struct ev_rest *rest)
{
	char text[1024], *s;
	FILE *f = fopen("/proc/self/stat", "re");

	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	s = strrchr(text, ')');
	for (int i = 2; i < 48; i++)
		s = strchr(s + 1, ' ');
	assert_int_equal(sscanf(s, "%llu %*u %llu %llu", (unsigned long long *)&rest->args, (unsigned long long *)&rest->env,
				(unsigned long long *)&rest->env_end), 3);
}

static void proc_is_believed_only_while_it_is_the_program_of_the_sample(void **state)
{
	struct ev_rest rest = { .start_bytes = 0 };
	struct process p = { .pid = (uint32_t)getpid(), .exe = "test_startup" };
	struct startup s;

	own_addresses(&rest);
	startup_read(&p, &rest, &s);
	assert_true(s.known);
	assert_non_null(memmem(s.args.data, s.args.len, "test_startup", 12));
	startup_fini(&s);
	rest.env += 16; /* it has run another program since */
	startup_read(&p, &rest, &s);
	assert_false(s.known);
	startup_read(&p, &(struct ev_rest){ .start_bytes = 0 }, &s); /* inside execve: what /proc shows by now is of a later moment */
	assert_false(s.known);
	startup_read(&p, NULL, &s);
	assert_true(s.known);
	startup_fini(&s);
	/* "python3" has become "python": its name is how the other's begins, and how it is cut. */
	static const char *const before[] = { "another", "test_startup2", "test_startup-2", "test_startu" };

	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		strcpy(p.exe, before[i]);
		startup_read(&p, NULL, &s);
		assert_false(s.known);
	}
}

/* As inside execve: neither arguments nor environment. */
static bool forget_start(void)
{
	unsigned long long field[52] = { 0 };
	struct prctl_mm_map m = { .exe_fd = UINT32_MAX };
	char text[1024], *s;
	FILE *f = fopen("/proc/self/stat", "re");

	if (!f || !fgets(text, sizeof(text), f))
		return false;
	fclose(f);
	s = strrchr(text, ')') + 1;
	for (int i = 3; i < 52; i++, s += strcspn(s, " "))
		field[i] = strtoull(s += strspn(s, " "), NULL, 10);
	m.start_code = field[26];
	m.end_code = field[27];
	m.start_stack = field[28];
	m.start_data = field[45];
	m.end_data = field[46];
	m.start_brk = field[47];
	m.brk = (uintptr_t)sbrk(0);
	m.arg_start = m.arg_end = field[48];
	m.env_start = m.env_end = field[50];
	return !prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0);
}

/* And that is not what it was started with. */
static void what_is_not_there_yet_is_not_known(void **state)
{
	struct process p = { .exe = "test_startup" };
	struct startup s;
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	p.pid = (uint32_t)fork();
	if (!p.pid) {
		c = forget_start();
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	startup_read(&p, NULL, &s);
	kill((pid_t)p.pid, SIGKILL);
	waitpid((pid_t)p.pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	assert_true(c);
	assert_false(s.known);
	startup_fini(&s);
}

/* What was mapped is told by a path that says so when its file is gone, and is kept cut. */
static void a_program_is_known_by_its_name_although_its_file_is_gone(void **state)
{
	static const char name[] = "a-program-whose-name-is-longer-than-what-is-kept-of-it";
	char folder[] = "/tmp/hotspan-startup-XXXXXX", path[256], file[300];
	struct process_mmap m = { .start = 0x1000,
				  .len = 0x1000,
				  .id = { .kind = BUILD_ID_GNU, .len = 20 },
				  .path = file };
	const char *const names[] = { "sleep", name };

	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < 2; i++) {
		struct images *images;
		struct processes *ps;
		struct process *p;
		pid_t child;

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		snprintf(file, sizeof(file), "cp /bin/sleep %s", path);
		assert_int_equal(system(file), 0);
		child = fork();
		if (!child) {
			execl(path, path, "100", (char *)NULL);
			_exit(1);
		}
		assert_int_equal(images_new(&images), 0);
		assert_int_equal(processes_new(images, &ps), 0);
		p = process_add(ps, (uint32_t)child, 1);
		snprintf(file, sizeof(file), "%s (deleted)", path);
		assert_int_equal(process_map(ps, p, &m), 0);
		assert_int_equal(strncmp(p->exe, names[i], 31), 0);
		assert_null(strstr(p->exe, "(del"));
		for (int tries = 0; tries < 1000 && !executable_is_current(p); tries++)
			usleep(1000); /* until it has run exec */
		assert_true(executable_is_current(p));
		unlink(path);
		assert_true(executable_is_current(p));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		processes_free(ps);
		images_free(images);
	}
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_and_environment_come_with_the_sample),
		cmocka_unit_test(proc_is_believed_only_while_it_is_the_program_of_the_sample),
		cmocka_unit_test(what_is_not_there_yet_is_not_known),
		cmocka_unit_test(a_program_is_known_by_its_name_although_its_file_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
