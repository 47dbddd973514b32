/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void node_name(char out[NODE_NAME_SIZE])
{
	const char *name = getenv("NODE_NAME");

	out[0] = out[NODE_NAME_SIZE - 1] = '\0';
	if (name && *name)
		snprintf(out, NODE_NAME_SIZE, "%s", name);
	else
		gethostname(out, NODE_NAME_SIZE - 1);
}
