/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * privileges - what the agent gives up before it looks at anything foreign: every capability but those that it
 * uses while it runs, also for what it starts; and the means to get any back.
 *
 *	CAP_BPF, CAP_PERFMON       events of CPUs that come online; BPF maps
 *	CAP_SYS_PTRACE             mappings, environment and root directory of other users' processes
 *	CAP_DAC_READ_SEARCH        programs only their owner may read; names of cgroups
 *	CAP_CHECKPOINT_RESTORE     deleted and replaced files (map_files)
 *	CAP_SYSLOG                 names of kernel functions
 *	CAP_SYS_ADMIN              where it stands for CAP_BPF or CAP_PERFMON, which were not given, and where Debian's kernels
 *	                           ask for it (perf_event_paranoid of 3 and more)
 */
#include <stddef.h>

/*
 * Call it with one thread. kept: "CAP_BPF, CAP_PERFMON", "none". 0, or the negative errno of what could not be given
 * up.
 */
int privileges_drop(char *kept, size_t len);

/* "BPF" for CAP_BPF: of those above and CAP_SYS_RESOURCE. */
const char *capability_name(int cap);
