/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cleanup - resources let go by themselves when their scope ends.
 *
 *	_cleanup_(freep) char *s = NULL;
 *	_cleanup_(closep) int fd = -1;
 *	*ret = take_ptr(s);          hands the pointer over and disarms the cleanup
 */
#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/* The struct whose member p points to. */
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}
