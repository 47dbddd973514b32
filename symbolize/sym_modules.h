/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sym_modules - lines and inlined frames of the kernel's modules, where their debug files are installed.
 *
 * A module is an object file, whose sections the kernel puts wherever there is room. Which file: kernel_debug.h, by the
 * build id in /sys/module/NAME/notes. Where they lie: /sys/module/NAME/sections, which only root reads. An address becomes one of the
 * debug file as elf_image lays it out, and its symcache is asked. A module without all that keeps its names of kallsyms.
 * Memory: the symcaches of modules that were met. Frames are as valid as those of the image.
 * Source: Linux kernel/module/sysfs.c, Documentation/ABI/testing/sysfs-module.
 */
#include <stddef.h>
#include <stdint.h>

struct sym_frame;
struct sym_modules;
struct symbolizer;

/* 0 or -ENOMEM. */
int sym_modules_new(struct symbolizer *owner, struct sym_modules **ret);
struct sym_modules *sym_modules_free(struct sym_modules *m);

/* Frames; 0: no more is known of this address than kallsyms says, or not yet. */
int sym_modules_resolve(struct sym_modules *m, const char *module, uint64_t addr, struct sym_frame *ret, size_t max);
/* Takes the symcaches that have come meanwhile. */
void sym_modules_upgrade(struct sym_modules *m);
