/* SPDX-License-Identifier: Apache-2.0 */
/* threads SECONDS: four threads, "worker-0" to "worker-3", burn 1 : 2 : 3 : 4 in functions of their own. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "burn.h"

BURN(thread_one)
BURN(thread_two)
BURN(thread_three)
BURN(thread_four)

static struct worker {
	uint64_t (*burn)(uint64_t ns);
	const char *name;
	uint64_t ns, burnt;
} workers[] = { { thread_one, "thread_one", 0, 0 }, { thread_two, "thread_two", 0, 0 },
		{ thread_three, "thread_three", 0, 0 }, { thread_four, "thread_four", 0, 0 } };

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", (int)(w - workers));
	pthread_setname_np(pthread_self(), name);
	w->burnt = w->burn(w->ns);
	return NULL;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		workers[i].ns = (uint64_t)(seconds * 1e9) * (uint64_t)(i + 1) / 10;
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		printf("%s %llu\n", workers[i].name, (unsigned long long)workers[i].burnt);
	return 0;
}
