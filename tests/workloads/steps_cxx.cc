/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps_cxx: exceptions in flight, to be single-stepped (tests/unit/step_oracle.c): destructors that run while
 * the stack unwinds, one of them with an exception of its own, and a handler that throws on.
 */
static volatile int sink;

#define APART __attribute__((noinline))

APART static int leaf(int x)
{
	return sink += x;
}

struct Guard {
	int n;
	APART ~Guard()
	{
		try {
			if (leaf(n) >= 0 && n == 2)
				throw 'x'; /* while another is in flight */
		} catch (char c) {
			leaf(c);
		}
	}
};

APART static void step_throw(int n)
{
	Guard g{ n };

	if (n == 0)
		throw leaf(n);
	step_throw(n - 1);
}

APART static int step_again(int n)
{
	Guard g{ 7 };

	try {
		step_throw(n);
	} catch (int) {
		leaf(n);
		throw;
	}
	return leaf(n);
}

int main()
{
	try {
		step_again(3);
	} catch (int x) {
		return leaf(x) & 0;
	}
	return 1;
}
