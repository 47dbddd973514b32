/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtrace plain|signal|alternate DEPTH: says what glibc's backtrace() makes of its own stack, DEPTH calls deep, and
 * spins there until it is killed. In a signal's handler, and in one on a stack of its own.
 */
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bt_leaf(void);
void bt_handler(int sig);
int bt_down(int n);

static int in_signal;

void bt_leaf(void)
{
	static void *pc[600];
	int n = backtrace(pc, 600);
	char **names = backtrace_symbols(pc, n);

	for (int i = 0; names && i < n; i++)
		puts(names[i]);
	puts("spinning");
	fflush(stdout);
	for (volatile uint64_t x = 0;; x++)
		;
}

void bt_handler(int sig)
{
	(void)sig;
	bt_leaf();
}

int bt_down(int n)
{
	volatile char room[32];

	room[n % 32] = (char)n;
	if (n > 0)
		return bt_down(n - 1) + room[n % 32];
	if (in_signal)
		raise(SIGUSR1);
	else
		bt_leaf();
	return room[0];
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = bt_handler };
	stack_t alternate = { .ss_size = 256 << 10, .ss_sp = malloc(256 << 10) };

	if (argc < 3 || !alternate.ss_sp)
		return 2;
	in_signal = strcmp(argv[1], "plain") != 0;
	sa.sa_flags = strcmp(argv[1], "alternate") ? 0 : SA_ONSTACK;
	sigaltstack(&alternate, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	return bt_down(atoi(argv[2])) & 0;
}
