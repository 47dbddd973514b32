/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * agent - a session that goes on for ever: its windows become pushes, its state a page, its life
 * follows signals and systemd.
 *
 *	SIGHUP            the configuration again: rows that may change do, the others are told
 *	SIGTERM, SIGINT   the last window is named and sent within shutdown_timeout
 */
#include <stddef.h>

#include "agent/config.h"

struct agent;

/*
 * The agent takes *config over on success. source: where to load it from again; borrowed for the
 * agent's life. SIGHUP, SIGTERM and SIGINT must be blocked in every thread. On failure err says what and the
 * remedy; the errno classes of session_new().
 */
int agent_new(struct config *config, const struct config_source *source, struct agent **ret, char *err, size_t err_len);
struct agent *agent_free(struct agent *a);
static inline void agent_freep(struct agent **a)
{
	agent_free(*a);
}

/* Until SIGTERM or SIGINT. 0, or negative errno with err. After -ETIMEDOUT naming still runs: agent_free() would
 * wait for it, so end the process. */
int agent_run(struct agent *a, char *err, size_t err_len);
