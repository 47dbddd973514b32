/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/service.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/strmap.h"
#include "proc/declared.h"
#include "proc/executable.h"
#include "proc/placement.h"
#include "proc/process.h"

enum { CONTAINER_ID = 64, SHORT_ID = 12 };

int service_of_cgroup(const char *path, char *out, size_t len)
{
	static const char suffix[] = ".service";
	struct placement p;

	placement_of(path, &p);
	if (p.unit[0] && (p.unit_inside || !p.container[0]))
		snprintf(out, len, "%.*s", (int)(strlen(p.unit) - (sizeof(suffix) - 1)), p.unit);
	else if (strlen(p.container) == CONTAINER_ID)
		snprintf(out, len, "%.*s", SHORT_ID, p.container);
	else if (p.container[0])
		snprintf(out, len, "%s", p.container);
	else
		return -ENOENT;
	return 0;
}

static bool from_pod(const struct strmap *pod, char *out, size_t len)
{
	const char *said = strmap_get(pod, "__meta_kubernetes_pod_annotation_pyroscope_io_service_name");
	const char *ns = strmap_get(pod, "__meta_kubernetes_namespace"), *name = strmap_get(pod, "__meta_kubernetes_pod_container_name");

	if (!said)
		said = strmap_get(pod, "__meta_kubernetes_pod_annotation_resource_opentelemetry_io_service_name");
	if (said)
		snprintf(out, len, "%s", said);
	else if (ns && name)
		snprintf(out, len, "%s/%s", ns, name);
	return said || (ns && name);
}

static void from_process(const struct process *p, char *out, size_t len)
{
	char path[PATH_MAX];

	if (executable_path(p, path, sizeof(path)))
		snprintf(out, len, "%s", executable_name(path));
	else
		snprintf(out, len, "%s", p->comm[0] ? p->comm : "unknown");
}

void service_name(const struct process *p, const struct strmap *declared, const struct strmap *pod, const char *cgroup, char *out,
		  size_t len)
{
	const char *said = strmap_get(declared, "service.name");

	if (said)
		snprintf(out, len, "%s", said);
	else if (!p)
		snprintf(out, len, "unknown");
	else if (!from_pod(pod, out, len) && service_of_cgroup(cgroup, out, len) < 0)
		from_process(p, out, len);
	declared_make_printable(out);
}
