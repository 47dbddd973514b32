/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * kernel_debug - where the debug files of the running kernel and of its modules lie.
 *
 * By build id, as everybody's (debug_file.h); else by name and release, as Debian's linux-image-*-dbg has them, which gives
 * build ids to the vDSO alone: DIR/lib/modules/RELEASE/vmlinux, DIR/boot/vmlinux-RELEASE, and anywhere below
 * DIR/lib/modules/RELEASE/kernel NAME.ko or NAME.ko.debug. In a file's name a module may have - for each _. Believed when
 * the build id in it is the one expected.
 */
#include "symbolize/build_id.h"

/* module: NULL: the kernel itself. A descriptor, or -ENOENT. */
int kernel_debug_open(const char *debug_dir, const struct build_id *id, const char *module);
