/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* environment - variables out of an environment that was handed over, "NAME=value" each, NULL at the end; NULL: none. */

/* NULL when it is not there, or empty. */
const char *environment_get(char *const *environment, const char *name);
