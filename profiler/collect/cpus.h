/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cpus - which CPUs are online, as sysfs lists them ("0-3,8"), and how long they idled.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX 8192

/* Parses a list; online must hold CPUS_MAX. Returns the highest CPU listed + 1, or -EINVAL. */
int cpus_parse(const char *list, bool *online);
/* Reads /sys/devices/system/cpu/online. The same, or a negative errno of reading. */
int cpus_online(bool *online);

/* Sum over all CPUs of the time idle since boot, as the kernel accounts it (/proc/stat). 0 or negative errno. */
int cpus_idle_ns(uint64_t *ret);
