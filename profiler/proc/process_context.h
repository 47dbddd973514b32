/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * process_context - the message that OpenTelemetry's SDK of a process keeps in memory for those who look from outside.
 *
 * A mapping whose name begins with [anon_shmem:OTEL_CTX], [anon:OTEL_CTX] or /memfd:OTEL_CTX holds, in the host's byte order
 *
 *	char signature[8]      "OTEL_CTX"
 *	u32 version            2
 *	u32 payload_size
 *	u64 published_at_ns    0 while it is being written
 *	u64 payload            its address in the process
 *
 * It is published after the process began and may change: read it again later.
 * The process owns it: the payload is bounded, and read only where anonymous memory or the mapping itself lies, since a read
 * of what a user's own file system backs could wait for that for ever.
 * Source: OTEP 4719; declared.h reads the message.
 */
#include <stddef.h>
#include <sys/types.h>

struct buf;

#define PROCESS_CONTEXT_MAX (16u << 10)

/* Appends the message. 0; -ENOENT: there is none; -EAGAIN: it is being written; -EBADMSG: it is none of version 2, or lies;
 * -ESRCH: the process is gone; other negative errno. */
int process_context_read(pid_t pid, struct buf *out);
