/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/push_otlp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "pprof/otlp.h"
#include "version.h"

enum { LAYOUTS = 2 };

struct push_otlp {
	struct net *net;
	uint32_t formats;
	uint64_t time_ns;
	struct otlp *layouts[LAYOUTS]; /* by enum otlp_layout; NULL: nobody wants it */
	uint32_t profiles;             /* in the requests being made */
	struct push_otlp_stats stats;
};

static enum otlp_layout layout_of(uint8_t format)
{
	return format & PARCEL_FORMAT_1_9 ? OTLP_1_9 : OTLP_1_10;
}

static bool is_wanted(uint32_t formats, uint8_t format)
{
	return formats >> format & 1 && format & PARCEL_FORMAT_OTLP;
}

int push_otlp_new(struct net *net, uint32_t formats, uint64_t time_ns, struct push_otlp **ret)
{
	struct push_otlp *o = NULL;
	int r = 0;

	for (uint8_t f = 0; f < PARCEL_FORMATS && r >= 0; f++) {
		enum otlp_layout layout = layout_of(f);

		if (!is_wanted(formats, f))
			continue;
		if (!o && !(o = calloc(1, sizeof(*o))))
			return -ENOMEM;
		if (!o->layouts[layout])
			r = otlp_new(layout, "hotspan", HOTSPAN_VERSION, &o->layouts[layout]);
	}
	if (r < 0) {
		push_otlp_free(o);
		return r;
	}
	if (o) {
		o->net = net;
		o->formats = formats;
		o->time_ns = time_ns;
	}
	*ret = o;
	return 0;
}

struct push_otlp *push_otlp_free(struct push_otlp *o)
{
	if (!o)
		return NULL;
	for (int i = 0; i < LAYOUTS; i++)
		otlp_free(o->layouts[i]);
	free(o);
	return NULL;
}

static int send(struct push_otlp *o, uint8_t format, const struct buf *request)
{
	_cleanup_(buf_fini) struct buf packed = BUF_INIT;
	struct parcel *parcel;
	int r = otlp_pack(format, request, &packed);

	if (r < 0)
		return r;
	o->stats.requests++;
	o->stats.bytes += packed.len;
	parcel = parcel_new(&packed, format);
	if (!parcel)
		return -ENOMEM;
	parcel->time_ns = o->time_ns;
	snprintf(parcel->what, sizeof(parcel->what), "%u profiles", o->profiles);
	r = net_send(o->net, parcel);
	parcel_unref(parcel);
	return r;
}

static int send_layout(struct push_otlp *o, enum otlp_layout layout)
{
	_cleanup_(buf_fini) struct buf request = BUF_INIT;
	int r = otlp_finish(o->layouts[layout], &request);

	for (uint8_t f = 0; f < PARCEL_FORMATS && r >= 0; f++)
		if (is_wanted(o->formats, f) && layout_of(f) == layout)
			r = send(o, f, &request);
	return r;
}

static int send_all(struct push_otlp *o)
{
	int r = 0;

	for (int i = 0; i < LAYOUTS && r >= 0; i++)
		if (o->layouts[i] && otlp_bytes(o->layouts[i]))
			r = send_layout(o, (enum otlp_layout)i);
	o->profiles = 0;
	return r;
}

/* Of a series' labels: the two that have a name of their own in the semantic conventions. */
static int resource_of(const struct strmap *labels, struct strmap *ret)
{
	int r = 0;

	vec_foreach(e, &labels->v)
	{
		const char *name = !strcmp(e->key, "service_name") ? "service.name" : !strcmp(e->key, "instance") ? "host.name" : e->key;

		if (r >= 0 && strncmp(name, "__", 2))
			r = strmap_set(ret, name, e->value);
	}
	return r;
}

int push_otlp_add(struct push_otlp *o, const struct strmap *labels, const struct profile *p)
{
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	int r = resource_of(labels, &resource);
	size_t most = 0;

	for (int i = 0; i < LAYOUTS && r >= 0; i++) {
		if (!o->layouts[i])
			continue;
		r = otlp_add(o->layouts[i], &resource, p);
		if (otlp_bytes(o->layouts[i]) > most)
			most = otlp_bytes(o->layouts[i]);
	}
	o->profiles++;
	return r >= 0 && most > OTLP_MAX_BYTES / 2 ? send_all(o) : r;
}

int push_otlp_finish(struct push_otlp *o, struct push_otlp_stats *ret)
{
	int r = send_all(o);

	*ret = o->stats;
	return r;
}
