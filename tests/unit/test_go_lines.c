/* SPDX-License-Identifier: Apache-2.0 */
/* Files, lines and inlined calls of hand-made pclntabs, in each layout; damaged and hostile ones. */
#include "unit.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/strpool.h"
#include "fixture_go.h"
#include "symbolize/go_inlines.h"
#include "symbolize/go_lines.h"
#include "symbolize/symbolizer.h"

enum { TABLES = 0x1100, UNITS = 0x1800, FILES = 0x1820, TREE = 0x1a00, MAIN = GO_CODE + 0x100, CODE_LEN = 0x280 };

static const struct go_made_func funcs[] = {
	{ 0x000, "main.plain", 0, "\x02\x40", 3 },
	{ 0x100, "main.main", 0, "\x02\x40", 3 }, /* the last: its record is longer than the fixture's */
};
enum { N_FUNCS = sizeof(funcs) / sizeof(*funcs) };

/* A way the layouts differ. */
struct form {
	enum go_layout layout;
	int tree, table;
};
static const struct form forms[] = { { GO_1_2, 2, 1 }, { GO_1_2, 4, 2 }, { GO_1_16, 3, 2 }, { GO_1_18, 3, 2 }, { GO_1_20, 3, 2 } };

static struct go_made made;
static size_t tables_at;

static uint32_t put_table(const int *values)
{
	uint32_t at = (uint32_t)tables_at;
	int last = -1;

	for (int i = 0; i < 4; i++) { /* each for 16 bytes of code */
		int step = values[i] - last;

		if (!step && i) { /* a 0 would end the table */
			made.data[GO_TABLE_AT + tables_at - 1] += 16;
			continue;
		}
		go_put(&made, GO_TABLE_AT + tables_at++, (uint64_t)(step < 0 ? -2 * step - 1 : 2 * step), 1);
		go_put(&made, GO_TABLE_AT + tables_at++, 16, 1);
		last = values[i];
	}
	tables_at++; /* a 0 */
	return at;
}

static uint32_t put_string(size_t at, const char *s)
{
	memcpy(made.data + GO_TABLE_AT + at, s, strlen(s) + 1);
	return (uint32_t)at;
}

static void put_call(const struct form *f, int i, uint32_t name, uint32_t call, uint32_t start)
{
	size_t at = GO_TABLE_AT + TREE + (size_t)i * (f->layout == GO_1_20 ? 16 : 20);

	name -= f->layout == GO_1_2 ? 0 : GO_NAMES;
	if (f->layout == GO_1_20) {
		go_put(&made, at + 4, name, 4);
		go_put(&made, at + 8, call, 4);
		go_put(&made, at + 12, start, 4);
		return;
	}
	go_put(&made, at, i ? 0 : UINT16_MAX, 2); /* parent */
	go_put(&made, at + 4, 1, 4);
	go_put(&made, at + 8, 7, 4);
	go_put(&made, at + 12, name, 4);
	go_put(&made, at + 16, call, 4);
}

static void put_files(const struct form *f)
{
	size_t parts = GO_TABLE_AT + (f->layout >= GO_1_18 ? 32 : 24);

	if (f->layout == GO_1_2) {
		go_put(&made, GO_TABLE_AT + 16 + (2 * N_FUNCS + 1) * 8, UNITS, 4);
		go_put(&made, GO_TABLE_AT + UNITS, 3, 4);
		go_put(&made, GO_TABLE_AT + UNITS + 4, put_string(FILES + 1, "/src/main.go"), 4);
		go_put(&made, GO_TABLE_AT + UNITS + 8, put_string(FILES + 32, "/src/x.go"), 4);
		return;
	}
	go_put(&made, parts + 8, UNITS, 8);
	go_put(&made, parts + 16, FILES, 8);
	go_put(&made, GO_TABLE_AT + UNITS + 4, put_string(FILES + 1, "/src/main.go") - FILES, 4);
	go_put(&made, GO_TABLE_AT + UNITS + 8, put_string(FILES + 32, "/src/x.go") - FILES, 4);
}

/* main.main calls x.outer, which calls x.inner, both inlined: 0 - main, 0x10 - inner, 0x20 - outer, 0x30 - main. */
static void make(const struct form *f)
{
	static const int files[] = { 1, 2, 2, 1 }, lines[] = { 10, 20, 30, 40 }, calls[] = { -1, 1, 0, -1 };
	size_t wide = f->layout >= GO_1_18 ? 4 : 8, record = GO_TABLE_AT + GO_RECORDS + 64 + wide, tail, funcdata;
	uint32_t base = f->layout == GO_1_2 ? 0 : GO_PCS;

	go_make(&made, f->layout, false, funcs, N_FUNCS, CODE_LEN);
	tables_at = TABLES;
	put_files(f);
	go_put(&made, record + 16, put_table(files) - base, 4);
	go_put(&made, record + 20, put_table(lines) - base, 4);
	go_put(&made, record + 24, 3, 4);
	tail = record + 28;
	if (f->layout >= GO_1_20)
		go_put(&made, tail + 4, 9, 4);
	tail += 4 * ((f->layout >= GO_1_16) + (f->layout >= GO_1_20));
	go_put(&made, tail + 3, 5, 1);
	go_put(&made, tail + 4 + 4 * (size_t)f->table, put_table(calls) - base, 4);
	funcdata = tail + 4 + 3 * 4;
	if (f->layout >= GO_1_18) {
		memset(made.data + funcdata, 0xff, 5 * 4);
		go_put(&made, funcdata + 4 * (size_t)f->tree, TREE, 4);
		go_put(&made, GO_DATA_AT + 0x100 + 8 * (f->layout == GO_1_20 ? 40 : 38), GO_IMAGE + GO_TABLE_AT, 8);
	} else {
		funcdata += -funcdata & 7;
		go_put(&made, funcdata + 8 * (size_t)f->tree, GO_IMAGE + GO_TABLE_AT + TREE, 8);
	}
	put_call(f, 0, put_string(0xa00, "x.outer"), 0x08, 5);
	put_call(f, 1, put_string(0xa40, "x.inner"), 0x24, 6);
}

struct asked {
	struct elf_image *img;
	struct go_lines *lines;
	struct strpool names;
};

static int ask(struct asked *a)
{
	*a = (struct asked){ 0 };
	assert_int_equal(elf_image_open_memory(made.data, sizeof(made.data), &a->img), 0);
	return go_lines_new(a->img, &a->lines);
}

static void end(struct asked *a)
{
	go_lines_free(a->lines);
	elf_image_free(a->img);
	strpool_fini(&a->names);
}

static void expect(const struct go_line *l, const char *name, const char *file, uint32_t line, uint32_t start)
{
	assert_string_equal(l->name, name);
	assert_string_equal(l->file ? l->file : "", file);
	assert_int_equal(l->line, line);
	assert_int_equal(l->start_line, start);
}

static void every_layout_gives_the_same_calls(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		uint32_t start = forms[i].layout == GO_1_20 ? 1 : 0;
		struct go_line at[8];
		struct asked a;

		make(&forms[i]);
		assert_int_equal(ask(&a), 0);
		assert_int_equal(go_lines_find(a.lines, MAIN + 0x18, &a.names, at, 8), 3);
		expect(&at[0], "x.inner", "/src/x.go", 20, start * 6);
		expect(&at[1], "x.outer", "/src/x.go", 30, start * 5);
		expect(&at[2], "main.main", "/src/main.go", 10, start * 9);
		assert_int_equal(go_lines_find(a.lines, MAIN + 0x20, &a.names, at, 8), 2);
		expect(&at[0], "x.outer", "/src/x.go", 30, start * 5);
		expect(&at[1], "main.main", "/src/main.go", 10, start * 9);
		assert_int_equal(go_lines_find(a.lines, MAIN + 0x3f, &a.names, at, 8), 1);
		expect(&at[0], "main.main", "/src/main.go", 40, start * 9);
		/* No room: the function itself is the last to go. */
		assert_int_equal(go_lines_find(a.lines, MAIN + 0x18, &a.names, at, 1), 1);
		expect(&at[0], "main.main", "/src/main.go", 10, start * 9);
		/* Padding behind the tables' end; a function without tables; no function. */
		assert_int_equal(go_lines_find(a.lines, MAIN + 0x80, &a.names, at, 8), 1);
		expect(&at[0], "main.main", "", 0, start * 9);
		assert_int_equal(go_lines_find(a.lines, GO_CODE, &a.names, at, 8), 1);
		expect(&at[0], "main.plain", "", 0, 0);
		assert_int_equal(go_lines_find(a.lines, GO_CODE + CODE_LEN, &a.names, at, 8), -ENOENT);
		assert_int_equal(go_lines_find(a.lines, GO_CODE - 1, &a.names, at, 8), -ENOENT);
		go_lines_rest(a.lines);
		assert_int_equal(go_lines_find(a.lines, MAIN + 0x18, &a.names, at, 8), 3);
		end(&a);
	}
}

static void calls_in_a_circle_end(void **state)
{
	struct go_line at[1000];
	struct asked a;

	make(&forms[4]);
	put_call(&forms[4], 0, 0xa00, 0x24, 5); /* x.outer is called from x.outer */
	assert_int_equal(ask(&a), 0);
	assert_int_equal(go_lines_find(a.lines, MAIN + 0x18, &a.names, at, 1000), GO_DEPTH_MAX + 1);
	assert_int_equal(go_lines_find(a.lines, MAIN + 0x18, &a.names, at, 8), 8);
	expect(&at[7], "main.main", "/src/x.go", 30, 9);
	put_call(&forms[4], 1, 0xa40, 0x1000, 6); /* a call that is outside of its function */
	assert_int_equal(go_lines_find(a.lines, MAIN + 0x18, &a.names, at, 1000), 1);
	expect(&at[0], "main.main", "/src/x.go", 20, 9);
	end(&a);
}

/* Any byte changed: an answer within bounds, or an error. */
static void no_damage_is_survived_by_luck(void **state)
{
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		make(&forms[f]);
		for (size_t i = GO_TABLE_AT; i < GO_DATA_AT + 0x300; i++)
			for (int kind = 0; kind < 2; kind++) {
				uint8_t was = made.data[i];
				struct go_line at[4];
				struct asked a;

				if (!was && i % 16)
					continue;
				made.data[i] ^= kind ? 0xff : 1;
				if (!ask(&a))
					for (uint64_t pc = 0; pc < 0x240; pc += 8)
						assert_true(go_lines_find(a.lines, GO_CODE + pc, &a.names, at, 4) <= 4);
				end(&a);
				made.data[i] = was;
			}
	}
}

static void the_symbolizer_gives_lines_and_calls_after_the_file_is_closed(void **state)
{
	int fd = memfd_create("go", MFD_CLOEXEC);
	struct sym_source src = { .kind = SYM_ELF, .fd = fd, .root_fd = -1, .path = "/go" };
	struct symbolizer *s;
	struct sym_image *img;
	struct sym_frame at[4];

	/* Files are asked by offset: the code gets one of its own. */
	make(&forms[4]);
	go_make_segment(&made, 1, PT_LOAD, PF_R | PF_X, GO_CODE, GO_FILE_LEN, GO_CODE_LEN, GO_CODE_LEN);
	assert_int_equal(file_write_all(fd, made.data, sizeof(made.data)), 0);
	assert_int_equal(symbolizer_new(&(struct symbolizer_opts){ .debug_dir = "/nonexistent" }, &s), 0);
	assert_int_equal(symbolizer_load(s, &src, &img), 0);
	assert_int_equal(sym_image_error(img), 0);
	close(fd);
	assert_int_equal(sym_image_resolve(img, GO_FILE_LEN + 0x118, at, 4), 3);
	assert_string_equal(at[0].name, "x.inner");
	assert_string_equal(at[0].file, "/src/x.go");
	assert_int_equal(at[0].line, 20);
	assert_string_equal(at[2].system_name, "main.main");
	assert_int_equal(at[2].start_line, 9);
	assert_int_equal(sym_image_resolve(img, GO_FILE_LEN + 0x10000, at, 4), -ENOENT);
	symbolizer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_gives_the_same_calls),
		cmocka_unit_test(calls_in_a_circle_end),
		cmocka_unit_test(no_damage_is_survived_by_luck),
		cmocka_unit_test(the_symbolizer_gives_lines_and_calls_after_the_file_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
