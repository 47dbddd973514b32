/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options_doc.h"

#include <string.h>

#include "agent/options.h"
#include "base/buf.h"

static const char *type_name(const struct option *o)
{
	static const char *const names[] = {
		[OPTION_U32] = "number",     [OPTION_BOOL] = "true or false",
		[OPTION_DURATION] = "time",  [OPTION_BYTES] = "size",
		[OPTION_PERCENT] = "number", [OPTION_STRING] = "string",
		[OPTION_SECRET] = "secret",  [OPTION_CHOICE] = "one of",
		[OPTION_MAP] = "mapping",    [OPTION_LIST] = "list",
		[OPTION_SET] = "list of"
	};

	return names[o->type];
}

static void reference_table(const struct option_table *t, bool top, struct buf *out)
{
	char env[96];

	buf_printf(out, "| key | %stype | default | on reload | what |\n|---|%s---|---|---|---|\n", top ? "variable | " : "", top ? "---|" : "");
	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->v[i];
		const char *unit = o->type == OPTION_MAP || o->type == OPTION_LIST || o->type == OPTION_STRING ? "" : o->unit;

		buf_printf(out, "| `%s` | ", o->key);
		if (top)
			buf_printf(out, "`%s` | ", option_env(o, env, sizeof(env)));
		buf_puts(out, type_name(o));
		if (*unit)
			buf_putc(out, ' ');
		for (const char *u = unit; *u; u++)
			*u == '|' ? buf_puts(out, ", ") : buf_putc(out, *u);
		buf_printf(out, " | %s%s%s | %s | %s |\n",
			   *o->def ? "`" : "", o->def, *o->def ? "`" : "", o->live == OPTION_LIVE ? "applied" : "needs a restart", o->help);
	}
}

void options_reference(struct buf *out)
{
	buf_puts(out, "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
		      "<!-- made by `hotspan config --reference` from profiler/agent/options.def -->\n"
		      "# Configuration\n\n"
		      "A YAML file (`hotspan agent -c FILE`), overridden by environment variables, overridden by flags\n"
		      "(`flush_interval` is `--flush-interval`). Times are written `15s`, sizes `16MiB`.\n\n");
	reference_table(&config_options, true, out);
	buf_puts(out, "\n## receivers\n\nA list; every profile goes to each of them that takes "
		      "profiles (`send`), and so do traces and metrics, which only receivers of\n"
		      "type otlp take, and only when asked to: a server of profiles is seldom one "
		      "of the others.\n\n"
		      "OpenTelemetry's variables are heard, too, unless there is a receiver of "
		      "type otlp: `OTEL_EXPORTER_OTLP_ENDPOINT` makes one, named\n"
		      "`otlp`, for every signal, with `OTEL_EXPORTER_OTLP_` `PROTOCOL`, `HEADERS`, "
		      "`COMPRESSION`, `TIMEOUT`, `CERTIFICATE`, `CLIENT_CERTIFICATE`,\n"
		      "`CLIENT_KEY` and `INSECURE`. The same behind `OTEL_EXPORTER_OTLP_TRACES_` "
		      "and `OTEL_EXPORTER_OTLP_METRICS_` make one for that signal,\n"
		      "`otlp-traces` or `otlp-metrics`; `OTEL_TRACES_EXPORTER=none` and "
		      "`OTEL_METRICS_EXPORTER=none` leave it out.\n"
		      "`OTEL_TRACES_SAMPLER` (`always_on`, `always_off`, `traceidratio`, alone or behind `parentbased_`) and `OTEL_TRACES_SAMPLER_ARG` are\n"
		      "`trace.sample_percent` where nothing else says it; with `always_off` `trace.keep_errors` is off, too. Every sampler honours the parent's decision.\n"
		      "`OTEL_METRIC_EXPORT_INTERVAL` (ms) is `trace.metrics_interval` where the file says none.\n"
		      "`OTEL_RESOURCE_ATTRIBUTES` of the agent are `labels`, "
		      "`deployment.environment` as `deployment_environment`.\n\n");
	reference_table(&receiver_options, false, out);
	buf_puts(out, "\n## targets\n\nThe whole host, unless `targets: {include: [...], exclude: [...]}` says otherwise. Each is a list; a process is profiled where an\n"
		      "entry of `include` matches it, or there is none, and no entry of `exclude` does. An entry matches where all its keys do:\n\n"
		      "```yaml\n"
		      "targets:\n"
		      "  include: [{service: checkout}, {executable: \"/usr/sbin/nginx*\", user: www-data}]\n"
		      "  exclude: [{cgroup: /system.slice/cron.service}, {pod_label: {app: loadtest}}, {pid: 4711}]\n"
		      "```\n\n"
		      "Values are globs: `*` is any text, slashes too, `?` a character, `[a-z]` one of these, `[!a-z]` none of them, `\\*` the asterisk\n"
		      "itself. `\"*\"` alone is any text but none: `{container: \"*\"}` is what runs in a container. A process is judged when it executes its\n"
		      "program; what is left out is left out in the kernel (see relabel_configs, which come after and for which these are short forms).\n"
		      "The kernel's own threads are the service `kernel`, and nothing else of them is known.\n\n");
	reference_table(&selector_options, false, out);
	buf_puts(out, "\n## relabel_configs\n\nA list of Prometheus' relabelling rules, applied in their order to the labels of each process; what is left of them is its\n"
		      "series. Before them it has `service_name`, and for the rules `__process_pid__`, `__meta_process_exe`,\n"
		      "`__meta_process_comm`, `__meta_process_commandline`, `__meta_process_uid`, `__meta_process_username`, `__meta_cgroup_path`,\n"
		      "`__container_id__`, `__meta_container_runtime`, `__meta_kubernetes_pod_uid`, `__meta_systemd_unit`; where `kubernetes` lists\n"
		      "its pod, `__meta_kubernetes_namespace`, `__meta_kubernetes_node_name`, and `__meta_kubernetes_pod_` with `name`, `ip`, `phase`,\n"
		      "`label_NAME`, `annotation_NAME`, `controller_kind`, `controller_name`, `deployment_name`, `container_name`, `container_image`; and\n"
		      "`__meta_otel_NAME` for each attribute in its `OTEL_RESOURCE_ATTRIBUTES` and its OpenTelemetry process context\n"
		      "(`__meta_otel_service_version`). A user's name is that in the host's `/etc/passwd`; in a container, whose users are others, a user\n"
		      "has none. Labels that begin with `__` go at the end; a process that is dropped is in no profile.\n\n"
		      "With `user_stacks` what is dropped is not even taken from the kernel after a program's first sample (the kernel's own threads\n"
		      "are, and thrown away here), and `__frequency__`, set to a whole number,\n"
		      "is the rate in Hz of that process's samples, if it is below `frequency`; each then stands for several, and totals stay true.\n\n");
	reference_table(&relabel_options, false, out);
}

static void schema_choices(const char *choices, struct buf *out)
{
	buf_puts(out, "\"enum\":[\"");
	for (const char *s = choices; *s; s++)
		*s == '|' ? buf_puts(out, "\",\"") : buf_putc(out, *s);
	buf_puts(out, "\"]");
}

static void schema_type(const struct option *o, struct buf *out)
{
	switch (o->type) {
	case OPTION_U32:
		buf_printf(out, "\"type\":\"integer\",\"minimum\":%llu,\"maximum\":%llu", (unsigned long long)o->min, (unsigned long long)o->max);
		break;
	case OPTION_BOOL:
		buf_puts(out, "\"type\":\"boolean\"");
		break;
	case OPTION_DURATION:
		buf_puts(out, "\"type\":[\"string\",\"integer\"],\"pattern\":\"^[0-9.]+(ns|us|ms|s|m|h)?$\"");
		break;
	case OPTION_BYTES:
		buf_puts(out, "\"type\":[\"string\",\"integer\"],\"pattern\":\"^[0-9.]+(B|KiB|MiB|GiB)?$\"");
		break;
	case OPTION_PERCENT:
		buf_printf(out, "\"type\":[\"number\",\"string\"],\"minimum\":%llu,\"maximum\":%llu,\"pattern\":\"^[0-9.]+%%?$\"",
			   (unsigned long long)o->min, (unsigned long long)o->max);
		break;
	case OPTION_MAP:
		buf_puts(out, "\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}");
		break;
	case OPTION_LIST:
		buf_puts(out, "\"type\":\"array\",\"items\":{\"type\":\"string\"}");
		break;
	case OPTION_CHOICE:
		schema_choices(o->unit, out);
		break;
	case OPTION_SET:
		buf_puts(out, "\"type\":\"array\",\"minItems\":1,\"items\":{");
		schema_choices(o->unit, out);
		buf_putc(out, '}');
		break;
	default:
		buf_puts(out, "\"type\":\"string\"");
	}
}

/* Rows of one nested mapping follow each other in options.def: "tls_config.x" opens and closes it. */
static void schema_rows(const struct option_table *t, struct buf *out)
{
	const char *comma = "";
	size_t open = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct option *o = &t->v[i];
		const char *dot = strchr(o->key, '.'), *name = dot ? dot + 1 : o->key;
		size_t group = dot ? (size_t)(dot - o->key) : 0;

		if (open && (group != open || strncmp(o->key, t->v[i - 1].key, open))) {
			buf_puts(out, "}}");
			open = 0;
		}
		buf_puts(out, comma);
		if (group && !open) {
			buf_printf(out, "\"%.*s\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", (int)group, o->key);
			open = group;
		}
		buf_printf(out, "\"%s\":{", name);
		schema_type(o, out);
		buf_puts(out, ",\"description\":");
		buf_json_string(out, o->help, strlen(o->help));
		buf_putc(out, '}');
		comma = ",";
	}
	if (open)
		buf_puts(out, "}}");
}

static void schema_selectors(const char *key, struct buf *out)
{
	buf_printf(out, "\"%s\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"minProperties\":1,\"properties\":{", key);
	schema_rows(&selector_options, out);
	buf_puts(out, "}}}");
}

void options_schema(struct buf *out)
{
	buf_puts(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"hotspan.yaml\",\"type\":\"object\","
		      "\"additionalProperties\":false,\"properties\":{");
	schema_rows(&config_options, out);
	buf_puts(out, ",\"receivers\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
		      "\"required\":[\"name\"],\"anyOf\":[{\"required\":[\"url\"]},{\"required\":[\"path\"]}],\"properties\":{");
	schema_rows(&receiver_options, out);
	buf_puts(out, "}}},\"targets\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	schema_selectors("include", out);
	buf_putc(out, ',');
	schema_selectors("exclude", out);
	buf_puts(out, "}},\"relabel_configs\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
	schema_rows(&relabel_options, out);
	buf_puts(out, "}}}}}\n");
}
