/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * units - constants, the clock, and numbers as people write and read them.
 */
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull
#define KIB 1024ull
#define MIB (1024ull * 1024)
#define GIB (1024ull * 1024 * 1024)

/* CLOCK_BOOTTIME, the clock of samples and side-band; CLOCK_REALTIME for what people read; CLOCK_MONOTONIC,
 * systemd's. */
uint64_t time_boot_ns(void);
uint64_t time_utc_ns(void);
uint64_t time_mono_ns(void);

/* Of either case; -1: it is none. */
int hex_digit(char c);

/* "10", "10s", "1.5m", "200ms", "1h" -> ns. 0, or -EINVAL for anything else, -ERANGE above 100 years. */
int parse_duration(const char *s, uint64_t *ret_ns);
/* "65536", "64KiB", "16MiB", "1GB" -> bytes. 0, -EINVAL, or -ERANGE above 10^15. */
int parse_bytes(const char *s, uint64_t *ret);
/* Decimal digits only, min..max. 0, -EINVAL or -ERANGE. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* "12.3 MiB", "812 ms": into the caller's buffer, which is returned. */
char *format_bytes(uint64_t bytes, char *out, size_t len);
char *format_ns(uint64_t ns, char *out, size_t len);
