/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* node - what this host is called: NODE_NAME of the environment, which in a pod is not the host's own; else that. */

enum { NODE_NAME_SIZE = 256 };

/* "" when it has none. */
void node_name(char out[NODE_NAME_SIZE]);
