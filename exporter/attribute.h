/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * attribute - a name and what it is: of a span, of a series, by the names of OpenTelemetry's semantic conventions.
 *
 * Texts may come off the wire: who writes them out makes UTF-8 of them. In one list each name stands once.
 */
#include <stdbool.h>
#include <stdint.h>

enum attribute_type { ATTRIBUTE_TEXT, ATTRIBUTE_INT, ATTRIBUTE_DOUBLE, ATTRIBUTE_BOOL };

struct attribute {
	const char *key;
	enum attribute_type type;
	union {
		const char *text;
		int64_t number;
		double real;
		bool truth;
	};
};
