/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks of slabs: given, retired, and given again only when nobody can be reading them. */
#include "unit.h"

#include <errno.h>

#include "base/units.h"
#include "bpf/slab.h"
#include "unwind/slabs.h"

enum { CHUNKS = 400 };
#define GRACE (100 * NSEC_PER_MSEC)

static int make_slabs(void **state)
{
	return slabs_new(-1, (struct slabs **)state);
}

static int free_slabs(void **state)
{
	slabs_free(*state);
	return 0;
}

static uint32_t alloc(struct slabs *s, uint32_t bytes)
{
	uint32_t at = 0;

	assert_int_equal(slabs_alloc(s, bytes, &at), 0);
	assert_true(at && at % 64 == 0 && (at & (SLAB_BYTES - 1)) + bytes <= SLAB_BYTES);
	return at;
}

static void a_chunk_is_zero_and_has_an_address(void **state)
{
	struct slabs *s = *state;
	static const uint8_t zero[5000];
	uint32_t at = alloc(s, sizeof(zero));

	assert_memory_equal(slabs_at(s, at), zero, sizeof(zero));
	memset(slabs_at(s, at), 0xff, sizeof(zero));
	slabs_retire(s, at, sizeof(zero), 0);
	slabs_reap(s, GRACE);
	assert_int_equal(slabs_used_bytes(s), 0);
	for (int i = 0; i < 300; i++) { /* all of the slab is given again, and zero again */
		at = alloc(s, sizeof(zero));
		assert_memory_equal(slabs_at(s, at), zero, sizeof(zero));
	}
	assert_null(slabs_at(s, 7u << SLAB_BITS));
	assert_null(slabs_at(s, UINT32_MAX));
}

static void no_chunk_is_empty_or_as_large_as_a_slab(void **state)
{
	struct slabs *s = *state;
	uint32_t at = 17;

	assert_int_equal(slabs_alloc(s, 0, &at), -ENOSPC);
	assert_int_equal(slabs_alloc(s, SLAB_BYTES, &at), -ENOSPC);
	assert_int_equal(slabs_alloc(s, UINT32_MAX, &at), -ENOSPC);
	assert_int_equal(at, 17);
	assert_int_equal(slabs_kernel_bytes(s), 0);
	alloc(s, SLAB_BYTES - 64);
	assert_int_equal(slabs_kernel_bytes(s), SLAB_BYTES);
}

static void what_is_retired_is_not_given_before_its_grace(void **state)
{
	struct slabs *s = *state;
	uint32_t at = alloc(s, SLAB_BYTES - 64);
	uint8_t *bytes = slabs_at(s, at);

	bytes[0] = 42;
	slabs_retire(s, at, SLAB_BYTES - 64, 1000);
	slabs_reap(s, 1000 + GRACE - 1);
	assert_int_equal(bytes[0], 42);
	assert_int_not_equal(alloc(s, SLAB_BYTES - 64) >> SLAB_BITS, at >> SLAB_BITS);
	assert_int_equal(slabs_used_bytes(s), 2 * (SLAB_BYTES - 64));
	slabs_reap(s, 1000 + GRACE);
	assert_int_equal(slabs_used_bytes(s), SLAB_BYTES - 64);
	assert_int_equal(alloc(s, SLAB_BYTES - 64), at);
}

static void an_empty_slab_goes_and_its_number_comes_again(void **state)
{
	struct slabs *s = *state;
	uint32_t at[4];

	for (uint32_t i = 0; i < 4; i++) {
		at[i] = alloc(s, SLAB_BYTES - 64);
		assert_int_equal(at[i] >> SLAB_BITS, i);
	}
	slabs_retire(s, at[1], SLAB_BYTES - 64, 0);
	slabs_retire(s, at[0], SLAB_BYTES - 64, 0);
	slabs_reap(s, GRACE);
	assert_int_equal(slabs_kernel_bytes(s),
			 3 * SLAB_BYTES); /* the first one stays: address 0 is in it */
	assert_null(slabs_at(s, at[1]));
	assert_non_null(slabs_at(s, at[2]));
	assert_int_equal(alloc(s, 64) >> SLAB_BITS, 0);
	assert_int_equal(alloc(s, SLAB_BYTES - 64) >> SLAB_BITS, 1);
	slabs_retire(s, 0, 64, 0); /* nothing */
}

/* Against a list: no two chunks share a byte, what is in one stays, and the sums are right. */
static void chunks_given_and_retired_at_random_never_overlap(void **state)
{
	struct slabs *s = *state;
	struct {
		uint32_t at, bytes;
		uint8_t mark;
	} live[CHUNKS] = { 0 };
	unsigned int seed = 4711;
	size_t sum = 0, most = 0;

	for (uint64_t round = 1; round < 20000; round++) {
		uint32_t i = (uint32_t)rand_r(&seed) % CHUNKS;
		uint8_t *bytes = live[i].bytes ? slabs_at(s, live[i].at) : NULL;

		if (bytes) {
			for (uint32_t k = 0; k < live[i].bytes; k += 61)
				assert_int_equal(bytes[k], live[i].mark);
			slabs_retire(s, live[i].at, live[i].bytes, round * NSEC_PER_MSEC);
			sum -= (live[i].bytes + 63) / 64 * 64;
			live[i].bytes = 0;
		} else {
			live[i].bytes =
				1 + (uint32_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 2000 : 200000);
			live[i].at = alloc(s, live[i].bytes);
			live[i].mark = (uint8_t)round;
			memset(slabs_at(s, live[i].at), live[i].mark, live[i].bytes);
			sum += (live[i].bytes + 63) / 64 * 64;
		}
		most = sum > most ? sum : most;
		if (round % 50 == 0)
			slabs_reap(s, round * NSEC_PER_MSEC);
	}
	assert_true(slabs_used_bytes(s) >= sum);
	slabs_reap(s, 30000 * NSEC_PER_MSEC);
	assert_int_equal(slabs_used_bytes(s), sum);
	assert_true(slabs_kernel_bytes(s) < 2 * most + 2 * SLAB_BYTES); /* holes are filled */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_slabs, free_slabs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_chunk_is_zero_and_has_an_address),
		TEST(no_chunk_is_empty_or_as_large_as_a_slab),
		TEST(what_is_retired_is_not_given_before_its_grace),
		TEST(an_empty_slab_goes_and_its_number_comes_again),
		TEST(chunks_given_and_retired_at_random_never_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
