/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * log - one line per event on stderr, `hotspan: ...`. Commands and the agent loop log; libraries
 * return errors instead.
 */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
