/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * helper_serve - main() of the helper process: takes one request, enters the sandbox, converts, replies, ends.
 *
 * Nothing of a hostile file is looked at before the sandbox is shut.
 */
#include "symbolize/convert.h"

/* argv[1] of a program that is to be the helper. It reads its request from descriptor HELPER_SOCKET. */
#define HELPER_COMMAND "--symcache-helper"

/* An exit status: 0 when a reply was sent, whatever it says. */
int helper_serve(int (*convert)(const struct convert_job *job, struct convert_stats *ret));
