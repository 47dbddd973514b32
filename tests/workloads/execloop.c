/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execloop COUNT: burns 3 ms in a function of its own, then becomes the other program, COUNT times.
 * Both lie at the same fixed address and are the same code under another name: a pc resolved in the
 * predecessor's or the successor's image gets a name that this process's comm contradicts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "burn.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)



BURN(PASTE(execloop_in_, SELF))

int main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 100;
	char next[4096], count[16];
	char *slash;

	PASTE(execloop_in_, SELF)(3000000);
	if (left <= 0)
		return 0;
	snprintf(next, sizeof(next), "%s", argv[0]);
	slash = strrchr(next, '/');
	snprintf(slash ? slash + 1 : next, 64, "w_execloop_%s", TEXT(OTHER));
	snprintf(count, sizeof(count), "%d", left - 1);
	execl(next, next, count, (char *)NULL);
	perror(next);
	return 1;
}
