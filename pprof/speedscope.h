/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * speedscope - speedscope's own JSON: shared frames, one sampled profile per process.
 * Source: speedscope's file-format-schema.json.
 */
struct buf;
struct profile;

/* 0 or -ENOMEM. Weights are the default value in ns when that is its unit, else bare numbers. */
int speedscope_encode(const struct profile *p, struct buf *out);
