/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config_otel.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "agent/options.h"
#include "base/cleanup.h"
#include "base/environment.h"
#include "base/pairs.h"

#define PREFIX "OTEL_EXPORTER_OTLP_"
#define ATTRIBUTES "OTEL_RESOURCE_ATTRIBUTES"

/* Of the variables that are the text of a receiver's key. */
static const struct {
	const char *variable, *key, *unit;
} rows[] = {
	{ PREFIX "PROTOCOL", "protocol", "" },
	{ PREFIX "COMPRESSION", "compression", "" },
	{ PREFIX "TIMEOUT", "timeout", "ms" },
	{ PREFIX "CERTIFICATE", "tls_config.ca_file", "" },
	{ PREFIX "CLIENT_CERTIFICATE", "tls_config.cert_file", "" },
	{ PREFIX "CLIENT_KEY", "tls_config.key_file", "" },
};

struct where {
	struct config *config;
	struct receiver_opts *receiver;
	char *const *environment;
	char *err;
	size_t err_len;
};

static const char *variable(const struct where *w, const char *name)
{
	return environment_get(w->environment, name);
}

static int wrong(const struct where *w, const char *name, const char *why)
{
	snprintf(w->err, w->err_len, "environment variable %s: %s", name, why);
	return -EINVAL;
}

static int set(const struct where *w, const char *name, const char *key, const char *value)
{
	char why[256];
	int r = option_set(option_find(&receiver_options, key), w->receiver, value, why, sizeof(why));

	return r == -EINVAL ? wrong(w, name, why) : r;
}

static int set_rows(const struct where *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *value = variable(w, rows[i].variable);
		char text[4096];
		int r;

		if (!value)
			continue;
		snprintf(text, sizeof(text), "%s%s", value, rows[i].unit);
		r = set(w, rows[i].variable, rows[i].key, text);
		if (r < 0)
			return r;
	}
	return !w->receiver->cert_file != !w->receiver->key_file
		       ? wrong(w, PREFIX "CLIENT_KEY", "it and " PREFIX "CLIENT_CERTIFICATE go together: set both")
		       : 0;
}

/* gRPC endpoints may lack a scheme. */
static int set_url(const struct where *w, const char *endpoint)
{
	static const char name[] = PREFIX "ENDPOINT";
	const char *insecure = variable(w, PREFIX "INSECURE");
	char url[4096];

	if (!strncmp(endpoint, "http://", 7) || !strncmp(endpoint, "https://", 8))
		return set(w, name, "url", endpoint);
	if (strcmp(w->receiver->protocol, "grpc") || strstr(endpoint, "://"))
		return wrong(w, name, "it must begin with http:// or https://");
	snprintf(url, sizeof(url), "http%s://%s", insecure && !strcasecmp(insecure, "true") ? "" : "s", endpoint);
	return set(w, name, "url", url);
}

static int add_header(void *ctx, const char *key, const char *value)
{
	const struct where *w = ctx;
	char why[256];
	int r;

	if (!key)
		return wrong(w, PREFIX "HEADERS", "it must be name=value,name=value, percent-encoded"); /* the value may be a secret */
	r = option_set_entry(option_find(&receiver_options, "headers"), w->receiver, key, value, why, sizeof(why));
	return r == -EINVAL ? wrong(w, PREFIX "HEADERS", why) : r;
}

static int add_receiver(struct where *w)
{
	const char *endpoint = variable(w, PREFIX "ENDPOINT"), *headers = variable(w, PREFIX "HEADERS");
	int r;

	if (!endpoint)
		return 0;
	vec_foreach(o, &w->config->receivers)
	{
		if (!strcmp(o->type, "otlp"))
			return 0;
		if (!strcmp(o->name, "otlp"))
			return wrong(w, PREFIX "ENDPOINT", "its receiver is called otlp, and another one is, too: give that another name");
	}
	w->receiver = vec_push(&w->config->receivers);
	r = w->receiver ? options_init(&receiver_options, w->receiver) : -ENOMEM;
	if (r >= 0)
		r = set(w, PREFIX "ENDPOINT", "name", "otlp");
	if (r >= 0)
		r = set(w, PREFIX "ENDPOINT", "type", "otlp");
	if (r >= 0)
		r = set_rows(w);
	if (r >= 0)
		r = set_url(w, endpoint);
	return r >= 0 && headers ? pairs_each(headers, strlen(headers), add_header, w) : r;
}

static int add_label(void *ctx, const char *key, const char *value)
{
	const struct where *w = ctx;
	char name[128], why[256];
	int r;

	if (!key)
		return wrong(w, ATTRIBUTES, "it must be key=value,key=value, percent-encoded");
	if (!strcmp(key, "service.name"))
		return 0;
	snprintf(name, sizeof(name), "%s", strcmp(key, "host.name") ? key : "instance");
	for (char *c = name; *c; c++)
		*c = isalnum((unsigned char)*c) ? *c : '_';
	if (strmap_get(&w->config->labels, name))
		return 0;
	r = option_set_entry(option_find(&config_options, "labels"), w->config, name, value, why, sizeof(why));
	return r == -EINVAL ? wrong(w, ATTRIBUTES, why) : r;
}

int config_add_otel(struct config *c, char *const *environment, char *err, size_t err_len)
{
	struct where w = { .config = c, .environment = environment, .err = err, .err_len = err_len };
	const char *attributes = variable(&w, ATTRIBUTES);
	int r = add_receiver(&w);

	return r >= 0 && attributes ? pairs_each(attributes, strlen(attributes), add_label, &w) : r;
}
