/* SPDX-License-Identifier: Apache-2.0 */
/* The model of `hotspan top`: averages, filters, order, bounds; and names made fit for a terminal. */
#include "unit.h"

#include "base/buf.h"
#include "base/units.h"
#include "cmd/text.h"
#include "cmd/top_cells.h"
#include "cmd/top_model.h"
#include "cmd/top_rows.h"
#include "cmd/top_view.h"
#include "fixture_profile.h"
#include "pprof/profile.h"

#define MS 1000000.0

/* "leaf<caller<root" of image app, in kernel when a name begins with "k_", by pid (comm "c<pid>"). */
static void add_stack(struct profile *p, uint32_t pid, uint32_t tid, const char *stack, int64_t cpu_ms)
{
	char text[256], comm[16], *rest = text, *name;
	uint32_t frames[16], n = 0, n_labels = 2;
	struct profile_label labels[3] = { { .key = strpool_add(&p->strings, "comm") },
					   { .key = strpool_add(&p->strings, "pid"), .num = pid },
					   { .key = strpool_add(&p->strings, "tid"), .num = tid } };
	struct profile_sample s = { 0 };

	snprintf(comm, sizeof(comm), "c%u", pid);
	labels[0].str = strpool_add(&p->strings, comm);
	n_labels += tid != 0;
	snprintf(text, sizeof(text), "%s", stack);
	while ((name = strsep(&rest, "<")) && *name) {
		bool kernel = !strncmp(name, "k_", 2);
		struct profile_function f = { .name = strpool_add(&p->strings, name) };
		struct profile_line line = { .function = profile_add_function(p, &f) };
		struct profile_location l = { .mapping = kernel ? 0 : 1, .kind = kernel ? FRAME_KERNEL : FRAME_NATIVE };

		frames[n++] = profile_add_location(p, &l, &line, 1);
	}
	s.first_frame = profile_add_frames(p, frames, n);
	s.n_frames = n;
	s.first_label = profile_add_labels(p, labels, n_labels);
	s.n_labels = n_labels;
	profile_add_sample(p, &s, (int64_t[]){ 1, cpu_ms * 1000000 });
}

static struct profile *empty_profile(void)
{
	struct profile *p = profile_new();

	profile_set_cpu(p, 10000000);
	profile_add_mapping(p, &(struct profile_mapping){ .file = strpool_add(&p->strings, "[kernel.kallsyms]") });
	profile_add_mapping(p, &(struct profile_mapping){ .file = strpool_add(&p->strings, "/usr/bin/app") });
	return p;
}

/* Two processes; 1 s of which 800 ms are busy. */
static struct profile *small_profile(void)
{
	struct profile *p = empty_profile();

	add_stack(p, 10, 0, "hash<lookup<main", 300);
	add_stack(p, 10, 0, "k_read<lookup<main", 100);
	add_stack(p, 20, 0, "hash<hash<main", 200);
	add_stack(p, 20, 0, "parse<main", 200);
	return p;
}

static void add(struct top_model *m, struct profile *p, double seconds)
{
	assert_int_equal(profile_error(p), 0);
	assert_int_equal(top_model_add(m, p, (uint64_t)(seconds * 1e9)), 0);
	profile_free(p);
}

static struct top_model *model(uint64_t window_s, uint32_t max_cells)
{
	struct top_model_opts opts = { .window_ns = window_s * NSEC_PER_SEC, .max_cells = max_cells };
	struct top_model *m;

	assert_int_equal(top_model_new(&opts, &m), 0);
	return m;
}

static const struct top_function *function(const struct top_rows *t, const char *name)
{
	vec_foreach(f, &t->functions)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

static const struct top_process *process(const struct top_rows *t, uint32_t pid)
{
	vec_foreach(p, &t->processes)
		if (p->pid == pid)
			return p;
	return NULL;
}

static void self_is_the_leafs_and_total_counts_a_stack_once(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };

	add(m, small_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .sort = TOP_SORT_SELF }), 0);
	assert_int_equal(t.functions.n, 5);
	assert_string_equal(t.functions.v[0].name, "hash");
	assert_string_equal(t.functions.v[0].image, "app");
	assert_float_equal(t.functions.v[0].self_ns, 500 * MS, 1);
	assert_float_equal(t.functions.v[0].total_ns, 500 * MS, 1); /* recursion counts once */
	assert_float_equal(function(&t, "lookup")->total_ns, 400 * MS, 1);
	assert_float_equal(function(&t, "main")->total_ns, 800 * MS, 1);
	assert_float_equal(t.all_ns, 800 * MS, 1);
	assert_float_equal(t.matched_ns, 800 * MS, 1);
	assert_float_equal(t.span_ns, 1e9, 1);
	assert_true(function(&t, "k_read")->is_kernel);
	assert_int_equal(top_rows_processes(&t, m, &(struct top_query){ .sort = TOP_SORT_CPU }), 0);
	assert_int_equal(t.processes.n, 2);
	assert_float_equal(process(&t, 10)->cpu_ns, 400 * MS, 1);
	assert_string_equal(process(&t, 10)->function, "hash");
	assert_string_equal(process(&t, 10)->comm, "c10");
	top_rows_fini(&t);
	top_model_free(m);
}

static void the_past_decays_by_an_eighth_a_second(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };
	struct top_query q = { .sort = TOP_SORT_SELF };

	add(m, small_profile(), 1);
	add(m, empty_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_float_equal(function(&t, "hash")->self_ns, 500 * MS * 0.875, 1);
	assert_float_equal(t.span_ns, 1.875e9, 1);
	/* Two halves decay like one whole; a steady load keeps its share of the time. */
	add(m, empty_profile(), 0.5);
	add(m, empty_profile(), 0.5);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_float_equal(function(&t, "hash")->self_ns, 500 * MS * 0.875 * 0.875, 10);
	for (int i = 0; i < 100; i++)
		add(m, small_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_float_equal(t.all_ns / t.span_ns, 0.8, 0.001);
	for (int i = 0; i < 200; i++)
		add(m, empty_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_int_equal(t.functions.n, 0);
	top_rows_fini(&t);
	top_model_free(m);
}

static void a_window_forgets_exactly_what_left_it(void **state)
{
	struct top_model *m = model(3, 0);
	struct top_rows t = { 0 };
	struct top_query q = { .sort = TOP_SORT_SELF };

	for (int i = 0; i < 10; i++)
		add(m, small_profile(), 1.01);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_true(function(&t, "hash")->self_ns == 1500 * MS);
	assert_float_equal(t.span_ns, 3.03e9, 10);
	for (int i = 0; i < 2; i++)
		add(m, empty_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_true(function(&t, "hash")->self_ns == 500 * MS);
	add(m, empty_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_int_equal(t.functions.n, 0);
	assert_true(t.all_ns == 0);
	top_rows_fini(&t);
	top_model_free(m);
}

static void rows_sort_by_every_key(void **state)
{
	static const struct {
		enum top_sort sort;
		const char *first;
	} functions[] = { { TOP_SORT_SELF, "hash" }, { TOP_SORT_TOTAL, "main" }, { TOP_SORT_NAME, "hash" } };
	static const struct {
		enum top_sort sort;
		uint32_t first;
	} processes[] = { { TOP_SORT_CPU, 20 }, { TOP_SORT_COMM, 10 }, { TOP_SORT_PID, 10 } };
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };

	add(m, small_profile(), 1);
	struct profile *more = empty_profile();
	add_stack(more, 20, 0, "parse<main", 50);
	add(m, more, 1);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .sort = functions[i].sort }), 0);
		assert_string_equal(t.functions.v[0].name, functions[i].first);
	}
	for (size_t i = 0; i < ARRAY_SIZE(processes); i++) {
		assert_int_equal(top_rows_processes(&t, m, &(struct top_query){ .sort = processes[i].sort }), 0);
		assert_int_equal(t.processes.v[0].pid, processes[i].first);
	}
	top_rows_fini(&t);
	top_model_free(m);
}

static void a_filter_looks_at_function_image_and_comm(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };

	add(m, small_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .filter = "HASH" }), 0);
	assert_int_equal(t.functions.n, 1);
	assert_float_equal(t.matched_ns, 500 * MS, 1);
	assert_float_equal(t.base_ns, 800 * MS, 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .filter = "kallsyms" }), 0);
	assert_int_equal(t.functions.n, 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .filter = "c20" }), 0);
	assert_float_equal(function(&t, "hash")->self_ns, 200 * MS, 1);
	assert_null(function(&t, "lookup"));
	/* By process: what each spent in what matches. */
	assert_int_equal(top_rows_processes(&t, m, &(struct top_query){ .filter = "hash" }), 0);
	assert_float_equal(process(&t, 10)->cpu_ns, 300 * MS, 1);
	assert_float_equal(process(&t, 20)->cpu_ns, 200 * MS, 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .filter = "no such thing" }), 0);
	assert_int_equal(t.functions.n, 0);
	top_rows_fini(&t);
	top_model_free(m);
}

static void kernel_or_user_functions_can_be_hidden(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };

	add(m, small_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .hide_kernel = true }), 0);
	assert_null(function(&t, "k_read"));
	assert_float_equal(t.matched_ns, 700 * MS, 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .hide_user = true }), 0);
	assert_int_equal(t.functions.n, 1);
	top_rows_fini(&t);
	top_model_free(m);
}

static void functions_of_one_process_are_shares_of_it(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };
	struct top_query q = { .in_process = true, .pid = 10 };

	add(m, small_profile(), 1);
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_float_equal(t.base_ns, 400 * MS, 1);
	assert_float_equal(t.all_ns, 800 * MS, 1);
	assert_float_equal(function(&t, "hash")->self_ns, 300 * MS, 1);
	assert_null(function(&t, "parse"));
	q.pid = 4711;
	assert_int_equal(top_rows_functions(&t, m, &q), 0);
	assert_int_equal(t.functions.n, 0);
	top_rows_fini(&t);
	top_model_free(m);
}

static void threads_are_kept_apart_when_they_come_apart(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };
	struct profile *p = empty_profile();

	add_stack(p, 10, 11, "hash<main", 100);
	add_stack(p, 10, 12, "parse<main", 50);
	add(m, p, 1);
	assert_int_equal(top_rows_processes(&t, m, &(struct top_query){ .sort = TOP_SORT_CPU }), 0);
	assert_int_equal(t.processes.n, 2);
	assert_int_equal(t.processes.v[0].tid, 11);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .in_process = true, .pid = 10, .tid = 12 }), 0);
	assert_float_equal(t.base_ns, 50 * MS, 1);
	top_rows_fini(&t);
	top_model_free(m);
}

static void stacks_without_names_or_frames_still_count(void **state)
{
	struct top_model *m = model(0, 0);
	struct top_rows t = { 0 };
	struct profile *p = empty_profile();
	uint32_t frame = profile_add_location(p, &(struct profile_location){ .address = 0x1234, .mapping = 1 }, NULL, 0);
	struct profile_sample s = { .first_frame = profile_add_frames(p, &frame, 1), .n_frames = 1 };

	profile_add_sample(p, &s, (int64_t[]){ 1, 100000000 });
	add_stack(p, 10, 0, "", 50);
	add(m, p, 1);
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .sort = TOP_SORT_SELF }), 0);
	assert_string_equal(t.functions.v[0].name, "[no symbols]");
	assert_string_equal(t.functions.v[0].image, "app");
	assert_string_equal(t.functions.v[1].name, "[no stack]");
	assert_float_equal(t.all_ns, 150 * MS, 1);
	top_rows_fini(&t);
	top_model_free(m);
}

/* Ever new functions and processes, beside one that is always there. */
static struct profile *churn(uint32_t round)
{
	struct profile *p = empty_profile();
	char stack[64];

	add_stack(p, 10, 0, "steady<main", 500);
	for (uint32_t i = 0; i < 50; i++) {
		snprintf(stack, sizeof(stack), "f%u<g%u<main", round * 50 + i, round * 50 + i);
		add_stack(p, i % 2 ? 10 : 1000 + round * 50 + i, 0, stack, 2);
	}
	return p;
}

static void churn_through(uint64_t window_s)
{
	struct top_model *m = model(window_s, 200);
	struct top_rows t = { 0 };
	double sum = 0, span;

	for (uint32_t i = 0; i < 300; i++) {
		const struct top_cells *c = top_model_cells(m, &span);

		assert_in_range(c->v.n, 0, 200);
		assert_in_range(c->functions.n, 0, 200);
		assert_in_range(c->processes.n, 0, 200);
		assert_in_range(c->names.entries.n, 0, 450);
		add(m, churn(i), 1);
	}
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .sort = TOP_SORT_SELF }), 0);
	/* Nothing is lost: what is not kept is in "other". */
	assert_float_equal(t.all_ns / t.span_ns, 0.6, 0.001);
	assert_string_equal(t.functions.v[0].name, "steady");
	assert_true(function(&t, "other")->is_other);
	vec_foreach(f, &t.functions)
		sum += f->self_ns;
	assert_float_equal(sum, t.all_ns, 10);
	/* The process that stays keeps all of its time, whatever became of its functions. */
	assert_int_equal(top_rows_processes(&t, m, &(struct top_query){ .sort = TOP_SORT_CPU }), 0);
	assert_float_equal(process(&t, 10)->cpu_ns / t.span_ns, 0.55, 0.001);
	if (window_s) {
		for (uint32_t i = 0; i < window_s; i++)
			add(m, empty_profile(), 1);
		assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .sort = TOP_SORT_SELF }), 0);
		assert_true(t.all_ns == 0 && t.functions.n == 0);
	}
	top_rows_fini(&t);
	top_model_free(m);
}

static void the_model_stays_bounded_and_loses_nothing(void **state)
{
	churn_through(0);
	churn_through(5);
}

static void a_large_profile_fits(void **state)
{
	struct fixture f = { .stacks = 2000, .depth = 30, .functions = 3000, .processes = 40, .inlined_every = 5, .hostile = 1 };
	struct top_model *m = model(4, 1000);
	struct top_rows t = { 0 };

	for (uint32_t i = 0; i < 4; i++) {
		f.seed = i;
		add(m, fixture_profile(&f), 1);
	}
	assert_int_equal(top_rows_functions(&t, m, &(struct top_query){ .sort = TOP_SORT_TOTAL }), 0);
	assert_in_range(t.functions.n, 100, 1000);
	top_rows_fini(&t);
	top_model_free(m);
}

static void assert_fit(const char *s, int width, const char *want)
{
	struct buf b = BUF_INIT;

	text_pad(s, width, &b);
	buf_putc(&b, '\0');
	assert_string_equal((char *)b.data, want);
	buf_fini(&b);
}

static void hostile_names_become_harmless(void **state)
{
	text_init(1);
	assert_fit("plain", 8, "plain   ");
	assert_fit("\033[2J\007x", 8, "?[2J?x  ");
	assert_fit("a\xc2\x9b" "31m", 8, "a?31m   ");              /* C1: CSI in one character */
	assert_fit("a\xe2\x80\xae" "b", 4, "a?b ");                /* turns the direction */
	assert_fit("a\xe2\x80\x8b" "b", 4, "a?b ");                /* zero width */
	assert_fit("a\xff\xc3", 4, "a?? ");                        /* no UTF-8; cut short by the end */
	assert_fit("\xc0\xaf\xed\xa0\x80", 6, "????? ");           /* overlong, surrogate */
	assert_fit("tab\tnew\nline", 12, "tab?new?line");
}

static void long_names_are_cut_at_whole_characters(void **state)
{
	text_init(1);
	assert_fit("abcdef", 6, "abcdef");
	assert_fit("abcdefg", 6, "abcde\xe2\x80\xa6");
	assert_fit("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3, "\xc3\xa9\xc3\xa9\xe2\x80\xa6");
	assert_fit("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"); /* two columns each */
	assert_fit("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, "\xe6\x97\xa5\xe2\x80\xa6 ");
	assert_fit("abc", 1, "\xe2\x80\xa6");
	assert_fit("abc", 0, "");
}

static void press(struct top_view *v, const char *keys)
{
	for (; *keys; keys++)
		top_view_key(v, (uint8_t)*keys);
}

static void a_filter_takes_every_character_until_enter(void **state)
{
	struct top_view v = { 0 };

	press(&v, "/qp s");
	top_view_key(&v, 0xe9);
	top_view_key(&v, 0x65e5);
	top_view_key(&v, 0x1f600);
	assert_string_equal(v.filter, "qp s\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80");
	top_view_key(&v, TOP_KEY_BACKSPACE);
	top_view_key(&v, TOP_KEY_BACKSPACE);
	assert_string_equal(v.filter, "qp s\xc3\xa9");
	top_view_key(&v, TOP_KEY_ENTER);
	assert_int_equal(top_view_key(&v, 'q'), TOP_QUIT);
	top_view_key(&v, TOP_KEY_ESCAPE);
	assert_string_equal(v.filter, "");
	v.typing = true;
	for (int i = 0; i < 1000; i++)
		top_view_key(&v, 0x65e5);
	assert_in_range(strlen(v.filter), 100, sizeof(v.filter) - 1);
}

static void enter_goes_into_a_process_and_escape_back(void **state)
{
	struct top_view v = { 0 };
	struct top_query q;

	top_view_key(&v, TOP_KEY_ENTER); /* functions have nothing to enter */
	assert_false(v.in_process);
	press(&v, "p");
	v.has_under = true;
	v.under = (struct top_process){ .pid = 10, .tid = 11, .comm = "app" };
	top_view_key(&v, TOP_KEY_ENTER);
	top_view_query(&v, &q);
	assert_true(q.in_process && q.pid == 10 && q.tid == 11 && v.table == TOP_FUNCTIONS);
	press(&v, "/x\n");
	top_view_key(&v, TOP_KEY_ESCAPE); /* the filter first */
	assert_true(v.in_process && !*v.filter);
	top_view_key(&v, TOP_KEY_ESCAPE);
	assert_true(!v.in_process && v.table == TOP_PROCESSES);
}

static void the_selection_stays_among_the_rows_and_on_the_screen(void **state)
{
	struct top_view v = { 0 };
	const struct top_place *p = &v.place[TOP_FUNCTIONS];

	top_view_fit(&v, 100, 10);
	top_view_key(&v, TOP_KEY_UP);
	assert_int_equal(p->selected, 0);
	top_view_key(&v, TOP_KEY_PAGE_DOWN);
	assert_true(p->selected == 10 && p->first == 1);
	top_view_key(&v, TOP_KEY_END);
	assert_true(p->selected == 99 && p->first == 90);
	top_view_fit(&v, 100, 30); /* a taller screen shows no empty rows */
	assert_int_equal(p->first, 70);
	top_view_fit(&v, 5, 30);
	assert_true(p->selected == 4 && p->first == 0);
	top_view_fit(&v, 0, 0);
	assert_true(p->selected == 0 && p->first == 0);
}

static void kernel_and_user_are_never_both_hidden(void **state)
{
	struct top_view v = { 0 };

	press(&v, "k");
	assert_true(v.hide_kernel && !v.hide_user);
	press(&v, "u");
	assert_true(v.hide_user && !v.hide_kernel);
	press(&v, "u");
	assert_true(!v.hide_user && !v.hide_kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_is_the_leafs_and_total_counts_a_stack_once),
		cmocka_unit_test(the_past_decays_by_an_eighth_a_second),
		cmocka_unit_test(a_window_forgets_exactly_what_left_it),
		cmocka_unit_test(rows_sort_by_every_key),
		cmocka_unit_test(a_filter_looks_at_function_image_and_comm),
		cmocka_unit_test(kernel_or_user_functions_can_be_hidden),
		cmocka_unit_test(functions_of_one_process_are_shares_of_it),
		cmocka_unit_test(threads_are_kept_apart_when_they_come_apart),
		cmocka_unit_test(stacks_without_names_or_frames_still_count),
		cmocka_unit_test(the_model_stays_bounded_and_loses_nothing),
		cmocka_unit_test(a_large_profile_fits),
		cmocka_unit_test(hostile_names_become_harmless),
		cmocka_unit_test(long_names_are_cut_at_whole_characters),
		cmocka_unit_test(a_filter_takes_every_character_until_enter),
		cmocka_unit_test(enter_goes_into_a_process_and_escape_back),
		cmocka_unit_test(the_selection_stays_among_the_rows_and_on_the_screen),
		cmocka_unit_test(kernel_and_user_are_never_both_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
