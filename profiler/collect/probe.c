/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/collector.h"
#include "collect/cpus.h"
#include "collect/sampler.h"
#include "proc/scan.h"
#include "proc/sideband.h"

static int let_go(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_bpf(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return let_go(bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "probe", "GPL", insns, ARRAY_SIZE(insns), NULL));
}

static int try_ring(void)
{
	return let_go(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0, (__u32)sysconf(_SC_PAGESIZE), NULL));
}

static int first_cpu(void)
{
	bool online[CPUS_MAX];
	int n = cpus_online(online);

	for (int cpu = 0; cpu < n; cpu++)
		if (online[cpu])
			return cpu;
	return 0;
}

static const struct sampler_opts usual = { .frequency_hz = 99, .kernel_stacks = true, .user_stacks = true };

static int try_program(bool follow, char *err, size_t err_len)
{
	struct sampler_opts opts = usual;
	struct sampler *s;
	int r;

	opts.follow_pids = follow;
	r = sampler_new(&opts, &s, err, err_len);
	if (r >= 0)
		sampler_free(s);
	return r;
}

static int try_start(char *err, size_t err_len)
{
	struct collector_opts opts = { .sampler = usual, .by = COLLECT_BY_PROCESS };
	struct collector *c;
	int r = collector_new(&opts, &c, err, err_len);

	if (r < 0)
		return r;
	r = collector_start(c, err, err_len);
	if (r >= 0)
		r = collector_stop(c);
	collector_free(c);
	return r;
}

void probe_run(struct probe *ret)
{
	struct probe p = { .euid = geteuid() };
	int cpu = first_cpu();

	/* First of all: loading a program raises the limit. */
	getrlimit(RLIMIT_MEMLOCK, &p.memlock);
	getrlimit(RLIMIT_NOFILE, &p.nofile);
	libbpf_set_print(NULL);
	p.bpf = try_bpf();
	p.ring = try_ring();
	p.event = sampler_probe_event(cpu);
	p.records = sideband_probe(cpu, &p.build_ids);
	p.procmap = scan_query_probe();
	p.program = try_program(false, p.program_err, sizeof(p.program_err));
	p.followers = try_program(true, p.followers_err, sizeof(p.followers_err));
	p.start = try_start(p.start_err, sizeof(p.start_err));
	*ret = p;
}

static bool has_value(const struct btf *btf, const char *type, const char *value)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;

	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), value))
			return true;
	return false;
}

int probe_btf_read(const char *path, struct probe_btf *ret)
{
	struct btf *btf;

	if (access(path, R_OK) < 0)
		return -errno;
	btf = btf__parse(path, NULL);
	if (!btf)
		return -errno;
	*ret = (struct probe_btf){
		.ring = has_value(btf, "bpf_map_type", "BPF_MAP_TYPE_RINGBUF"),
		.loop = has_value(btf, "bpf_func_id", "BPF_FUNC_loop"),
		.task_storage = has_value(btf, "bpf_map_type", "BPF_MAP_TYPE_TASK_STORAGE"),
		.task_iter = btf__find_by_name_kind(btf, "bpf_iter__task", BTF_KIND_STRUCT) > 0,
		.vma_iter = btf__find_by_name_kind(btf, "bpf_iter__task_vma", BTF_KIND_STRUCT) > 0,
		.fork_tracepoint = btf__find_by_name_kind(btf, "btf_trace_sched_process_fork", BTF_KIND_TYPEDEF) > 0,
	};
	btf__free(btf);
	return 0;
}
