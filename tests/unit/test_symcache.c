/* SPDX-License-Identifier: Apache-2.0 */
/* What a symcache answers is what a model that looks at every address by itself answers. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "symbolize/symcache.h"
#include "symbolize/symcache_build.h"
#include "symbolize/symcache_file.h"
#include "symbolize/symcache_sum.h"
#include "symbolize/symtab.h"

enum { SPACE = 3000, NODES = 400, FUNCTIONS = 60, SEQUENCES = 40, SYMBOLS = 50, MAX = 300 };

static const struct build_id key = { .kind = BUILD_ID_GNU, .len = 20, .bytes = { 1, 2, 3 } };

static uint64_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((seed >> 33) % n);
}

static int cache_file(void)
{
	int fd = memfd_create("symcache", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	return fd;
}

static uint32_t string(struct symcache_build *b, const char *s)
{
	uint32_t id;

	assert_int_equal(symcache_build_string(b, s, strlen(s), &id), 0);
	return id;
}

static uint32_t file(struct symcache_build *b, const char *path)
{
	uint32_t id;

	assert_int_equal(symcache_build_file(b, string(b, path), &id), 0);
	return id;
}

static uint32_t function(struct symcache_build *b, const char *name, const char *linkage, const char *path, uint32_t line)
{
	struct symcache_function f = { .name = string(b, name), .linkage = string(b, linkage), .file = file(b, path),
				       .line = line, .language = 4 };
	uint32_t id;

	assert_int_equal(symcache_build_function(b, &f, &id), 0);
	return id;
}

static uint32_t node(struct symcache_build *b, uint32_t f, uint32_t parent, const char *call_file, uint32_t call_line)
{
	uint32_t id;

	assert_int_equal(symcache_build_node(b, f, parent, call_file ? file(b, call_file) : SYMCACHE_NONE, call_line, &id),
			 0);
	return id;
}

static struct symcache *written(struct symcache_build *b)
{
	_cleanup_(closep) int fd = cache_file();
	struct symcache *c = NULL;

	assert_int_equal(symcache_build_write(b, fd, &key), 0);
	symcache_build_free(b);
	assert_int_equal(symcache_open(fd, &key, &c), 0);
	return c;
}

static void symbols(struct symcache_build *b, const char *const *names, const uint64_t (*at)[2], size_t n)
{
	struct symtab t = { 0 };

	for (size_t i = 0; i < n; i++)
		assert_int_equal(symtab_add(&t, at[i][0], at[i][1], names[i], strlen(names[i]), 0, SYMBOL_GLOBAL), 0);
	symtab_finish(&t, 4096);
	assert_int_equal(symcache_build_symbols(b, &t), 0);
	symtab_fini(&t);
}

static void is_frame(const struct symcache *c, const struct symcache_frame *f, const char *name, const char *linkage,
		     const char *path, uint32_t line, uint32_t start_line)
{
	assert_string_equal(symcache_string(c, f->name), name);
	assert_string_equal(symcache_string(c, f->linkage), linkage);
	assert_string_equal(symcache_string(c, f->file), path);
	assert_int_equal(f->line, line);
	assert_int_equal(f->start_line, start_line);
}

static void a_chain_goes_from_the_inlined_to_the_physical(void **state)
{
	struct symcache_build *b;
	struct symcache_frame f[4];
	struct symcache *c;
	uint32_t outer, middle, inner;

	assert_int_equal(symcache_build_new(&b), 0);
	outer = node(b, function(b, "outer", "_Z5outerv", "/src/a.c", 10), SYMCACHE_NONE, NULL, 0);
	middle = node(b, function(b, "middle", "_Z6middlev", "/src/a.h", 20), outer, "/src/a.c", 12);
	inner = node(b, function(b, "inner", "", "/src/b.h", 30), middle, "/src/a.h", 22);
	assert_int_equal(symcache_build_range(b, inner, 0x1010, 0x1020), 0);
	assert_int_equal(symcache_build_range(b, outer, 0x1000, 0x1100), 0);
	assert_int_equal(symcache_build_range(b, outer, 0x5000, 0x5010), 0);
	assert_int_equal(symcache_build_range(b, middle, 0x1008, 0x1030), 0);
	assert_int_equal(symcache_build_lines(b, (struct symcache_line[]){ { 0x1000, file(b, "/src/a.c"), 11 },
									     { 0x1008, file(b, "/src/a.h"), 21 },
									     { 0x1010, file(b, "/src/b.h"), 31 },
									     { 0x1020, file(b, "/src/a.c"), 0 },
									     { 0x1100, 0, 0 } }, 5), 0);
	symbols(b, (const char *[]){ "_Z5outerv", "_Z5outerv.cold", "asm_only" },
		(const uint64_t[][2]){ { 0x1000, 0x100 }, { 0x5000, 0x10 }, { 0x6000, 8 } }, 3);
	c = written(b);
	assert_int_equal(symcache_find(c, 0x1013, f, 4), 3);
	is_frame(c, &f[0], "inner", "inner", "/src/b.h", 31, 30);
	is_frame(c, &f[1], "middle", "_Z6middlev", "/src/a.h", 22, 20);
	is_frame(c, &f[2], "outer", "_Z5outerv", "/src/a.c", 12, 10);
	assert_string_equal(symcache_string(c, f[2].start_file), "/src/a.c");
	assert_int_equal(f[2].language, 4);
	assert_int_equal(symcache_find(c, 0x1013, f, 2), 2);
	is_frame(c, &f[0], "inner", "inner", "/src/b.h", 31, 30);
	is_frame(c, &f[1], "outer", "_Z5outerv", "/src/a.c", 12, 10);
	assert_int_equal(symcache_find(c, 0x1020, f, 4), 2);
	is_frame(c, &f[0], "middle", "_Z6middlev", "/src/a.c", 0, 20);
	assert_int_equal(symcache_find(c, 0x5003, f, 4), 1);
	is_frame(c, &f[0], "outer", "_Z5outerv.cold", "", 0, 10);
	assert_int_equal(symcache_find(c, 0x6007, f, 4), 1);
	is_frame(c, &f[0], "asm_only", "asm_only", "", 0, 0);
	assert_int_equal(symcache_find(c, 0xfff, f, 4), -ENOENT);
	assert_int_equal(symcache_find(c, 0x1100, f, 4), -ENOENT);
	assert_int_equal(symcache_find(c, 0x6008, f, 4), -ENOENT);
	assert_int_equal(symcache_find(c, 0, f, 4), -ENOENT);
	assert_int_equal(symcache_find(c, UINT64_MAX, f, 4), -ENOENT);
	symcache_free(c);
}

/* What every address should answer; filled the slow way. */
struct model {
	uint32_t parent[NODES], root[NODES], depth[NODES], function[NODES], call_line[NODES];
	uint32_t nodes, owner[SPACE], file[SPACE], line[SPACE];
	bool lined[SPACE];
};

static bool model_wins(const struct model *m, uint32_t n, uint32_t o)
{
	if (m->root[n] != m->root[o])
		return m->root[n] < m->root[o];
	return m->depth[n] > m->depth[o] || (m->depth[n] == m->depth[o] && n < o);
}

static void model_range(struct model *m, uint32_t n, uint32_t start, uint32_t end)
{
	for (uint32_t x = start; x < end; x++)
		if (m->owner[x] == SYMCACHE_NONE || model_wins(m, n, m->owner[x]))
			m->owner[x] = n;
}

/* nested: a child within a range of its parent; otherwise anywhere, as in damaged DWARF. */
static void random_nodes(struct symcache_build *b, struct model *m, const uint32_t *functions, uint64_t base, bool nested)
{
	uint32_t from[NODES], to[NODES];

	for (uint32_t i = 0; i < NODES; i++) {
		uint32_t p = i && below(4) ? below(i) : SYMCACHE_NONE, id, line = below(5000);
		bool inside = nested && p != SYMCACHE_NONE;
		uint32_t lo = inside ? from[p] : 0, hi = inside ? to[p] : SPACE;

		m->parent[i] = p;
		m->root[i] = p == SYMCACHE_NONE ? i : m->root[p];
		m->depth[i] = p == SYMCACHE_NONE ? 0 : m->depth[p] + 1;
		m->function[i] = below(FUNCTIONS);
		m->call_line[i] = line;
		assert_int_equal(symcache_build_node(b, functions[m->function[i]], p, p == SYMCACHE_NONE ? SYMCACHE_NONE : 0,
						     line, &id), 0);
		assert_int_equal(id, i);
		from[i] = lo + (hi > lo ? below(hi - lo) : 0);
		to[i] = from[i] + (hi > from[i] ? below(hi - from[i] + 1) : 0);
		for (int r = (int)below(3); r >= 0; r--) {
			uint32_t s = from[i] + (to[i] > from[i] ? below(to[i] - from[i]) : 0), e = s + below(to[i] - s + 1);

			if (!r) {
				s = from[i];
				e = to[i];
			}
			assert_int_equal(symcache_build_range(b, i, base + s, base + e), 0);
			model_range(m, i, s, e);
		}
	}
}

static void random_lines(struct symcache_build *b, struct model *m, uint32_t n_files, uint64_t base)
{
	struct symcache_line rows[200];

	for (int s = 0; s < SEQUENCES; s++) {
		uint32_t x = below(SPACE), n = 0;

		for (; n < 150 && x < SPACE; x += below(4))
			rows[n++] = (struct symcache_line){ base + x, below(3) ? 0 : below(n_files),
							    below(20) ? 100 + below(300) : below(UINT32_MAX) };
		rows[n - 1].file = rows[n - 1].line = 7777;
		assert_int_equal(symcache_build_lines(b, rows, n), 0);
		for (uint32_t i = 0; i + 1 < n; i++)
			for (uint64_t a = rows[i].address; a < rows[i + 1].address; a++)
				if (!m->lined[a - base]) {
					m->file[a - base] = rows[i].file;
					m->line[a - base] = rows[i].line;
					m->lined[a - base] = true;
				}
	}
}

static void agree(const struct symcache *c, const struct model *m, const struct symtab *t, uint64_t base)
{
	struct symcache_frame f[MAX];
	char text[64];

	for (uint32_t x = 0; x < SPACE; x++) {
		const struct symbol *s = symtab_find(t, base + x);
		uint32_t n = m->owner[x], want = n == SYMCACHE_NONE ? 1 : m->depth[n] + 1;
		int got = symcache_find(c, base + x, f, MAX);

		if (n == SYMCACHE_NONE && !s && !m->lined[x]) {
			assert_int_equal(got, -ENOENT);
			continue;
		}
		assert_int_equal(got, want);
		assert_int_equal(f[0].line, m->lined[x] ? m->line[x] : 0);
		text[0] = '\0';
		if (m->lined[x])
			snprintf(text, sizeof(text), "/f/%u", m->file[x]);
		assert_string_equal(symcache_string(c, f[0].file), text);
		for (uint32_t i = 0; i < want && n != SYMCACHE_NONE; i++, n = m->parent[n]) {
			snprintf(text, sizeof(text), "f%u", m->function[n]);
			assert_string_equal(symcache_string(c, f[i].name), text);
			if (i + 1 < want) {
				assert_string_equal(symcache_string(c, f[i].linkage), text);
				assert_int_equal(f[i + 1].line, m->call_line[n]);
			}
		}
		if (s)
			assert_string_equal(symcache_string(c, f[got - 1].linkage), symtab_str(t, s->name));
	}
}

static void one_random_cache(uint64_t from_seed)
{
	static struct model m;
	uint64_t base = from_seed % 3 ? 0xffffffff81000000ull : 0x1000;
	uint32_t functions[FUNCTIONS], n_files = 1 + (uint32_t)(from_seed % 40);
	struct symcache_build *b;
	struct symtab t = { 0 };
	struct symcache *c;
	char text[32];

	seed = from_seed;
	memset(&m, 0, sizeof(m));
	memset(m.owner, 0xff, sizeof(m.owner));
	assert_int_equal(symcache_build_new(&b), 0);
	for (uint32_t i = 0; i < n_files; i++) {
		snprintf(text, sizeof(text), "/f/%u", i);
		assert_int_equal(file(b, text), i);
	}
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		snprintf(text, sizeof(text), "f%u", i);
		functions[i] = function(b, text, "", "/f/0", i);
	}
	random_nodes(b, &m, functions, base, from_seed % 2);
	random_lines(b, &m, n_files, base);
	for (uint32_t i = 0; i < SYMBOLS; i++) {
		int len = snprintf(text, sizeof(text), "s%u", i);

		symtab_add(&t, base + below(SPACE), below(100), text, (size_t)len, 0, SYMBOL_GLOBAL);
	}
	symtab_finish(&t, 64);
	assert_int_equal(symcache_build_symbols(b, &t), 0);
	c = written(b);
	agree(c, &m, &t, base);
	symcache_free(c);
	symtab_fini(&t);
}

static void random_trees_agree_with_the_model(void **state)
{
	for (uint64_t s = 1; s <= 40; s++)
		one_random_cache(s);
}

static void an_empty_cache_knows_nothing(void **state)
{
	struct symcache_frame f;
	struct symcache_build *b;
	struct symcache *c;

	assert_int_equal(symcache_build_new(&b), 0);
	c = written(b);
	assert_int_equal(symcache_find(c, 0, &f, 1), -ENOENT);
	assert_int_equal(symcache_find(c, UINT64_MAX, &f, 1), -ENOENT);
	assert_string_equal(symcache_string(c, 0), "");
	assert_string_equal(symcache_string(c, 12345), "");
	symcache_free(c);
}

static void nodes_too_deep_are_their_parent(void **state)
{
	struct symcache_frame f[MAX];
	uint32_t n = SYMCACHE_NONE, at, before;
	struct symcache_build *b;
	struct symcache *c;

	assert_int_equal(symcache_build_new(&b), 0);
	at = function(b, "f", "", "/f", 1);
	for (int i = 0; i < 400; i++) {
		before = n;
		n = node(b, at, n, NULL, 3);
		assert_int_equal(symcache_build_range(b, n, 0, 400 - i), 0);
	}
	assert_int_equal(n, before);
	c = written(b);
	assert_int_equal(symcache_find(c, 0, f, MAX), SYMCACHE_DEPTH_MAX);
	assert_int_equal(symcache_find(c, 399, f, MAX), 1);
	symcache_free(c);
}

static void what_is_4_gib_away_is_left_out(void **state)
{
	struct symcache_frame f;
	struct symcache_build *b;
	struct symcache *c;
	uint32_t n;

	assert_int_equal(symcache_build_new(&b), 0);
	n = node(b, function(b, "f", "", "/f", 1), SYMCACHE_NONE, NULL, 0);
	assert_int_equal(symcache_build_range(b, n, 0x1000, 0x1010), 0);
	assert_int_equal(symcache_build_range(b, n, 0x100001000, UINT64_MAX), 0);
	assert_int_equal(symcache_build_range(b, n, 0xfffff000, 0x200000000), 0);
	assert_int_equal(symcache_build_range(b, n, 7, 7), 0);
	assert_int_equal(symcache_build_range(b, n, 7, 6), 0);
	assert_int_equal(symcache_build_lines(b, (struct symcache_line[]){ { 0x1000, 0, 5 }, { UINT64_MAX, 0, 0 } }, 2), 0);
	assert_int_equal(symcache_build_lines(b, (struct symcache_line[]){ { 0x1000, 0, 5 }, { 0x800, 0, 0 } }, 2), 0);
	c = written(b);
	assert_int_equal(symcache_find(c, 0x1000, &f, 1), 1);
	assert_int_equal(symcache_find(c, 0x100000ffe, &f, 1), 1);
	assert_int_equal(f.line, 5);
	assert_int_equal(symcache_find(c, 0x100000fff, &f, 1), 1);
	assert_int_equal(symcache_find(c, 0x100001000, &f, 1), -ENOENT);
	symcache_free(c);
}

static struct symcache_build *small(void)
{
	struct symcache_build *b;
	uint32_t outer;

	assert_int_equal(symcache_build_new(&b), 0);
	outer = node(b, function(b, "outer", "", "/a.c", 1), SYMCACHE_NONE, NULL, 0);
	assert_int_equal(symcache_build_range(b, outer, 0x1000, 0x1100), 0);
	assert_int_equal(symcache_build_range(b, node(b, function(b, "inner", "", "/a.c", 9), outer, "/a.c", 3), 0x1010,
					      0x1020), 0);
	assert_int_equal(symcache_build_lines(b, (struct symcache_line[]){ { 0x1000, 0, 2 }, { 0x1010, 0, 9 },
									     { 0x1100, 0, 0 } }, 3), 0);
	symbols(b, (const char *[]){ "outer" }, (const uint64_t[][2]){ { 0x1000, 0x100 } }, 1);
	return b;
}

static size_t small_bytes(uint8_t *ret, size_t max)
{
	_cleanup_(closep) int fd = cache_file();
	struct symcache_build *b = small();
	ssize_t n;

	assert_int_equal(symcache_build_write(b, fd, &key), 0);
	symcache_build_free(b);
	n = pread(fd, ret, max, 0);
	assert_true(n > 0 && (size_t)n < max);
	return (size_t)n;
}

static int opens(const void *bytes, size_t len)
{
	_cleanup_(closep) int fd = cache_file();
	_cleanup_(symcache_freep) struct symcache *c = NULL;

	assert_int_equal(file_write_all(fd, bytes, len), 0);
	return symcache_open(fd, &key, &c);
}

static void damage_anywhere_is_noticed(void **state)
{
	uint8_t bytes[4096];
	size_t n = small_bytes(bytes, sizeof(bytes));

	assert_int_equal(opens(bytes, n), 0);
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit += 3) {
			bytes[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(opens(bytes, n), -EBADMSG);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t len = 0; len < n; len++)
		assert_int_equal(opens(bytes, len), -EBADMSG);
	bytes[n] = 0;
	assert_int_equal(opens(bytes, n + 1), -EBADMSG);
}

/* A forger makes the sums right: then nothing may be read outside of the file, which ASan watches. */
static void forge(uint8_t *bytes, size_t n)
{
	struct symcache_header *h = (void *)bytes;
	struct symcache_sum sum = SYMCACHE_SUM_INIT;

	symcache_sum_add(&sum, bytes + sizeof(*h), n - sizeof(*h));
	h->body_sum = symcache_sum_end(&sum);
	sum = SYMCACHE_SUM_INIT;
	symcache_sum_add(&sum, h, offsetof(struct symcache_header, header_sum));
	h->header_sum = symcache_sum_end(&sum);
}

static void forged_files_stay_inside(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint8_t bytes[4096], good[4096];
	size_t n = small_bytes(good, sizeof(good)), opened = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			_cleanup_(closep) int fd = cache_file();
			struct symcache_frame f[4];
			struct symcache *c;

			memcpy(bytes, good, n);
			bytes[i] = values[v];
			forge(bytes, n);
			assert_int_equal(file_write_all(fd, bytes, n), 0);
			if (symcache_open(fd, &key, &c) < 0)
				continue;
			opened++;
			for (uint64_t a = 0xff0; a < 0x1110; a++) {
				int got = symcache_find(c, a, f, 4);

				for (int k = 0; k < got; k++) {
					assert_true(strlen(symcache_string(c, f[k].name)) < n);
					assert_true(strlen(symcache_string(c, f[k].file)) < n);
				}
			}
			symcache_free(c);
		}
	assert_true(opened > n);
}

static void a_foreign_file_is_refused(void **state)
{
	_cleanup_(closep) int fd = cache_file();
	struct symcache_build *b = small();
	struct build_id other = key;
	struct symcache *c = NULL;

	assert_int_equal(symcache_build_write(b, fd, &key), 0);
	symcache_build_free(b);
	other.bytes[5]++;
	assert_int_equal(symcache_open(fd, &other, &c), -EBADMSG);
	assert_int_equal(fchmod(fd, 0620), 0);
	assert_int_equal(symcache_open(fd, &key, &c), -EBADMSG);
	assert_int_equal(fchmod(fd, 0602), 0);
	assert_int_equal(symcache_open(fd, &key, &c), -EBADMSG);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(symcache_open(fd, &key, &c), 0);
	c = symcache_free(c);
	if (!geteuid()) {
		assert_int_equal(fchown(fd, 65534, 65534), 0);
		assert_int_equal(symcache_open(fd, &key, &c), -EBADMSG);
	}
	assert_null(c);
}

static void a_full_disk_is_an_error(void **state)
{
	_cleanup_(closep) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct symcache_build *b = small();

	assert_true(symcache_build_write(b, fd, &key) < 0);
	symcache_build_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_goes_from_the_inlined_to_the_physical),
		cmocka_unit_test(random_trees_agree_with_the_model),
		cmocka_unit_test(an_empty_cache_knows_nothing),
		cmocka_unit_test(nodes_too_deep_are_their_parent),
		cmocka_unit_test(what_is_4_gib_away_is_left_out),
		cmocka_unit_test(damage_anywhere_is_noticed),
		cmocka_unit_test(forged_files_stay_inside),
		cmocka_unit_test(a_foreign_file_is_refused),
		cmocka_unit_test(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
