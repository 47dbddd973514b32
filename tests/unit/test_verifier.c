/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's verifier says of each program, everything switched on: its work, against the kernel's budget. */
#include "unit.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/config.h"
#include "bpf/sample.skel.h"
#include "bpf/trace.h"
#include "bpf/trace.skel.h"
#include "collect/sampler.h"
#include "trace/tracer_ways.h"

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

enum { MAX_FUNCTIONS = 64, MAX_PROGRAMS = 32, MAX_STACK = 512 };

/* A program's functions: where each begins, the bytes of its stack as the log says, and who calls whom. */
struct functions {
	const struct bpf_insn *insns;
	uint32_t starts[MAX_FUNCTIONS + 1], stack[MAX_FUNCTIONS], n;
};

/* The instruction that this one calls, or whose function it hands on to be called. 0: none. */
static uint32_t callee(const struct bpf_insn *insns, uint32_t i)
{
	const struct bpf_insn *at = &insns[i];

	if (at->code == (BPF_JMP | BPF_CALL) ? at->src_reg == BPF_PSEUDO_CALL :
					       at->code == (BPF_LD | BPF_DW | BPF_IMM) && at->src_reg == BPF_PSEUDO_FUNC)
		return (uint32_t)((int32_t)i + 1 + at->imm);
	return 0;
}

static uint32_t function_at(const struct functions *f, uint32_t start)
{
	uint32_t i = 0;

	while (i < f->n && f->starts[i] < start)
		i++;
	return i;
}

static void add_function(struct functions *f, uint32_t start)
{
	uint32_t i = function_at(f, start);

	if (i < f->n && f->starts[i] == start)
		return;
	assert_in_range(f->n, 0, MAX_FUNCTIONS - 1);
	memmove(&f->starts[i + 1], &f->starts[i], (f->n - i) * sizeof(f->starts[0]));
	f->starts[i] = start;
	f->n++;
}

static uint32_t deepest(const struct functions *f, uint32_t function)
{
	uint32_t below = 0, own = (f->stack[function] + 31) & ~31u;

	for (uint32_t i = f->starts[function]; i < f->starts[function + 1]; i++) {
		uint32_t to = callee(f->insns, i), deep = to ? deepest(f, function_at(f, to)) : 0;

		below = deep > below ? deep : below;
	}
	return (own ? own : 32) + below;
}

/*
 * Bytes of stack of the deepest calls, as Linux before 6.13 counts them: it refuses more than 512; newer ones allow that to
 * each function, so this one must be asked.
 */
static uint32_t stack_of(const struct bpf_program *prog, const char *log)
{
	struct functions f = { .insns = bpf_program__insns(prog) };
	uint32_t n = (uint32_t)bpf_program__insn_cnt(prog);
	const char *at = strstr(log, "stack depth ");

	add_function(&f, 0);
	for (uint32_t i = 0; i < n; i++)
		if (callee(f.insns, i))
			add_function(&f, callee(f.insns, i));
	f.starts[f.n] = n;
	assert_non_null(at);
	at += strlen("stack depth ");
	for (uint32_t i = 0; i < f.n; i++, at += *at == '+') {
		assert_true(isdigit(*at));
		f.stack[i] = (uint32_t)strtoul(at, (char **)&at, 10);
	}
	return deepest(&f, 0);
}

static void judge(const char *name, const struct bpf_program *prog, const char *log)
{
	uint32_t max = budget_of(name), n = verified(log), stack = stack_of(prog, log);

	printf("%s: %u of %u, stack %u\n", name, n, max, stack);
	if (stack > MAX_STACK)
		fail_msg("%s: %u bytes of stack, Linux before 6.13 allows %u", name, stack, MAX_STACK);
	assert_true(max > 0);
	if (n > max)
		fail_msg("%s: %u instructions verified, the budget is %u: make it simpler, or say in %s why it may grow", name, n, max, BUDGET);
	assert_true(n > 0);
	if (n < max / 2)
		fail_msg("%s: %u instructions verified, the budget is %u: lower it", name, n, max);
}

/* Loads what the object would, and judges each of its programs; more: behind its name in the budget. */
static void load_and_judge(struct bpf_object *obj, const char *more)
{
	static char logs[MAX_PROGRAMS][64 << 10];
	uint32_t programs = 0;
	struct bpf_program *prog;
	char name[64];

	bpf_object__for_each_program(prog, obj) {
		assert_in_range(programs, 0, MAX_PROGRAMS - 1);
		bpf_program__set_log_level(prog, 4); /* sums only */
		bpf_program__set_log_buf(prog, logs[programs++], sizeof(logs[0]));
	}
	if (bpf_object__load(obj) < 0)
		fail_msg("the kernel refused a program%s: %.2000s", more, logs[0]);
	programs = 0;
	bpf_object__for_each_program(prog, obj) {
		const char *log = logs[programs++];

		snprintf(name, sizeof(name), "%s%s", bpf_program__name(prog), more);
		if (bpf_program__autoload(prog))
			judge(name, prog, log);
	}
}

static void every_sampling_program_is_within_its_budget(void **state)
{
	struct sample_bpf *skel = sample_bpf__open();

	assert_non_null(skel);
	memcpy((void *)&skel->rodata->config,
	       &(struct sample_config){ .filter = SAMPLE_FILTER_PID | SAMPLE_FILTER_COMM | SAMPLE_FILTER_CGROUP,
					.n_cgroups = SAMPLE_MAX_CGROUPS,
					.kernel_stacks = 1,
					.user_stacks = 1,
					.shares = 1,
					.flights = 1 },
	       sizeof(struct sample_config));
	bpf_program__set_autoload(skel->progs.sample, !sampler_on_old_kernel());
	load_and_judge(skel->obj, "");
	sample_bpf__destroy(skel);
}

static void judge_tracing(bool by_syscalls, const char *more)
{
	const struct tracer_opts opts = { .spans = true, .ratio = 0.5, .slow_ns = 1, .errors = true, .exact = true };
	struct trace_bpf *skel = trace_bpf__open();
	struct btf *kernel = btf__load_vmlinux_btf();

	assert_non_null(skel);
	assert_non_null(kernel);
	tracer_configure(skel, &opts, by_syscalls ? TRACER_BY_SYSCALLS : tracer_best_way(skel, kernel, false), kernel);
	load_and_judge(skel->obj, more);
	btf__free(kernel);
	trace_bpf__destroy(skel);
}

static void every_tracing_program_is_within_its_budget_with_either_hooks(void **state)
{
	if (sampler_on_old_kernel())
		return; /* nothing is traced */
	judge_tracing(false, "");
	judge_tracing(true, "/syscalls");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sampling_program_is_within_its_budget),
		cmocka_unit_test(every_tracing_program_is_within_its_budget_with_either_hooks),
	};

	if (geteuid())
		return 77; /* loading programs needs root */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
