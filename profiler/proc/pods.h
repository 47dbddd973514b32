/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * pods - the pods of this node as Kubernetes lists them: whose container is 4a2f0d..., under the labels that Prometheus'
 * discovery gives a pod.
 *
 *	__meta_kubernetes_namespace  __meta_kubernetes_node_name
 *	__meta_kubernetes_pod_name  __meta_kubernetes_pod_ip  __meta_kubernetes_pod_phase
 *	__meta_kubernetes_pod_label_NAME  __meta_kubernetes_pod_annotation_NAME
 *	__meta_kubernetes_pod_controller_kind  __meta_kubernetes_pod_controller_name
 *	__meta_kubernetes_pod_deployment_name    of a ReplicaSet's pod, without the template's hash
 *	__meta_kubernetes_pod_container_name  __meta_kubernetes_pod_container_image
 *
 * A list is read as it comes, without a tree of it in memory: so many pods, so many bytes of labels are kept, the rest
 * is counted. Long annotations (whole manifests) are left out.
 * Threads: a table does not change once it is made. Memory: owns what it holds.
 * Source: the PodList of the API server and of the kubelet's /pods; Prometheus' kubernetes_sd_config, role pod.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strmap.h"

struct pods;
struct pods_reader;

enum { PODS_MAX = 2048, PODS_ANNOTATION_MAX = 256, PODS_BYTES_MAX = 8 << 20 };

int pods_reader_new(struct pods_reader **ret);
struct pods_reader *pods_reader_free(struct pods_reader *r);
/* The next bytes. 0; -EBADMSG: it is no JSON, or nested too deep; -ENOMEM. */
int pods_reader_feed(struct pods_reader *r, const void *data, size_t len);
/* At the end of the list. 0 and the table; -EBADMSG: the list is cut, or no list of pods; -ENOMEM. */
int pods_reader_finish(struct pods_reader *r, struct pods **ret);

struct pods *pods_free(struct pods *p);
uint32_t pods_count(const struct pods *p);
/* Pods and labels left out for the bounds. */
uint32_t pods_left_out(const struct pods *p);
bool pods_equal(const struct pods *a, const struct pods *b);

/*
 * Adds the labels of a container, and of its pod. Either may be ""; a static pod's uid is not the cgroup's, its
 * containers' ids are. 1; 0: neither is known; -ENOMEM.
 */
int pods_labels(const struct pods *p, const char *container, const char *pod_uid, struct strmap *to);
