/* SPDX-License-Identifier: Apache-2.0 */
/* What a process costs when rules are asked for its labels. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "bench.h"
#include "proc/relabel.h"

#define SOURCE(name) .source_labels = (const char *const[]){ name }, .n_source_labels = 1

/* Once per process and program it runs: ten rules as they are for pods, over twenty labels. */
BENCH(relabel_apply, "process", 1)
{
	const struct relabel_rule rules[] = {
		{ .action = RELABEL_DROP, SOURCE("__meta_kubernetes_pod_phase"), .regex = "Succeeded|Failed" },
		{ .action = RELABEL_KEEP, SOURCE("__meta_process_exe"), .regex = "/(usr|opt)/.*" },
		{ .source_labels = (const char *const[]){ "__meta_kubernetes_namespace", "__meta_kubernetes_pod_container_name" }, .n_source_labels = 2,
		  .separator = "@", .regex = "(.*)@(.*)", .target_label = "service_name", .replacement = "ebpf/${1}/${2}" },
		{ .action = RELABEL_LABELMAP, .regex = "__meta_kubernetes_pod_label_(.+)" },
		{ SOURCE("__meta_kubernetes_namespace"), .target_label = "namespace" },
		{ SOURCE("__meta_kubernetes_pod_name"), .target_label = "pod" },
		{ SOURCE("__meta_kubernetes_node_name"), .target_label = "node" },
		{ SOURCE("__meta_kubernetes_pod_container_name"), .target_label = "container" },
		{ .action = RELABEL_HASHMOD, SOURCE("__meta_kubernetes_pod_name"), .target_label = "shard", .modulus = 8 },
		{ .action = RELABEL_LABELDROP, .regex = "pod_template_hash|controller_.+" },
	};
	static const char *const known[][2] = {
		{ "__meta_kubernetes_pod_phase", "Running" }, { "__meta_process_exe", "/usr/bin/shop" }, { "__meta_kubernetes_namespace", "shop" },
		{ "__meta_kubernetes_pod_container_name", "cart" }, { "__meta_kubernetes_pod_name", "cart-5d4f8c7b9-x2x7p" }, { "__meta_kubernetes_node_name", "node-17" },
	};
	struct strmap labels = { 0 };
	struct relabel *r;
	char err[128], name[64];
	size_t bad;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		strmap_set(&labels, known[i][0], known[i][1]);
	for (int i = 0; labels.v.n < 20; i++) {
		snprintf(name, sizeof(name), i % 2 ? "__meta_kubernetes_pod_label_app_%d" : "__meta_otel_attribute_%d", i);
		strmap_set(&labels, name, "a value of some length");
	}
	if (relabel_new(rules, ARRAY_SIZE(rules), &r, &bad, err, sizeof(err)) < 0)
		abort();
	BENCH_LOOP(b) {
		struct strmap m = { 0 };

		if (strmap_copy(&labels, &m) < 0 || relabel_apply(r, &m) != 1)
			abort();
		strmap_fini(&m);
	}
	relabel_free(r);
	strmap_fini(&labels);
}
