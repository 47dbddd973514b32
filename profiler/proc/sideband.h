/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sideband - what processes do, as the kernel tells it: mmap, exec, fork, exit; and that its own code changed.
 *
 * One dummy perf event per CPU with mmap2, build ids, comm_exec, task and ksymbol records, stamped with
 * CLOCK_BOOTTIME like the samples. Records are handed out raw and in no order across CPUs; the
 * caller sorts them by time among the samples and applies them to the process table.
 * Source: perf_event_open(2); include/uapi/linux/perf_event.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sideband;
struct processes;

int sideband_new(struct sideband **ret);
struct sideband *sideband_free(struct sideband *s);

/* Opens the event on one CPU, or closes it (a CPU that went away). 0 or negative errno (-EACCES,
 * -EPERM: privileges; -ENODEV: the CPU is offline). */
int sideband_open_cpu(struct sideband *s, int cpu);
void sideband_close_cpu(struct sideband *s, int cpu);
/* Tries the event on one CPU without a ring. 0 or negative errno; *ret_build_ids: records carry them. */
int sideband_probe(int cpu, bool *ret_build_ids);
/* Pollable: readable when a CPU's ring is half full. -1 when that CPU is not open. */
int sideband_fd(const struct sideband *s, int cpu);

/* Hands every waiting record to fn. 0, or the first negative value fn returned. */
int sideband_drain(struct sideband *s,
		   int (*fn)(void *ctx, uint64_t time_ns, const void *record, size_t len), void *ctx);

/*
 * Events up to here may have been lost: a ring had no room for the largest. The record that tells how many follows when there
 * is room again, with the time of that: too late for samples in between.
 */
uint64_t sideband_doubt_ns(const struct sideband *s);

/* Memory of the rings: the kernel's, mapped here. */
uint64_t sideband_bytes(const struct sideband *s);

/* Applies one record. Returns how many records it says were lost (PERF_RECORD_LOST), 0, or -ENOMEM.
 * A record that is cut short is ignored. */
int64_t sideband_apply(struct processes *t, const void *record, size_t len, uint64_t time_ns);
