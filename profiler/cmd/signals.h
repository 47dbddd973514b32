/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * signals - from here on they are read, not delivered.
 *
 * Called before other threads start, so that none of them gets one; a command that is started takes
 * its own mask back (target_spawn()).
 */
#include <stddef.h>

/* Blocks them. A descriptor that is readable (struct signalfd_siginfo) when one came, or negative errno. */
int signals_open(const int *signals, size_t n);
