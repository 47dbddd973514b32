/* SPDX-License-Identifier: Apache-2.0 */
#include "proc/placement.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

enum { ID_LEN = 64, TASK_LEN = 32, UID_LEN = 36 };

/* A component of the path. */
struct part {
	const char *s;
	size_t len;
};

static bool ends_with(struct part p, const char *suffix)
{
	size_t n = strlen(suffix);

	return p.len > n && !memcmp(p.s + p.len - n, suffix, n);
}

static bool begins_with(struct part p, const char *prefix)
{
	size_t n = strlen(prefix);

	return p.len > n && !memcmp(p.s, prefix, n);
}

static bool is(struct part p, const char *text)
{
	return p.len == strlen(text) && !memcmp(p.s, text, p.len);
}

static bool are_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

static struct part without(struct part p, const char *suffix)
{
	return ends_with(p, suffix) ? (struct part){ p.s, p.len - strlen(suffix) } : p;
}

static void copy(char *out, size_t len, struct part p)
{
	snprintf(out, len, "%.*s", (int)p.len, p.s);
}

/* Who names containers by this prefix, "docker-" of docker-ID.scope; of a bare id the folder above. */
static const char *runtime_of(struct part prefix, struct part above)
{
	static const struct {
		const char *prefix, *runtime;
	} known[] = {
		{ "docker", "docker" }, { "cri-containerd", "containerd" }, { "nerdctl", "containerd" }, { "crio", "cri-o" },
		{ "libpod", "podman" }, { "libpod_parent", "podman" }, { "ecs", "ecs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (is(prefix, known[i].prefix) || (!prefix.len && is(above, known[i].prefix)))
			return known[i].runtime;
	return "";
}

static void set_container(struct placement *ret, struct part id, const char *runtime)
{
	copy(ret->container, sizeof(ret->container), id);
	snprintf(ret->runtime, sizeof(ret->runtime), "%s", runtime);
	ret->unit_inside = false;
}

/* "docker-ID.scope", "ID", and "system.slice:docker:ID" of a runtime that was told another driver than it has. */
static bool by_id(struct part p, struct part above, struct placement *ret)
{
	struct part name = without(p, ".scope"), id, prefix;

	if (name.len < ID_LEN || !are_hex(name.s + name.len - ID_LEN, ID_LEN))
		return false;
	id = (struct part){ name.s + name.len - ID_LEN, ID_LEN };
	prefix = (struct part){ name.s, name.len - ID_LEN };
	if (prefix.len) {
		prefix.len--; /* - or : */
		for (size_t i = 0; i < prefix.len; i++)
			if (prefix.s[i] == ':')
				prefix = (struct part){ prefix.s + i + 1, prefix.len - i - 1 };
	}
	if (ends_with(prefix, "-conmon"))
		return false;
	set_container(ret, id, runtime_of(prefix, above));
	return true;
}

/* Fargate's: the task's id, a dash, a number. */
static bool by_task(struct part p, struct placement *ret)
{
	if (p.len < TASK_LEN + 2 || !are_hex(p.s, TASK_LEN) || p.s[TASK_LEN] != '-')
		return false;
	for (size_t i = TASK_LEN + 1; i < p.len; i++)
		if (!isdigit((unsigned char)p.s[i]))
			return false;
	set_container(ret, p, "ecs");
	return true;
}

static bool by_name(struct part p, struct part above, struct placement *ret)
{
	static const char payload[] = "lxc.payload.";

	if (begins_with(p, payload))
		p = (struct part){ p.s + sizeof(payload) - 1, p.len - (sizeof(payload) - 1) };
	else if (!is(above, "lxc"))
		return false;
	set_container(ret, p, "lxc");
	return true;
}

/* "pod" and 36 characters at the end; systemd's folders have _ for -, the kubelet's of static pods 32 hex digits. */
static void take_pod(struct part p, struct placement *ret)
{
	struct part name = without(p, ".slice");
	size_t at = 0, n;

	for (size_t i = 0; i + 3 < name.len; i++)
		if (!memcmp(name.s + i, "pod", 3) && (!i || name.s[i - 1] == '-'))
			at = i + 3;
	n = name.len - at;
	if (!at || (n != UID_LEN && !(n == 32 && are_hex(name.s + at, n))))
		return;
	copy(ret->pod_uid, sizeof(ret->pod_uid), (struct part){ name.s + at, n });
	for (char *s = ret->pod_uid; *s; s++)
		*s = *s == '_' ? '-' : *s;
}

/* A user's manager holds everything that user runs: it is no service. */
static void take_unit(struct part p, struct placement *ret)
{
	if (!ends_with(p, ".service") || begins_with(p, "user@"))
		return;
	copy(ret->unit, sizeof(ret->unit), p);
	ret->unit_inside = ret->container[0];
}

void placement_of(const char *path, struct placement *ret)
{
	struct part above = { "", 0 };

	*ret = (struct placement){ .unit_inside = false };
	while (*path) {
		struct part p = { path, strcspn(path, "/") };

		if (p.len) {
			if (!by_id(p, above, ret) && !by_task(p, ret) && !by_name(p, above, ret)) {
				take_pod(p, ret);
				take_unit(p, ret);
			}
			above = p;
		}
		path += p.len + (path[p.len] == '/');
	}
}
