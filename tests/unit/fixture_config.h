/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fixture_config - a configuration file below /tmp for one test.
 *
 *	FILE_TEST(name) in a list of tests
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"

static char path[] = "/tmp/hotspan-test-config-XXXXXX";

static int make_file(void **state)
{
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	return close(mkstemp(path));
}

static int remove_file(void **state)
{
	return unlink(path);
}

/* Writes it, and reads it with what else there is. */
static int load_with(const char *yaml, const struct config_source *more, struct config **ret, char *err, size_t len)
{
	struct config_source src = more ? *more : (struct config_source){ 0 };
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	src.path = path;
	return config_load(&src, ret, err, len);
}

#define RECEIVER "receivers:\n  - name: a\n    url: http://h\n"
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)
