/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * push - a named window becomes parcels: one profile per target; for Pyroscope each is a pprof file and a series, for
 * OTLP many of them are a request (push_otlp.h). For receivers that are files the same pprof tells its labels in a comment.
 *
 * A profile that servers would refuse for its size is cut in two by rows, as often as it takes; of OTLP where the
 * request is full. Every frame gets a name, since Pyroscope leaves out locations without one.
 * Threads: push_window() on the worker's, push_set_labels() and push_stats() on any.
 */
#include <stdint.h>

struct files;
struct namer;
struct net;
struct push;
struct strmap;
struct window;

struct push_stats {
	uint64_t profiles;        /* handed to the receivers; once for each form they come in */
	uint64_t bytes;           /* of their requests, before the copies for each receiver */
	uint64_t splits;          /* cuts in two, of those */
	uint64_t too_large;       /* samples in profiles of one stack that no server takes: dropped */
	uint64_t services;        /* in the last window */
};

/* net and files are borrowed; files may be NULL. via: the mark of what this agent makes, where it takes what others push (pyroscope.h);
 * NULL: none. labels are added to every series; "instance" (node.h) is there unless set. */
int push_new(struct net *net, struct files *files, const char *via, const struct strmap *labels, struct push **ret);
struct push *push_free(struct push *p);

/* From the next window on. 0 or -ENOMEM (then the old ones stay). */
int push_set_labels(struct push *p, const struct strmap *labels);

/* 0 or -ENOMEM. */
int push_window(struct push *p, struct namer *n, const struct window *w);
void push_stats(struct push *p, struct push_stats *ret);
