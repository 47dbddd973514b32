/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * thread - a thread that takes no signal: they are the business of who started it.
 */
#include <pthread.h>

/* 0 or a negative errno. */
int thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg);
