/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What zlib and zstd pack comes out again, and nothing else does. The decoders are libraries', and ASan does not see into them: both
 * sides lie against pages that nobody may touch.
 */
#include "unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/units.h"
#include "symbolize/dwarf/inflate.h"

struct guarded {
	uint8_t *at; /* of len bytes, the last of them before a page that is not there */
	void *map;
	size_t len, map_len;
};

static struct guarded guarded_new(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (len + page - 1) / page * page;
	struct guarded g = { .len = len, .map_len = room + page };

	g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g.map != MAP_FAILED);
	assert_int_equal(mprotect((uint8_t *)g.map + room, page, PROT_NONE), 0);
	g.at = (uint8_t *)g.map + room - len;
	return g;
}

static void guarded_free(struct guarded *g)
{
	munmap(g->map, g->map_len);
}

static uint32_t next(uint32_t *seed)
{
	return *seed = *seed * 1664525u + 1013904223u;
}

enum kind { ZEROS, NOISE, NUMBERS, KINDS };

static void fill(enum kind kind, uint32_t seed, uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)(next(&seed) >> 24);

		/* As in .debug_info: small steps from what stands four bytes before, now and then something new. */
		at[i] = kind == ZEROS ? 0 : kind == NOISE || i < 4 || byte > 224 ? byte : (uint8_t)(at[i - 4] + (byte < 8));
	}
}

static struct guarded pack(const uint8_t *at, size_t len, int level, int strategy)
{
	z_stream z = { 0 };
	struct guarded roomy, g;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15, 8, strategy), Z_OK);
	roomy = guarded_new(deflateBound(&z, len));
	z.next_in = (Bytef *)at;
	z.avail_in = (uInt)len;
	z.next_out = roomy.at;
	z.avail_out = (uInt)roomy.len;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	g = guarded_new(z.total_out);
	memcpy(g.at, roomy.at, g.len);
	deflateEnd(&z);
	guarded_free(&roomy);
	return g;
}

static struct guarded pack_zstd(const uint8_t *at, size_t len, int level)
{
	struct guarded roomy = guarded_new(ZSTD_compressBound(len)), g;

	g = guarded_new(ZSTD_compress(roomy.at, roomy.len, at, len, level));
	memcpy(g.at, roomy.at, g.len);
	guarded_free(&roomy);
	return g;
}

static int unpack(enum inflate_how how, const uint8_t *in, size_t in_len, uint8_t *out, size_t len)
{
	return inflate_bytes(&(struct bytes){ in, in + in_len }, how, out, len, false);
}

static void comes_out_again(enum inflate_how how, const struct guarded *in, struct guarded packed)
{
	size_t len = in->len;
	struct guarded out = guarded_new(len), more = guarded_new(len + 1);

	assert_int_equal(unpack(how, packed.at, packed.len, out.at, len), 0);
	assert_memory_equal(out.at, in->at, len);
	/* A size that lies, by little and by much. */
	assert_int_equal(unpack(how, packed.at, packed.len, out.at + 1, len - 1), -EBADMSG);
	assert_int_equal(unpack(how, packed.at, packed.len, out.at + len / 2, len - len / 2), len > 1 ? -EBADMSG : 0);
	assert_int_equal(unpack(how, packed.at, packed.len, more.at, len + 1), -EBADMSG);
	assert_int_equal(unpack(how, packed.at, packed.len - 1, out.at, len), -EBADMSG);
	guarded_free(&packed);
	guarded_free(&out);
	guarded_free(&more);
}

static void come_out_again(enum kind kind, size_t len)
{
	static const struct {
		int level, strategy;
	} zlibs[] = { { 0, 0 }, { 1, 0 }, { 6, 0 }, { 9, 0 }, { 6, Z_FIXED }, { 6, Z_HUFFMAN_ONLY }, { 6, Z_RLE } };
	static const int zstds[] = { 1, 3, 12 };
	struct guarded in = guarded_new(len);

	fill(kind, (uint32_t)len, in.at, len);
	for (size_t i = 0; i < ARRAY_SIZE(zlibs); i++)
		comes_out_again(INFLATE_ZLIB, &in, pack(in.at, len, zlibs[i].level, zlibs[i].strategy));
	for (size_t i = 0; i < ARRAY_SIZE(zstds); i++)
		comes_out_again(INFLATE_ZSTD, &in, pack_zstd(in.at, len, zstds[i]));
	guarded_free(&in);
}

/* ISA-L keeps the last 32 KiB and looks as far ahead, zstd has blocks of 128: lengths on both sides of each. */
static void what_was_packed_comes_out_again(void **state)
{
	static const size_t lengths[] = { 1, 2, 7, 8, 9, 257, 258, 4096, 32767, 32768, 32769, 65535, 65536, 65537, 65824, 98304, 98305, 131072, 300001 };

	for (size_t l = 0; l < ARRAY_SIZE(lengths); l++)
		for (enum kind k = 0; k < KINDS; k++)
			come_out_again(k, lengths[l]);
}

/* gold and ld -r write the parts of a section one stream after another. */
static void follow_one_another(enum inflate_how how)
{
	static const size_t lengths[] = { 1, 5, 70000, 3, 40000, 1, 1 };
	struct guarded in = guarded_new(110011), packed = guarded_new(1 << 18), out = guarded_new(in.len), more = guarded_new(in.len + 1);
	size_t n = 0, from = 0;

	fill(NUMBERS, 1, in.at, in.len);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); from += lengths[i++]) {
		struct guarded part = how == INFLATE_ZLIB ? pack(in.at + from, lengths[i], i % 2 ? 6 : 0, 0) : pack_zstd(in.at + from, lengths[i], 3);

		memcpy(packed.at + n, part.at, part.len);
		n += part.len;
		guarded_free(&part);
	}
	assert_int_equal(from, in.len);
	assert_int_equal(unpack(how, packed.at, n, out.at, from), 0);
	assert_memory_equal(out.at, in.at, from);
	assert_int_equal(unpack(how, packed.at, n, more.at, more.len), -EBADMSG);
	assert_int_equal(unpack(how, packed.at, n - 1, out.at, from), -EBADMSG);
	guarded_free(&in);
	guarded_free(&packed);
	guarded_free(&out);
	guarded_free(&more);
}

static void streams_follow_one_another(void **state)
{
	follow_one_another(INFLATE_ZLIB);
	follow_one_another(INFLATE_ZSTD);
}

static void piece_by_piece(enum inflate_how how, const struct guarded *in, struct guarded packed, uint8_t *out)
{
	memset(out, 0xa5, in->len);
	assert_int_equal(inflate_bytes(&(struct bytes){ packed.at, packed.at + packed.len }, how, out, in->len, true), 0);
	assert_true(!memcmp(out, in->at, in->len));
	guarded_free(&packed);
}

/* Input and output go by pieces of 32 MiB; what is written is let go, and comes back from the file. */
static void what_is_larger_than_a_piece_comes_out_again(void **state)
{
	size_t len = 64 * MIB + 5;
	struct guarded in = guarded_new(len);
	int fd = memfd_create("scratch", MFD_CLOEXEC);
	uint8_t *out;

	fill(NUMBERS, 2, in.at, len);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	out = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(out != MAP_FAILED);
	piece_by_piece(INFLATE_ZLIB, &in, pack(in.at, len, 0, 0), out);
	piece_by_piece(INFLATE_ZLIB, &in, pack(in.at, len, 1, 0), out);
	piece_by_piece(INFLATE_ZSTD, &in, pack_zstd(in.at, len, 1), out);
	munmap(out, len);
	close(fd);
	guarded_free(&in);
}

static void cut_everywhere(enum inflate_how how, const struct guarded *packed, const struct guarded *out)
{
	for (size_t n = 0; n < packed->len; n++) {
		struct guarded cut = guarded_new(n);

		memcpy(cut.at, packed->at, n);
		assert_int_equal(unpack(how, cut.at, n, out->at, out->len), -EBADMSG);
		guarded_free(&cut);
	}
}

/* Some bits are others: zlib's verdict, and its bytes where Adler's sum is none the wiser. */
static unsigned int change(const struct guarded *packed, const struct guarded *out, uint32_t *seed)
{
	struct guarded zlibs = guarded_new(out->len);
	unsigned int found = 0;

	for (int round = 0; round < 3000; round++) {
		struct guarded g = guarded_new(packed->len);
		uLongf len = zlibs.len;
		bool good;

		memcpy(g.at, packed->at, g.len);
		for (uint32_t i = 0, n = 1 + next(seed) % 4; i < n; i++)
			g.at[next(seed) % (next(seed) % 2 ? g.len : 64)] ^= (uint8_t)(1u << next(seed) % 8);
		good = uncompress(zlibs.at, &len, g.at, g.len) == Z_OK && len == zlibs.len;
		assert_int_equal(unpack(INFLATE_ZLIB, g.at, g.len, out->at, out->len), good ? 0 : -EBADMSG);
		if (good)
			assert_memory_equal(out->at, zlibs.at, out->len);
		found += !good;
		guarded_free(&g);
	}
	guarded_free(&zlibs);
	return found;
}

static void damage_is_told(void **state)
{
	static const int levels[] = { 0, 1, 6 };
	struct guarded in = guarded_new(5000), out = guarded_new(in.len), frame;
	uint32_t seed = 3;

	fill(NUMBERS, 4, in.at, in.len);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct guarded packed = pack(in.at, in.len, levels[i], i % 2 ? Z_FIXED : 0);

		cut_everywhere(INFLATE_ZLIB, &packed, &out);
		assert_true(change(&packed, &out, &seed) > 2700);
		guarded_free(&packed);
	}
	frame = pack_zstd(in.at, in.len, 3);
	cut_everywhere(INFLATE_ZSTD, &frame, &out);
	guarded_free(&frame);
	guarded_free(&in);
	guarded_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_comes_out_again),
		cmocka_unit_test(streams_follow_one_another),
		cmocka_unit_test(what_is_larger_than_a_piece_comes_out_again),
		cmocka_unit_test(damage_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
