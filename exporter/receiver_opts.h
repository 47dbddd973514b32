/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * receiver_opts - where parcels go and how we introduce ourselves there. Filled by the configuration
 * (agent/options.def has a row for each field), copied by net_set_receivers().
 *
 * Memory: strings are owned by whoever made the struct; NULL means not set.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/strmap.h"

struct receiver_opts {
	char *name; /* for logs and metrics; unique */
	char *type; /* "pyroscope", "otlp", "file" */
	uint32_t send;                        /* signals, a bit each: enum parcel_signal */
	char *protocol, *compression, *proto; /* of otlp: see otlp_format.h */
	char *url;  /* base: scheme, host, port, perhaps a path prefix */
	char *tenant; /* X-Scope-OrgID */
	struct strmap headers;
	char *username, *password, *password_file;
	char *bearer_token, *bearer_token_file; /* files are read again when they change */
	char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;
	char *proxy_url;
	uint64_t timeout_ns;  /* one try: connect, send and answer */
	uint64_t queue_bytes; /* waiting parcels; above it the oldest is dropped */
	char *spool;          /* a directory below which this receiver has its own; NULL: parcels wait in memory */
	uint64_t spool_bytes, spool_age_ns; /* of what waits there; above, the oldest goes */
	uint32_t max_tries;   /* failed tries of a parcel between which the server took others */
	char *path; /* of otlp: of requests, NULL is the signal's own; of file: the directory, and what it holds at most */
	uint32_t max_files;
	uint64_t max_bytes, max_age_ns;
};

/* The fields that are strings. */
#define RECEIVER_STRINGS(X)                                                                        \
	X(name) X(type) X(protocol) X(compression) X(proto) X(url) X(tenant) X(username) X(password) X(password_file) X(bearer_token)  \
	X(bearer_token_file) X(ca_file) X(cert_file) X(key_file) X(server_name) X(proxy_url) X(spool) X(path)

/* Not a server: files.h has it, not net.h. */
static inline bool receiver_is_file(const struct receiver_opts *o)
{
	return o->type && !strcmp(o->type, "file");
}

/* 0 or -ENOMEM. */
int receiver_opts_copy(const struct receiver_opts *from, struct receiver_opts *ret);
void receiver_opts_fini(struct receiver_opts *o);
