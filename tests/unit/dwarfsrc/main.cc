// SPDX-License-Identifier: Apache-2.0
// Deep inlining, templates, local classes, lambdas, statics: what a symbolizer's chains are made of.
#include "shapes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{
template <int N> struct tower {
	static inline long climb(long x)
	{
		if (x % (N + 2) == 0)
			return tower<N - 1>::climb(x / 2 + N) + x;
		return tower<N - 1>::climb(x * 3 + 1) ^ N;
	}
};
template <> struct tower<0> {
	static inline long climb(long x)
	{
		return x & 0xff;
	}
};

long local_class(long x)
{
	struct counter {
		long total = 0;
		void add(long v)
		{
			for (long i = 0; i < v % 7; i++)
				total += i * v;
		}
	};
	counter c;
	c.add(x);
	c.add(x / 3);
	return c.total;
}

struct cold_error {
	const char *what;
};

[[gnu::noinline]] long throws_sometimes(long x)
{
	std::string text = "value " + std::to_string(x);

	if (x % 1001 == 1000)
		throw cold_error{ "rare" };
	return (long)text.size();
}
}

static long words(const std::string &text)
{
	std::map<std::string, int> seen;
	std::istringstream in(text);
	std::string word;

	while (in >> word)
		seen[word]++;
	return std::accumulate(seen.begin(), seen.end(), 0l,
			       [](long sum, const auto &kv) { return sum + kv.second * (long)kv.first.size(); });
}

static long functions(long n)
{
	std::vector<std::function<long(long)>> fs;
	std::unordered_map<long, std::unique_ptr<long>> kept;
	long sum = 0;

	for (long i = 0; i < n; i++) {
		fs.push_back([i](long x) { return tower<12>::climb(x + i); });
		kept.emplace(i * 31, std::make_unique<long>(i));
	}
	for (auto &f : fs)
		sum += f(sum);
	for (auto &kv : kept)
		sum += *kv.second ^ kv.first;
	return sum;
}

int main(int argc, char **argv)
{
	std::vector<long> v(1000);
	long sum = argc;

	std::iota(v.begin(), v.end(), argc);
	std::stable_sort(v.begin(), v.end(), [](long a, long b) { return tower<5>::climb(a) < tower<5>::climb(b); });
	try {
		for (long x : v)
			sum += throws_sometimes(x) + local_class(x) + tower<20>::climb(x);
	} catch (const cold_error &e) {
		puts(e.what);
	}
	sum += words(argc > 1 ? argv[1] : "one two three two one") + functions(50);
	sum += shapes_total(v.data(), v.size());
	printf("%ld\n", sum);
	return 0;
}
