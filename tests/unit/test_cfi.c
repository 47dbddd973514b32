/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .eh_frame and .debug_frame: each instruction, each encoding, damage at every byte. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>

#include "fixture_cfi.h"
#include "unwind/cfi_expr.h"
#include "unwind/cfi_run.h"
#include "unwind/elf_cfi.h"

#define CODE(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static struct made made;
static struct cfi_section section;
static struct cfi_cie cie;
static struct cfi_run run;

/* The state at pc of an FDE [0x1000, 0x1100) with these instructions; NULL: there is no row. */
static const struct cfi_state *state_at(uint64_t pc, const uint8_t *code, size_t len)
{
	struct cfi_entry e;
	struct cfi_fde fde;
	struct cfi_row row;
	size_t at;

	made.len = 0;
	at = made_usual_cie(&made);
	made_fde(&made, at, 0x1000, 0x100, code, len);
	section = made_section(&made);
	assert_int_equal(cfi_next(&section, &(size_t){ 0 }, &e), 1);
	assert_true(e.is_cie);
	assert_int_equal(cfi_cie_read(&section, 0, &cie), 0);
	at = e.offset + 4 + (size_t)made.data[0];
	assert_int_equal(cfi_next(&section, &at, &e), 1);
	assert_false(e.is_cie);
	assert_int_equal(e.cie, 0);
	assert_int_equal(cfi_fde_read(&section, &e, &cie, &fde), 0);
	assert_int_equal(fde.start, 0x1000);
	assert_int_equal(fde.end, 0x1100);
	cfi_run_begin(&run, &section, &cie, &fde);
	while (cfi_run_next(&run, &row) > 0) {
		assert_true(row.start < row.end && row.end <= 0x1100);
		if (pc >= row.start && pc < row.end)
			return row.state;
	}
	return NULL;
}

static void expect(const struct cfi_value *v, enum cfi_kind kind, uint16_t reg, int64_t off)
{
	assert_int_equal(v->kind, kind);
	assert_int_equal(v->reg, reg);
	assert_int_equal(v->off, off);
}

static void an_fde_without_instructions_is_its_cie(void **state)
{
	const struct cfi_state *s = state_at(0x10ff, NULL, 0);

	expect(&s->cfa, CFI_REGISTER, 7, 8);
	expect(&s->ra, CFI_OFFSET, 0, -8);
	assert_int_equal(s->fp.kind, CFI_UNSPECIFIED);
	assert_int_equal(s->sp.kind, CFI_UNSPECIFIED);
}

static void every_advance_moves(void **state)
{
	/* def_cfa_offset 16 behind an advance of 0x20, in every width. */
	static const struct {
		uint8_t code[12], len;
	} advances[] = {
		{ { 0x60 }, 1 },
		{ { DW_CFA_advance_loc1, 0x20 }, 2 },
		{ { DW_CFA_advance_loc2, 0x20, 0 }, 3 },
		{ { DW_CFA_advance_loc4, 0x20, 0, 0, 0 }, 5 },
		{ { DW_CFA_MIPS_advance_loc8, 0x20, 0, 0, 0, 0, 0, 0, 0 }, 9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(advances); i++) {
		uint8_t code[16];
		size_t n = advances[i].len;

		memcpy(code, advances[i].code, n);
		code[n++] = DW_CFA_def_cfa_offset;
		code[n++] = 16;
		expect(&state_at(0x101f, code, n)->cfa, CFI_REGISTER, 7, 8);
		expect(&state_at(0x1020, code, n)->cfa, CFI_REGISTER, 7, 16);
	}
}

static void set_loc_moves_to_an_address(void **state)
{
	/* pc-relative like the FDE's start: the operand lies behind CIE, FDE header and the opcode. */
	uint8_t code[] = { DW_CFA_set_loc, 0, 0, 0, 0, DW_CFA_def_cfa_offset, 16 };
	uint32_t delta;

	state_at(0x1000, code, sizeof(code));
	delta = 0x1040 - (uint32_t)(MADE_AT + 4 + made.data[0] + 4 + 4 + 8 + 1 + 1);
	memcpy(code + 1, &delta, 4);
	expect(&state_at(0x103f, code, sizeof(code))->cfa, CFI_REGISTER, 7, 8);
	expect(&state_at(0x1040, code, sizeof(code))->cfa, CFI_REGISTER, 7, 16);
}

static void every_definition_of_the_cfa(void **state)
{
	const struct cfi_state *s;

	expect(&state_at(0x1000, CODE(DW_CFA_def_cfa, 10, 0x80, 0x01))->cfa, CFI_REGISTER, 10, 128);
	expect(&state_at(0x1000, CODE(DW_CFA_def_cfa_sf, 10, 0x7e))->cfa, CFI_REGISTER, 10, 16);
	expect(&state_at(0x1000, CODE(DW_CFA_def_cfa_register, 6))->cfa, CFI_REGISTER, 6, 8);
	expect(&state_at(0x1000, CODE(DW_CFA_def_cfa_offset, 0x90, 0x01))->cfa, CFI_REGISTER, 7, 144);
	expect(&state_at(0x1000, CODE(DW_CFA_def_cfa_offset_sf, 0x7c))->cfa, CFI_REGISTER, 7, 32);
	s = state_at(0x1000, CODE(DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8));
	assert_int_equal(s->cfa.kind, CFI_EXPRESSION);
	assert_int_equal(s->cfa.len, 2);
	assert_int_equal(s->cfa.expr[0], DW_OP_breg7);
	/* Half a definition of what is an expression means nothing. */
	assert_null(state_at(0x1000, CODE(DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8, DW_CFA_def_cfa_offset, 8)));
}

static void every_rule_of_a_register(void **state)
{
	const struct cfi_state *s;

	expect(&state_at(0x1000, CODE(0x86, 2))->fp, CFI_OFFSET, 0, -16);
	expect(&state_at(0x1000, CODE(DW_CFA_offset_extended, 6, 3))->fp, CFI_OFFSET, 0, -24);
	expect(&state_at(0x1000, CODE(DW_CFA_offset_extended_sf, 6, 0x7e))->fp, CFI_OFFSET, 0, 16);
	expect(&state_at(0x1000, CODE(DW_CFA_GNU_negative_offset_extended, 6, 3))->fp, CFI_OFFSET, 0, 24);
	expect(&state_at(0x1000, CODE(DW_CFA_val_offset, 7, 2))->sp, CFI_VAL_OFFSET, 0, -16);
	expect(&state_at(0x1000, CODE(DW_CFA_val_offset_sf, 7, 0x7f))->sp, CFI_VAL_OFFSET, 0, 8);
	expect(&state_at(0x1000, CODE(DW_CFA_register, 16, 5))->ra, CFI_REGISTER, 5, 0);
	assert_int_equal(state_at(0x1000, CODE(DW_CFA_undefined, 16))->ra.kind, CFI_UNDEFINED);
	assert_int_equal(state_at(0x1000, CODE(DW_CFA_same_value, 6))->fp.kind, CFI_SAME);
	s = state_at(0x1000, CODE(DW_CFA_expression, 6, 2, DW_OP_breg6, 0x70));
	assert_int_equal(s->fp.kind, CFI_EXPRESSION);
	s = state_at(0x1000, CODE(DW_CFA_val_expression, 6, 2, DW_OP_breg6, 0x70));
	assert_int_equal(s->fp.kind, CFI_VAL_EXPRESSION);
	/* Of other registers the operands are read over, whatever they are. */
	expect(&state_at(0x1000, CODE(0x83, 2, DW_CFA_register, 3, 4, DW_CFA_expression, 12, 1, DW_OP_lit0, DW_CFA_GNU_args_size, 0x88, 1,
				      DW_CFA_GNU_window_save, DW_CFA_nop, 0x86, 2))->fp, CFI_OFFSET, 0, -16);
}

static void states_are_restored(void **state)
{
	expect(&state_at(0x1000, CODE(DW_CFA_undefined, 16, 0xd0))->ra, CFI_OFFSET, 0, -8);
	expect(&state_at(0x1000, CODE(DW_CFA_undefined, 16, DW_CFA_restore_extended, 16))->ra, CFI_OFFSET, 0, -8);
	assert_int_equal(state_at(0x1000, CODE(0x86, 2, 0xc6))->fp.kind, CFI_UNSPECIFIED);
	/* The CFA is part of what is remembered. */
	expect(&state_at(0x1010, CODE(DW_CFA_remember_state, DW_CFA_def_cfa_offset, 64, 0x48, DW_CFA_restore_state))->cfa, CFI_REGISTER, 7, 8);
	expect(&state_at(0x1007, CODE(DW_CFA_remember_state, DW_CFA_def_cfa_offset, 64, 0x48, DW_CFA_restore_state))->cfa, CFI_REGISTER, 7, 64);
	assert_null(state_at(0x1000, CODE(DW_CFA_restore_state)));
}

static void nesting_is_bounded(void **state)
{
	uint8_t code[CFI_RUN_STACK + 1];

	memset(code, DW_CFA_remember_state, sizeof(code));
	assert_non_null(state_at(0x1000, code, CFI_RUN_STACK));
	assert_null(state_at(0x1000, code, CFI_RUN_STACK + 1));
}

static void an_unknown_instruction_ends_the_rows_before_it(void **state)
{
	const uint8_t code[] = { 0x48, DW_CFA_def_cfa_offset, 16, 0x48, 0x3f, 0 };

	expect(&state_at(0x100f, code, sizeof(code))->cfa, CFI_REGISTER, 7, 16);
	assert_null(state_at(0x1010, code, sizeof(code)));
	assert_int_equal(run.pc, 0x1010);
}

static void rows_stay_inside_their_fde(void **state)
{
	const uint8_t code[] = { DW_CFA_advance_loc4, 0xff, 0xff, 0xff, 0xff, DW_CFA_def_cfa_offset, 16 };

	expect(&state_at(0x10ff, code, sizeof(code))->cfa, CFI_REGISTER, 7, 8);
	assert_null(state_at(0x1100, code, sizeof(code)));
}

/* One FDE of a CIE with an encoding: 0, or the error of reading it. */
static int encoded(uint8_t encoding, const void *bytes, size_t len, struct cfi_fde *ret)
{
	struct cfi_entry e;
	size_t at;
	int r;

	made.len = 0;
	at = made_cie(&made, 1, "zR", &encoding, 1, "\x0c\x07\x08\x90\x01", 5);
	at = made_fde_begin(&made, at);
	made_bytes(&made, bytes, len);
	made_uint(&made, 0, 1);
	made_end(&made, at);
	section = made_section(&made);
	section.text = 0x10000;
	section.data_base = 0x20000;
	assert_int_equal(cfi_next(&section, &at, &e), 1);
	r = cfi_cie_read(&section, e.cie, &cie);
	return r < 0 ? r : cfi_fde_read(&section, &e, &cie, ret);
}

static void expect_encoded(uint8_t encoding, const void *bytes, size_t len, uint64_t start)
{
	struct cfi_fde fde;

	assert_int_equal(encoded(encoding, bytes, len, &fde), 0);
	assert_int_equal(fde.start, start);
	assert_int_equal(fde.end - fde.start, 0x40);
}

static void every_encoding_of_a_pointer(void **state)
{
	struct cfi_fde fde;
	uint64_t place;

	expect_encoded(DW_EH_PE_absptr, "\x00\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0", 16, 0x1000);
	expect_encoded(DW_EH_PE_signed, "\x00\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0", 16, 0x1000);
	expect_encoded(DW_EH_PE_uleb128, "\x80\x20\x40", 3, 0x1000);
	expect_encoded(DW_EH_PE_sleb128, "\x80\x20\xc0\x00", 4, 0x1000);
	expect_encoded(DW_EH_PE_udata2, "\x00\x90\x40\0", 4, 0x9000);
	expect_encoded(DW_EH_PE_sdata2, "\x00\x10\x40\0", 4, 0x1000);
	expect_encoded(DW_EH_PE_udata4, "\x00\x00\x00\x90\x40\0\0\0", 8, 0x90000000);
	expect_encoded(DW_EH_PE_sdata4, "\x00\x10\0\0\x40\0\0\0", 8, 0x1000);
	expect_encoded(DW_EH_PE_udata8, "\x00\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0", 16, 0x1000);
	expect_encoded(DW_EH_PE_sdata8, "\x00\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0", 16, 0x1000);
	expect_encoded(DW_EH_PE_textrel | DW_EH_PE_sdata4, "\x00\x10\0\0\x40\0\0\0", 8, 0x11000);
	expect_encoded(DW_EH_PE_datarel | DW_EH_PE_sdata4, "\x00\xf0\xff\xff\x40\0\0\0", 8, 0x1f000);
	assert_int_equal(encoded(DW_EH_PE_pcrel | DW_EH_PE_sdata4, "\x00\xf0\xff\xff\x40\0\0\0", 8, &fde), 0);
	place = MADE_AT + 4 + made.data[0] + 8;
	assert_int_equal(fde.start, place - 0x1000);
	assert_int_equal(encoded(DW_EH_PE_indirect | DW_EH_PE_sdata4, "\0\0\0\0\0\0\0\0", 8, &fde), -ENOTSUP);
	assert_int_equal(encoded(0x05, "\0\0\0\0\0\0\0\0", 8, &fde), -EBADMSG);
	/* Code that ends behind the address space. */
	assert_int_equal(encoded(DW_EH_PE_absptr, "\xff\xff\xff\xff\xff\xff\xff\xff\x40\0\0\0\0\0\0\0", 16, &fde), -EBADMSG);
}

static int read_cie(uint8_t version, const char *names, const void *augmentation, size_t len)
{
	made.len = 0;
	made_cie(&made, version, names, augmentation, len, "\x0c\x07\x08\x90\x01", 5);
	section = made_section(&made);
	return cfi_cie_read(&section, 0, &cie);
}

static void every_augmentation(void **state)
{
	assert_int_equal(read_cie(1, "", NULL, 0), 0);
	assert_int_equal(cie.fde_encoding, DW_EH_PE_absptr);
	assert_int_equal(cie.data_align, -8);
	assert_int_equal(cie.ra, 16);
	expect(&cie.initial.cfa, CFI_REGISTER, 7, 8);
	assert_int_equal(read_cie(1, "eh", NULL, 0), 0);
	expect(&cie.initial.cfa, CFI_REGISTER, 7, 8);
	assert_int_equal(read_cie(1, "zPLR", "\x03\1\2\3\4\x1b\x1b", 7), 0);
	assert_int_equal(cie.fde_encoding, 0x1b);
	assert_false(cie.signal);
	assert_int_equal(read_cie(1, "zRS", "\x1b", 1), 0);
	assert_true(cie.signal && cie.sized);
	assert_int_equal(read_cie(3, "zRB", "\x1b", 1), 0);
	assert_int_equal(read_cie(4, "zR", "\x1b", 1), 0);
	expect(&cie.initial.ra, CFI_OFFSET, 0, -8);
	/* With its size an unknown one is read over, without it nothing behind it can be found. */
	assert_int_equal(read_cie(1, "zR?", "\x1b\1\2\3", 4), 0);
	assert_int_equal(read_cie(1, "?", NULL, 0), -ENOTSUP);
	assert_int_equal(read_cie(2, "zR", "\x1b", 1), -ENOTSUP);
	assert_int_equal(read_cie(1, "zRRRRRRRRRRRRRRRRRRRRR", "\x1b", 1), -ENOTSUP);
}

static void a_debug_frame_counts_from_its_start(void **state)
{
	struct cfi_entry e;
	struct cfi_fde fde;
	size_t at;

	made.len = 0;
	made.debug_frame = true;
	made_cie(&made, 4, "", NULL, 0, "\x0c\x07\x08\x90\x01", 5);
	at = made_cie(&made, 4, "", NULL, 0, "\x0c\x07\x10\x90\x01", 5);
	at = made_fde_begin(&made, at);
	made_uint(&made, 0x1000, 8);
	made_uint(&made, 0x40, 8);
	made_end(&made, at);
	section = made_section(&made);
	made.debug_frame = false;
	assert_int_equal(cfi_next(&section, &at, &e), 1);
	assert_false(e.is_cie);
	assert_int_equal(cfi_cie_read(&section, e.cie, &cie), 0);
	assert_int_equal(cfi_fde_read(&section, &e, &cie, &fde), 0);
	assert_int_equal(fde.start, 0x1000);
	assert_int_equal(fde.end, 0x1040);
	expect(&cie.initial.cfa, CFI_REGISTER, 7, 16);
	/* An FDE is no CIE, wherever a pointer says so. */
	assert_int_equal(cfi_cie_read(&section, e.offset, &cie), -EBADMSG);
	assert_int_equal(cfi_cie_read(&section, SIZE_MAX, &cie), -EBADMSG);
}

static void terminators_end_only_what_has_no_end(void **state)
{
	struct cfi_entry e;
	size_t at = 0;

	made.len = 0;
	made_uint(&made, 0, 8);
	made_usual_cie(&made);
	section = made_section(&made);
	assert_int_equal(cfi_next(&section, &at, &e), 1);
	assert_int_equal(e.offset, 8);
	assert_int_equal(cfi_next(&section, &at, &e), 0);
	section.ends_at_zero = true;
	assert_int_equal(cfi_next(&section, &(size_t){ 0 }, &e), 0);
}

static struct cfi_expr expression(const uint8_t *code, size_t len)
{
	return cfi_expr_read(&(struct cfi_value){ .kind = CFI_EXPRESSION, .len = (uint32_t)len, .expr = code });
}

static void expressions_are_recognised(void **state)
{
	struct cfi_expr e = expression(CODE(DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge, DW_OP_lit3,
					    DW_OP_shl, DW_OP_plus));

	assert_int_equal(e.kind, EXPR_PLT);
	assert_int_equal(e.n, 11);
	e = expression(CODE(DW_OP_breg6, 0x78, DW_OP_deref));
	assert_true(e.kind == EXPR_DEREF && e.reg == 6 && e.a == -8 && e.b == 0);
	e = expression(CODE(DW_OP_breg7, 0xc0, 0, DW_OP_deref, DW_OP_plus_uconst, 8));
	assert_true(e.kind == EXPR_DEREF && e.reg == 7 && e.a == 64 && e.b == 8);
	e = expression(CODE(DW_OP_breg7, 0, DW_OP_plus_uconst, 8, DW_OP_plus_uconst, 8, DW_OP_deref, DW_OP_lit16, DW_OP_plus, DW_OP_const1s,
			    0xff, DW_OP_minus));
	assert_true(e.kind == EXPR_DEREF && e.a == 16 && e.b == 17);
	e = expression(CODE(DW_OP_bregx, 10, 0x10, DW_OP_nop));
	assert_true(e.kind == EXPR_SUM && e.reg == 10 && e.a == 16);
	assert_int_equal(expression(CODE(DW_OP_breg7, 0, DW_OP_deref, DW_OP_deref)).kind, EXPR_OTHER);
	assert_int_equal(expression(CODE(DW_OP_lit0, DW_OP_deref)).kind, EXPR_OTHER);
	assert_int_equal(expression(CODE(DW_OP_breg7)).kind, EXPR_OTHER);
	assert_int_equal(expression(CODE(DW_OP_breg7, 8, DW_OP_lit8)).kind, EXPR_OTHER);
}

/* Builds from a copy that ends where the prefix does, so that a read beyond it is one beyond an allocation. */
static uint64_t fdes_of_prefix(const struct elf_cfi *c, size_t len)
{
	_cleanup_(freep) uint8_t *copy = malloc(len ? len : 1);
	struct cfi_section s = c->sections[0];
	struct rows *rows = NULL;
	uint64_t fdes;
	int r;

	memcpy(copy, s.data, len);
	s.data = copy;
	s.len = len;
	r = rows_build(&(struct rows_source){ .sections = &s, .n_sections = 1, .start = c->start, .end = c->end }, &rows);
	assert_true(r == 0 || r == -ENODATA);
	fdes = rows ? rows->stats.fdes : 0;
	rows_free(rows);
	return fdes;
}

/* Each prefix has the functions of the shorter one, and all but the last few bytes have nearly all of them. */
static void truncate_everywhere(struct elf_image *img, size_t step)
{
	uint64_t fdes = 0, more;
	struct elf_cfi c;
	size_t len;

	assert_int_equal(elf_cfi_find(img, ELF_CFI_EH_FRAME, &c), 0);
	for (len = 0; len <= c.sections[0].len; len += step) {
		more = fdes_of_prefix(&c, len);
		assert_true(more >= fdes);
		fdes = more;
	}
	more = fdes_of_prefix(&c, c.sections[0].len);
	assert_true(fdes > 4 && more >= fdes && more <= fdes + step / 12);
	elf_cfi_fini(&c);
}

static void every_prefix_of_real_sections_is_survived(void **state)
{
	static const struct {
		const char *path;
		size_t step; /* a prime that visits every place in an entry sooner or later, where 1 takes too long */
	} files[] = {
		{ "/bin/true", 1 },
		{ "/lib64/ld-linux-x86-64.so.2", 1 },
		{ "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 1009 },
	};
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct elf_image *img;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(closep) int fd = open(files[i].path, O_RDONLY | O_CLOEXEC);

		if (elf_image_open(fd, &img) < 0)
			fail_msg("cannot open %s", files[i].path);
		truncate_everywhere(img, files[i].step);
		elf_image_free(img);
	}
	if (!vdso)
		return;
	assert_int_equal(elf_image_open_memory(vdso, 8192, &img), 0);
	truncate_everywhere(img, 1);
	elf_image_free(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_fde_without_instructions_is_its_cie),
		cmocka_unit_test(every_advance_moves),
		cmocka_unit_test(set_loc_moves_to_an_address),
		cmocka_unit_test(every_definition_of_the_cfa),
		cmocka_unit_test(every_rule_of_a_register),
		cmocka_unit_test(states_are_restored),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(an_unknown_instruction_ends_the_rows_before_it),
		cmocka_unit_test(rows_stay_inside_their_fde),
		cmocka_unit_test(every_encoding_of_a_pointer),
		cmocka_unit_test(every_augmentation),
		cmocka_unit_test(a_debug_frame_counts_from_its_start),
		cmocka_unit_test(terminators_end_only_what_has_no_end),
		cmocka_unit_test(expressions_are_recognised),
		cmocka_unit_test(every_prefix_of_real_sections_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
