/* SPDX-License-Identifier: Apache-2.0 */
/* Where requests are seen: the choice, on kernels drawn by hand, and each way at work on this one. */
#include "unit.h"

#include <arpa/inet.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/trace.h"
#include "bpf/trace.skel.h"
#include "collect/bpf_load.h"
#include "collect/sampler.h"
#include "trace/tracer_ways.h"

/* ---- the choice ---- */

static const char *const functions[] = { "inet_sendmsg", "inet6_sendmsg", "unix_stream_sendmsg", "inet_recvmsg", "inet6_recvmsg", "unix_stream_recvmsg",
					 "inet_sendpage", "unix_stream_sendpage" };
enum { MESSAGES = 6, ALL = 8, NONE = -1 };

/* A kernel's types: its first n functions, without one of them. */
static struct btf *kernel_with(int n, int without, bool events)
{
	struct btf *btf = btf__new_empty();
	int type = btf__add_int(btf, "int", 4, BTF_INT_SIGNED), proto = btf__add_func_proto(btf, type);

	for (int i = 0; i < n; i++)
		if (i != without)
			btf__add_func(btf, functions[i], BTF_FUNC_STATIC, proto);
	if (events)
		btf__add_typedef(btf, "btf_trace_sock_send_length", type);
	return btf;
}

/* The best way, and how many programs at the exit of functions are loaded then. */
static enum tracer_way choose(struct btf *kernel, bool as_before_63, int *ret_exits)
{
	const struct tracer_opts opts = { 0 };
	struct trace_bpf *skel = trace_bpf__open();
	struct bpf_program *prog;
	enum tracer_way way;

	assert_non_null(skel);
	way = tracer_best_way(skel, kernel, as_before_63);
	tracer_configure(skel, &opts, way, kernel);
	assert_int_equal(bpf_program__autoload(skel->progs.sent), way == TRACER_BY_EVENTS);
	assert_int_equal(bpf_program__autoload(skel->progs.received), way == TRACER_BY_EVENTS);
	assert_int_equal(bpf_program__autoload(skel->progs.syscall_ended), way == TRACER_BY_SYSCALLS);
	*ret_exits = 0;
	bpf_object__for_each_program(prog, skel->obj)
		*ret_exits += bpf_program__autoload(prog) && !strncmp(bpf_program__section_name(prog), "fexit/", 6);
	trace_bpf__destroy(skel);
	btf__free(kernel);
	return way;
}

static void trace_events_are_taken_where_there_are_any(void **state)
{
	int exits;

	assert_int_equal(choose(kernel_with(ALL, NONE, true), false, &exits), TRACER_BY_EVENTS);
	assert_int_equal(exits, 0);
	assert_int_equal(choose(kernel_with(ALL, NONE, true), true, &exits), TRACER_BY_EXITS);
	assert_int_equal(exits, ALL);
}

static void without_them_it_is_the_functions_and_those_of_pages_where_there_are_any(void **state)
{
	int exits;

	assert_int_equal(choose(kernel_with(ALL, NONE, false), false, &exits), TRACER_BY_EXITS);
	assert_int_equal(exits, ALL);
	assert_int_equal(choose(kernel_with(MESSAGES, NONE, false), false, &exits), TRACER_BY_EXITS);
	assert_int_equal(exits, MESSAGES);
}

static void one_family_that_would_not_be_seen_makes_it_system_calls(void **state)
{
	for (int i = 0; i < MESSAGES; i++) {
		int exits;

		assert_int_equal(choose(kernel_with(ALL, i, false), false, &exits), TRACER_BY_SYSCALLS);
		assert_int_equal(exits, 0);
	}
}

/* ---- at work ---- */

static void connect_over_tcp(const struct sockaddr *any, socklen_t len, int ret[2])
{
	int listener = socket(any->sa_family, SOCK_STREAM, 0);
	struct sockaddr_storage at;

	assert_int_equal(bind(listener, any, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	ret[0] = socket(any->sa_family, SOCK_STREAM, 0);
	assert_int_equal(connect(ret[0], (struct sockaddr *)&at, len), 0);
	ret[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void connect_over(int family, int ret[2])
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (family == AF_UNIX)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ret), 0);
	else if (family == AF_INET)
		connect_over_tcp((const struct sockaddr *)&v4, sizeof(v4), ret);
	else
		connect_over_tcp((const struct sockaddr *)&v6, sizeof(v6), ret);
}

static void tell(const int pair[2], int from, const char *text)
{
	char got[256];

	assert_int_equal(write(pair[from], text, strlen(text)), strlen(text));
	assert_int_equal(recv(pair[!from], got, sizeof(got), MSG_PEEK), strlen(text)); /* counts once all the same */
	assert_int_equal(read(pair[!from], got, sizeof(got)), strlen(text));
}

/* The status tells cells apart. */
static void requests_over(int family, int n, int status)
{
	char answer[64];
	int pair[2];

	connect_over(family, pair);
	snprintf(answer, sizeof(answer), "HTTP/1.1 %d OK\r\nContent-Length: 2\r\n\r\nok", status);
	for (int i = 0; i < n; i++) {
		tell(pair, 0, "GET /some HTTP/1.1\r\nHost: x\r\n\r\n");
		tell(pair, 1, answer);
	}
	close(pair[0]);
	close(pair[1]);
}

static int add(void *ctx, const struct red_key *key, const struct red_cell *sum)
{
	uint32_t (*counted)[TRACE_SIDES] = ctx;

	assert_in_range(key->status, 200, 200 + AF_MAX);
	for (int i = 0; i < TRACE_DURATIONS; i++)
		counted[key->status - 200][key->side] += sum->durations[i];
	return 0;
}

static enum tracer_way see_requests(enum tracer_hooks hooks, bool as_before_63)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
	const struct tracer_opts opts = { .hooks = hooks, .as_before_63 = as_before_63, .only_known = true };
	uint32_t counted[AF_MAX + 1][TRACE_SIDES] = { 0 };
	struct trace_proc p = { .service = 1 };
	enum tracer_way way;
	char err[512] = "";
	struct tracer *t;

	if (tracer_new(&opts, &t, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	way = tracer_way(t);
	assert_int_equal(tracer_set_proc(t, (uint32_t)getpid(), &p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		requests_over(families[i], 3, 200 + families[i]);
	assert_int_equal(tracer_cells(t, add, counted), 0);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		for (int side = 0; side < TRACE_SIDES; side++)
			if (counted[families[i]][side] != 3)
				fail_msg("way %d, family %d, side %d: %u requests of 3", way, families[i], side, counted[families[i]][side]);
	assert_int_equal(tracer_refused(t) != 0, hooks == TRACER_AUTO && as_before_63 && way == TRACER_BY_SYSCALLS);
	tracer_free(t);
	return way;
}

static void requests_of_every_family_are_counted_by_the_cheapest_way(void **state)
{
	assert_int_not_equal(see_requests(TRACER_AUTO, false), TRACER_BY_SYSCALLS);
}

static void and_at_the_end_of_system_calls(void **state)
{
	assert_int_equal(see_requests(TRACER_SYSCALLS, false), TRACER_BY_SYSCALLS);
}

/* This kernel may refuse it. */
static void and_at_the_exit_of_functions_or_if_that_is_refused_of_system_calls(void **state)
{
	enum tracer_way way = see_requests(TRACER_AUTO, true);

	printf("by %s\n", way == TRACER_BY_EXITS ? "exits" : "system calls");
	assert_int_not_equal(way, TRACER_BY_EVENTS);
}

/* ---- cells ---- */

struct counted {
	uint32_t of[1000][TRACE_SIDES]; /* requests by status */
	uint32_t near, far;             /* cells */
	struct red_key keys[4096];
};

static int count_cell(void *ctx, const struct red_key *key, const struct red_cell *sum)
{
	struct counted *c = ctx;

	assert_true(c->near + c->far < ARRAY_SIZE(c->keys));
	c->keys[c->near + c->far] = *key;
	*(key->scratch == RED_NEAR ? &c->near : &c->far) += 1;
	for (int i = 0; i < TRACE_DURATIONS; i++)
		c->of[key->status][key->side] += sum->durations[i];
	return 0;
}

static void count_cells(struct tracer *t, struct counted *ret)
{
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(tracer_cells(t, count_cell, ret), 0);
}

static void run_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static struct tracer *tracer_of_this(void)
{
	const struct tracer_opts opts = { .only_known = true };
	struct trace_proc p = { .service = 1 };
	char err[512] = "";
	struct tracer *t;

	if (tracer_new(&opts, &t, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	assert_int_equal(tracer_set_proc(t, (uint32_t)getpid(), &p), 0);
	return t;
}

/* The same requests on each CPU, of more cells than a CPU has places: what finds none is in the hash. Each is told once, summed over CPUs. */
static void cells_that_find_no_place_are_counted_all_the_same(void **state)
{
	enum { FIRST = 200, LAST = 599 };
	struct counted *c = calloc(1, sizeof(*c));
	struct tracer *t = tracer_of_this();
	cpu_set_t all;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		run_on(cpu);
		for (int status = FIRST; status <= LAST; status++)
			requests_over(AF_UNIX, 1, status);
	}
	sched_setaffinity(0, sizeof(all), &all);
	count_cells(t, c);
	for (int status = FIRST; status <= LAST; status++)
		for (int side = 0; side < TRACE_SIDES; side++)
			assert_int_equal(c->of[status][side], CPU_COUNT(&all));
	assert_in_range(c->near, TRACE_NEAR_CELLS / 2, TRACE_NEAR_CELLS);
	assert_int_equal(c->near + c->far, (LAST - FIRST + 1) * TRACE_SIDES);
	tracer_free(t);
	free(c);
}

static void a_cell_that_is_dropped_begins_at_nothing(void **state)
{
	struct counted *c = calloc(1, sizeof(*c));
	struct tracer *t = tracer_of_this();

	for (int i = 0; i < 3; i++) {
		requests_over(AF_UNIX, 2, 222);
		count_cells(t, c);
		assert_int_equal(c->of[222][TRACE_SERVER], 2);
		assert_int_equal(c->far, 0);
		for (uint32_t k = 0; k < c->near; k++)
			tracer_drop_cell(t, &c->keys[k]);
		count_cells(t, c);
		assert_int_equal(c->near, 0);
	}
	tracer_free(t);
	free(c);
}

/* The kernel's allocator fetches more a moment after it has none left. */
static void put_cell(const struct trace_bpf *skel, uint32_t tgid, const struct red_cell *cells, size_t bytes)
{
	const struct red_key key = { .tgid = tgid };
	int r = -ENOMEM;

	for (int i = 0; i < 100 && r == -ENOMEM; i++) {
		r = bpf_map__update_elem(skel->maps.red, &key, sizeof(key), cells, bytes, BPF_ANY);
		if (r)
			usleep(1000);
	}
	assert_int_equal(r, 0);
}

/* Its values are there once a CPU. Linux before 6.4 knows only what it could become: that is none. */
static void a_full_map_of_cells_takes_memory_on_each_cpu(void **state)
{
	enum { CELLS = 1000 };
	uint64_t cpus = (uint64_t)libbpf_num_possible_cpus();
	_cleanup_(freep) struct red_cell *cells = calloc(cpus, sizeof(*cells));
	struct trace_bpf *skel = trace_bpf__open();
	struct bpf_program *prog;
	uint64_t empty, full;

	assert_non_null(cells);
	assert_non_null(skel);
	bpf_object__for_each_program(prog, skel->obj) bpf_program__set_autoload(prog, false);
	assert_int_equal(bpf_map__set_max_entries(skel->maps.red, CELLS), 0);
	assert_int_equal(trace_bpf__load(skel), 0);
	empty = bpf_load_grown_bytes(skel->maps.red);
	for (uint32_t i = 0; i < CELLS; i++)
		put_cell(skel, i + 1, cells, cpus * sizeof(*cells));
	full = bpf_load_grown_bytes(skel->maps.red);
	printf("%lu bytes of an empty map, %lu of a full one\n", empty, full);
	if (empty || full)
		assert_in_range(full, empty + CELLS * cpus * sizeof(*cells), empty + CELLS * (cpus * sizeof(*cells) + 256));
	trace_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest choice[] = {
		cmocka_unit_test(trace_events_are_taken_where_there_are_any),
		cmocka_unit_test(without_them_it_is_the_functions_and_those_of_pages_where_there_are_any),
		cmocka_unit_test(one_family_that_would_not_be_seen_makes_it_system_calls),
	};
	const struct CMUnitTest work[] = {
		cmocka_unit_test(requests_of_every_family_are_counted_by_the_cheapest_way),
		cmocka_unit_test(and_at_the_end_of_system_calls),
		cmocka_unit_test(and_at_the_exit_of_functions_or_if_that_is_refused_of_system_calls),
		cmocka_unit_test(cells_that_find_no_place_are_counted_all_the_same),
		cmocka_unit_test(a_cell_that_is_dropped_begins_at_nothing),
		cmocka_unit_test(a_full_map_of_cells_takes_memory_on_each_cpu),
	};

	if (geteuid() || sampler_on_old_kernel())
		return 77; /* loading programs needs root, and Linux 6.1 */
	return cmocka_run_group_tests(choice, NULL, NULL) | cmocka_run_group_tests(work, NULL, NULL);
}
