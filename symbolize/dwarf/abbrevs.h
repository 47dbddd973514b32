/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * abbrevs - the shapes of a unit's entries, decoded for passing over what we do not want.
 *
 *	entry   code  | fixed bytes | wanted | fixed bytes | block | wanted | fixed bytes
 *	decoded         op: skip, attr       op: skip, none  op        tail
 *
 * Neighbouring values of fixed size that nobody wants become one number to add; those without a size vanish.
 * So an entry costs one step per byte it has at least, whatever its abbreviation claims.
 * A table is decoded once for all units that share its offset and format. Memory: the cache's; it is emptied
 * between units when it has grown (dwarf_abbrevs_drop()).
 */
#include <stdint.h>

#include "base/hash.h"
#include "base/vec.h"
#include "symbolize/dwarf/budget.h"
#include "symbolize/dwarf/form.h"
#include "symbolize/dwarf/sections.h"

/* The attributes somebody wants. */
enum dwarf_attr {
	ATTR_NONE, /* of variable size: passed over */
	ATTR_SIBLING,
	ATTR_NAME,
	ATTR_LINKAGE_NAME,
	ATTR_LOW_PC,
	ATTR_HIGH_PC,
	ATTR_RANGES,
	ATTR_ABSTRACT_ORIGIN,
	ATTR_SPECIFICATION,
	ATTR_DECL_FILE,
	ATTR_DECL_LINE,
	ATTR_CALL_FILE,
	ATTR_CALL_LINE,
	ATTR_LANGUAGE,
	ATTR_STMT_LIST,
	ATTR_COMP_DIR,
	ATTR_ENTRY_PC,
	ATTR_STR_OFFSETS_BASE,
	ATTR_ADDR_BASE,
	ATTR_RNGLISTS_BASE,
	ATTR_GNU_RANGES_BASE,
	ATTR_DWO_NAME,
	ATTR_DWO_ID,
	ATTR_COUNT,
};

struct dwarf_op {
	uint32_t skip; /* fixed bytes before it */
	uint16_t form;
	uint8_t attr; /* enum dwarf_attr */
	uint8_t size; /* of a value of 1, 2, 4 or 8 bytes; 0: dwarf_form_read() knows */
	int64_t implicit; /* DW_FORM_implicit_const */
};

struct dwarf_abbrev {
	uint64_t code;
	uint32_t first, n; /* ops */
	uint32_t tail;     /* fixed bytes behind the last op */
	uint16_t tag;
	uint8_t children;
	uint8_t reserved;
};

struct dwarf_abbrevs {
	uint64_t key;
	vec(struct dwarf_abbrev) v; /* by code */
	vec(struct dwarf_op) ops;
	bool dense; /* codes are 1 ... n */
	bool bad;   /* damaged; what came before the damage is there */
};

struct dwarf_abbrev_cache {
	vec(struct dwarf_abbrevs *) tables;
	struct htable index;
	uint64_t bytes;
};

/* 0; -EBADMSG: no table there; -ENOMEM; -E2BIG: not in the budget. */
int dwarf_abbrevs_get(struct dwarf_abbrev_cache *c, const struct dwarf_object *o, uint64_t offset,
		      struct dwarf_format f, struct dwarf_budget *budget, const struct dwarf_abbrevs **ret);
/* Whether the tables take more than a bound; ends the life of all. */
bool dwarf_abbrevs_large(const struct dwarf_abbrev_cache *c);
void dwarf_abbrevs_drop(struct dwarf_abbrev_cache *c);
void dwarf_abbrevs_fini(struct dwarf_abbrev_cache *c);

const struct dwarf_abbrev *dwarf_abbrevs_search(const struct dwarf_abbrevs *t, uint64_t code);

/* NULL: no such code. */
static inline const struct dwarf_abbrev *dwarf_abbrevs_find(const struct dwarf_abbrevs *t, uint64_t code)
{
	if (t->dense)
		return code - 1 < t->v.n ? &t->v.v[code - 1] : NULL;
	return dwarf_abbrevs_search(t, code);
}
