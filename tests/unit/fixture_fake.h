/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture_fake - the fake Pyroscope server, run and asked from C tests. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct fake {
	pid_t pid; /* 0: not running */
	int port;
	const char *tls; /* NULL, or the folder with server.pem and server.key */
	bool client_ca;  /* with tls: clients need a certificate of ca.pem there */
	char url[64];
};

/* On fk->port, 0 picks one and keeps it for the next start. Fails the test when it does not come up. */
void fake_start(struct fake *fk);
void fake_stop(struct fake *fk);

/* Answers' bodies go to out, which may be NULL. Over TLS anybody is trusted. */
void fake_post(const struct fake *fk, const char *path, const char *text);
void fake_state(const struct fake *fk, struct buf *out);
void fake_faults(const struct fake *fk, const char *faults);

/* Of the state: a number by its key, -1 when there is none; pushes stored of a service; pushes tried. */
long fake_number(const struct fake *fk, const char *key);
long fake_stored(const struct fake *fk, const char *service);
