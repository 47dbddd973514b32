/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static size_t proof_len(const struct tail *t)
{
	return t->at < TAIL_PROOF ? (size_t)t->at : TAIL_PROOF;
}

static bool is_same(const struct tail *t, int fd, const struct stat *st)
{
	uint8_t found[TAIL_PROOF];

	return t->dev == st->st_dev && t->ino == st->st_ino && t->at <= (uint64_t)st->st_size &&
	       file_pread(fd, found, proof_len(t), t->at - proof_len(t)) >= 0 && !memcmp(found, t->proof, proof_len(t));
}

int tail_look(struct tail *t, int fd, bool *ret_again)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_again = !is_same(t, fd, &st);
	if (*ret_again)
		*t = (struct tail){ .dev = st.st_dev, .ino = st.st_ino };
	t->size = (uint64_t)st.st_size;
	return *ret_again || t->at < t->size;
}

int tail_read(struct tail *t, int fd, tail_take_t *take, void *ctx)
{
	_cleanup_(freep) uint8_t *piece = malloc(TAIL_PIECE);
	uint64_t budget = TAIL_ROUND_MAX;
	int64_t taken = 0;

	if (!piece)
		return -ENOMEM;
	while (t->at < t->size && budget) {
		uint64_t left = t->size - t->at;
		ssize_t n = pread(fd, piece, left < TAIL_PIECE ? left : TAIL_PIECE, (off_t)t->at);

		if (n <= 0) /* it shrank meanwhile: the next look will see */
			break;
		taken = take(ctx, piece, (size_t)n, left);
		if (taken < 0)
			break;
		if (!taken && n < TAIL_PIECE)
			break;
		taken = taken ? taken : n;
		t->at += (uint64_t)taken < left ? (uint64_t)taken : left;
		budget -= (uint64_t)n < budget ? (uint64_t)n : budget;
	}
	if (file_pread(fd, t->proof, proof_len(t), t->at - proof_len(t)) < 0)
		*t = (struct tail){ 0 };
	return taken < 0 ? (int)taken : 0;
}
