/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's verifier says of each program, everything switched on: its work, against the kernel's budget. */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/config.h"
#include "bpf/sample.skel.h"

#define BUDGET TESTS_DIR "/unit/verifier-budget.tsv"

/* Instructions walked through; 0: this kernel does not say. */
static uint32_t verified(const struct bpf_program *prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0);
	return info.verified_insns;
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

static void every_program_is_within_its_budget(void **state)
{
	struct sample_bpf *skel = sample_bpf__open();
	struct bpf_program *prog;

	assert_non_null(skel);
	memcpy((void *)&skel->rodata->config,
	       &(struct sample_config){ .filter = SAMPLE_FILTER_PID | SAMPLE_FILTER_COMM | SAMPLE_FILTER_CGROUP,
					.n_cgroups = SAMPLE_MAX_CGROUPS,
					.kernel_stacks = 1,
					.user_stacks = 1 },
	       sizeof(struct sample_config));
	assert_int_equal(sample_bpf__load(skel), 0);
	bpf_object__for_each_program(prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		uint32_t n = verified(prog), max = budget_of(name);

		printf("%s: %u of %u\n", name, n, max);
		assert_true(max > 0);
		if (n > max)
			fail_msg("%s: %u instructions verified, the budget is %u: make it simpler, or say in %s why it may grow",
				 name, n, max, BUDGET);
		if (n && n < max / 2)
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
