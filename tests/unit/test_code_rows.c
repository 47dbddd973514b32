/* SPDX-License-Identifier: Apache-2.0 */
/* Functions without CFI: their rows from their instructions. */
#include "unit.h"

#include "unwind/code_rows.h"
#include "unwind/rule_text.h"
#include "unwind/x86_insn.h"

static struct code_state states[CODE_FUNCTION_MAX];
static uint32_t todo[CODE_FUNCTION_MAX];

#define CODE(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })

static void understood(const uint8_t *code, size_t len)
{
	assert_int_equal(code_rows_find(code, (uint32_t)len, states, todo), 0);
}

static void refused(const uint8_t *code, size_t len)
{
	assert_int_not_equal(code_rows_find(code, (uint32_t)len, states, todo), 0);
}

/* The rule before the instruction at an offset: CFA, and the caller's rbp where that is saved; "" for no rule. */
static void expect(uint32_t at, const char *cfa, const char *fp)
{
	struct unwind_rule rule = code_rule(&states[at]);
	struct rule_text text = rule_text(ARCH_X86_64, &rule);

	if (strcmp(text.cfa, cfa) || strcmp(text.fp, fp))
		fail_msg("at %u: %s %s, not %s %s", at, text.cfa, text.fp, cfa, fp);
}

static void a_leaf_has_its_return_address_on_top(void **state)
{
	understood(CODE(0x89, 0xf8, 0xc3)); /* mov %edi, %eax; ret */
	expect(0, "rsp+8", "u");
	expect(2, "rsp+8", "u");
}

/* musl's clock_gettime: rbp and rbx are saved, and hold arguments. */
static void pushes_and_the_room_below_them_count(void **state)
{
	understood(CODE(0x55, 0x48, 0x89, 0xf5, 0x53, 0x48, 0x83, 0xec, 0x08, /* push %rbp; mov %rsi, %rbp; push %rbx; sub $8, %rsp */
			0xff, 0xd0, 0x48, 0x83, 0xc4, 0x08, 0x5b, 0x5d, 0xc3)); /* call *%rax; add $8, %rsp; pop %rbx; pop %rbp; ret */
	expect(0, "rsp+8", "u");
	expect(1, "rsp+16", "c-16");
	expect(4, "rsp+16", "c-16");
	expect(5, "rsp+24", "c-16");
	expect(9, "rsp+32", "c-16");
	expect(15, "rsp+24", "c-16");
	expect(16, "rsp+16", "c-16");
	expect(17, "rsp+8", "u");
}

static void a_frame_in_rbp_carries_over_alloca(void **state)
{
	understood(CODE(0x55, 0x48, 0x89, 0xe5, 0x53, /* push %rbp; mov %rsp, %rbp; push %rbx */
			0x48, 0x29, 0xc4, 0x90,       /* sub %rax, %rsp; nop */
			0x48, 0x8d, 0x65, 0xf8, 0x5b, /* lea -8(%rbp), %rsp; pop %rbx */
			0xc9, 0xc3));                 /* leave; ret */
	expect(5, "rsp+24", "c-16");
	expect(8, "rbp+16", "c-16");
	expect(9, "rbp+16", "c-16");
	expect(13, "rsp+24", "c-16");
	expect(14, "rsp+16", "c-16");
	expect(15, "rsp+8", "u");
}

static void rbp_may_be_saved_and_loaded_by_moves(void **state)
{
	understood(CODE(0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x6c, 0x24, 0x08, 0x31, 0xed, /* sub $24; mov %rbp, 8(%rsp); xor %ebp, %ebp */
			0x48, 0x8b, 0x6c, 0x24, 0x08, 0x48, 0x83, 0xc4, 0x18, 0xc3));   /* mov 8(%rsp), %rbp; add $24; ret */
	expect(9, "rsp+32", "c-24");
	expect(11, "rsp+32", "c-24");
	expect(16, "rsp+32", "u");
	expect(20, "rsp+8", "u");
}

static void every_branch_is_followed(void **state)
{
	understood(CODE(0x53, 0x85, 0xff, 0x74, 0x03,  /* push %rbx; test; je 8 */
			0x5b, 0xc3, 0x90,              /* pop; ret; nop nobody reaches */
			0x31, 0xc0, 0x5b, 0xe9, 0x00, 0x10, 0, 0)); /* 8: xor; pop; jmp out */
	expect(6, "rsp+8", "u");
	expect(7, "-", "");
	expect(8, "rsp+16", "u");
	expect(11, "rsp+8", "u");
}

static void what_we_cannot_follow_ends_the_path_and_not_the_rest(void **state)
{
	understood(CODE(0x53, 0x74, 0x05,                /* push %rbx; je 8 */
			0x48, 0x8b, 0x67, 0x30, 0x90,    /* mov 48(%rdi), %rsp; nop */
			0x5b, 0xc3));                    /* pop; ret */
	expect(3, "rsp+16", "u");
	expect(7, "-", "");
	expect(8, "rsp+16", "u");
	understood(CODE(0x5f, 0xff, 0xd1, 0xf4)); /* pop %rdi, which is the return address; call *%rcx; hlt */
	expect(0, "rsp+8", "u");
	expect(1, "-", "");
}

static void wrong_ends_are_refused(void **state)
{
	refused(CODE(0x53, 0xc3));                               /* push; ret */
	refused(CODE(0x31, 0xed, 0xc3));                         /* the caller's rbp is lost */
	refused(CODE(0x55, 0x31, 0xed, 0x58, 0xc3));             /* saved, and not loaded: pop %rax */
	refused(CODE(0x74, 0x01, 0x53, 0x90, 0x5b, 0xc3));       /* two paths, two heights */
	refused(CODE(0x48, 0x89, 0xe5, 0xc3));                   /* a frame without rbp saved */
	refused(CODE(0x55, 0x48, 0x89, 0xe5, 0xc3));             /* ret without leave */
	refused(NULL, 0);
}

/* length, operation, value of single instructions. */
static void instructions_that_matter_are_read(void **state)
{
	static const struct {
		uint8_t bytes[15], n;
		uint8_t op, clobbers;
		int32_t value;
	} rows[] = {
		{ { 0x41, 0x57 }, 2, X86_PUSH, 0, 0 },
		{ { 0x68, 1, 2, 3, 4 }, 5, X86_PUSH, 0, 0 },
		{ { 0xff, 0x74, 0x24, 0x10 }, 4, X86_PUSH, 0, 0 },
		{ { 0x66, 0x50 }, 2, X86_PUSH, 0x30, 0 },
		{ { 0x48, 0x81, 0xec, 0, 0x10, 0, 0 }, 7, X86_SP_ADD, 0, -4096 },
		{ { 0x48, 0x83, 0xec, 0x80 }, 4, X86_SP_ADD, 0, 128 },
		{ { 0x48, 0x8d, 0x64, 0x24, 0xf8 }, 5, X86_SP_ADD, 0, -8 },
		{ { 0x48, 0x83, 0xe4, 0xf0 }, 4, X86_OTHER, 0x10, 0 },       /* and $-16, %rsp */
		{ { 0x48, 0x39, 0xec }, 3, X86_OTHER, 0, 0 },                /* cmp %rbp, %rsp */
		{ { 0x48, 0x89, 0xe0 }, 3, X86_OTHER, 0, 0 },                /* mov %rsp, %rax */
		{ { 0x49, 0x89, 0xe4 }, 3, X86_OTHER, 0, 0 },                /* mov %rsp, %r12 */
		{ { 0x48, 0x89, 0x2c, 0x24 }, 4, X86_SAVE_FP, 0, 0 },
		{ { 0x4c, 0x89, 0x2c, 0x24 }, 4, X86_OTHER, 0, 0 },          /* r13, not rbp */
		{ { 0xf3, 0x0f, 0x1e, 0xfa }, 4, X86_OTHER, 0, 0 },          /* endbr64 */
		{ { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 10, X86_NOP, 0, 0 },
		{ { 0x80, 0xcc, 0x0c }, 3, X86_OTHER, 0, 0 },                /* or $12, %ah */
		{ { 0x40, 0x80, 0xcc, 0x0c }, 4, X86_OTHER, 0x10, 0 },       /* or $12, %spl */
		{ { 0x66, 0x90 }, 2, X86_NOP, 0, 0 },
		{ { 0x49, 0x90 }, 2, X86_OTHER, 0, 0 }, /* xchg %r8, %rax */
		{ { 0x0f, 0x85, 0xfb, 0xff, 0xff, 0xff }, 6, X86_BRANCH, 0, -5 },
		{ { 0xeb, 0xfe }, 2, X86_JUMP, 0, -2 },
		{ { 0x66, 0xe8, 1, 0, 0, 0 }, 6, X86_CALL, 0, 1 },
		{ { 0xf2, 0xe9, 1, 0, 0, 0 }, 6, X86_JUMP, 0, 1 },
		{ { 0x3e, 0xff, 0xe0 }, 3, X86_JUMP_AWAY, 0, 0 },
		{ { 0xf3, 0xc3 }, 2, X86_RETURN, 0, 0 },
		{ { 0xc8, 0x10, 0, 0 }, 4, X86_OTHER, 0x30, 0 },
		{ { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 }, 10, X86_OTHER, 0, 0 },
		{ { 0xf7, 0x05, 1, 0, 0, 0, 2, 0, 0, 0 }, 10, X86_OTHER, 0, 0 }, /* testl $2, 1(%rip) */
		{ { 0xf7, 0xd5 }, 2, X86_OTHER, 0x20, 0 },                   /* not %ebp */
		{ { 0xc5, 0xfd, 0x6f, 0x6c, 0x24, 0x20 }, 6, X86_OTHER, 0, 0 }, /* vmovdqa 32(%rsp), %ymm5 */
		{ { 0xc4, 0xe2, 0x60, 0xf3, 0xcb }, 5, X86_OTHER, 0, 0 },    /* blsr */
		{ { 0xc4, 0xe2, 0x50, 0xf3, 0xcb }, 5, X86_OTHER, 0x20, 0 }, /* blsr %ebx, %ebp */
		{ { 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x44, 0x24, 0x01 }, 8, X86_OTHER, 0, 0 }, /* vmovups 64(%rsp), %zmm0 */
		{ { 0x62, 0xf3, 0x75, 0x28, 0x25, 0xc2, 0xff }, 7, X86_OTHER, 0, 0 },       /* vpternlogd */
		{ { 0x0f, 0x0b }, 2, X86_TRAP, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct x86_insn in;

		assert_int_equal(x86_decode(rows[i].bytes, sizeof(rows[i].bytes), &in), 0);
		if (in.len != rows[i].n || in.op != rows[i].op || in.clobbers != rows[i].clobbers || in.value != rows[i].value)
			fail_msg("row %zu: %u bytes, op %u, clobbers %x, value %d", i, in.len, in.op, in.clobbers, in.value);
		for (size_t n = 0; n < rows[i].n; n++)
			assert_int_not_equal(x86_decode(rows[i].bytes, n, &in), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_has_its_return_address_on_top),
		cmocka_unit_test(pushes_and_the_room_below_them_count),
		cmocka_unit_test(a_frame_in_rbp_carries_over_alloca),
		cmocka_unit_test(rbp_may_be_saved_and_loaded_by_moves),
		cmocka_unit_test(every_branch_is_followed),
		cmocka_unit_test(what_we_cannot_follow_ends_the_path_and_not_the_rest),
		cmocka_unit_test(wrong_ends_are_refused),
		cmocka_unit_test(instructions_that_matter_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
