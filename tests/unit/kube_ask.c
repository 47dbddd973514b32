/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube_ask URL DIR: asks for pods as the agent does, every 0.1 s, and says what happens, a line each: "pods N",
 * "wrong TEXT", "right TEXT". Ends when its standard input does, and says how long that took: "ended MS".
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/kube.h"
#include "base/units.h"
#include "proc/pods.h"

static void on_event(void *ctx, bool ok, const char *text)
{
	printf("%s %s\n", ok ? "right" : "wrong", text);
}

int main(int argc, char **argv)
{
	struct kube_opts opts = { .on_event = on_event, .again_ns = 100 * NSEC_PER_MSEC };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct kube *k;
	uint64_t begin;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3)
		return 2;
	opts.url = argv[1];
	opts.account_dir = argv[2];
	if (kube_new(&opts, &k) < 0)
		return 1;
	while (!poll(&in, 1, 20)) {
		struct pods *p = kube_take(k);

		if (p)
			printf("pods %u\n", pods_count(p));
		pods_free(p);
		kube_hurry(k);
	}
	begin = time_mono_ns();
	kube_free(k);
	printf("ended %llu\n", (unsigned long long)((time_mono_ns() - begin) / NSEC_PER_MSEC));
	return 0;
}
