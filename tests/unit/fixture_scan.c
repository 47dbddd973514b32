/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture_scan.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolize/symcache_build.h"
#include "unit.h"

static const struct build_id key = { .kind = BUILD_ID_GNU, .len = 4 };

struct scanned scan_files(const struct dwarf_files *files)
{
	struct scanned s = { 0 };
	struct symcache_build *b;
	int fd = memfd_create("symcache", MFD_CLOEXEC);

	assert_int_equal(symcache_build_new(&b), 0);
	s.result = dwarf_scan(files, b, &s.stats);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(symcache_build_write(b, fd, &key), 0);
	assert_int_equal(symcache_open(fd, &key, &s.cache), 0);
	symcache_build_free(b);
	close(fd);
	return s;
}

struct scanned scan(const struct fix *f)
{
	int fd = fix_file(f, false);
	struct scanned s = scan_files(&(struct dwarf_files){
		.image = fd, .debug = -1, .alt = -1, .dwp = -1, .scratch = -1, .exact = true });

	close(fd);
	return s;
}

const char *scanned_at(const struct scanned *s, uint64_t address)
{
	static char text[4096];
	struct symcache_frame f[256];
	int n = symcache_find(s->cache, address, f, ARRAY_SIZE(f));
	size_t len = 0;

	text[0] = 0;
	for (int i = 0; i < n && len < sizeof(text) - 256; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%u", i ? "<" : "",
					symcache_string(s->cache, f[i].linkage ? f[i].linkage : f[i].name), f[i].line);
	return text;
}

uint32_t scanned_start_line(const struct scanned *s, uint64_t address)
{
	struct symcache_frame f[256];

	return symcache_find(s->cache, address, f, ARRAY_SIZE(f)) > 0 ? f[0].start_line : 0;
}

void scanned_done(struct scanned *s, struct fix *f)
{
	symcache_free(s->cache);
	fix_fini(f);
}
