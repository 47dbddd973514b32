/* SPDX-License-Identifier: Apache-2.0 */
/* maze DEPTH SECONDS: two threads burn at the bottom of DEPTH calls, and go there another way each time: no two stacks are alike. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

enum { THREADS = 2, STAY_NS = 100000 };

BURN(maze_end)

struct way {
	uint64_t bits;
	int depth;
};

__attribute__((noinline)) uint64_t maze_left(struct way w);
__attribute__((noinline)) uint64_t maze_right(struct way w);

static uint64_t go_on(struct way w)
{
	w.bits = w.bits * 6364136223846793005ull + 1442695040888963407ull;
	if (!--w.depth)
		return maze_end(STAY_NS);
	return w.bits >> 63 ? maze_left(w) : maze_right(w);
}

uint64_t maze_left(struct way w)
{
	return go_on(w) + (burn_sink == 1); /* not a tail call */
}

uint64_t maze_right(struct way w)
{
	return go_on(w) + (burn_sink == 1);
}

static struct walker {
	pthread_t thread;
	int depth;
	uint64_t ns, burnt;
} walkers[THREADS];

static void *walk(void *arg)
{
	struct walker *k = arg;
	struct way w = { .depth = k->depth, .bits = (uintptr_t)k };
	uint64_t begin = thread_cpu_ns();

	for (; k->burnt < k->ns; k->burnt = thread_cpu_ns() - begin)
		w.bits += maze_left(w);
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t burnt = 0;

	for (int i = 0; i < THREADS; i++) {
		walkers[i].depth = argc > 1 ? atoi(argv[1]) : 100;
		walkers[i].ns = (uint64_t)((argc > 2 ? atof(argv[2]) : 1) * 1e9);
		pthread_create(&walkers[i].thread, NULL, walk, &walkers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(walkers[i].thread, NULL);
		burnt += walkers[i].burnt;
	}
	printf("maze %llu\n", (unsigned long long)burnt);
	return 0;
}
