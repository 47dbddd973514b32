/* SPDX-License-Identifier: Apache-2.0 */
/* What a process says of itself: in its environment, and in the context it publishes. */
#include "fixture_identity.h"

#include <errno.h>

#include "proc/declared.h"
#include "proc/image.h"
#include "proc/process_context.h"

/* "name=value name=value" of what an environment declares. */
static void expect_declared(const char *env, size_t len, const char *want)
{
	struct strmap m = { 0 };
	struct buf got = BUF_INIT;

	assert_int_equal(declared_add_attributes(&m, env, len), 0);
	assert_true(declared_add_service_name(&m, env, len) >= 0);
	vec_foreach(e, &m.v)
		buf_printf(&got, "%s%s=%s", got.len ? " " : "", e->key, e->value);
	buf_putc(&got, '\0');
	assert_string_equal((char *)got.data, want);
	buf_fini(&got);
	strmap_fini(&m);
}

static void an_environment_declares_attributes(void **state)
{
	expect_declared(NULL, 0, "");
	expect_declared(ENV("PATH=/bin\0OTEL_SERVICE_NAME=shop\0HOME=/"), "service.name=shop");
	expect_declared(ENV("OTEL_SERVICE_NAME=shop"), "service.name=shop");
	expect_declared(ENV("OTEL_SERVICE_NAME="), "");
	expect_declared(ENV("OTEL_SERVICE_NAMES=no\0XOTEL_SERVICE_NAME=no"), "");
	expect_declared(ENV("OTEL_SERVICE_NAME=first\0OTEL_SERVICE_NAME=second\0"), "service.name=first");
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=service.version=1.2,a=b\0"), "a=b service.version=1.2");
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES= a = b , c=d,\0"), "a=b c=d");
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=low\0OTEL_SERVICE_NAME=high\0"), "service.name=high");
	expect_declared(ENV("OTEL_SERVICE_NAME=50%20off\0"), "service.name=50%20off"); /* no list: not encoded */
}

static void attributes_are_percent_decoded_and_broken_pairs_left_out(void **state)
{
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=a=x%2Cy%3d%20z,b%2e=1\0"), "a=x,y= z b.=1");
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=a=%,b=%4,c=%zz,d=%00,e=%41\0"), "e=A");
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=alone,=v,k=,good=yes,x=1=2\0"), "good=yes x=1=2");
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=a%3db=no\0"), ""); /* a name with = in it */
	expect_declared(ENV("OTEL_RESOURCE_ATTRIBUTES=a=L\xc3\xa4" "den,b=%C3%A4,c=\xff\n\0"), "a=L\xc3\xa4" "den b=\xc3\xa4 c=?");
}

static void what_is_declared_is_bounded(void **state)
{
	struct buf env = BUF_INIT;
	struct strmap m = { 0 };

	buf_puts(&env, "OTEL_RESOURCE_ATTRIBUTES=");
	for (int i = 0; i < 200; i++)
		buf_printf(&env, "k%03d=%0*d,", i, 3000, i);
	buf_printf(&env, "%0*d=long", DECLARED_NAME_MAX + 1, 1);
	assert_int_equal(declared_add_attributes(&m, (char *)env.data, env.len), 0);
	assert_int_equal(m.v.n, DECLARED_MAX);
	assert_int_equal(strlen(strmap_get(&m, "k000")), DECLARED_VALUE_MAX);
	/* The name of the service finds its place. */
	assert_int_equal(declared_add_service_name(&m, ENV("OTEL_SERVICE_NAME=last")), 1);
	assert_string_equal(strmap_get(&m, "service.name"), "last");
	strmap_fini(&m);
	buf_puts(&env, ",service.name=behind");
	assert_int_equal(declared_add_attributes(&m, (char *)env.data, env.len), 0);
	assert_int_equal(m.v.n, DECLARED_MAX + 1);
	assert_string_equal(strmap_get(&m, "service.name"), "behind");
	strmap_fini(&m);
	buf_fini(&env);
}

static void a_value_is_not_cut_inside_a_character(void **state)
{
	static const char name[] = "OTEL_SERVICE_NAME=";
	char env[2000];
	struct strmap m = { 0 };

	memcpy(env, name, sizeof(name) - 1);
	for (size_t i = sizeof(name) - 1; i + 1 < sizeof(env); i += 3)
		memcpy(env + i, "\xe2\x82\xac", i + 3 <= sizeof(env) ? 3 : 1);
	assert_int_equal(declared_add_service_name(&m, env, sizeof(name) - 1 + 1500), 1);
	assert_int_equal(strlen(strmap_get(&m, "service.name")), DECLARED_VALUE_MAX / 3 * 3);
	strmap_fini(&m);
}

static void a_process_context_is_read_and_nothing_outside_of_it(void **state)
{
	struct buf b = BUF_INIT;
	struct strmap m = { 0 };

	make_context(&b);
	assert_int_equal(declared_add_context(&m, b.data, b.len), 0);
	assert_int_equal(m.v.n, 3);
	assert_string_equal(strmap_get(&m, "service.name"), "from-context");
	assert_string_equal(strmap_get(&m, "build"), "-7");
	assert_string_equal(strmap_get(&m, "extra"), "yes");
	for (size_t n = 0; n < b.len; n++) { /* cut anywhere, and each byte another one */
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, b.data, n);
		assert_int_equal(declared_add_context(&m, copy, n), 0);
		if (n)
			copy[n / 2] ^= 0xff;
		assert_int_equal(declared_add_context(&m, copy, n), 0);
		free(copy);
	}
	strmap_fini(&m);
	buf_fini(&b);
}

static void a_published_context_is_found_in_memory(void **state)
{
	struct buf message = BUF_INIT, got = BUF_INIT;
	struct published *p;

	make_context(&message);
	assert_int_equal(process_context_read(getpid(), &got), -ENOENT);
	for (int behind = 0; behind < 2; behind++) {
		p = publish(&message, behind);
		buf_reset(&got);
		assert_int_equal(process_context_read(getpid(), &got), 0);
		assert_int_equal(got.len, message.len);
		assert_memory_equal(got.data, message.data, got.len);
		munmap(p, 8192);
	}
	assert_int_equal(process_context_read(1 << 30, &got), -ESRCH);
	buf_fini(&message);
	buf_fini(&got);
}

static void a_context_that_lies_is_refused(void **state)
{
	struct buf message = BUF_INIT, got = BUF_INIT;
	FILE *file = fopen("/proc/self/exe", "re");
	void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fileno(file), 0);
	struct published *p, whole;

	make_context(&message);
	p = publish(&message, true);
	whole = *p;
#define WITH(field, value, answer)                                          \
	do {                                                                \
		*p = whole;                                                 \
		p->field = value;                                           \
		assert_int_equal(process_context_read(getpid(), &got), answer); \
		assert_int_equal(got.len, 0);                               \
	} while (0)
	WITH(signature[0], 'o', -EAGAIN);
	WITH(version, 3, -EBADMSG);
	WITH(size, PROCESS_CONTEXT_MAX + 1, -EBADMSG);
	WITH(size, PROCESS_CONTEXT_MAX, -EBADMSG); /* beyond its mapping */
	WITH(published_at_ns, 0, -EAGAIN);
	WITH(payload, 0, -EBADMSG);
	WITH(payload, 16, -EBADMSG);
	WITH(payload, UINT64_MAX - 8, -EBADMSG);
	WITH(payload, (uintptr_t)mapped, -EBADMSG); /* a file's: to read it may take for ever */
	munmap(p, 8192);
	munmap(mapped, 4096);
	fclose(file);
	buf_fini(&message);
}

static void what_a_process_said_is_its_childs_and_ends_with_its_program(void **state)
{
	struct images *images;
	struct processes *ps;
	struct process *p;

	assert_int_equal(images_new(&images), 0);
	assert_int_equal(processes_new(images, &ps), 0);
	p = process_add(ps, 7, 1);
	p->declared = strdup("service.name=a\n");
	p->declared_known = true;
	assert_int_equal(process_fork(ps, 8, 7, 2), 0);
	assert_string_equal(process_find(ps, 8)->declared, "service.name=a\n");
	assert_true(process_find(ps, 8)->declared_known);
	assert_int_equal(process_exec(ps, 8, "x", 3), 0);
	assert_null(process_find(ps, 8)->declared);
	assert_false(process_find(ps, 8)->declared_known);
	assert_int_equal(process_find(ps, 8)->program_ns, 3);
	assert_string_equal(process_find(ps, 7)->declared, "service.name=a\n");
	processes_free(ps);
	images_free(images);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_environment_declares_attributes),
		cmocka_unit_test(attributes_are_percent_decoded_and_broken_pairs_left_out),
		cmocka_unit_test(what_is_declared_is_bounded),
		cmocka_unit_test(a_value_is_not_cut_inside_a_character),
		cmocka_unit_test(a_process_context_is_read_and_nothing_outside_of_it),
		cmocka_unit_test(a_published_context_is_found_in_memory),
		cmocka_unit_test(a_context_that_lies_is_refused),
		cmocka_unit_test(what_a_process_said_is_its_childs_and_ends_with_its_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
