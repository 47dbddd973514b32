/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "agent/config_reader.h"
#include "agent/options.h"
#include "base/url.h"
#include "exporter/otlp_format.h"

static int check_directory(struct reader *rd, const struct config *c, const struct receiver_opts *o, const yaml_node_t *at, const char *where)
{
	if (!o->path)
		return reader_fail(rd, at, where, "it needs a path: add `path: /var/lib/hotspan/profiles`");
	if (o->url)
		return reader_fail(rd, at, where, "url is for servers: leave it out, or change the type");
	for (uint32_t i = 0; i + 1 < c->receivers.n; i++)
		if (receiver_is_file(&c->receivers.v[i]) && !strcmp(c->receivers.v[i].path, o->path))
			return reader_fail(rd, at, where, "receiver '%s' has this path: give each one its own", c->receivers.v[i].name);
	return 0;
}

static int check_send(struct reader *rd, const struct receiver_opts *o, const yaml_node_t *at,
		      const char *where)
{
	if (!o->send)
		return reader_fail(rd, at, where,
			    "send names nothing: name at least one of profiles, traces, metrics");
	if (strcmp(o->type, "otlp") && o->send != 1u << PARCEL_PROFILES)
		return reader_fail(rd, at, where,
			    "send: a receiver of type %s takes profiles only; traces and metrics "
			    "go to one of type otlp",
			    o->type);
	return 0;
}

static int check_request_path(struct reader *rd, const struct receiver_opts *o,
			      const yaml_node_t *at, const char *where)
{
	if (!o->path)
		return 0;
	if (strcmp(o->type, "otlp") || !strcmp(o->protocol, "grpc"))
		return reader_fail(rd, at, where,
			    "path is for type file, and for type otlp over HTTP: leave it out");
	if (*o->path != '/' || o->send & (o->send - 1))
		return reader_fail(rd, at, where,
			    "path '%s' must begin with / and be of one signal: make a receiver for "
			    "each",
			    o->path);
	return 0;
}

static int check_receiver(struct reader *rd, const struct config *c, const struct receiver_opts *o, const yaml_node_t *at, const char *where)
{
	char shown[256];
	int r;

	if (!o->name)
		return reader_fail(rd, at, where, "it needs a name: add `name: prod`");
	if (o->spool && (strchr(o->name, '/') || !strcmp(o->name, ".") || !strcmp(o->name, "..")))
		return reader_fail(rd, at, where, "name '%s' is to be a directory below spool: it must have no '/' in it, and not be '.' or '..'", o->name);
	for (uint32_t i = 0; i + 1 < c->receivers.n; i++)
		if (!strcmp(c->receivers.v[i].name, o->name))
			return reader_fail(rd, at, where, "there are two receivers called '%s': give one another name", o->name);
	r = check_send(rd, o, at, where);
	if (r < 0 || receiver_is_file(o))
		return r < 0 ? r : check_directory(rd, c, o, at, where);
	r = check_request_path(rd, o, at, where);
	if (r < 0)
		return r;
	if (!o->url)
		return reader_fail(rd, at, where, "it needs a url: add `url: http://127.0.0.1:4040`");
	if (strncmp(o->url, "http://", 7) && strncmp(o->url, "https://", 8))
		return reader_fail(rd, at, where, "url '%s' must begin with http:// or https://", url_shown(o->url, shown, sizeof(shown)));
	if (o->password && o->password_file)
		return reader_fail(rd, at, where, "basic_auth has both password and password_file: keep one");
	if (o->bearer_token && o->bearer_token_file)
		return reader_fail(rd, at, where, "both bearer_token and bearer_token_file are set: keep one");
	if (!o->username && (o->password || o->password_file))
		return reader_fail(rd, at, where, "basic_auth has a password but no username: add it");
	if (o->username && (o->bearer_token || o->bearer_token_file))
		return reader_fail(rd, at, where, "both basic_auth and a bearer token are set: keep one");
	if (!o->cert_file != !o->key_file)
		return reader_fail(rd, at, where, "tls_config needs cert_file and key_file together");
	return 0;
}

int config_read_receivers(struct reader *rd, struct config *c, const char *key, const yaml_node_t *value)
{
	char where[64];

	if (value->type != YAML_SEQUENCE_NODE)
		return reader_fail(rd, value, key, "it must be a list: begin each with `- name:`");
	for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++) {
		yaml_node_t *n = reader_node(rd, *i);
		struct receiver_opts *o = vec_push(&c->receivers);
		int r;

		snprintf(where, sizeof(where), "receivers[%u]", c->receivers.n - 1);
		r = reader_entry(rd, &receiver_options, o, n, where);
		if (r >= 0)
			r = check_receiver(rd, c, o, n, where);
		if (r < 0)
			return r;
	}
	return 0;
}
