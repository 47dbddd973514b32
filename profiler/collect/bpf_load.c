/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/bpf_load.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"

/* libbpf's last warning, for error messages; it has no other way to say why. */
static __thread char last_warning[256];

static int remember_warning(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_warning, sizeof(last_warning), fmt, ap);
		last_warning[strcspn(last_warning, "\n")] = '\0';
	}
	return 0;
}

void bpf_load_lift_limit(void)
{
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
}

void bpf_load_prepare(void)
{
	bpf_load_lift_limit();
	last_warning[0] = '\0';
	libbpf_set_print(remember_warning);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
}

int bpf_load_explain(int r, char *err, size_t err_len)
{
	if (r == -EPERM) {
		snprintf(err, err_len,
			 "loading the BPF program needs root, or CAP_BPF and CAP_PERFMON: run it "
			 "with sudo");
		return -EPERM;
	}
	if (r == -EMFILE || r == -ENFILE) {
		snprintf(err, err_len,
			 "loading the BPF program failed: %s: raise the limit (ulimit -n 1024)",
			 strerror(-r));
		return r;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		snprintf(err, err_len,
			 "this kernel has no BTF (/sys/kernel/btf/vmlinux): boot one built with "
			 "CONFIG_DEBUG_INFO_BTF=y");
		return -ENOTSUP;
	}
	snprintf(err, err_len, "the kernel refused the BPF program (%s): %s", strerror(-r),
		 last_warning);
	return -ENOTSUP;
}

/* "memlock:\t8192" in the descriptor's fdinfo. */
static uint64_t memlock_of(int fd)
{
	_cleanup_(buf_fini)
	struct buf b = BUF_INIT;
	char path[64], *p;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (fd < 0 || file_read_path(AT_FDCWD, path, 64 * KIB, &b) < 0)
		return 0;
	buf_putc(&b, '\0');
	p = buf_error(&b) ? NULL : strstr((char *)b.data, "memlock:");
	return p ? strtoull(p + strlen("memlock:"), NULL, 10) : 0;
}

/* As it is filled; of all others the size is known once they are made. */
static bool grows(const struct bpf_map *map)
{
	bool is_hash = bpf_map__type(map) == BPF_MAP_TYPE_HASH || bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_HASH;

	return is_hash && (bpf_map__map_flags(map) & BPF_F_NO_PREALLOC);
}

uint64_t bpf_load_fixed_bytes(const struct bpf_object *o, const struct bpf_map *but)
{
	struct bpf_map *map;
	struct bpf_program *prog;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, o) bytes += map == but || grows(map) ? 0 : memlock_of(bpf_map__fd(map));
	bpf_object__for_each_program(prog, o) bytes += memlock_of(bpf_program__fd(prog));
	return bytes;
}

static uint64_t rounded_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* What Linux before 6.4 says of a map, however full it is. */
static uint64_t guess_of(const struct bpf_map *map)
{
	int cpus = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_HASH ? libbpf_num_possible_cpus() : 0;
	uint64_t values = cpus > 0 ? (uint64_t)cpus * rounded_up(bpf_map__value_size(map), 8) : bpf_map__value_size(map);

	return rounded_up(bpf_map__max_entries(map) * rounded_up(bpf_map__key_size(map) + values, 8), (uint64_t)sysconf(_SC_PAGESIZE));
}

uint64_t bpf_load_grown_bytes(const struct bpf_map *map)
{
	uint64_t memlock = grows(map) ? memlock_of(bpf_map__fd(map)) : 0;

	return memlock == guess_of(map) ? 0 : memlock;
}
