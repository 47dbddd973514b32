/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * report_opts - the command line of `hotspan report`.
 */
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmd/output.h"
#include "pprof/filter.h"
#include "pprof/profile.h"

enum { REPORT_MAX_FILES = 1024, REPORT_MAX_LABELS = 32 };

enum report_view { REPORT_TOP, REPORT_TREE, REPORT_CALLERS, REPORT_CALLEES };
enum report_sort { REPORT_SORT_UNSAID, REPORT_SORT_SELF, REPORT_SORT_TOTAL };

struct report_opts {
	char **files;
	uint32_t n_files;
	enum report_view view;
	bool view_said; /* not the default one */
	const char *function; /* of --callers and --callees */
	uint32_t top;
	enum report_sort sort;
	double min_percent;
	const char *type; /* NULL: the one the file names, else its last */
	const char *base; /* --diff; NULL: none */
	const char *focus, *ignore;
	regex_t focus_regex, ignore_regex;
	struct filter_label labels[REPORT_MAX_LABELS]; /* keys and values are owned */
	uint32_t n_labels;
	enum profile_unit unit; /* --lines */
	bool no_inline;
	struct output output; /* path NULL: a view on standard output */
	bool json;
};

/* 0; FLAGS_HELP when --help was printed; -EINVAL after a message on stderr; -ENOMEM. */
int report_opts_parse(int argc, char **argv, struct report_opts *ret);
/* Also after a failed parse. */
void report_opts_fini(struct report_opts *o);
