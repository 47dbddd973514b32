/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of what sees HTTP requests (trace.enabled, hotspan trace). Profiles need none of it. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "agent/doctor_checks.h"
#include "trace/trace_probe.h"

DOCTOR_CHECK(check_http_hooks)
{
	int refused = d->trace->refused;

	switch (d->trace->way) {
	case TRACER_BY_EVENTS:
		finding_found(f, "at sockets");
		finding_judge(f, DOCTOR_OK, "what a request reads and writes costs it some 0.4 us");
		return;
	case TRACER_BY_EXITS:
		finding_found(f, "at sockets, by the functions they send and receive with");
		finding_judge(f, DOCTOR_OK, "requests pay by what they read and write, other system calls nothing; the trace events of Linux 6.3 would cost a little less");
		return;
	case TRACER_BY_SYSCALLS:
		finding_found(f, "at the end of system calls");
		finding_judge(f, DOCTOR_LIMITED, "what a request reads and writes costs it 1 us or more, and every other system call pays for the hook, too%s%s",
			      refused ? "; no program may attach to the kernel's functions: " : "", refused ? strerror(-refused) : "");
		finding_remedy(f, "boot a newer kernel: Linux 6.3 has trace events at sockets");
	}
}

DOCTOR_CHECK(check_http_programs)
{
	int r = d->trace->programs;

	if (r >= 0) {
		finding_found(f, "work");
		finding_judge(f, DOCTOR_OK, "HTTP/1 requests can be counted and traced");
		return;
	}
	finding_found(f, "refused");
	finding_judge(f, DOCTOR_LIMITED, "no requests are seen: %s", d->trace->programs_err);
	if (r != -EPERM)
		finding_remedy(f, "boot a newer kernel: Linux 6.1 takes them");
	else if (doctor_holds(d, CAP_BPF) && doctor_holds(d, CAP_PERFMON))
		finding_remedy(f, "whatever refuses the sampling program above");
	else
		finding_remedy_cap(f, d, doctor_holds(d, CAP_BPF) ? CAP_PERFMON : CAP_BPF);
}

/* No fault of this host; but who misses requests looks here. */
DOCTOR_CHECK(check_http_unseen)
{
	bool io_uring = doctor_read_int(d, "/proc/sys/kernel/io_uring_disabled", 0) < 2;
	bool ktls = doctor_exists(d, "/sys/module/tls");

	finding_found(f, "TLS%s, HTTP/2%s", ktls ? " (in the kernel, too)" : "", io_uring ? ", io_uring" : "");
	finding_judge(f, DOCTOR_OK, "such connections are counted (hotspan_trace_total), their requests are not%s",
		      io_uring && d->trace->way == TRACER_BY_SYSCALLS ? "; of io_uring, which system calls do not show, only its own calls are, and of rings that the kernel polls their making" : "");
}
