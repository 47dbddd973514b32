/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"

int cpus_parse(const char *list, bool *online)
{
	unsigned long first, last = 0;
	char *end;

	memset(online, 0, CPUS_MAX * sizeof(*online));
	do {
		first = last = strtoul(list, &end, 10);
		if (end == list)
			return -EINVAL;
		if (*end == '-') {
			list = end + 1;
			last = strtoul(list, &end, 10);
			if (end == list)
				return -EINVAL;
		}
		if (last < first || last >= CPUS_MAX)
			return -EINVAL;
		memset(online + first, true, last - first + 1);
		list = end + 1;
	} while (*end == ',');
	return *end == '\0' || *end == '\n' ? (int)last + 1 : -EINVAL;
}

int cpus_online(bool *online)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	int r = file_read_path(AT_FDCWD, "/sys/devices/system/cpu/online", 64 * 1024, &b);

	if (r < 0)
		return r;
	buf_putc(&b, '\0');
	return buf_error(&b) ? buf_error(&b) : cpus_parse((char *)b.data, online);
}

int cpus_idle_ns(uint64_t *ret)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/stat", "re");
	unsigned long long idle, iowait;

	if (!f)
		return -errno;
	if (fscanf(f, "cpu %*u %*u %*u %llu %llu", &idle, &iowait) != 2)
		return -EBADMSG;
	*ret = (idle + iowait) * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	return 0;
}
