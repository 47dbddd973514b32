/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * listener - a socket that listens, where the configuration says.
 */
#include <stddef.h>

enum { LISTENER_ADDRESS = 128 };

/*
 * where: "127.0.0.1:9464", "[::1]:9464", ":9464" (every address). key: the configuration's, for messages. address: where it
 * listens in truth; a port of 0 was chosen by the kernel. A descriptor, or negative errno: err says why and the remedy.
 */
int listener_open(const char *key, const char *where, char address[LISTENER_ADDRESS], char *err, size_t err_len);
