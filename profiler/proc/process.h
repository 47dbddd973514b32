/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * process - who is pid 4711, and what was mapped in it at a given moment.
 *
 * The table is driven by the side-band in time order, together with the samples: when a sample is
 * looked up, every fork, exec and mmap before it has been applied and none after it. A process that
 * was there before us, or whose events were lost, is read from /proc (scan.h).
 * An exited process stays for a grace, since its last samples come after its exit event; a pid that
 * is used again replaces it at once.
 * Events get lost when their rings are full. So each sample is held against the table: it says which program it is of, by
 * two numbers that no two programs share (process_is).
 * Memory: the table owns processes; pointers are valid until the next call that may remove one
 * (process_fork, process_reap).
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/image.h"
#include "proc/maps.h"

struct processes;

struct process {
	uint32_t pid;
	uint32_t jit_image;   /* IMAGE_ID_NONE until it maps anonymous code */
	uint64_t key;         /* distinct for every process that ever had this pid, and every exec of it */
	uint64_t start_ns;    /* CLOCK_BOOTTIME of the fork, or of our scan */
	uint64_t scanned_ns;  /* events up to here are already in maps: ignore them; 0: never read from /proc */
	uint64_t exited_ns;   /* 0: alive */
	uint64_t program_ns;  /* since when it runs what it runs: its last exec, else start_ns */
	uint64_t sure_ns;     /* that it runs this was seen or read then; what came later may have been lost (processes_doubt) */
	struct maps *maps;
	uint64_t leader_start_ns, exec_id; /* of struct ev_sample; 0: no sample told them, of it or of what it was forked from */
	uint32_t target;      /* targets_find()'s, 0: not asked yet */
	uint32_t target_hz;   /* and the rate it is sampled at, 0: the agent's */
	char *declared;       /* what it says of itself (identity.h); NULL: nothing, or not known yet */
	bool declared_known, uid_known;
	bool named;           /* by a variable, which no context overrides */
	uint32_t uid;         /* its effective user when it was last asked for */
	uint8_t asked, looks; /* how often it was asked in vain, and for its process context */
	char comm[16];
	char exe[32];         /* base name of what it runs, cut; "": unknown */
	bool needs_scan;      /* its parent was unknown: maps are not to be trusted before a scan */
};

int processes_new(struct images *images, struct processes **ret);
struct processes *processes_free(struct processes *t);
struct images *processes_images(struct processes *t);

struct process *process_find(struct processes *t, uint32_t pid);

/* A process with no mappings, replacing any of that pid. NULL when out of memory. */
struct process *process_add(struct processes *t, uint32_t pid, uint64_t now_ns);

/* The side-band, in time order. Events a scan has already seen are ignored. 0 or -ENOMEM. */
int process_fork(struct processes *t, uint32_t pid, uint32_t parent, uint64_t time_ns);
int process_exec(struct processes *t, uint32_t pid, const char *comm, uint64_t time_ns);
int process_comm(struct processes *t, uint32_t pid, const char *comm, uint64_t time_ns);
void process_exit(struct processes *t, uint32_t pid, uint64_t time_ns);

/* An executable mapping as the kernel describes it; path may be "//anon", "[vdso]", a file's. */
struct process_mmap {
	uint64_t start, len, pgoff;
	struct build_id id; /* NONE: dev, ino, gen are set */
	uint64_t dev, ino, gen;
	const char *path;
};
int process_mmap(struct processes *t, uint32_t pid, const struct process_mmap *m, uint64_t time_ns);
/* The same without the side-band's checks: for scans. */
int process_map(struct processes *t, struct process *p, const struct process_mmap *m);

/*
 * Is this what ran then? start_ns and exec_id: of a sample. What no sample has told of it yet is believed unless events may
 * have been lost since it was known.
 */
bool process_is(const struct processes *t, const struct process *p, uint64_t start_ns, uint64_t exec_id, uint64_t time_ns);
/* That they are its own. */
void process_note_program(struct process *p, uint64_t start_ns, uint64_t exec_id);

/* Events up to here may have been lost. Processes whose exit was among them go with a later process_reap(). */
void processes_doubt(struct processes *t, uint64_t time_ns);

/* Forgets processes that exited before time_ns. */
void process_reap(struct processes *t, uint64_t time_ns);
uint32_t processes_count(const struct processes *t);
