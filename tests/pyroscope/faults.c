/* SPDX-License-Identifier: Apache-2.0 */
#include "pyroscope/faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"

enum { RATE_BURST = 2 << 20 };

static int set_number(const char *value, uint64_t max, uint64_t *ret)
{
	return parse_u64(value, 0, max, ret);
}

static int set_cut(const char *value, struct fault *f)
{
	static const char *const names[] = { "none", "body", "stored", "head", "answer" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i])) {
			f->cut = (enum fault_cut)i;
			return 0;
		}
	return -EINVAL;
}

static int set_text(const char *value, char *to, size_t len)
{
	return snprintf(to, len, "%s", value) < (int)len ? 0 : -EINVAL;
}

static int set_word(struct fault *f, const char *key, const char *value)
{
	uint64_t n = 0;
	int r;

	if (!strcmp(key, "cut"))
		return set_cut(value, f);
	if (!strcmp(key, "service"))
		return set_text(value, f->service, sizeof(f->service));
	if (!strcmp(key, "location"))
		return set_text(value, f->location, sizeof(f->location));
	if (!strcmp(key, "message"))
		return set_text(value, f->message, sizeof(f->message));
	if (!strcmp(key, "authorization"))
		return set_text(value, f->authorization, sizeof(f->authorization));
	r = set_number(value, INT32_MAX, &n);
	if (r < 0)
		return r;
	if (!strcmp(key, "status") && n >= 200 && n < 600)
		f->status = (int)n;
	else if (!strcmp(key, "retry_after"))
		f->retry_after = (uint32_t)n;
	else if (!strcmp(key, "delay"))
		f->delay_ms = (uint32_t)n;
	else if (!strcmp(key, "count"))
		f->count = (int64_t)n;
	else if (!strcmp(key, "store"))
		f->store = n;
	else if (!strcmp(key, "garbage"))
		f->garbage = n;
	else if (!strcmp(key, "stall"))
		f->stall = n;
	else if (!strcmp(key, "rate"))
		f->rate = n;
	else
		return -EINVAL;
	return 0;
}

static bool takes_the_line(const char *key)
{
	return !strcmp(key, "message") || !strcmp(key, "authorization");
}

static int parse_line(char *line, struct fault *f, char *err, size_t err_len)
{
	char *word = line + strspn(line, " \t\r"), *eq, *end;

	while (*word) {
		eq = word + strcspn(word, "= \t");
		if (*eq == '=')
			*eq++ = '\0';
		else
			eq = word + strlen(word);
		end = takes_the_line(word) ? eq + strcspn(eq, "\r") : eq + strcspn(eq, " \t\r");
		if (*end)
			*end++ = '\0';
		if (set_word(f, word, eq) < 0) {
			snprintf(err, err_len, "%s=%s is no fault", word, eq);
			return -EINVAL;
		}
		word = end + strspn(end, " \t\r");
	}
	return 0;
}

int faults_set(struct faults *f, const char *text, char *err, size_t err_len)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *save = NULL;
	int r = copy ? 0 : -ENOMEM;

	f->v.n = 0;
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && !r; line = strtok_r(NULL, "\n", &save)) {
		struct fault *fresh;

		if (!line[strspn(line, " \t\r")])
			continue;
		fresh = vec_push(&f->v);
		if (!fresh)
			return -ENOMEM;
		fresh->count = -1;
		r = parse_line(line, fresh, err, err_len);
	}
	if (r < 0)
		f->v.n = 0;
	return r;
}

void faults_fini(struct faults *f)
{
	vec_fini(&f->v);
}

static bool is_for(const struct fault *f, const struct fault_push *p)
{
	if (!*f->service)
		return true;
	for (size_t i = 0; i < p->n_services; i++)
		if (strstr(p->services[i], f->service))
			return true;
	return false;
}

/* A bucket that leaks `rate` a second and holds a burst. */
static bool over_rate(struct fault *f, const struct fault_push *p)
{
	uint64_t leaked = f->rate * (uint64_t)(p->now_ms - f->level_ms) / 1000;

	f->level -= leaked < f->level ? leaked : f->level;
	f->level_ms = p->now_ms;
	if (f->level + p->bytes > RATE_BURST)
		return true;
	f->level += p->bytes;
	return false;
}

static bool applies(struct fault *f, const struct fault_push *p)
{
	if (!f->count || (f->cut == CUT_BODY) != p->reading || !is_for(f, p))
		return false;
	if (*f->authorization)
		return !p->authorization || strcmp(p->authorization, f->authorization);
	return f->rate ? over_rate(f, p) : true;
}

bool faults_take(struct faults *f, const struct fault_push *p, struct fault *ret)
{
	vec_foreach(it, &f->v)
	{
		if (!applies(it, p))
			continue;
		it->count -= it->count > 0;
		*ret = *it;
		if (*it->authorization)
			ret->status = 401;
		else if (it->rate)
			ret->status = 429;
		return true;
	}
	return false;
}

const char *fault_name(const struct fault *f)
{
	static const char *const cuts[] = { "", "cut body", "cut stored", "cut head", "cut answer" };

	if (f->cut)
		return cuts[f->cut];
	return f->status ? "status" : f->garbage ? "garbage" : f->stall ? "stall" : f->delay_ms ? "delay" : "";
}
