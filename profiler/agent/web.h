/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * web - an HTTP page of the agent's own, served from the loop thread: pages are made from live state without
 * a lock, and an agent that hangs does not claim health.
 */
#include <stddef.h>

struct buf;
struct web;

/* Fills out and the content type (static string). The HTTP status; 404 for a path it does not know. */
typedef int web_page_fn(void *ctx, const char *path, struct buf *out, const char **ret_type);

/* key: of the configuration, for messages. listen: "127.0.0.1:9464", "[::1]:9464", ":9464" (every address). On failure err
 * says why and the remedy. */
int web_new(const char *key, const char *listen, web_page_fn *page, void *ctx, struct web **ret, char *err, size_t err_len);
struct web *web_free(struct web *w);

/* Where it listens in truth: a port of 0 was chosen by the kernel. Borrowed. */
const char *web_address(const struct web *w);

/* Readable when there is something to do; then, and about once a second (time-outs), web_run(). */
int web_fd(const struct web *w);
void web_run(struct web *w);
