/* SPDX-License-Identifier: Apache-2.0 */
/*
 * empty - empty BPF programs on the hooks that see requests, until a signal: the peer of the programs that do something there.
 *
 *	bench_empty sockets|syscalls
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/empty.skel.h"

int main(int argc, char **argv)
{
	int by_socket = argc > 1 && !strcmp(argv[1], "sockets");
	struct empty_bpf *skel = empty_bpf__open();

	if (!skel || argc < 2)
		return 1;
	bpf_program__set_autoload(skel->progs.empty_sent, by_socket);
	bpf_program__set_autoload(skel->progs.empty_received, by_socket);
	bpf_program__set_autoload(skel->progs.empty_ended, !by_socket);
	if (empty_bpf__load(skel) || empty_bpf__attach(skel))
		return 1;
	puts("attached");
	fflush(stdout);
	return pause();
}
