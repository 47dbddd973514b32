/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * url - a URL as it may be shown: http://user:password@host is a secret in the midst of a harmless text.
 */
#include <stddef.h>

/* Whatever stands before the host's @ as "***", cut to len; with or without a scheme before it. Returns out. */
const char *url_shown(const char *url, char *out, size_t len);
