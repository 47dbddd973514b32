/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * placement - where a process runs, as far as the path of its cgroup tells: container, Kubernetes pod, systemd unit. Pure.
 *
 *	/system.slice/docker-ID.scope                               docker under systemd
 *	/docker/ID                                                  docker, cgroupfs driver
 *	/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope
 *	/kubepods/burstable/podUID/ID                               the same, cgroupfs driver
 *	/machine.slice/libpod-ID.scope/container                    podman; libpod-conmon-ID is its monitor and none
 *	/ecs/TASK/ID, /ecs/TASK/TASK-NUMBER                         Amazon's
 *	/lxc.payload.NAME, /lxc/NAME                                LXC
 *	/system.slice/nginx.service                                 a unit
 *
 * The innermost of each kind counts: nested runtimes (kind) are the inner one's.
 * Source: runc's and crun's cgroup drivers, the kubelet's cgroup manager, podman, LXC's lxc.cgroup.dir as they name
 * folders; the table in tests/unit/test_placement.c.
 */
#include <stdbool.h>

struct placement {
	char container[72]; /* 64 hex digits, another runtime's name for it, or "" */
	char runtime[16];   /* docker, containerd, cri-o, podman, lxc, ecs; "": not told */
	char pod_uid[40];   /* with dashes; "" */
	char unit[128];     /* with its suffix: "nginx.service"; "" */
	bool unit_inside;   /* the unit is the container's own */
};

/* path: below the cgroup mount; "" is nowhere. */
void placement_of(const char *path, struct placement *ret);
