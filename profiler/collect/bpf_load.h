/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_load - what loading any of our BPF objects has in common: limits, what to say when the kernel refuses, its price.
 *
 * Threads: any; libbpf's messages are remembered for each.
 */
#include <stddef.h>
#include <stdint.h>

struct bpf_map;
struct bpf_object;

/*
 * Kernels before 5.11 account BPF memory by RLIMIT_MEMLOCK. bpf_load_prepare() lifts it; who gives up CAP_SYS_RESOURCE before
 * calls this before. Where it is refused, newer kernels do not care.
 */
void bpf_load_lift_limit(void);

/* Before an object is opened. */
void bpf_load_prepare(void);
/* What r, the result of loading or attaching, means and what to do: -EPERM, -ENOTSUP or r. */
int bpf_load_explain(int r, char *err, size_t err_len);
/*
 * Kernel memory as the kernel accounts it: of programs and of maps that do not grow, which does not change once they are loaded,
 * without one that another object counts, or NULL;
 */
uint64_t bpf_load_fixed_bytes(const struct bpf_object *o, const struct bpf_map *but);
/* and of a map that grows as it is filled: 0 where it does not, or where the kernel only says what it could become. */
uint64_t bpf_load_grown_bytes(const struct bpf_map *map);
