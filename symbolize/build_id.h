/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * build_id - what makes two files the same image: the identity ladder.
 *
 * First the GNU build id (from PERF_RECORD_MMAP2, PROCMAP_QUERY or the ELF note), then Go's build id
 * note (hashed), then a hash of the first and last 4 KiB and the size.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BUILD_ID_MAX 20

enum build_id_kind {
	BUILD_ID_NONE,
	BUILD_ID_GNU,
	BUILD_ID_GO,   /* hash of Go's own build id string */
	BUILD_ID_FILE, /* hash of content */
};

struct build_id {
	uint8_t kind; /* enum build_id_kind */
	uint8_t len;  /* of bytes; 16 for the hashed kinds */
	uint8_t bytes[BUILD_ID_MAX];
};

#define BUILD_ID_HEX_LEN (2 * BUILD_ID_MAX + 1)

static inline bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
	return a->kind == b->kind && a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

/* Lower-case hex, NUL-terminated; "" for BUILD_ID_NONE. Returns out. */
char *build_id_hex(const struct build_id *id, char out[BUILD_ID_HEX_LEN]);

/*
 * The ladder for an open file. Never NONE on success: any regular file has content to hash.
 * Reads by pread only, bounded. 0, -EBADMSG (shorter than an ELF header or no ELF), or another
 * negative errno from reading.
 */
int build_id_of_file(int fd, struct build_id *ret);

/* The running kernel's, from the notes in path ("/sys/kernel/notes"). 0, -ENODATA (no such note), or another errno. */
int build_id_of_notes(const char *path, struct build_id *ret);
