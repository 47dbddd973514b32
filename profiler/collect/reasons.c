/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/reasons.h"

#include "base/cleanup.h"

static const char *const drops[] = {
#define DROP(id, name, help) name,
#include "bpf/drops.def"
#undef DROP
};

static const struct {
	const char *name;
	bool complete;
} cuts[] = {
#define CUT(id, name, complete, help) { name, complete },
#include "bpf/drops.def"
#undef CUT
};

static const struct {
	const char *name, *help;
} joins[] = {
#define JOIN(id, name, help) { name, help },
#include "bpf/drops.def"
#undef JOIN
};

const char *reason_drop_name(uint32_t drop)
{
	return drop < ARRAY_SIZE(drops) ? drops[drop] : "";
}

const char *reason_cut_name(uint32_t cut)
{
	return cut < ARRAY_SIZE(cuts) ? cuts[cut].name : "";
}

const char *reason_join_name(uint32_t join)
{
	return join < ARRAY_SIZE(joins) ? joins[join].name : "";
}

const char *reason_join_help(uint32_t join)
{
	return join < ARRAY_SIZE(joins) ? joins[join].help : "";
}

bool reason_cut_is_complete(uint32_t cut)
{
	return cut < ARRAY_SIZE(cuts) && cuts[cut].complete;
}
