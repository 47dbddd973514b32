/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * log - one line per event on stderr: `hotspan: ...`, or a JSON object with time, level and message.
 * Commands and the agent loop log; libraries return errors instead.
 */
#include <stdbool.h>

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The one setting of the process that every line obeys. */
void log_use_json(bool json);
