/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* helper_child - what the helper of the tests does: the first byte of an image's id that has the mark for its last. */
#define CHILD_ID(deed, number) { .kind = BUILD_ID_FILE, .len = 16, .bytes = { (deed), (number), [14] = 0xd0, [15] = 0x5a } }

enum child_deed {
	CHILD_CONVERT,
	CHILD_CRASH,
	CHILD_ABORT,
	CHILD_EXIT,
	CHILD_SPIN,
	CHILD_HANG,
	CHILD_CLOSE,
	CHILD_EAT,
	CHILD_STACK,
	CHILD_GARBAGE,
	CHILD_LIE,
	CHILD_NO_DWARF,
	CHILD_DAMAGED,
	CHILD_REPORT,
	CHILD_ASK,
	CHILD_ASK_FOR_EVER,
	CHILD_FILL_DISK,
	/* what the sandbox kills for */
	CHILD_FORBIDDEN = 128,
	CHILD_OPEN = CHILD_FORBIDDEN,
	CHILD_SOCKET,
	CHILD_FORK,
	CHILD_EXEC,
	CHILD_KILL,
	CHILD_CODE,
	CHILD_PROTECT,
	CHILD_SEND,
	CHILD_X32,
	CHILD_GETPID,
	CHILD_FORBIDDEN_END,
};
