/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* fixture_identity - what a process says of itself, made by hand: a sample's rest, a published context; and what is learnt of it. */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/strmap.h"
#include "base/wire.h"
#include "bpf/events.h"
#include "proc/identity.h"
#include "proc/process.h"
#include "proc/startup.h"

#define ENV(text) text, sizeof(text) - 1

/* A sample's rest with a little stack, and the start behind it. */
static inline struct ev_rest *rest_with(const char *args, size_t args_len, const char *env, size_t env_len)
{
	struct ev_rest *r = calloc(1, sizeof(*r) + 64 + args_len + env_len);

	r->stack_bytes = 64;
	r->start_bytes = (uint32_t)(args_len + env_len);
	r->args = 0x7ffc00001000;
	r->args_end = r->env = r->args + args_len;
	r->env_end = r->env + env_len;
	r->uid = 4321;
	memcpy(r->stack + 64, args, args_len);
	memcpy(r->stack + 64 + args_len, env, env_len);
	return r;
}

static inline void key_value(struct buf *b, uint32_t field, const char *key, const char *text, int64_t number)
{
	size_t pair = wire_begin(b, field), value;

	wire_string(b, 1, key);
	value = wire_begin(b, 2);
	if (text)
		wire_string(b, 1, text);
	else
		wire_int(b, 3, number);
	wire_end(b, value);
	wire_end(b, pair);
}

static inline void make_context(struct buf *b)
{
	size_t resource = wire_begin(b, 1);

	key_value(b, 1, "service.name", "from-context", 0);
	key_value(b, 1, "build", NULL, -7);
	wire_uint(b, 2, 3); /* dropped_attributes_count */
	wire_end(b, resource);
	key_value(b, 2, "extra", "yes", 0);
}

struct published {
	char signature[8];
	uint32_t version, size;
	uint64_t published_at_ns, payload;
};

/* As an SDK does it: a memfd mapped under that name, the message elsewhere or behind the header. */
static inline struct published *publish(const struct buf *message, bool behind)
{
	int fd = memfd_create("OTEL_CTX", MFD_CLOEXEC);
	struct published *p;
	void *at;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	at = behind ? (void *)(p + 1) : message->data;
	if (behind)
		memcpy(at, message->data, message->len);
	*p = (struct published){ .version = 2, .size = (uint32_t)message->len, .published_at_ns = 1, .payload = (uintptr_t)at };
	memcpy(p->signature, "OTEL_CTX", 8);
	return p;
}

static inline bool learn(const struct identity_view *v)
{
	struct startup start = { 0 };
	bool news = identity_learn(v, &start);

	startup_fini(&start);
	return news;
}

static inline const char *label_among(const struct identity_view *v, const struct identity_lists *lists,
			       struct startup *start, const char *name)
{
	static char text[256];
	struct strmap m = { 0 };
	const char *value;

	identity_labels(v, lists, true, start, &m);
	value = strmap_get(&m, name);
	snprintf(text, sizeof(text), "%s", value ? value : "");
	strmap_fini(&m);
	return text;
}

static inline const char *label_of(const struct identity_view *v, const char *name)
{
	struct startup start = { 0 };
	const char *text = label_among(v, &(struct identity_lists){ 0 }, &start, name);

	startup_fini(&start);
	return text;
}
