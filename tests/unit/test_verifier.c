/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's verifier says of each program, everything switched on: its work, against the kernel's budget. */
#include "unit.h"

#include <bpf/libbpf.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/config.h"
#include "bpf/sample.skel.h"
#include "collect/sampler.h"

#define BUDGET TESTS_DIR "/unit/verifier-budget.tsv"

/* Instructions walked through; 7.2 also says how many in each function, on a line of its own. */
static uint32_t verified(const char *log)
{
	const char *at = strstr(log, "\nprocessed ");

	return at ? (uint32_t)strtoul(at + strlen("\nprocessed "), NULL, 10) : 0;
}

/* The column of the running kernel in the table's first line: "program", then versions; else the last one. */
static int column_of(char *head)
{
	char running[16], *save = NULL;
	struct utsname u;
	int column = 0;

	uname(&u);
	snprintf(running, sizeof(running), "%.*s", (int)strspn(u.release, "0123456789."), u.release);
	for (char *v = strtok_r(head, "\t\n", &save); v; v = strtok_r(NULL, "\t\n", &save), column++)
		if (!strncmp(running, v, strlen(v)) && !isdigit(running[strlen(v)]))
			return column;
	return column - 1;
}

static uint32_t cell(char *line, int column)
{
	char *save = NULL, *v = strtok_r(line, "\t\n", &save);

	while (v && column--)
		v = strtok_r(NULL, "\t\n", &save);
	return v ? (uint32_t)atoi(v) : 0;
}

/* 0: the program has no row. */
static uint32_t budget_of(const char *name)
{
	FILE *f = fopen(BUDGET, "re");
	char line[256];
	int column = -1;
	uint32_t found = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#')
			continue;
		if (column < 0)
			column = column_of(line);
		else if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == '\t')
			found = cell(line, column);
	}
	fclose(f);
	return found;
}

/*
 * Bytes of stack of the deepest calls, or a few more. Of the functions in the log's list, three call nothing (space_find,
 * space_rule, walk_read): one of them at a time is on the stack, so the two smallest of all do not count.
 * Linux before 6.13 refuses more than 512 in all; newer ones do not, so this one must be asked.
 */
static uint32_t stack_of(const char *log)
{
	const char *at = strstr(log, "stack depth ");
	uint32_t sum = 0, least = UINT32_MAX, second = UINT32_MAX, n = 0;

	for (at = at ? at + strlen("stack depth ") : ""; isdigit(*at); at += *at == '+', n++) {
		uint32_t bytes = ((uint32_t)strtoul(at, (char **)&at, 10) + 31) & ~31u;

		bytes = bytes ? bytes : 32;
		sum += bytes;
		if (n && bytes < least)
			second = least, least = bytes;
		else if (n && bytes < second)
			second = bytes;
	}
	return n > 2 ? sum - least - second : sum;
}

static void every_program_is_within_its_budget(void **state)
{
	static char logs[8][64 << 10];
	uint32_t programs = 0;
	struct sample_bpf *skel = sample_bpf__open();
	struct bpf_program *prog;

	assert_non_null(skel);
	memcpy((void *)&skel->rodata->config,
	       &(struct sample_config){ .filter = SAMPLE_FILTER_PID | SAMPLE_FILTER_COMM | SAMPLE_FILTER_CGROUP,
					.n_cgroups = SAMPLE_MAX_CGROUPS,
					.kernel_stacks = 1,
					.user_stacks = 1,
					.shares = 1,
					.flights = 1 },
	       sizeof(struct sample_config));
	bpf_object__for_each_program(prog, skel->obj) {
		assert_in_range(programs, 0, ARRAY_SIZE(logs) - 1);
		bpf_program__set_log_level(prog, 4); /* sums only */
		bpf_program__set_log_buf(prog, logs[programs++], sizeof(logs[0]));
	}
	bpf_program__set_autoload(skel->progs.sample, !sampler_on_old_kernel());
	assert_int_equal(sample_bpf__load(skel), 0);
	programs = 0;
	bpf_object__for_each_program(prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		uint32_t max = budget_of(name), n = verified(logs[programs]), stack = stack_of(logs[programs++]);

		if (!bpf_program__autoload(prog))
			continue;
		printf("%s: %u of %u, stack %u\n", name, n, max, stack);
		if (stack > 512)
			fail_msg("%s: %u bytes of stack, Linux before 6.13 allows 512", name, stack);
		assert_true(max > 0);
		if (n > max)
			fail_msg("%s: %u instructions verified, the budget is %u: make it simpler, or say in %s why it may grow",
				 name, n, max, BUDGET);
		assert_true(n > 0);
		if (n < max / 2)
			fail_msg("%s: %u instructions verified, the budget is %u: lower it", name, n, max);
	}
	sample_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_program_is_within_its_budget) };

	if (geteuid())
		return 77; /* loading programs needs root */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
