/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * attribute - a name and what it is: of a span, of a series, by the names of OpenTelemetry's semantic conventions.
 *
 * Texts may come off the wire: who writes them out makes UTF-8 of them. Names are ours, and ASCII. In one list each stands once.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum attribute_type { ATTRIBUTE_TEXT, ATTRIBUTE_INT, ATTRIBUTE_DOUBLE, ATTRIBUTE_BOOL };

struct attribute {
	struct slice key;
	enum attribute_type type;
	union {
		struct slice text;
		int64_t number;
		double real;
		bool truth;
	};
};
