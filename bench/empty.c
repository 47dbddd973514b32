/* SPDX-License-Identifier: Apache-2.0 */
/*
 * empty - empty BPF programs on the hooks that see requests, until a signal: the peer of the programs that do something there.
 *
 *	bench_empty sockets|syscalls
 *	bench_empty calls PID	at sockets, by trace events
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/empty.skel.h"

/* As profiler/trace/tracer_ways.c: trace events where there are some, else the exit of functions. */
static void choose_programs(struct empty_bpf *skel, bool by_socket, __u32 calls_of)
{
	bool by_event = by_socket && libbpf_find_vmlinux_btf_id("sock_send_length", BPF_TRACE_RAW_TP) >= 0;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj)
		if (!strncmp(bpf_program__section_name(prog), "fexit/", strlen("fexit/")))
			bpf_program__set_autoload(prog, by_socket && !by_event);
	bpf_program__set_autoload(skel->progs.empty_sent, by_event);
	bpf_program__set_autoload(skel->progs.empty_received, by_event);
	bpf_program__set_autoload(skel->progs.empty_ended, !by_socket && !calls_of);
	bpf_program__set_autoload(skel->progs.calls_sent, calls_of);
	bpf_program__set_autoload(skel->progs.calls_received, calls_of);
	skel->rodata->calls_of = calls_of;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int calls_of = argc == 3 && !strcmp(what, "calls") ? atoi(argv[2]) : 0;
	struct empty_bpf *skel;

	if (calls_of <= 0 && (argc != 2 || (strcmp(what, "sockets") && strcmp(what, "syscalls")))) {
		fputs("usage: bench_empty sockets|syscalls\n       bench_empty calls PID\n", stderr);
		return 2;
	}
	skel = empty_bpf__open();
	if (!skel)
		return 1;
	choose_programs(skel, !strcmp(what, "sockets"), (__u32)calls_of);
	if (empty_bpf__load(skel) || empty_bpf__attach(skel))
		return 1;
	puts("attached");
	fflush(stdout);
	return pause();
}
