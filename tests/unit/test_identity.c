/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is: what it says of itself, the ladder of names, and what must not be believed. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/units.h"
#include "base/wire.h"
#include "bpf/events.h"
#include "proc/declared.h"
#include "proc/executable.h"
#include "proc/identity.h"
#include "proc/image.h"
#include "proc/labels.h"
#include "proc/process.h"
#include "proc/process_context.h"
#include "proc/relabel.h"
#include "proc/startup.h"
#include "proc/target.h"
#include "proc/users.h"

#define ENV(text) text, sizeof(text) - 1

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

/* ---- process context ---- */

static void key_value(struct buf *b, uint32_t field, const char *key, const char *text, int64_t number)
{
	size_t pair = wire_begin(b, field), value;

	wire_string(b, 1, key);
	value = wire_begin(b, 2);
	if (text)
		wire_string(b, 1, text);
	else
		wire_int(b, 3, number);
	wire_end(b, value);
	wire_end(b, pair);
}

static void make_context(struct buf *b)
{
	size_t resource = wire_begin(b, 1);

	key_value(b, 1, "service.name", "from-context", 0);
	key_value(b, 1, "build", NULL, -7);
	wire_uint(b, 2, 3); /* dropped_attributes_count */
	wire_end(b, resource);
	key_value(b, 2, "extra", "yes", 0);
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

struct published {
	char signature[8];
	uint32_t version, size;
	uint64_t published_at_ns, payload;
};

/* As an SDK does it: a memfd mapped under that name, the message elsewhere or behind the header. */
static struct published *publish(const struct buf *message, bool behind)
{
	int fd = memfd_create("OTEL_CTX", MFD_CLOEXEC);
	struct published *p;
	void *at;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	at = behind ? (void *)(p + 1) : message->data;
	if (behind)
		memcpy(at, message->data, message->len);
	*p = (struct published){ .version = 2, .size = (uint32_t)message->len, .published_at_ns = 1, .payload = (uintptr_t)at };
	memcpy(p->signature, "OTEL_CTX", 8);
	return p;
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

/* ---- the moment of the sample ---- */

/* A sample's rest with a little stack, and the start behind it. */
static struct ev_rest *rest_with(const char *args, size_t args_len, const char *env, size_t env_len)
{
	struct ev_rest *r = calloc(1, sizeof(*r) + 64 + args_len + env_len);

	r->stack_bytes = 64;
	r->start_bytes = (uint32_t)(args_len + env_len);
	r->args = 0x7ffc00001000;
	r->args_end = r->env = r->args + args_len;
	r->env_end = r->env + env_len;
	r->uid = 4321;
	memcpy(r->stack + 64, args, args_len);
	memcpy(r->stack + 64 + args_len, env, env_len);
	return r;
}

static void arguments_and_environment_come_with_the_sample(void **state)
{
	struct ev_rest *rest = rest_with("prog\0-x", 8, ENV("A=1\0OTEL_SERVICE_NAME=gone\0"));
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	const struct ev_rest whole = *rest;
	struct startup s;

	startup_read(&p, rest, &s);
	assert_true(s.known);
	assert_int_equal(s.args.len, 8);
	assert_memory_equal(s.args.data, "prog\0-x", 8);
	assert_memory_equal(s.env.data, "A=1\0OTEL_SERVICE_NAME=gone\0", s.env.len);
	startup_fini(&s);
#define LIES(field, value)                       \
	do {                                     \
		*rest = whole;                   \
		rest->field = value;             \
		startup_read(&p, rest, &s);      \
		assert_false(s.known);           \
	} while (0)
	LIES(env_end, whole.env_end + 1); /* a byte beyond what came */
	LIES(env_end, whole.env - 1);
	LIES(env, whole.args - 8);
	LIES(args_end, UINT64_MAX);
	LIES(start_bytes, 0);
	free(rest);
}

/* Fields 48 and 50 of our own. */
static void own_addresses(struct ev_rest *rest)
{
	char text[1024], *s;
	FILE *f = fopen("/proc/self/stat", "re");

	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	s = strrchr(text, ')');
	for (int i = 2; i < 48; i++)
		s = strchr(s + 1, ' ');
	assert_int_equal(sscanf(s, "%llu %*u %llu %llu", (unsigned long long *)&rest->args, (unsigned long long *)&rest->env,
				(unsigned long long *)&rest->env_end), 3);
}

static void proc_is_believed_only_while_it_is_the_program_of_the_sample(void **state)
{
	struct ev_rest rest = { .start_bytes = 0 };
	struct process p = { .pid = (uint32_t)getpid(), .exe = "test_identity" };
	struct startup s;

	own_addresses(&rest);
	startup_read(&p, &rest, &s);
	assert_true(s.known);
	assert_non_null(memmem(s.args.data, s.args.len, "test_identity", 13));
	startup_fini(&s);
	rest.env += 16; /* it has run another program since */
	startup_read(&p, &rest, &s);
	assert_false(s.known);
	startup_read(&p, &(struct ev_rest){ .start_bytes = 0 }, &s); /* inside execve: what /proc shows by now is of a later moment */
	assert_false(s.known);
	startup_read(&p, NULL, &s);
	assert_true(s.known);
	startup_fini(&s);
	/* "python3" has become "python": its name is how the other's begins, and how it is cut. */
	static const char *const before[] = { "another", "test_identity2", "test_identity-2",
					      "test_identit" };

	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		strcpy(p.exe, before[i]);
		startup_read(&p, NULL, &s);
		assert_false(s.known);
	}
}

/* As inside execve: neither arguments nor environment. */
static bool forget_start(void)
{
	unsigned long long field[52] = { 0 };
	struct prctl_mm_map m = { .exe_fd = UINT32_MAX };
	char text[1024], *s;
	FILE *f = fopen("/proc/self/stat", "re");

	if (!f || !fgets(text, sizeof(text), f))
		return false;
	fclose(f);
	s = strrchr(text, ')') + 1;
	for (int i = 3; i < 52; i++, s += strcspn(s, " "))
		field[i] = strtoull(s += strspn(s, " "), NULL, 10);
	m.start_code = field[26];
	m.end_code = field[27];
	m.start_stack = field[28];
	m.start_data = field[45];
	m.end_data = field[46];
	m.start_brk = field[47];
	m.brk = (uintptr_t)sbrk(0);
	m.arg_start = m.arg_end = field[48];
	m.env_start = m.env_end = field[50];
	return !prctl(PR_SET_MM, PR_SET_MM_MAP, &m, sizeof(m), 0);
}

/* And that is not what it was started with. */
static void what_is_not_there_yet_is_not_known(void **state)
{
	struct process p = { .exe = "test_identity" };
	struct startup s;
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	p.pid = (uint32_t)fork();
	if (!p.pid) {
		c = forget_start();
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	startup_read(&p, NULL, &s);
	kill((pid_t)p.pid, SIGKILL);
	waitpid((pid_t)p.pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	assert_true(c);
	assert_false(s.known);
	startup_fini(&s);
}

/* What was mapped is told by a path that says so when its file is gone, and is kept cut. */
static void a_program_is_known_by_its_name_although_its_file_is_gone(void **state)
{
	static const char name[] = "a-program-whose-name-is-longer-than-what-is-kept-of-it";
	char folder[] = "/tmp/hotspan-identity-XXXXXX", path[256], file[300];
	struct process_mmap m = { .start = 0x1000,
				  .len = 0x1000,
				  .id = { .kind = BUILD_ID_GNU, .len = 20 },
				  .path = file };
	const char *const names[] = { "sleep", name };

	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < 2; i++) {
		struct images *images;
		struct processes *ps;
		struct process *p;
		pid_t child;

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		snprintf(file, sizeof(file), "cp /bin/sleep %s", path);
		assert_int_equal(system(file), 0);
		child = fork();
		if (!child) {
			execl(path, path, "100", (char *)NULL);
			_exit(1);
		}
		assert_int_equal(images_new(&images), 0);
		assert_int_equal(processes_new(images, &ps), 0);
		p = process_add(ps, (uint32_t)child, 1);
		snprintf(file, sizeof(file), "%s (deleted)", path);
		assert_int_equal(process_map(ps, p, &m), 0);
		assert_int_equal(strncmp(p->exe, names[i], 31), 0);
		assert_null(strstr(p->exe, "(del"));
		for (int tries = 0; tries < 1000 && !executable_is_current(p); tries++)
			usleep(1000); /* until it has run exec */
		assert_true(executable_is_current(p));
		unlink(path);
		assert_true(executable_is_current(p));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		processes_free(ps);
		images_free(images);
	}
	rmdir(folder);
}

/* ---- the ladder ---- */

static bool learn(const struct identity_view *v)
{
	struct startup start = { 0 };
	bool news = identity_learn(v, &start);

	startup_fini(&start);
	return news;
}

static const char *label_among(const struct identity_view *v, const struct identity_lists *lists,
			       struct startup *start, const char *name)
{
	static char text[256];
	struct strmap m = { 0 };
	const char *value;

	identity_labels(v, lists, true, start, &m);
	value = strmap_get(&m, name);
	snprintf(text, sizeof(text), "%s", value ? value : "");
	strmap_fini(&m);
	return text;
}

static const char *label_of(const struct identity_view *v, const char *name)
{
	struct startup start = { 0 };
	const char *text = label_among(v, &(struct identity_lists){ 0 }, &start, name);

	startup_fini(&start);
	return text;
}

static const char *service_with(struct process *p, const char *env, size_t len, const char *cgroup)
{
	static char service[256];
	struct ev_rest *rest = rest_with("x", 2, env, len);
	struct identity_view v = { .process = p, .rest = rest, .cgroup = cgroup };

	learn(&v);
	snprintf(service, sizeof(service), "%s", label_of(&v, "service_name"));
	free(p->declared);
	p->declared = NULL;
	p->declared_known = false;
	free(rest);
	return service;
}

static void each_rung_of_the_ladder_holds_where_those_above_do_not(void **state)
{
	static const char unit[] = "/system.slice/nginx.service";
	struct process p = { .pid = 1 << 30, .exe = "prog", .comm = "comm", .program_ns = UINT64_MAX / 2 };

	assert_string_equal(service_with(&p, ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=b\0OTEL_SERVICE_NAME=a\0"), unit), "a");
	assert_string_equal(service_with(&p, ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=b\0"), unit), "b");
	assert_string_equal(service_with(&p, ENV("A=b\0"), unit), "nginx");
	assert_string_equal(service_with(&p, ENV("A=b\0"), "/user.slice"), "prog");
	p.exe[0] = '\0';
	assert_string_equal(service_with(&p, ENV("A=b\0"), ""), "comm");
	p.comm[0] = '\0';
	assert_string_equal(service_with(&p, ENV("A=b\0"), ""), "unknown");
	assert_string_equal(label_of(&(struct identity_view){ .cgroup = unit }, "service_name"), "unknown");
	assert_string_equal(label_of(&(struct identity_view){ .process = &p, .cgroup = unit, .kernel_thread = true }, "service_name"), "kernel");
}

/* Its environment names it before the context does, and the context before the list in its environment. */
static void a_context_is_looked_for_when_the_program_has_started(void **state)
{
	struct buf message = BUF_INIT;
	struct ev_rest *rest = rest_with("x", 2, ENV("OTEL_RESOURCE_ATTRIBUTES=service.name=low,build=1\0"));
	struct process p = { .pid = (uint32_t)getpid(), .program_ns = NSEC_PER_SEC };
	struct identity_view v = { .process = &p, .rest = rest, .cgroup = "", .time_ns = NSEC_PER_SEC };
	struct published *published;

	make_context(&message);
	published = publish(&message, false);
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "low");
	assert_false(learn(&v)); /* nothing new so soon */
	v.time_ns = 3 * NSEC_PER_SEC;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "from-context");
	assert_string_equal(label_of(&v, "__meta_otel_build"), "-7");
	v.time_ns = 60 * NSEC_PER_SEC;
	assert_false(learn(&v));
	free(p.declared);
	free(rest);
	rest = rest_with("x", 2, ENV("OTEL_SERVICE_NAME=high\0"));
	p = (struct process){ .pid = (uint32_t)getpid(), .program_ns = NSEC_PER_SEC };
	v.rest = rest;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "high");
	free(p.declared);
	free(rest);
	munmap(published, 8192);
	buf_fini(&message);
}

static void rules_may_ask_for_what_is_known(void **state)
{
	struct ev_rest *rest = rest_with("prog\0-v\0two words", 18, ENV("OTEL_RESOURCE_ATTRIBUTES=service.version=1.2\0"));
	struct process p = { .pid = 1 << 30, .exe = "prog", .comm = "worker", .program_ns = UINT64_MAX / 2 };
	struct identity_view v = { .process = &p, .rest = rest, .cgroup = "/system.slice/x.service" };

	learn(&v);
	assert_string_equal(label_of(&v, "__process_pid__"), "1073741824");
	assert_string_equal(label_of(&v, "__meta_process_exe"), "prog");
	assert_string_equal(label_of(&v, "__meta_process_comm"), "worker");
	assert_string_equal(label_of(&v, "__meta_process_commandline"), "prog -v two words");
	assert_string_equal(label_of(&v, "__meta_process_uid"), "4321");
	assert_string_equal(label_of(&v, "__meta_systemd_unit"), "x.service");
	assert_string_equal(label_of(&v, "__meta_cgroup_path"), "/system.slice/x.service");
	assert_string_equal(label_of(&v, "__meta_otel_service_version"), "1.2");
	free(p.declared);
	free(rest);
}

/* What is learnt of a process is enough for its labels: nothing is read again that may be gone by then. */
static void what_a_program_was_started_with_is_read_once(void **state)
{
	struct process p = { .pid = (uint32_t)getpid(), .exe = "test_identity" };
	const struct identity_view v = { .process = &p, .cgroup = "" };
	struct startup start = { 0 };

	assert_true(identity_learn(&v, &start));
	p.exited_ns = 1;
	assert_non_null(strstr(label_among(&v, &(struct identity_lists){ 0 }, &start,
					   "__meta_process_commandline"),
			       "test_identity"));
	startup_fini(&start);
	free(p.declared);
}

/* A title lies where the environment was; and what a variable says a context does not override, whenever it comes. */
static void an_environment_that_is_written_over_still_counts(void **state)
{
	struct ev_rest *rest =
		rest_with("x", 2,
			  ENV("OTEL_RESOURCE_ATTRIBUTES=build=1,zone=z\0OTEL_SERVICE_NAME=db\0"));
	struct process p = { .pid = (uint32_t)getpid(), .program_ns = NSEC_PER_SEC };
	struct identity_view v = {
		.process = &p, .rest = rest, .cgroup = "", .time_ns = NSEC_PER_SEC
	};
	struct buf message = BUF_INIT;
	struct published *published;

	rest->uid = geteuid();
	assert_true(learn(&v));
	v.rest = NULL; /* from here on /proc/PID/environ would be asked: it says nothing of it */
	v.time_ns = 3 * NSEC_PER_SEC;
	assert_false(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "db");
	make_context(&message);
	published = publish(&message, false);
	v.time_ns = 12 * NSEC_PER_SEC;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "service_name"), "db");
	assert_string_equal(label_of(&v, "__meta_otel_build"), "-7");
	assert_string_equal(label_of(&v, "__meta_otel_zone"), "z");
	munmap(published, 8192);
	buf_fini(&message);
	free(p.declared);
	free(rest);
}

/* As a server's workers do. A sample that is new to us tells at once, else it is looked at when its program has started. */
static void a_fork_that_becomes_another_user_is_known_as_that(void **state)
{
	struct ev_rest *rest = rest_with("x", 2, ENV("A=b"));
	const struct process fork = { .pid = 1 << 30,
				      .exe = "test_identity",
				      .declared_known = true,
				      .uid_known = true,
				      .uid = 77,
				      .program_ns = 1 };
	struct process p = fork;
	struct identity_view v = { .process = &p, .cgroup = "", .time_ns = 2 };

	assert_false(learn(&v));
	assert_string_equal(label_of(&v, "__meta_process_uid"), "77");
	v.rest = rest;
	assert_true(learn(&v));
	assert_string_equal(label_of(&v, "__meta_process_uid"), "4321");
	assert_false(learn(&v));
	p = fork;
	p.pid = (uint32_t)getpid();
	v.rest = NULL;
	assert_false(learn(&v));
	v.time_ns = 2 * NSEC_PER_SEC;
	assert_true(learn(&v));
	assert_int_equal(p.uid, geteuid());
	assert_false(learn(&v));
	free(rest);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void users_have_the_names_of_the_hosts_list(void **state)
{
	char folder[] = "/tmp/hotspan-users-XXXXXX", path[64];
	struct users *u;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/passwd", folder);
	assert_int_equal(users_new(path, &u), 0);
	assert_null(users_name(u, 0)); /* there is no list yet */
	write_file(path, "b:x:7:7::/:\na:x:7:7::/:\nroot:x:0:0:root:/root:/bin/"
			 "sh\n\n:x:8:\nno\n+::::::\nmad:x:9x:\nhuge:x:4294967296:\nminus:x:-1:"
			 "\nlast:x:4294967295:");
	assert_string_equal(users_name(u, 0), "root");
	assert_string_equal(users_name(u, 7), "b");
	assert_string_equal(users_name(u, UINT32_MAX), "last");
	assert_null(users_name(u, 8));
	assert_null(users_name(u, 9));
	write_file(path, "www:x:33:\n");
	assert_string_equal(users_name(u, 33), "www");
	assert_null(users_name(u, 0));
	unlink(path); /* as when it is being replaced: what was known stays */
	assert_string_equal(users_name(u, 33), "www");
	users_free(u);
	rmdir(folder);
}

static void in_a_container_users_have_numbers_only(void **state)
{
	static const char container[] =
		"/docker/4a2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6";
	struct process p = {
		.pid = 1 << 30, .exe = "prog", .declared_known = true, .uid_known = true, .uid = 33
	};
	struct identity_view v = { .process = &p, .cgroup = "/system.slice/x.service" };
	char path[] = "/tmp/hotspan-passwd-XXXXXX";
	struct identity_lists lists = { 0 };
	struct startup start = { 0 };

	close(mkstemp(path));
	write_file(path, "www:x:33:\n");
	assert_int_equal(users_new(path, &lists.users), 0);
	assert_string_equal(label_among(&v, &lists, &start, "__meta_process_username"), "www");
	v.cgroup = container;
	assert_string_equal(label_among(&v, &lists, &start, "__meta_process_username"), "");
	assert_string_equal(label_among(&v, &lists, &start, "__meta_process_uid"), "33");
	users_free(lists.users);
	unlink(path);
}

/* ---- targets ---- */

static const char *found(struct targets *t, const struct identity_view *v)
{
	struct target target;

	targets_find(t, v, &target);
	return target.labels ? target.labels : "left out";
}

static void a_process_read_too_late_is_asked_again(void **state)
{
	struct ev_rest *rest = rest_with("x", 2, ENV("OTEL_SERVICE_NAME=mine\0"));
	struct process p = { .pid = 1 << 30, .exe = "prog" };
	struct identity_view v = { .process = &p, .cgroup = "" };
	struct targets *t;

	assert_int_equal(targets_new(&t), 0);
	assert_string_equal(found(t, &v), "service_name=prog\n"); /* gone, and the sample has no stack */
	v.rest = rest;
	assert_string_equal(found(t, &v), "service_name=mine\n");
	v.rest = NULL;
	assert_string_equal(found(t, &v), "service_name=mine\n");
	targets_set_rules(t, NULL); /* a reload: what it said is still known */
	assert_string_equal(found(t, &v), "service_name=mine\n");
	free(p.declared);
	free(rest);
	targets_free(t);
}

/* The labels and rate that a rule makes: target_label = replacement, always. */
static void with_rule(const char *label, const char *value, struct target *ret, char labels[64])
{
	const struct relabel_rule rule = { .target_label = label, .replacement = value };
	struct process p = { .pid = 1 << 30, .exe = "prog", .declared_known = true };
	const struct identity_view v = { .process = &p, .cgroup = "" };
	struct relabel *rules;
	struct targets *t;
	char err[128];
	size_t bad;

	assert_int_equal(targets_new(&t), 0);
	assert_int_equal(relabel_new(&rule, 1, &rules, &bad, err, sizeof(err)), 0);
	targets_set_rules(t, rules);
	targets_find(t, &v, ret);
	targets_find(t, &v, ret); /* as it was kept */
	snprintf(labels, 64, "%s", ret->labels);
	targets_free(t);
}

static void a_rule_may_set_the_rate_of_a_target(void **state)
{
	static const struct {
		const char *value;
		uint32_t hz;
	} rows[] = { { "19", 19 }, { "0", 0 }, { "", 0 }, { "fast", 0 }, { "19Hz", 0 }, { "-1", 0 }, { "9999999999", 0 } };
	struct target t;
	char labels[64];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		with_rule("__frequency__", rows[i].value, &t, labels);
		assert_int_equal(t.frequency_hz, rows[i].hz);
		assert_string_equal(labels, "service_name=prog\n");
	}
	with_rule("frequency", "19", &t, labels);
	assert_int_equal(t.frequency_hz, 0);
	assert_string_equal(labels, "frequency=19\nservice_name=prog\n");
}

/* Whatever a value is made of, it is that value and no other label. */
static void a_set_of_labels_may_hold_any_value(void **state)
{
	static const char *const values[] = { "a\nservice_name=false", "\n", "\\n", "back\\slash\\",
					      "\\\n\\\\" };
	struct strmap m = { 0 }, back = { 0 };
	struct buf text = BUF_INIT;
	struct target t;
	char labels[64], key[8];

	with_rule("a", "x\nb=y", &t, labels);
	assert_int_equal(labels_parse(labels, &back), 0);
	assert_int_equal(back.v.n, 2);
	assert_string_equal(strmap_get(&back, "a"), "x\nb=y");
	strmap_fini(&back);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(key, sizeof(key), "v%zu", i);
		strmap_set(&m, key, values[i]);
	}
	labels_print(&m, &text);
	assert_int_equal(labels_parse((char *)text.data, &back), 0);
	assert_true(strmap_equal(&m, &back));
	buf_fini(&text);
	strmap_fini(&m);
	strmap_fini(&back);
}

/* As with a label for each process: none is asked again, until there are more than can be remembered, and that is counted. */
static void many_targets_are_remembered(void **state)
{
	const struct relabel_rule rule = { .source_labels = (const char *[]){ "__process_pid__" },
					   .n_source_labels = 1,
					   .target_label = "pid" };
	enum { MANY = 70000 };
	struct process *p = calloc(MANY, sizeof(*p));
	struct relabel *rules;
	struct targets *t;
	char err[128];
	size_t bad;

	assert_int_equal(targets_new(&t), 0);
	assert_int_equal(relabel_new(&rule, 1, &rules, &bad, err, sizeof(err)), 0);
	targets_set_rules(t, rules);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct identity_view v = { .process = &p[i], .cgroup = "" };

		p[i] = (struct process){
			.pid = (1u << 30) + i, .exe = "prog", .declared_known = true, .exited_ns = 1
		};
		found(t, &v);
		if (i == 60000) { /* the first is still known as it was */
			strcpy(p[0].exe, "other");
			assert_string_equal(found(t, &(struct identity_view){ .process = &p[0],
									      .cgroup = "" }),
					    "pid=1073741824\nservice_name=prog\n");
			assert_int_equal(targets_restarts(t), 0);
		}
	}
	assert_int_equal(targets_restarts(t), 1);
	targets_free(t);
	free(p);
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
		cmocka_unit_test(arguments_and_environment_come_with_the_sample),
		cmocka_unit_test(proc_is_believed_only_while_it_is_the_program_of_the_sample),
		cmocka_unit_test(what_is_not_there_yet_is_not_known),
		cmocka_unit_test(a_program_is_known_by_its_name_although_its_file_is_gone),
		cmocka_unit_test(each_rung_of_the_ladder_holds_where_those_above_do_not),
		cmocka_unit_test(a_context_is_looked_for_when_the_program_has_started),
		cmocka_unit_test(rules_may_ask_for_what_is_known),
		cmocka_unit_test(what_a_program_was_started_with_is_read_once),
		cmocka_unit_test(an_environment_that_is_written_over_still_counts),
		cmocka_unit_test(a_fork_that_becomes_another_user_is_known_as_that),
		cmocka_unit_test(users_have_the_names_of_the_hosts_list),
		cmocka_unit_test(in_a_container_users_have_numbers_only),
		cmocka_unit_test(a_process_read_too_late_is_asked_again),
		cmocka_unit_test(a_rule_may_set_the_rate_of_a_target),
		cmocka_unit_test(a_set_of_labels_may_hold_any_value),
		cmocka_unit_test(many_targets_are_remembered),
		cmocka_unit_test(what_a_process_said_is_its_childs_and_ends_with_its_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
