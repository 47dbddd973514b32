// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* http1_run - the HTTP/1 parser in the kernel, on a stream that a test wrote into a map; and the same without the parser. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tests/bpf/http1_drive.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct drive);
} drives SEC(".maps");

static void drive_copy(struct drive *d, __u32 at, __u32 len)
{
	__u64 from = at, bytes = len;

	asm volatile("" : "+r"(from), "+r"(bytes));
	if (from < DRIVE_STREAM && bytes <= HTTP1_WINDOW)
		bpf_probe_read_kernel(d->w.bytes, bytes, d->stream + from);
}

SEC("tc")
int http1_run(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct drive *d = bpf_map_lookup_elem(&drives, &zero);

	if (d)
		drive(d);
	return 0;
}

/* A window copied and not read: what http1_run costs beside the parser. */
SEC("tc")
int http1_none(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct drive *d = bpf_map_lookup_elem(&drives, &zero);

	if (d)
		drive_copy(d, 0, d->bytes);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
