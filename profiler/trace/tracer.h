/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * tracer - the BPF programs that see requests (bpf/trace.bpf.c), and their maps.
 *
 * Where requests are seen: enum tracer_way, cheapest first. Where it is at sockets, the registers of the syscall say what went
 * over them. Story: loaded and attached by tracer_new(); requests come out of tracer_drain(), counts of
 * tracer_cells(). Threads: one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/trace.h"

struct tracer;

enum tracer_hooks {
	TRACER_AUTO, /* the cheapest this kernel has */
	TRACER_SOCKETS, /* by events or exits */
	TRACER_SYSCALLS,
};

enum tracer_way {
	TRACER_BY_EVENTS,   /* sock_send_length and sock_recv_length: from Linux 6.3 on */
	TRACER_BY_EXITS,    /* the exit of the functions by which sockets send and receive (fexit), where programs may attach to them */
	TRACER_BY_SYSCALLS, /* the exit of every system call */
};

struct tracer_opts {
	enum tracer_hooks hooks;
	bool spans;               /* else counts only, and requests whose route is not known */
	double ratio;             /* of requests without a parent become spans: 0 to 1 */
	uint64_t slow_ns;         /* so do slower ones; 0: not because of that */
	bool errors;              /* and those that failed */
	uint32_t ring_bytes;      /* a power of two; 0: 1 MiB */
	bool prompt;              /* whoever reads them waits for tracer_fd(); else looks a few times a second anyway */
	bool exact;               /* CPU time of requests by switches between threads, not by samples; goroutines' by samples all the same */
	bool only_known;          /* of processes: those that tracer_set_proc() told of; else all, but those it said are not wanted */
	bool as_before_63;        /* as on a kernel before 6.3, for tests */
};

/* http.request.method, by the semantic conventions. */
const char *tracer_method(uint8_t method);

/* "auto", "sockets", "syscalls". 0 or -EINVAL. */
int tracer_hooks_parse(const char *name, enum tracer_hooks *ret);

/* Of a ratio of requests: th of tracestate, which says how many each span stands for. 2^56: none is sampled. */
uint64_t tracer_threshold(double ratio);

/* Errors as those of sampler_new(); -ENOTSUP also: this kernel has not the hooks asked for. */
int tracer_new(const struct tracer_opts *opts, struct tracer **ret, char *err, size_t err_len);
struct tracer *tracer_free(struct tracer *t);

/* How requests are seen. */
enum tracer_way tracer_way(const struct tracer *t);
/* The negative errno with which the kernel let no program attach to its functions, so that it is by syscalls; 0: it did not. */
int tracer_refused(const struct tracer *t);
/* Tells the user of it. */
void tracer_warn(const struct tracer *t);

/* Readable when a quarter of the ring waits, or any request where that is to be prompt. */
int tracer_fd(const struct tracer *t);
/* ev ends behind its head. 0, or the first negative value of fn. */
int tracer_drain(struct tracer *t, int (*fn)(void *ctx, const struct ev_request *ev), void *ctx);

/* Every cell, summed over CPUs. 0, the first negative value of fn, or negative errno. */
int tracer_cells(struct tracer *t, int (*fn)(void *ctx, const struct red_key *key, const struct red_cell *sum), void *ctx);
/* It is not counted on any more. */
void tracer_drop_cell(struct tracer *t, const struct red_key *key);

/* What is decided of a process; from its next connection on. 0 or negative errno. */
int tracer_set_proc(struct tracer *t, uint32_t tgid, const struct trace_proc *p);
void tracer_forget_proc(struct tracer *t, uint32_t tgid);
bool tracer_knows_proc(const struct tracer *t, uint32_t tgid);
/* TRACE_PROC_GO, or 0: who works on a request of it, goroutines or threads. */
uint32_t tracer_proc_kind(uint32_t tgid);
/* CPU time of this process by whose request it was, by samples so far, by enum ev_join. False: it is not known. */
bool tracer_joined(const struct tracer *t, uint32_t tgid, uint64_t ret[EV_JOIN_MAX]);
/* path_hash: path.h. */
int tracer_teach(struct tracer *t, uint32_t service, uint64_t path_hash, uint32_t route);

/* Of enum trace_count: the rows of bpf/trace_counts.def. */
const char *tracer_count_name(uint32_t count);
const char *tracer_count_help(uint32_t count);

/* Sums over CPUs, of enum trace_count. */
void tracer_counts(const struct tracer *t, uint64_t ret[TRACE_COUNT_MAX]);
uint64_t tracer_kernel_bytes(const struct tracer *t);

/* Maps that the sampler asks (bpf/flight.h); borrowed. */
int tracer_flights_fd(const struct tracer *t);
int tracer_procs_fd(const struct tracer *t);
