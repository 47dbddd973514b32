/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps CASE [N]: short pieces of code whose stacks are hard to walk, to be single-stepped from beginning to
 * end (tests/unit/step_oracle.c). No frame pointers; built with and without optimisation.
 */
#include <alloca.h>
#include <openssl/aes.h>
#include <openssl/bn.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define APART __attribute__((noinline))

static volatile uint64_t sink;
static volatile int never;

/* What the single-stepper knows by name: each is a stack of its own, with a root of its own. */
char step_stacks[2][65536] __attribute__((aligned(64)));

APART static int leaf(int x)
{
	return (int)(sink += (uint64_t)x);
}

/* Deep, with a frame of another size at each third level. */
APART static int step_down(int n)
{
	volatile char room[48];

	if (n <= 0)
		return leaf(n);
	room[n % 48] = (char)n;
	return step_down(n - 1) + room[n % 48];
}

static int recursion(int n)
{
	return step_down(n);
}

/* Each through the PLT for the first time, and then again. */
static int plt(int n)
{
	for (int i = 0; i < 2; i++) {
		sink += (uint64_t)labs(-n - i) + (uint64_t)getppid();
		sink += strtoul("4711", NULL, 10) + (uint64_t)atoi("12");
	}
	return 0;
}

APART static int step_alloca(int n)
{
	char *p = alloca((size_t)n);

	memset(p, n, (size_t)n);
	return leaf(p[n / 2]) + leaf(n);
}

static int dynamic_stack(int n)
{
	int sum = 0;

	for (int i = 1; i < 100; i += 7)
		sum += step_alloca(i * 8 + n);
	return sum;
}

/* The stack is realigned: the CFA is counted from a register that the prologue loads (DRAP). */
APART static int step_aligned(int n)
{
	_Alignas(64) volatile char room[128];
	char *p = alloca((size_t)n);

	p[0] = (char)n;
	room[n % 128] = p[0];
	return leaf(room[n % 128]) + n;
}

__attribute__((force_align_arg_pointer)) APART static int step_realigned(int n)
{
	volatile int room[8];

	room[n % 8] = n;
	return step_aligned(n + 1) + room[n % 8];
}

static int realignment(int n)
{
	return step_realigned(n + 8) + step_aligned(n + 9);
}

static jmp_buf back;

/* Its last instruction is a call: the return address lies behind the function. */
__attribute__((noreturn)) APART static void step_gone(int n)
{
	sink += (uint64_t)n;
	longjmp(back, 1);
}

__attribute__((noreturn)) APART static void step_no_return(int n)
{
	step_gone(leaf(n));
}

static int noreturn_tail(int n)
{
	if (!setjmp(back))
		step_no_return(n);
	return leaf(n);
}

APART static void step_far(int n)
{
	if (n)
		step_far(n - 1);
	else if (!never)
		longjmp(back, 2);
	leaf(n);
}

static int jumps(int n)
{
	for (volatile int i = 0; i < 3; i++)
		if (!setjmp(back))
			step_far(n + i);
	return leaf(1);
}

static int children(int n)
{
	char *const argv[] = { "true", NULL };
	pid_t pid = vfork();
	int status;

	if (!pid)
		_exit(leaf(n) & 1);
	waitpid(pid, &status, 0);
	if (!posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL))
		waitpid(pid, &status, 0);
	return 0;
}

static void *step_thread(void *arg)
{
	leaf(*(int *)arg);
	return arg;
}

static int threads(int n)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, step_thread, &n))
		pthread_join(t, NULL);
	return 0;
}

static void on_inner(int sig)
{
	leaf(sig);
}

static void on_outer(int sig)
{
	leaf(sig);
	raise(SIGUSR2);
}

/* A handler inside a handler; n: on a stack of their own. The single-stepper sends more, at any instruction. */
static int signals(int n)
{
	struct sigaction sa = { .sa_flags = n ? SA_ONSTACK | SA_NODEFER : SA_NODEFER };
	stack_t alternate = { .ss_size = 64 << 10, .ss_sp = malloc(64 << 10) };

	sigaltstack(&alternate, NULL);
	sa.sa_handler = on_outer;
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_handler = on_inner;
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR1);
	for (int i = 0; i < 20; i++)
		step_alloca(16 + i);
	return leaf(n);
}

static ucontext_t contexts[3];

static void step_coroutine(int me)
{
	for (int i = 0; i < 3; i++) {
		step_down(3);
		swapcontext(&contexts[me], &contexts[1 - me]);
	}
	if (me)
		swapcontext(&contexts[1], &contexts[2]);
}

static int coroutines(int n)
{
	for (int i = 0; i < 2; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = step_stacks[i];
		contexts[i].uc_stack.ss_size = sizeof(step_stacks[i]);
		contexts[i].uc_link = &contexts[2];
		makecontext(&contexts[i], (void (*)(void))step_coroutine, 1, i);
	}
	swapcontext(&contexts[2], &contexts[0]);
	return leaf(n);
}

/* Not by SHA1() and the like, which first read OpenSSL's configuration, a million instructions long. */
static void hash(const unsigned char *in, size_t len, unsigned char *out)
{
	SHA512_CTX h512;
	SHA256_CTX h256;
	SHA_CTX h1;

	SHA1_Init(&h1);
	SHA1_Update(&h1, in, len);
	SHA1_Final(out, &h1);
	SHA256_Init(&h256);
	SHA256_Update(&h256, in, len);
	SHA256_Final(out, &h256);
	SHA512_Init(&h512);
	SHA512_Update(&h512, in, len);
	SHA512_Final(out, &h512);
}

/* Hand-written assembly with CFI of every kind: CFAs in r9, r10, rax, and below a call. */
static int assembly(int n)
{
	unsigned char in[1024], out[64], block[16];
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *b[4];
	AES_KEY key;

	memset(in, n, sizeof(in));
	hash(in, sizeof(in), out);
	AES_set_encrypt_key(out, 128, &key);
	AES_encrypt(in, block, &key);
	AES_cbc_encrypt(in, in, 64, &key, block, AES_ENCRYPT);
	for (int i = 0; i < 4; i++)
		b[i] = BN_bin2bn(in, 64, NULL);
	BN_set_bit(b[1], 0);
	BN_set_word(b[2], 5);
	BN_mod_exp_mont(b[3], b[0], b[2], b[1], ctx, NULL);
	sink += (uint64_t)BN_num_bits(b[3]) + block[0];
	for (int i = 0; i < 4; i++)
		BN_free(b[i]);
	BN_CTX_free(ctx);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return leaf(*(const char *)a) & 0 ? 0 : *(const char *)a - *(const char *)b;
}

static int libraries(int n)
{
	static char a[600], b[600], text[] = "the quick brown fox";
	struct timespec now;

	memset(a, 'x', sizeof(a) - 1);
	for (size_t len = 1; len < sizeof(a); len += 61) {
		memcpy(b, a, len);
		memmove(b + 1, b, len / 2);
		sink += strlen(b) + (uint64_t)(strchr(a, 'y') != NULL) +
			(uint64_t)memcmp(a, b, len);
	}
	qsort(text, sizeof(text) - 1, 1, compare);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sink += (uint64_t)snprintf(a, sizeof(a), "%s %d %.3f", text, n, 2.5) +
		(uint64_t)now.tv_nsec;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int n);
} cases[] = { { "recursion", recursion },    { "plt", plt },
	      { "alloca", dynamic_stack },   { "realignment", realignment },
	      { "noreturn", noreturn_tail }, { "longjmp", jumps },
	      { "children", children },      { "threads", threads },
	      { "signals", signals },        { "coroutines", coroutines },
	      { "assembly", assembly },      { "libraries", libraries } };

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (argc > 1 && !strcmp(argv[1], cases[i].name))
			return cases[i].run(n) & never;
	return 2;
}
