// SPDX-License-Identifier: Apache-2.0
#include "shapes.h"

#include <cmath>
#include <memory>
#include <vector>

extern "C" long helper_mix(long a, long b);

namespace geometry
{
struct circle final : shape {
	double r;
	explicit circle(double radius) : r(clamp(radius))
	{
	}
	double area() const override
	{
		return clamp(M_PI * r * r);
	}
};
struct square final : shape {
	double side;
	explicit square(double s) : side(clamp(s))
	{
	}
	double area() const override;
};
double square::area() const
{
	return clamp(side * std::fabs(side));
}
}

long shapes_total(const long *v, size_t n)
{
	std::vector<std::unique_ptr<shape>> all;
	double total = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i] % 2)
			all.emplace_back(new geometry::circle((double)v[i]));
		else
			all.emplace_back(new geometry::square((double)helper_mix(v[i], (long)i)));
	}
	for (auto &s : all)
		total += s->area();
	return (long)total;
}
