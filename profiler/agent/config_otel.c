/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config_otel.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strings.h>

#include "agent/config.h"
#include "agent/options.h"
#include "base/cleanup.h"
#include "base/environment.h"
#include "base/pairs.h"
#include "exporter/otlp_format.h"

#define PREFIX "OTEL_EXPORTER_OTLP_"
#define ATTRIBUTES "OTEL_RESOURCE_ATTRIBUTES"
#define SAMPLER "OTEL_TRACES_SAMPLER"
#define PARENT_BASED "parentbased_"
#define INTERVAL "OTEL_METRIC_EXPORT_INTERVAL"

/* Of the variables that are the text of a receiver's key. */
static const struct {
	const char *variable, *key, *unit;
} rows[] = {
	{ "PROTOCOL", "protocol", "" },
	{ "COMPRESSION", "compression", "" },
	{ "TIMEOUT", "timeout", "ms" },
	{ "CERTIFICATE", "tls_config.ca_file", "" },
	{ "CLIENT_CERTIFICATE", "tls_config.cert_file", "" },
	{ "CLIENT_KEY", "tls_config.key_file", "" },
};
static const char *const other_variables[] = { "ENDPOINT", "HEADERS", "INSECURE" };

/* Signals that have variables of their own; profiles have none. */
static const struct {
	enum parcel_signal signal;
	const char *infix, *exporter, *receiver;
} signals[] = {
	{ PARCEL_TRACES, "TRACES_", "OTEL_TRACES_EXPORTER", "otlp-traces" },
	{ PARCEL_METRICS, "METRICS_", "OTEL_METRICS_EXPORTER", "otlp-metrics" },
};

struct where {
	struct config *config;
	struct receiver_opts *receiver;
	const char *infix; /* of the receiver's signal, "" for all signals */
	char name[96];     /* of the variable last looked up */
	char *const *environment;
	char *err;
	size_t err_len;
};

static int wrong(const struct where *w, const char *name, const char *why)
{
	snprintf(w->err, w->err_len, "environment variable %s: %s", name, why);
	return -EINVAL;
}

static const char *look_up(struct where *w, const char *infix, const char *variable)
{
	snprintf(w->name, sizeof(w->name), PREFIX "%s%s", infix, variable);
	return environment_get(w->environment, w->name);
}

/* The signal's own variable, else that for all signals. */
static const char *variable(struct where *w, const char *what)
{
	const char *value = look_up(w, w->infix, what);

	return value || !*w->infix ? value : look_up(w, "", what);
}

static int set(struct where *w, const char *key, const char *value)
{
	char why[256];
	int r = option_set(option_find(&receiver_options, key), w->receiver, value, why, sizeof(why));

	return r == -EINVAL ? wrong(w, w->name, why) : r;
}

static int set_rows(struct where *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *value = variable(w, rows[i].variable);
		char text[4096];
		int r;

		if (!value)
			continue;
		snprintf(text, sizeof(text), "%s%s", value, rows[i].unit);
		r = set(w, rows[i].key, text);
		if (r < 0)
			return r;
	}
	return !w->receiver->cert_file != !w->receiver->key_file
		       ? wrong(w, w->name,
			       "it and " PREFIX "CLIENT_CERTIFICATE go together: set both")
		       : 0;
}

static bool is_true(const char *text)
{
	return text && !strcasecmp(text, "true");
}

/* A signal's own endpoint over HTTP is all of the URL, path included: without one it is "/". */
static int set_whole_url(struct where *w, const char *endpoint)
{
	const char *path = strchr(strstr(endpoint, "://") + 3, '/');
	size_t n = path ? (size_t)(path - endpoint) : strlen(endpoint);
	char url[4096];
	int r;

	snprintf(url, sizeof(url), "%.*s", (int)n, endpoint);
	r = set(w, "url", url);
	return r < 0 ? r : set(w, "path", path ? path : "/");
}

/* gRPC endpoints may lack a scheme. */
static int set_url(struct where *w)
{
	bool insecure = is_true(variable(w, "INSECURE"));
	const char *endpoint = variable(w, "ENDPOINT");
	bool grpc = !strcmp(w->receiver->protocol, "grpc"),
	     own = *w->infix && look_up(w, w->infix, "ENDPOINT") == endpoint;
	char url[4096];

	if (!strncmp(endpoint, "http://", 7) || !strncmp(endpoint, "https://", 8))
		return own && !grpc ? set_whole_url(w, endpoint) : set(w, "url", endpoint);
	if (!grpc || strstr(endpoint, "://"))
		return wrong(w, w->name, "it must begin with http:// or https://");
	snprintf(url, sizeof(url), "http%s://%s", insecure ? "" : "s", endpoint);
	return set(w, "url", url);
}

static int add_header(void *ctx, const char *key, const char *value)
{
	struct where *w = ctx;
	char why[256];
	int r;

	if (!key)
		return wrong(
			w, w->name,
			"it must be name=value,name=value, percent-encoded"); /* the value may be a secret */
	r = option_set_entry(option_find(&receiver_options, "headers"), w->receiver, key, value, why, sizeof(why));
	return r == -EINVAL ? wrong(w, w->name, why) : r;
}

static int set_headers(struct where *w)
{
	const char *headers = variable(w, "HEADERS");

	return headers ? pairs_each(headers, strlen(headers), add_header, w) : 0;
}

static int check_name(struct where *w, const char *name)
{
	char why[128];
	vec_foreach(o, &w->config->receivers)
	{
		if (strcmp(o->name, name))
			continue;
		snprintf(why, sizeof(why),
			 "its receiver is called %s, and another one is, too: give that another "
			 "name",
			 name);
		variable(w, "ENDPOINT");
		return wrong(w, w->name, why);
	}
	return 0;
}

/* Of the signals it sends, or one with variables of its own. */
static int add_receiver(struct where *w, const char *infix, const char *name, uint32_t send)
{
	int r;

	w->infix = infix;
	if (!send || !variable(w, "ENDPOINT"))
		return 0;
	r = check_name(w, name);
	if (r < 0)
		return r;
	w->receiver = vec_push(&w->config->receivers);
	r = w->receiver ? options_init(&receiver_options, w->receiver) : -ENOMEM;
	if (r >= 0)
		r = set(w, "name", name);
	if (r >= 0)
		r = set(w, "type", "otlp");
	if (r >= 0)
		r = set_rows(w);
	if (r >= 0)
		r = set_url(w);
	if (r >= 0)
		r = set_headers(w);
	if (r >= 0)
		w->receiver->send = send;
	return r;
}

static bool has_own(struct where *w, const char *infix)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (look_up(w, infix, rows[i].variable))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(other_variables); i++)
		if (look_up(w, infix, other_variables[i]))
			return true;
	return false;
}

/* "otlp", among others perhaps; "none", or other exporters alone, which we have not. */
static bool goes_over_otlp(const struct where *w, const char *exporter)
{
	const char *list = environment_get(w->environment, exporter);

	if (!list)
		return true;
	for (size_t n; *list; list += n + (list[n] == ',')) {
		list += strspn(list, " \t");
		n = strcspn(list, ",");
		if (n >= 4 && !strncasecmp(list, "otlp", 4) && strspn(list + 4, " \t") == n - 4)
			return true;
	}
	return false;
}

/* A file that has a receiver of OTLP says all that is to be said. */
static bool file_has_one(const struct config *c)
{
	vec_foreach(o, &c->receivers)
		if (!strcmp(o->type, "otlp"))
			return true;
	return false;
}

static int add_receivers(struct where *w)
{
	uint32_t common = 1u << PARCEL_PROFILES, own = 0;
	int r;

	if (file_has_one(w->config))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (goes_over_otlp(w, signals[i].exporter))
			*(has_own(w, signals[i].infix) ? &own : &common) |= 1u << signals[i].signal;
	r = add_receiver(w, "", "otlp", common);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = add_receiver(w, signals[i].infix, signals[i].receiver,
				 own & 1u << signals[i].signal);
	return r;
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

/* OTEL_TRACES_SAMPLER_ARG, 1 where it is not set. */
static int read_ratio(const struct where *w, double *ret)
{
	const char *text = environment_get(w->environment, SAMPLER "_ARG");
	char *end;
	double ratio = text ? strtod(text, &end) : 1;

	if (text && (end == text || *end || !(ratio >= 0 && ratio <= 1)))
		return wrong(w, SAMPLER "_ARG", "it must be a number from 0 to 1");
	*ret = ratio;
	return 0;
}

int config_add_otel_sampler(struct config *c, char *const *environment, char *err, size_t err_len)
{
	const struct where w = { .config = c, .environment = environment, .err = err, .err_len = err_len };
	const char *name = environment_get(environment, SAMPLER);
	double ratio = 1;
	int r = 0;

	if (!name)
		return 0;
	if (!strncmp(name, PARENT_BASED, strlen(PARENT_BASED)))
		name += strlen(PARENT_BASED);
	if (!strcmp(name, "traceidratio"))
		r = read_ratio(&w, &ratio);
	else if (!strcmp(name, "always_off"))
		ratio = 0, c->trace_keep_errors = false;
	else if (strcmp(name, "always_on"))
		return wrong(&w, SAMPLER, "it must be always_on, always_off or traceidratio, alone or behind " PARENT_BASED);
	c->trace_sample_percent = 100 * ratio;
	return r;
}

int config_add_otel_interval(struct config *c, char *const *environment, char *err, size_t err_len)
{
	const struct where w = { .err = err, .err_len = err_len };
	const char *value = environment_get(environment, INTERVAL);
	char text[64], why[256];
	int r;

	if (!value)
		return 0;
	snprintf(text, sizeof(text), "%sms", value);
	r = option_set(option_find(&config_options, "trace.metrics_interval"), c, text, why, sizeof(why));
	return r == -EINVAL ? wrong(&w, INTERVAL, why) : r;
}

int config_add_otel(struct config *c, char *const *environment, char *err, size_t err_len)
{
	struct where w = {
		.config = c, .infix = "", .environment = environment, .err = err, .err_len = err_len
	};
	const char *attributes = environment_get(environment, ATTRIBUTES);
	int r = add_receivers(&w);

	return r >= 0 && attributes ? pairs_each(attributes, strlen(attributes), add_label, &w) : r;
}
