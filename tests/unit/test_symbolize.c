/* SPDX-License-Identifier: Apache-2.0 */
/* The symbolizer on whole files: its own, damaged ones, replaced ones. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/file.h"
#include "symbolize/symbolizer.h"

#define SPIN BUILD_DIR "/workloads/w_spin" /* small, with symbols */

static int make_symbolizer(void **state)
{
	return symbolizer_new(&(struct symbolizer_opts){ .debug_dir = "/nonexistent" }, (struct symbolizer **)state);
}

static int end_symbolizer(void **state)
{
	symbolizer_free(*state);
	return 0;
}

static int memfd_with(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, data, len), 0);
	return fd;
}

/* Offsets all over the file; what counts is that each gets an answer. */
static void ask_everywhere(struct sym_image *img, size_t len)
{
	struct sym_segment seg;
	struct sym_frame f;

	for (uint64_t off = 0; off < len; off += 97) {
		if (sym_image_resolve(img, off, &f, 1) == 1)
			assert_true(strlen(f.name) > 0 && strlen(f.system_name) > 0);
		sym_image_segment(img, off, &seg);
	}
	assert_int_equal(sym_image_resolve(img, UINT64_MAX, &f, 1), -ENOENT);
	assert_int_equal(sym_image_resolve(img, 0, &f, 0), -ENOENT);
}

static void a_file_cut_anywhere_is_an_error_or_fewer_names(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(file_read_path(AT_FDCWD, SPIN, 16 << 20, &b), 0);
	for (size_t len = 0; len < b.len; len += len < 1024 ? 7 : 1013) {
		struct sym_source src = { .kind = SYM_ELF, .fd = memfd_with(b.data, len), .root_fd = -1, .path = "/cut" };
		struct sym_image *img;

		assert_int_equal(symbolizer_load(*state, &src, &img), 0);
		ask_everywhere(img, b.len);
		close(src.fd);
	}
}

static void a_flipped_byte_in_the_headers_does_no_harm(void **state)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(file_read_path(AT_FDCWD, SPIN, 16 << 20, &b), 0);
	for (size_t at = 0; at < 1024; at++) {
		static const uint8_t masks[] = { 0xff, 0x80, 0x01 };
		struct sym_source src = { .kind = SYM_ELF, .root_fd = -1, .path = "/flipped" };
		struct sym_image *img;

		b.data[at] ^= masks[at % 3];
		src.fd = memfd_with(b.data, b.len);
		assert_int_equal(symbolizer_load(*state, &src, &img), 0);
		ask_everywhere(img, b.len);
		b.data[at] ^= masks[at % 3];
		close(src.fd);
	}
}

static void an_image_is_loaded_once_and_another_build_id_is_refused(void **state)
{
	struct sym_source src = { .kind = SYM_ELF, .fd = open(SPIN, O_RDONLY | O_CLOEXEC), .root_fd = -1, .path = SPIN };
	struct symbolizer_stats stats;
	struct sym_image *a, *b;

	assert_int_equal(build_id_of_file(src.fd, &src.id), 0);
	assert_int_equal(src.id.kind, BUILD_ID_GNU);
	assert_int_equal(symbolizer_load(*state, &src, &a), 0);
	assert_int_equal(symbolizer_load(*state, &src, &b), 0);
	assert_ptr_equal(a, b);
	symbolizer_stats(*state, &stats);
	assert_int_equal(stats.images, 1);

	src.id.bytes[0] ^= 1; /* the package was upgraded under us */
	assert_int_equal(symbolizer_load(*state, &src, &b), 0);
	assert_ptr_not_equal(a, b);
	assert_int_equal(sym_image_error(b), -ESTALE);
	close(src.fd);
}

static void what_is_no_elf_says_so(void **state)
{
	struct sym_source src = { .kind = SYM_ELF, .fd = memfd_with("#!/bin/sh\n", 10), .root_fd = -1, .path = "/script" };
	struct sym_image *img;

	assert_int_equal(symbolizer_load(*state, &src, &img), 0);
	assert_int_equal(sym_image_error(img), -EBADMSG);
	close(src.fd);
	src.fd = -1;
	assert_int_equal(symbolizer_load(*state, &src, &img), 0);
	assert_int_equal(sym_image_error(img), -ENOENT);
}

static void the_vdso_has_names(void **state)
{
	struct sym_source src = { .kind = SYM_VDSO, .fd = -1, .root_fd = -1, .path = "[vdso]" };
	struct sym_image *img;
	struct sym_frame f;
	int named = 0;

	assert_int_equal(symbolizer_load(*state, &src, &img), 0);
	assert_int_equal(sym_image_error(img), 0);
	for (uint64_t off = 0; off < 0x4000; off += 8)
		named += sym_image_resolve(img, off, &f, 1) == 1 && strstr(f.name, "vdso");
	assert_true(named > 10);
}

/* A root of its own, with a kallsyms in it. */
struct kernel {
	char root[32], path[64];
	struct symbolizer *s;
	struct sym_image *img;
};

static void write_kallsyms(const struct kernel *k, const char *text)
{
	int fd = open(k->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int make_kernel(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	strcpy(k->root, "/tmp/hotspan-sysroot-XXXXXX");
	assert_non_null(mkdtemp(k->root));
	snprintf(k->path, sizeof(k->path), "%s/proc", k->root);
	assert_int_equal(mkdir(k->path, 0755), 0);
	snprintf(k->path, sizeof(k->path), "%s/proc/kallsyms", k->root);
	assert_int_equal(symbolizer_new(&(struct symbolizer_opts){ .sysroot = k->root }, &k->s), 0);
	*state = k;
	return 0;
}

static int end_kernel(void **state)
{
	struct kernel *k = *state;
	char command[64];

	symbolizer_free(k->s);
	snprintf(command, sizeof(command), "rm -rf %s", k->root);
	free(k);
	return system(command);
}

static void next_round(struct kernel *k, uint64_t changes)
{
	struct sym_source src = { .kind = SYM_KERNEL, .key = changes, .fd = -1, .root_fd = -1, .path = "[kernel.kallsyms]" };

	symbolizer_trim(k->s, SIZE_MAX);
	assert_int_equal(symbolizer_load(k->s, &src, &k->img), 0);
}

static const char *kernel_name(struct kernel *k, uint64_t addr)
{
	struct sym_frame f;

	return sym_image_resolve(k->img, addr, &f, 1) == 1 ? f.name : "";
}

static void hidden_kernel_addresses_are_a_reason_not_a_crash(void **state)
{
	struct kernel *k = *state;

	write_kallsyms(k, "0000000000000000 T _text\n0000000000000000 T _stext\n");
	next_round(k, 0);
	assert_int_equal(sym_image_error(k->img), -EPERM);
}

#define VMLINUX "ffffffff81000000 T startup_64\nffffffff81100000 T _einittext\n"
#define BPF_A "ffffffffc0000000 t bpf_prog_0011223344556677_a\t[bpf]\n"
#define BPF_B "ffffffffc0000000 t bpf_prog_0011223344556677_b\t[bpf]\n"
#define MODULE "ffffffffc0400000 t nf_hook\t[nf_tables]\n"

static void code_that_came_after_kallsyms_was_read_is_named_a_round_later(void **state)
{
	struct kernel *k = *state;

	write_kallsyms(k, VMLINUX);
	next_round(k, 0);
	assert_string_equal(kernel_name(k, 0xffffffffc0000010), "");
	write_kallsyms(k, VMLINUX BPF_A);
	next_round(k, 1);
	assert_string_equal(kernel_name(k, 0xffffffffc0000010), "bpf_prog_0011223344556677_a");
	/* Another in its place: announced, and met, and soon known. */
	write_kallsyms(k, VMLINUX BPF_B);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(kernel_name(k, 0xffffffffc0000010), "bpf_prog_0011223344556677_a");
		next_round(k, 2);
	}
	assert_string_equal(kernel_name(k, 0xffffffffc0000010), "bpf_prog_0011223344556677_b");
	/* A module is not announced. */
	assert_string_equal(kernel_name(k, 0xffffffffc0400010), "");
	write_kallsyms(k, VMLINUX BPF_B MODULE);
	next_round(k, 2);
	assert_string_equal(kernel_name(k, 0xffffffffc0400010), "nf_hook");
	/* kallsyms gone: what is known stays known. */
	assert_string_equal(kernel_name(k, 0xffffffffd0000000), "");
	unlink(k->path);
	next_round(k, 3);
	assert_string_equal(kernel_name(k, 0xffffffffc0400010), "nf_hook");
}

/* Nothing of it was met, or nothing changed: kallsyms is not read. */
static void what_is_never_named_is_looked_for_ever_more_seldom(void **state)
{
	struct kernel *k = *state;
	struct symbolizer_stats before, after;
	int reads = 0;

	write_kallsyms(k, VMLINUX BPF_A);
	next_round(k, 0);
	for (uint64_t i = 1; i <= 1000; i++) {
		symbolizer_stats(k->s, &before);
		next_round(k, i < 500 ? 0 : i); /* from then on programs come and go elsewhere */
		symbolizer_stats(k->s, &after);
		reads += after.load_ns != before.load_ns;
		assert_string_equal(kernel_name(k, i < 500 ? 0xffffffffd0000000 : 0xffffffff81000010), i < 500 ? "" : "startup_64");
	}
	assert_in_range(reads, 8, 11);
}

static void trim_keeps_what_was_used_last_and_what_it_drops_can_be_loaded_again(void **state)
{
	struct symbolizer *s = *state;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct sym_source file = { .kind = SYM_ELF, .fd = fd, .root_fd = -1 };
	struct sym_source vdso = { .kind = SYM_VDSO, .fd = -1, .root_fd = -1 }, nameless = file;
	struct symbolizer_stats st;
	struct sym_image *img, *again;

	assert_true(fd >= 0);
	assert_int_equal(build_id_of_file(fd, &file.id), 0);
	assert_int_equal(symbolizer_load(s, &file, &img), 0);
	assert_int_equal(symbolizer_load(s, &nameless, &img), 0); /* no identity: never found again */
	symbolizer_trim(s, SIZE_MAX);
	symbolizer_stats(s, &st);
	assert_int_equal(st.images, 1);
	assert_int_equal(symbolizer_load(s, &vdso, &img), 0);
	assert_int_equal(symbolizer_load(s, &vdso, &again), 0);
	assert_ptr_equal(img, again);
	symbolizer_trim(s, 1); /* room for nothing: the last one used stays */
	symbolizer_stats(s, &st);
	assert_int_equal(st.images, 1);
	assert_int_equal(symbolizer_load(s, &vdso, &again), 0);
	symbolizer_stats(s, &st);
	assert_int_equal(st.images, 1);
	assert_int_equal(symbolizer_load(s, &file, &img), 0);
	assert_int_equal(sym_image_error(img), 0);
	close(fd);
}

int main(void)
{
#define KERNEL_TEST(f) cmocka_unit_test_setup_teardown(f, make_kernel, end_kernel)
#define SYMBOLIZER_TEST(f) cmocka_unit_test_setup_teardown(f, make_symbolizer, end_symbolizer)
	const struct CMUnitTest tests[] = {
		SYMBOLIZER_TEST(trim_keeps_what_was_used_last_and_what_it_drops_can_be_loaded_again),
		SYMBOLIZER_TEST(a_file_cut_anywhere_is_an_error_or_fewer_names),
		SYMBOLIZER_TEST(a_flipped_byte_in_the_headers_does_no_harm),
		SYMBOLIZER_TEST(an_image_is_loaded_once_and_another_build_id_is_refused),
		SYMBOLIZER_TEST(what_is_no_elf_says_so),
		SYMBOLIZER_TEST(the_vdso_has_names),
		KERNEL_TEST(hidden_kernel_addresses_are_a_reason_not_a_crash),
		KERNEL_TEST(code_that_came_after_kallsyms_was_read_is_named_a_round_later),
		KERNEL_TEST(what_is_never_named_is_looked_for_ever_more_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
