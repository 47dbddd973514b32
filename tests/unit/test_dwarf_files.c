/* SPDX-License-Identifier: Apache-2.0 */
/* Files without DWARF, and sections that end anywhere. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture_scan.h"

static void files_without_dwarf_are_told(void **state)
{
	struct fix f = { 0 };
	struct scanned s = scan(&f);
	int fd;

	assert_int_equal(s.result, -ENODATA);
	symcache_free(s.cache);
	fix_abbrevs(&f);
	buf_append(&f.s[DWARF_INFO], "\x10\0\0\0\4\0", 6); /* longer than the section */
	s = scan(&f);
	assert_int_equal(s.result, -EBADMSG);
	symcache_free(s.cache);
	fd = memfd_create("empty", MFD_CLOEXEC);
	s = scan_files(&(struct dwarf_files){ .image = fd, .debug = -1, .alt = -1, .dwp = -1, .scratch = -1 });
	assert_int_equal(s.result, -EBADMSG);
	close(fd);
	scanned_done(&s, &f);
}

static void load_seed(int fd, enum dwarf_object_kind kind, struct fix *ret)
{
	struct dwarf_store store = { .scratch = -1, .inflated_max = 1 << 24 };
	struct dwarf_object o = { 0 };

	if (!dwarf_object_open(&store, fd, kind, DWARF_ALL, &o))
		for (unsigned int i = 0; i < DWARF_SECTIONS; i++)
			buf_append(&ret->s[i], o.s[i].data, o.s[i].len);
	dwarf_store_fini(&store);
}

/* What was linked beside what was split from it. */
static struct scanned scan_pair(const struct fix *linked, const struct fix *split)
{
	int fd = fix_file(linked, false), dwo = fix_file(split, true);
	struct dwarf_files files = { .image = fd, .debug = -1, .alt = -1, .dwp = dwo, .dwos = &dwo, .n_dwos = 1,
				     .scratch = -1, .exact = true };
	struct scanned s;

	/* The id of a package's unit is in the index too: what lies in the .dwo is found first. */
	if (split->s[DWARF_CU_INDEX].len)
		files.n_dwos = 0;
	s = scan_files(&files);
	close(fd);
	close(dwo);
	return s;
}

static unsigned int cut_everywhere(struct fix *linked, struct fix *split)
{
	unsigned int scans = 0;

	for (unsigned int i = 0; i < 2 * DWARF_SECTIONS; i++) {
		struct buf *b = i < DWARF_SECTIONS ? &linked->s[i] : &split->s[i - DWARF_SECTIONS];
		size_t whole = b->len, step = whole > 300 ? 5 : 1;

		for (size_t n = 0; n < whole; n += step, scans++) {
			struct scanned s;

			b->len = n;
			s = scan_pair(linked, split);
			symcache_free(s.cache);
		}
		b->len = whole;
	}
	return scans;
}

/* Every section of every seed, cut at every length: ASan sees what is read beyond. */
static void a_section_may_end_anywhere(void **state)
{
	DIR *dir = opendir(TESTS_DIR "/fuzz/corpus/dwarf");
	unsigned int files = 0, splits = 0, scans = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
		struct fix linked = { 0 }, split = { 0 };
		struct scanned s;

		if (e->d_name[0] != '.') {
			load_seed(fd, DWARF_LINKED, &linked);
			load_seed(fd, DWARF_SPLIT, &split);
			s = scan_pair(&linked, &split);
			files++;
			splits += s.stats.dwo_units > 0;
			symcache_free(s.cache);
			scans += cut_everywhere(&linked, &split);
		}
		fix_fini(&linked);
		fix_fini(&split);
		close(fd);
	}
	closedir(dir);
	assert_true(files >= 25 && splits >= 6);
	print_message("%u scans of %u files\n", scans, files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_without_dwarf_are_told),
		cmocka_unit_test(a_section_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
