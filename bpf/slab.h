/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once
/*
 * slab - memory that user space writes and the program reads: unwind rows, rules, mappings.
 *
 *	address = slab (12 bits) | offset (20 bits); address 0 is nothing
 *
 * A slab is an array map of one 1 MiB value, made on demand, written through mmap: no copy, no system
 * call per update, and the program gets a pointer for the price of two array look-ups.
 */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define SLAB_BITS 20
#define SLAB_BYTES (1u << SLAB_BITS)
#define SLAB_COUNT 4096
