/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of cgroups as runtimes make them, and what they say. */
#include "unit.h"

#include <errno.h>

#include "proc/placement.h"
#include "proc/service.h"

#define ID "4a2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
#define OTHER "ffff0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
#define POD "0f3a7c1e-5b2d-4e6f-8a9b-1c2d3e4f5a6b"
#define POD_ "0f3a7c1e_5b2d_4e6f_8a9b_1c2d3e4f5a6b"

static const struct {
	const char *path, *container, *runtime, *pod, *unit;
} rows[] = {
	{ "", "", "", "", "" },
	{ "/", "", "", "", "" },
	{ "/init.scope", "", "", "", "" },
	{ "/system.slice/nginx.service", "", "", "", "nginx.service" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "", "", "", "getty@tty1.service" },
	{ "/system.slice/nginx.service/worker", "", "", "", "nginx.service" },
	{ "/user.slice/user-1000.slice/session-3.scope", "", "", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome\\x2dterminal.service", "", "", "", "app-gnome\\x2dterminal.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", "", "" },
	/* docker: systemd's driver, cgroupfs', a runtime told the one and using the other */
	{ "/system.slice/docker-" ID ".scope", ID, "docker", "", "" },
	{ "/docker/" ID, ID, "docker", "", "" },
	{ "/docker/" ID "/init", ID, "docker", "", "" },
	{ "/system.slice:docker:" ID, ID, "docker", "", "" },
	{ "/system.slice/docker.service", "", "", "", "docker.service" },
	/* Kubernetes */
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice/cri-containerd-" ID ".scope", ID, "containerd", POD, "" },
	{ "/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope", ID, "cri-o", POD, "" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_ ".slice/crio-conmon-" ID ".scope", "", "", POD, "" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_ ".slice/docker-" ID ".scope", ID, "docker", POD, "" },
	{ "/kubepods/burstable/pod" POD "/" ID, ID, "", POD, "" },
	{ "/kubepods/pod" POD "/" ID, ID, "", POD, "" },
	{ "/kubepods/besteffort/pod" POD "/crio-" ID, ID, "cri-o", POD, "" },
	{ "/kubepods/burstable/podd1c3a5b7e9f0d1c3a5b7e9f0d1c3a5b7/" ID, ID, "", "d1c3a5b7e9f0d1c3a5b7e9f0d1c3a5b7", "" },
	/* kind: a node is a container */
	{ "/system.slice/docker-" OTHER ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" POD_
	  ".slice/cri-containerd-" ID ".scope", ID, "containerd", POD, "" },
	/* podman: rootful, rootless, crun's folder inside, the monitor */
	{ "/machine.slice/libpod-" ID ".scope", ID, "podman", "", "" },
	{ "/machine.slice/libpod-" ID ".scope/container", ID, "podman", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container", ID, "podman", "", "" },
	{ "/machine.slice/libpod-conmon-" ID ".scope", "", "", "", "" },
	{ "/libpod_parent/libpod-" ID, ID, "podman", "", "" },
	/* others */
	{ "/system.slice/nerdctl-" ID ".scope", ID, "containerd", "", "" },
	{ "/default/" ID, ID, "", "", "" },
	{ "/ecs/5f0c2a1e9b8d4c7e8a6f3b2d1c0e9f8a/" ID, ID, "", "", "" },
	{ "/ecs/5f0c2a1e9b8d4c7e8a6f3b2d1c0e9f8a/5f0c2a1e9b8d4c7e8a6f3b2d1c0e9f8a-1234567890", "5f0c2a1e9b8d4c7e8a6f3b2d1c0e9f8a-1234567890", "ecs", "", "" },
	{ "/lxc.payload.web1/system.slice/nginx.service", "web1", "lxc", "", "nginx.service" },
	{ "/lxc.monitor.web1", "", "", "", "" },
	{ "/lxc/web1", "web1", "lxc", "", "" },
	{ "/machine.slice/systemd-nspawn@web2.service/payload/system.slice/cron.service", "", "", "", "cron.service" },
	/* a container with a systemd of its own */
	{ "/docker/" ID "/system.slice/nginx.service", ID, "docker", "", "nginx.service" },
	/* nearly */
	{ "/docker/4a2f0d7bb1b6", "", "", "", "" },
	{ "/system.slice/docker-" ID "x.scope", "", "", "", "" },
	{ "/.service", "", "", "", "" },
	{ "/podium", "", "", "", "" },
};

static void paths_say_where_a_process_runs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct placement p;

		placement_of(rows[i].path, &p);
		if (strcmp(p.container, rows[i].container) || strcmp(p.runtime, rows[i].runtime) || strcmp(p.pod_uid, rows[i].pod) ||
		    strcmp(p.unit, rows[i].unit))
			fail_msg("%s: container '%s', runtime '%s', pod '%s', unit '%s'", rows[i].path, p.container, p.runtime, p.pod_uid, p.unit);
	}
}

static void names_are_cut_and_not_overrun(void **state)
{
	char path[1024];
	struct placement p;

	memset(path, 'x', sizeof(path));
	memcpy(path, "/lxc/", 5);
	strcpy(path + 900, ".service");
	placement_of(path, &p);
	assert_int_equal(strlen(p.container), sizeof(p.container) - 1);
	path[0] = 'y';
	placement_of(path, &p);
	assert_int_equal(strlen(p.unit), sizeof(p.unit) - 1);
}

static void the_service_is_the_innermost(void **state)
{
	char name[64];

	assert_int_equal(service_of_cgroup("/docker/" ID "/system.slice/nginx.service", name, sizeof(name)), 0);
	assert_string_equal(name, "nginx");
	assert_int_equal(service_of_cgroup("/system.slice/docker.service/docker/" ID, name, sizeof(name)), 0);
	assert_string_equal(name, "4a2f0d7bb1b6");
	assert_int_equal(service_of_cgroup("/lxc.payload.web1", name, sizeof(name)), 0);
	assert_string_equal(name, "web1");
	assert_int_equal(service_of_cgroup("/user.slice", name, sizeof(name)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_say_where_a_process_runs),
		cmocka_unit_test(names_are_cut_and_not_overrun),
		cmocka_unit_test(the_service_is_the_innermost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
