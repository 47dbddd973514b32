/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * otlp - profiles as an ExportProfilesServiceRequest of OpenTelemetry: many profiles, each of a resource of its own,
 * over one dictionary.
 *
 *	otlp_new -> otlp_add(resource, profile) ... -> otlp_finish(): the request's bytes, and an empty encoder again
 *
 * Servers bound a request: a profile for which there is no room goes in as far as there is, the rest into the next
 * one. Each part is a profile by itself, and the parts add up to the whole.
 *
 * A profile is its samples of type (samples, count), with the period that makes CPU time of them: what collectors and
 * Pyroscope take for CPU. Where the period changed in between (a budget), counts are those of the stated period, and
 * what rounding leaves is carried on: sums stay true. Labels of samples are attributes, comm, pid and tid by their
 * names in the semantic conventions.
 * The span a sample fell on is its link, where its trace is known.
 * Every table is interned by its bytes: no entry is there twice, and index 0 means none.
 * Memory: the dictionary and the profiles, encoded; once. Threads: one.
 * Source: opentelemetry-proto v1.9.0 to v1.11.0, profiles/v1development/profiles.proto, whose only difference on the
 * wire is the order of Sample's fields; semantic conventions 1.44.
 */
#include <stddef.h>
#include <stdint.h>

struct buf;
struct otlp;
struct profile;
struct strmap;

enum otlp_layout {
	OTLP_1_10, /* proto 1.10 and newer: collectors from 0.148, Pyroscope from 1.20 */
	OTLP_1_9,  /* proto 1.9: collectors 0.140 to 0.147, Pyroscope 1.18 and 1.19 */
};

/* What a collector's gRPC server takes unless told otherwise is 4 MiB, as Pyroscope does of each profile made of it. */
#define OTLP_MAX_BYTES (3u << 20)

/* scope_*: who made the profiles; borrowed until otlp_free(). 0 or -ENOMEM. */
int otlp_new(enum otlp_layout layout, const char *scope_name, const char *scope_version, struct otlp **ret);
struct otlp *otlp_free(struct otlp *o);

/*
 * resource: its attributes, all strings. Of the profile's samples those from number `from` on, as many as leave the
 * request within max_bytes: *ret is how many, 0 when there is no room for one more. A profile, or a part, without
 * samples that say something is left out. 0 or -ENOMEM.
 */
int otlp_add(struct otlp *o, const struct strmap *resource, const struct profile *p, uint32_t from,
	     size_t max_bytes, uint32_t *ret);
/* How long the request is so far, at most; 0: it is empty. */
size_t otlp_bytes(const struct otlp *o);
/* How many profiles are in it. */
uint32_t otlp_profiles(const struct otlp *o);
/* Appends the request. 0 or -ENOMEM; the encoder is empty either way. */
int otlp_finish(struct otlp *o, struct buf *out);
