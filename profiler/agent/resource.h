/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resource - what a service is to OpenTelemetry: the attributes of a resource, from the labels of its series. One way for
 * profiles, traces and metrics, so that they meet where they arrive.
 *
 *	service_name  service_namespace  k8s_pod_name ...   service.name, service.namespace, k8s.pod.name ...: a label that
 *	                                                    is a name of the semantic conventions with _ for . has that name
 *	instance                                            host.name
 *
 * Labels that begin with __ are not told. Source: semantic conventions 1.44, resource.
 */
#include <stdint.h>

struct strmap;

/* Adds to what is there. 0 or -ENOMEM. */
int resource_of(const struct strmap *labels, struct strmap *ret);

/*
 * What traces and metrics say beside, where it is not there yet: host.name, os.type, telemetry.* and service.instance.id, which is
 * NAMESPACE.POD.CONTAINER, else HOST:PID, with pid 0 (all of a service on this host) HOST. Profiles do without: Pyroscope
 * makes a label of each. 0 or -ENOMEM.
 */
int resource_complete(uint32_t pid, struct strmap *ret);

/*
 * Of a service that was seen on this host, complete: the labels of its target as proc/labels.h writes them, and what `more` has
 * beside (those of the configuration; NULL: nothing). 0 or -ENOMEM.
 */
int resource_of_target(const char *labels, const struct strmap *more, struct strmap *ret);

/* The agent's own, complete. labels: those of the configuration. 0 or -ENOMEM. */
int resource_of_agent(const struct strmap *labels, struct strmap *ret);
