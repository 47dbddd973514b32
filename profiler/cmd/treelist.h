/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * treelist - a call tree as text and as JSON.
 *
 *	  total     self   CPU s  call tree
 *	 99.6 %    0.0 %    1.00  main
 *	 49.5 %   49.5 %    0.50  |- spin_half
 *	 29.8 %   29.8 %    0.30  `- spin_third
 *
 * Only children stay in their parent's column, so that deep stacks stay on the screen; |- and `-
 * begin a branch. What is smaller than a share of the whole is left out and counted.
 */
#include <stdint.h>

struct amount;
struct buf;
struct calltree;

struct treelist {
	const struct calltree *tree;
	const struct amount *amount;
	int64_t whole;      /* what is 100 %; may be more than the tree holds */
	double min_percent; /* of it */
	const char *root;   /* what the root is called, where it has more children than one */
	const char *head;   /* of the last column */
	int by_line;        /* names are followed by their lines */
	int of_it;          /* second column: share of the tree instead of self */
};

/* 0 or -ENOMEM. */
int treelist_text(const struct treelist *l, struct buf *out);
/* [{"parent":index or -1,"depth":n,"name":...,"image":...,"file":...,"line":n,"kind":...,...}, ...]: parents first, flat, so that
 * no depth of recursion is too deep for a reader. */
int treelist_json(const struct treelist *l, struct buf *out);
