/* SPDX-License-Identifier: Apache-2.0 */
/* Where files keep their CFI besides sections of that name: the same program, packed differently. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/file.h"
#include "unwind/elf_cfi.h"

#define SPIN BUILD_DIR "/workloads/w_spin"

static void read_file(const char *path, struct buf *ret)
{
	assert_int_equal(file_read_path(AT_FDCWD, path, 64 << 20, ret), 0);
}

static struct rows *rows_of_bytes(const struct buf *file, unsigned int which)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	struct rows *t = NULL;

	assert_int_equal(elf_image_open_memory(file->data, file->len, &img), 0);
	assert_int_equal(elf_cfi_rows(img, which, &t), 0);
	return t;
}

static struct rows *rows_of_file(const char *path, unsigned int which)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct rows *t = NULL;

	assert_true(fd >= 0);
	assert_int_equal(elf_image_open(fd, &img), 0);
	assert_int_equal(elf_cfi_rows(img, which, &t), 0);
	return t;
}

static void expect_same(const struct rows *a, const struct rows *b)
{
	assert_int_equal(a->base, b->base);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->stats.rows, b->stats.rows);
	for (uint64_t pc = a->base; pc < a->end; pc++)
		assert_memory_equal(rows_find(a, pc), rows_find(b, pc), sizeof(struct unwind_rule));
}

static void a_minidebug_gives_the_rows_that_stripping_took(void **state)
{
	struct rows *whole = rows_of_file(SPIN "_debugframe", ELF_CFI_ALL);
	struct rows *mini = rows_of_file(SPIN "_minidebug", ELF_CFI_ALL);
	struct rows *bare = rows_of_file(SPIN "_minidebug", ELF_CFI_EH_FRAME | ELF_CFI_DEBUG_FRAME);

	expect_same(whole, mini);
	assert_int_equal(mini->stats.why[UNWIND_WHY_MINIDEBUG], 0);
	assert_true(mini->stats.fdes >= bare->stats.fdes + 3);
	assert_true(mini->stats.rows >= bare->stats.rows + 6);
	rows_free(whole);
	rows_free(mini);
	rows_free(bare);
}

/* Where .gnu_debugdata lies in a file. */
static void find_minidebug(const struct buf *file, size_t *ret_at, size_t *ret_len)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	GElf_Shdr sh;

	assert_int_equal(elf_image_open_memory(file->data, file->len, &img), 0);
	assert_non_null(elf_image_section(img, ".gnu_debugdata", &sh));
	*ret_at = sh.sh_offset;
	*ret_len = sh.sh_size;
}

static void a_damaged_minidebug_costs_its_own_rows_only(void **state)
{
	struct rows *bare = rows_of_file(SPIN "_minidebug", ELF_CFI_EH_FRAME | ELF_CFI_DEBUG_FRAME);
	_cleanup_(buf_fini) struct buf file = BUF_INIT;
	size_t at, len;

	read_file(SPIN "_minidebug", &file);
	find_minidebug(&file, &at, &len);
	assert_true(len > 200);
	for (size_t i = 0; i < len; i += 7) {
		struct rows *t;

		file.data[at + i] ^= 0x55;
		t = rows_of_bytes(&file, ELF_CFI_ALL);
		assert_int_equal(t->stats.why[UNWIND_WHY_MINIDEBUG], 1);
		expect_same(t, bare);
		rows_free(t);
		file.data[at + i] ^= 0x55;
	}
	rows_free(bare);
}

static void a_minidebug_that_inflates_without_end_is_left_out(void **state)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(buf_fini) struct buf file = BUF_INIT;
	struct minidebug *m = NULL;
	struct rows *t = rows_of_file(SPIN "_minidebug_bomb", ELF_CFI_ALL);

	assert_int_equal(t->stats.why[UNWIND_WHY_MINIDEBUG], 1);
	rows_free(t);
	read_file(SPIN "_minidebug_bomb", &file);
	assert_int_equal(elf_image_open_memory(file.data, file.len, &img), 0);
	assert_int_equal(minidebug_open(img, &m), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minidebug_gives_the_rows_that_stripping_took),
		cmocka_unit_test(a_damaged_minidebug_costs_its_own_rows_only),
		cmocka_unit_test(a_minidebug_that_inflates_without_end_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
