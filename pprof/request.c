/* SPDX-License-Identifier: Apache-2.0 */
#include "pprof/request.h"

#include "base/buf.h"
#include "pprof/profile.h"

/* "" where there is none, or a number. */
static const char *text_of(const struct profile *p, const struct profile_sample *s, const char *key)
{
	const struct profile_label *l = profile_sample_label(p, s, key);

	return l ? profile_str(p, l->str) : "";
}

static void put_pid(const struct profile *p, const struct profile_label *pid, struct buf *out)
{
	if (pid->str)
		buf_printf(out, " (%s)", profile_str(p, pid->str));
	else
		buf_printf(out, " (%lld)", (long long)pid->num);
}

void request_owner(const struct profile *p, const struct profile_sample *s, struct buf *out)
{
	const struct profile_label *pid = profile_sample_label(p, s, "pid");
	const char *comm = text_of(p, s, "comm");

	buf_puts(out, *comm ? comm : text_of(p, s, "service_name"));
	if (pid)
		put_pid(p, pid, out);
}

void request_name(const char *method, const char *route, struct buf *out)
{
	buf_puts(out, method);
	buf_puts(out, *method ? " " : "");
	buf_puts(out, *route ? route : "(no route)");
}

bool request_route(const struct profile *p, const struct profile_sample *s, struct buf *out)
{
	const char *method = text_of(p, s, "http.request.method"), *route = text_of(p, s, "http.route");

	if (!*method && !*route)
		return false;
	request_name(method, route, out);
	return true;
}
