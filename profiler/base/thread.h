/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * thread - a thread that takes no signal: they are the business of who started it; and waits with an end.
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* 0 or a negative errno. */
int thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);

/* A condition whose waits end by CLOCK_MONOTONIC, and the time of that clock so far from now: for pthread_cond_timedwait(). */
void cond_init(pthread_cond_t *ret);
struct timespec cond_deadline(uint64_t in_ns);
