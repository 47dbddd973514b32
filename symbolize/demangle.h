/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * demangle - C++, Rust and D names as people write them, by libiberty.
 *
 * Rust's hash ("::h0123456789abcdef") goes; a compiler's suffix stays as " [clone .cold]".
 */
#include <stddef.h>

/* The demangled name, to be freed; NULL when it is not mangled, too long (16 KiB), or out of memory. */
char *demangle(const char *mangled);
