/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * kallsyms - the kernel's own functions, its modules' and its BPF programs', from /proc/kallsyms.
 *
 * Lines are "ffffffff81000000 T _text" or "ffffffffc0000000 t nf_hook [nf_tables]". Without
 * CAP_SYSLOG (kptr_restrict) all addresses read 0.
 */
#include <stddef.h>

struct symtab;

/* Parses text of such lines and finishes the table. -EPERM: all addresses are zero; -ENODATA: no
 * function in it; -ENOMEM. Lines of another shape are passed over. */
int kallsyms_parse(const char *text, size_t len, struct symtab *t);
/* Reads a file, in pieces: it is 10 MB of text. The same errors and those of reading. */
int kallsyms_read(const char *path, struct symtab *t);
