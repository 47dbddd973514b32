/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cpus - which CPUs are online, as sysfs lists them ("0-3,8").
 */
#include <stdbool.h>
#include <stddef.h>

#define CPUS_MAX 8192

/* Parses a list; online must hold CPUS_MAX. Returns the highest CPU listed + 1, or -EINVAL. */
int cpus_parse(const char *list, bool *online);
/* Reads /sys/devices/system/cpu/online. The same, or a negative errno of reading. */
int cpus_online(bool *online);
