/* SPDX-License-Identifier: Apache-2.0 */
/* churn_lib - one of the two libraries that churn loads in turns. */
#include "burn.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

BURN(PASTE(churn_in_, WHICH))
