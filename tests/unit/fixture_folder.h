/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture_folder - a directory below /tmp for one test, `folder` in it not made yet. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[64], folder[96];

static int run(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return system(command);
}

static int folder_begin(void **state)
{
	strcpy(root, "/tmp/hotspan-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(folder, sizeof(folder), "%s/prod", root);
	return 0;
}

/* Whatever a test has left: a file system mounted there, a directory that nobody may change. */
static int folder_end(void **state)
{
	run("umount %s 2>/dev/null; chattr -i %s 2>/dev/null; rm -rf %s", folder, folder, root);
	return 0;
}
