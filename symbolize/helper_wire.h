/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * helper_wire - what the agent and the helper process say to each other, over a SOCK_SEQPACKET pair.
 *
 *	agent -> helper    request, with the descriptors of its files in the order of their bits
 *	helper -> agent    ask: a .dwo that the debug information names; any number of times
 *	agent -> helper    answer, with a descriptor when there is one
 *	helper -> agent    reply, the last message
 *
 * Both ends are one program, so nothing is versioned. The agent believes nothing of what it is told but its form.
 */
#include <limits.h>
#include <stdint.h>

#include "symbolize/convert.h"
#include "symbolize/sandbox.h"

enum { HELPER_SOCKET = 3, HELPER_NAME_MAX = 1024, HELPER_NO_REQUEST = 111 /* exit status */ };

struct helper_request {
	struct build_id id;
	uint16_t files; /* bits 1 << enum convert_file */
	struct sandbox_limits limits;
};

enum helper_kind { HELPER_ASK = 1, HELPER_REPLY = 2 };

struct helper_message {
	uint32_t kind; /* enum helper_kind */
	int32_t error; /* of a reply: 0 or a negative errno */
	union {
		struct convert_stats stats; /* of a reply */
		struct {
			char dir[HELPER_NAME_MAX], name[HELPER_NAME_MAX]; /* of an ask; NUL-terminated */
		} dwo;
	};
};
