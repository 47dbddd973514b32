/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * notify - what systemd wants to hear: READY, RELOADING, STOPPING, WATCHDOG, STATUS.
 *
 * Does nothing where NOTIFY_SOCKET is not set. Source: sd_notify(3), "a datagram of lines to the
 * socket named in the environment"; a name that begins with @ is an abstract one.
 */
#include <stdint.h>

/* socket: the value of NOTIFY_SOCKET, NULL: nobody listens. state: lines, e.g. "READY=1". 0 or negative errno. */
int notify_send(const char *socket, const char *state);

/* How often the watchdog wants to hear from process pid: half of WATCHDOG_USEC; 0: not at all. */
uint64_t notify_watchdog_ns(const char *usec, const char *watchdog_pid, int pid);
