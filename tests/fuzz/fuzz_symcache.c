/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that begin as a symcache does are one whose sums are right, as a helper that was taken over would write it;
 * any others are calls of the builder, whose file then has to be read well.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symcache_file.h"
#include "symbolize/symcache_sum.h"
#include "symbolize/symtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct build_id key = { .kind = BUILD_ID_GNU, .len = 20, .bytes = { 7 } };

static int file(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) < 0)
		abort();
	return fd;
}

static void ask(const struct symcache *c, uint64_t addr)
{
	struct symcache_frame f[8];
	int n = symcache_find(c, addr, f, 1 + addr % 8);
	size_t bytes = 0;

	if (n == 0 || n > 8)
		abort();
	for (int i = 0; i < n; i++) {
		bytes += strlen(symcache_string(c, f[i].name)) + strlen(symcache_string(c, f[i].linkage));
		bytes += strlen(symcache_string(c, f[i].file)) + strlen(symcache_string(c, f[i].start_file));
	}
	if (bytes > SIZE_MAX / 2)
		abort();
}

static void read_forged(const uint8_t *data, size_t len)
{
	struct symcache_header h;
	struct symcache_sum sum = SYMCACHE_SUM_INIT;
	struct symcache *c;
	int fd = file();

	memcpy(&h, data, sizeof(h));
	h.version = SYMCACHE_VERSION;
	h.header_bytes = sizeof(h);
	h.bytes = len;
	h.key = key;
	symcache_sum_add(&sum, data + sizeof(h), len - sizeof(h));
	h.body_sum = symcache_sum_end(&sum);
	sum = SYMCACHE_SUM_INIT;
	symcache_sum_add(&sum, &h, offsetof(struct symcache_header, header_sum));
	h.header_sum = symcache_sum_end(&sum);
	if (file_write_all(fd, &h, sizeof(h)) < 0 || file_write_all(fd, data + sizeof(h), len - sizeof(h)) < 0)
		abort();
	if (!symcache_open(fd, &key, &c)) {
		for (uint32_t i = 0; i < 512; i++) {
			uint32_t x;

			memcpy(&x, data + (i * 52ul) % (len - 3), 4);
			ask(c, h.base + x);
			ask(c, h.base + i * 16);
		}
		symcache_free(c);
	}
	close(fd);
}

struct input {
	const uint8_t *p, *end;
};

static uint32_t take(struct input *in, uint32_t below)
{
	uint32_t v = 0;

	for (int i = 0; i < 2 && in->p < in->end; i++)
		v = v << 8 | *in->p++;
	return below ? v % below : 0;
}

static void add_lines(struct symcache_build *b, struct input *in, uint64_t base)
{
	struct symcache_line rows[32];
	uint32_t n = take(in, 32), x = take(in, 4096);

	for (uint32_t i = 0; i < n; i++, x += take(in, 64) - (take(in, 16) == 0) * 80)
		rows[i] = (struct symcache_line){ base + x, take(in, 4), take(in, 16) ? take(in, 1000) : UINT32_MAX - take(in, 9) };
	symcache_build_lines(b, rows, n);
}

static void add_symbols(struct symcache_build *b, struct input *in, uint64_t base)
{
	struct symtab t = { 0 };
	char name[3] = "sx";

	for (uint32_t n = take(in, 16); n; n--) {
		name[1] = (char)('a' + take(in, 26));
		symtab_add(&t, base + take(in, 4096), take(in, 300), name, 2, 0, take(in, 3));
	}
	symtab_finish(&t, 64);
	symcache_build_symbols(b, &t);
	symtab_fini(&t);
}

static void build(const uint8_t *data, size_t len)
{
	struct input in = { data, data + len };
	uint64_t base = take(&in, 2) ? 0xffffffff81000000ull : take(&in, 2) ? UINT64_MAX - 3000 : 0;
	uint32_t function = 0, nodes = 0, id;
	struct symcache_function f = { 0 };
	struct symcache_build *b;
	struct symcache *c;
	int fd = file();

	if (symcache_build_new(&b) < 0)
		abort();
	for (char i = 0; i < 4; i++) {
		symcache_build_string(b, (const char[]){ '/', (char)('a' + i) }, 2, &id);
		symcache_build_file(b, id, &id);
	}
	symcache_build_function(b, &f, &function);
	while (in.p < in.end)
		switch (take(&in, 6)) {
		case 0:
			f = (struct symcache_function){ .line = take(&in, 9), .file = take(&in, 4) };
			symcache_build_string(b, (const char *)in.p, (size_t)(in.end - in.p) < 5 ? (size_t)(in.end - in.p) : 5, &f.name);
			symcache_build_function(b, &f, &function);
			break;
		case 1:
		case 2:
			if (!symcache_build_node(b, function, nodes && take(&in, 4) ? take(&in, nodes) : SYMCACHE_NONE, take(&in, 4),
						 take(&in, 99), &id) && id == nodes)
				nodes++;
			break;
		case 3:
			if (nodes) {
				uint64_t start = base + take(&in, 4096);

				symcache_build_range(b, nodes - 1 - take(&in, nodes), start, take(&in, 30) ? start + take(&in, 999) : UINT64_MAX);
			}
			break;
		case 4:
			add_lines(b, &in, base);
			break;
		case 5:
			add_symbols(b, &in, base);
			break;
		}
	if (symcache_build_write(b, fd, &key) < 0 || symcache_open(fd, &key, &c) < 0)
		abort();
	symcache_build_free(b);
	for (uint32_t x = 0; x < 5000; x += 3)
		ask(c, base + x);
	symcache_free(c);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t magic = 0;

	memcpy(&magic, data, len < sizeof(magic) ? len : sizeof(magic));
	if (magic == SYMCACHE_MAGIC && len > sizeof(struct symcache_header))
		read_forged(data, len);
	else
		build(data, len);
	return 0;
}
