/* SPDX-License-Identifier: Apache-2.0 */
/*
 * churn SECONDS: loads two libraries in turns, burns 2 ms in each, unloads it: their code stands at
 * the same addresses again and again. Prints what each burnt.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "burn.h"

static uint64_t burn_in(const char *dir, int which)
{
	char path[4096], name[32];
	uint64_t (*burn)(uint64_t ns), got;
	void *lib;

	snprintf(path, sizeof(path), "%s/w_churn%d.so", dir, which);
	snprintf(name, sizeof(name), "churn_in_%d", which);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib || !(burn = (uint64_t (*)(uint64_t))dlsym(lib, name))) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	got = burn(2000000);
	dlclose(lib);
	return got;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	char self[4096];
	uint64_t sum[2] = { 0 };

	snprintf(self, sizeof(self), "%s", argv[0]);
	dirname(self);
	while ((double)(sum[0] + sum[1]) < seconds * 1e9) {
		sum[0] += burn_in(self, 1);
		sum[1] += burn_in(self, 2);
		sum[0] += burn_in(self, 1);
	}
	printf("churn_in_1 %llu\nchurn_in_2 %llu\n", (unsigned long long)sum[0], (unsigned long long)sum[1]);
	return 0;
}
