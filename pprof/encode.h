/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * encode - a profile as perftools.profiles.Profile, the pprof format.
 *
 * Bytes go straight to the buffer, strings last; ids are index + 1. What readers reject or drop is
 * never written: labels without a value are left out.
 * Source: google/pprof proto/profile.proto and profile/encode.go.
 */
struct buf;
struct profile;

/* 0 or -ENOMEM. */
int pprof_encode(const struct profile *p, struct buf *out);
/* The same as one gzip member, level 1 to 9; -EFBIG above 4 GiB. */
int pprof_encode_gzip(const struct profile *p, int level, struct buf *out);
