/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * kube - asks Kubernetes for the pods of this node, on a thread of its own: nothing waits for it.
 *
 *	API server or kubelet -> pods (proc/pods.h) -> kube_take() -> targets
 *
 * Asked once a minute, and a few seconds after kube_hurry(): a process was met whose pod is not in the list. A failure
 * costs names, and is told once, as is the recovery; the pods known so far stay.
 * The token of the service account is read with each request, since it is renewed; it goes out over HTTPS alone.
 * Threads: kube_take(), kube_hurry() and kube_stats() on any.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kube;
struct pods;

#define KUBE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_opts {
	const char *url;         /* of a list of pods; copied */
	const char *account_dir; /* with token and ca.crt, either may be missing; copied */
	/* On the thread: text says what is wrong and what to do, or that it is right again. */
	void (*on_event)(void *ctx, bool ok, const char *text);
	void *ctx;
	uint64_t again_ns; /* after the last time at the earliest; 0: 5 s */
};

struct kube_stats {
	uint64_t lists, failures;
	uint32_t pods, left_out; /* in the last list */
};

/*
 * The URL that `choice` (the option "kubernetes") stands for, into out. "auto": the API server's, when we run in a pod
 * with a service account: environment as main() has it, node the name of this one. 0, or -ENOENT: do not ask.
 */
int kube_url(const char *choice, char *const *environment, const char *node, const char *account_dir, char *out, size_t len);

int kube_new(const struct kube_opts *opts, struct kube **ret);
struct kube *kube_free(struct kube *k);

/* The newest list, the caller's; NULL: there was none since the last time. */
struct pods *kube_take(struct kube *k);
void kube_hurry(struct kube *k);
void kube_stats(struct kube *k, struct kube_stats *ret);
