/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * bpf_host - the BPF helpers our pure walkers call, for a test on the host: user memory is one
 * drawn stack, anything else faults.
 */
#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

static struct {
	uint64_t at;
	const void *bytes;
	size_t len;
	unsigned int reads, faults;
} host_memory;

/* The only readable user memory: len bytes at address `at`. */
static inline void host_stack(uint64_t at, const void *bytes, size_t len)
{
	host_memory.at = at;
	host_memory.bytes = bytes;
	host_memory.len = len;
	host_memory.reads = host_memory.faults = 0;
}

static inline long bpf_probe_read_user(void *to, uint32_t len, const void *from)
{
	uint64_t addr = (uint64_t)(uintptr_t)from;

	host_memory.reads++;
	if (addr < host_memory.at || len > host_memory.len || addr - host_memory.at > host_memory.len - len) {
		host_memory.faults++;
		memset(to, 0, len);
		return -14;
	}
	memcpy(to, (const char *)host_memory.bytes + (addr - host_memory.at), len);
	return 0;
}
