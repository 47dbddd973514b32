/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * entities - what a function is called and where it is declared, wherever its entry says so.
 *
 *	inlined_subroutine --abstract_origin--> subprogram --specification--> declaration in a class
 *	 (no name)                               decl_line                     name, linkage_name, decl_file
 *
 * Each attribute is that of the first entry of the chain that has it; the specification comes before the
 * origin, as LLVM has it. References lead to entries of this unit, of another, or of the dwz file; what was
 * found is kept by the entry's offset, and all of it is let go when it has grown.
 */
#include "symbolize/dwarf/scan.h"

/*
 * For a reference from an attribute of an entry of u. *ret: the builder's function. 0; -ENOENT: it leads
 * nowhere; -ENOMEM; -E2BIG.
 */
int dwarf_entity_function(struct dwarf_scan *s, struct dwarf_unit *u, uint16_t form, uint64_t value, uint32_t *ret);
/* For an entry that was read. */
int dwarf_entity_of_die(struct dwarf_scan *s, struct dwarf_unit *u, const struct dwarf_die *d, uint32_t *ret);
/* Closes the units that were referred to: before their abbreviations go. */
void dwarf_near_forget(struct dwarf_scan *s);
void dwarf_entities_fini(struct dwarf_scan *s);
