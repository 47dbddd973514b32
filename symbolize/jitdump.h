/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * jitdump - names and lines a JIT leaves in jit-PID.dump, which it maps for others to find.
 *
 *	header   magic "JiTD" in the writer's byte order, version, size, machine, pid, time, flags
 *	record   id, size, time, and
 *	  LOAD        address, size, name, the code: overrides what was there (jit_map.h)
 *	  MOVE        code known at one address is at another now
 *	  DEBUG_INFO  addresses with file and line of the LOAD that follows
 *	  CLOSE, UNWINDING_INFO and ids to come: passed over
 *
 * The file grows; each round reads what was appended (tail.h), without the code. Records that lie in one
 * piece are taken in the order of their times, pieces in the file's.
 * Two habits of writers: V8 writes the addresses of DEBUG_INFO 64 too high, for an ELF header that perf once
 * put in front; and up to 2023 the file names in it were freed memory. The first is seen by its lowest
 * address, the second by bytes that are no name: such lines are left out, the function's name has them.
 * Source: Linux tools/perf/Documentation/jitdump-specification.txt.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "symbolize/jit_map.h"
#include "symbolize/tail.h"

struct jitdump {
	struct jit_map map;
	struct tail tail;
	bool begun;           /* the header has been read */
	bool damaged;         /* nothing more can be read */
	uint32_t bad;         /* records, or lines of one, that made no sense */
	uint32_t min_offset;  /* of all lines in their code */
	uint64_t debug_start; /* the code that `debug` is about */
	struct buf debug;     /* entries of the last DEBUG_INFO, as in the file */
};

struct jitdump_frame {
	const char *name, *file; /* borrowed until the next update; file NULL: unknown */
	uint32_t line;
};

/*
 * Reads what was appended. 0; -ENODATA: no header yet; -EBADMSG: not a jitdump, or of another byte order or
 * version; an errno of reading: what was known stays known. -ENOMEM: all is forgotten, to be read again.
 */
int jitdump_update(struct jitdump *d, int fd);
/* 0 or -ENOENT. */
int jitdump_find(const struct jitdump *d, uint64_t addr, struct jitdump_frame *ret);
void jitdump_fini(struct jitdump *d);
