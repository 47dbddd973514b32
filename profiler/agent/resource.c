/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resource.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/node.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "proc/labels.h"
#include "version.h"

static const char *const conventions[] = {
	"cloud.account.id",
	"cloud.availability_zone",
	"cloud.platform",
	"cloud.provider",
	"cloud.region",
	"container.id",
	"container.image.name",
	"container.name",
	"container.runtime.name",
	"deployment.environment",
	"deployment.environment.name",
	"host.arch",
	"host.id",
	"host.name",
	"host.type",
	"k8s.cluster.name",
	"k8s.cluster.uid",
	"k8s.container.name",
	"k8s.cronjob.name",
	"k8s.daemonset.name",
	"k8s.deployment.name",
	"k8s.job.name",
	"k8s.namespace.name",
	"k8s.node.name",
	"k8s.node.uid",
	"k8s.pod.name",
	"k8s.pod.uid",
	"k8s.replicaset.name",
	"k8s.statefulset.name",
	"os.type",
	"process.executable.name",
	"process.runtime.name",
	"process.runtime.version",
	"service.instance.id",
	"service.name",
	"service.namespace",
	"service.version",
};

static bool is_label_of(const char *label, const char *name)
{
	for (; *label && (*label == *name || (*label == '_' && *name == '.')); label++)
		name++;
	return !*label && !*name;
}

static const char *name_of(const char *label)
{
	if (!strcmp(label, "instance"))
		return "host.name";
	for (size_t i = 0; i < ARRAY_SIZE(conventions); i++)
		if (is_label_of(label, conventions[i]))
			return conventions[i];
	return label;
}

int resource_of(const struct strmap *labels, struct strmap *ret)
{
	int r = 0;

	vec_foreach(e, &labels->v)
		if (r >= 0 && strncmp(e->key, "__", 2))
			r = strmap_set(ret, name_of(e->key), e->value);
	return r;
}

static int set_missing(struct strmap *m, const char *key, const char *value)
{
	return strmap_get(m, key) ? 0 : strmap_set(m, key, value);
}

static int set_host(struct strmap *m)
{
	char host[NODE_NAME_SIZE];

	node_name(host);
	return *host ? set_missing(m, "host.name", host) : 0;
}

static int set_instance(uint32_t pid, struct strmap *m)
{
	const char *space = strmap_get(m, "k8s.namespace.name"),
		   *pod = strmap_get(m, "k8s.pod.name");
	const char *container = strmap_get(m, "k8s.container.name"),
		   *host = strmap_get(m, "host.name");
	char text[768];

	if (space && pod && container)
		snprintf(text, sizeof(text), "%s.%s.%s", space, pod, container);
	else if (!host)
		return 0;
	else if (pid)
		snprintf(text, sizeof(text), "%s:%u", host, pid);
	else
		snprintf(text, sizeof(text), "%s", host);
	return set_missing(m, "service.instance.id", text);
}

int resource_complete(uint32_t pid, struct strmap *ret)
{
	/* Of the languages there are names for, C's nearest. */
	static const char *const pairs[][2] = {
		{ "os.type", "linux" },
		{ "telemetry.sdk.name", "hotspan" },
		{ "telemetry.sdk.language", "cpp" },
		{ "telemetry.sdk.version", HOTSPAN_VERSION },
		{ "telemetry.distro.name", "hotspan" },
		{ "telemetry.distro.version", HOTSPAN_VERSION },
	};
	int r = set_host(ret);

	if (r >= 0)
		r = set_instance(pid, ret);
	for (size_t i = 0; i < ARRAY_SIZE(pairs) && r >= 0; i++)
		r = set_missing(ret, pairs[i][0], pairs[i][1]);
	return r;
}

int resource_of_target(const char *labels, const struct strmap *more, struct strmap *ret)
{
	_cleanup_(strmap_fini) struct strmap all = { 0 };
	int r = labels_parse(labels, &all);

	for (uint32_t i = 0; more && i < more->v.n && r >= 0; i++)
		r = set_missing(&all, more->v.v[i].key, more->v.v[i].value);
	if (r >= 0)
		r = resource_of(&all, ret);
	return r < 0 ? r : resource_complete(0, ret);
}

int resource_of_agent(const struct strmap *labels, struct strmap *ret)
{
	int r = strmap_set(ret, "service.name", "hotspan");

	if (r >= 0)
		r = strmap_set(ret, "service.version", HOTSPAN_VERSION);
	if (r >= 0)
		r = resource_of(labels, ret);
	return r < 0 ? r : resource_complete((uint32_t)getpid(), ret);
}
