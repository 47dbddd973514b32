/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/push_otlp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/resource.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strmap.h"
#include "exporter/net.h"
#include "exporter/otlp_format.h"
#include "exporter/parcel.h"
#include "pprof/otlp.h"
#include "pprof/profile.h"
#include "version.h"

enum { LAYOUTS = 2 };

struct push_otlp {
	struct net *net;
	uint32_t formats;
	uint64_t time_ns;
	struct otlp *layouts[LAYOUTS]; /* by enum otlp_layout; NULL: nobody wants it */
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

static int send(struct push_otlp *o, uint8_t format, const struct buf *request, uint32_t profiles)
{
	_cleanup_(buf_fini) struct buf packed = BUF_INIT;
	struct parcel *parcel;
	int r = otlp_pack(format, request, &packed);

	if (r < 0)
		return r;
	o->stats.profiles += profiles;
	o->stats.bytes += packed.len;
	parcel = parcel_new(&packed, format);
	if (!parcel)
		return -ENOMEM;
	parcel->time_ns = o->time_ns;
	parcel->formats = o->formats;
	parcel->items = profiles;
	r = net_send(o->net, parcel);
	parcel_unref(parcel);
	return r;
}

static int send_layout(struct push_otlp *o, enum otlp_layout layout)
{
	_cleanup_(buf_fini) struct buf request = BUF_INIT;
	struct otlp *from = o->layouts[layout];
	uint32_t profiles = otlp_profiles(from);
	int r = profiles ? otlp_finish(from, &request) : 0;

	for (uint8_t f = 0; f < PARCEL_FORMATS && r >= 0 && profiles; f++)
		if (is_wanted(o->formats, f) && layout_of(f) == layout)
			r = send(o, f, &request, profiles);
	return r;
}

/* From one sample on, as many as there is room for; the rest is for the next request. */
static int add_part(struct push_otlp *o, enum otlp_layout layout, const struct strmap *resource,
		    const struct profile *p, uint32_t *from)
{
	struct otlp *to = o->layouts[layout];
	bool alone = !otlp_profiles(to);
	uint32_t n;
	int r = otlp_add(to, resource, p, *from, OTLP_MAX_BYTES, &n);

	if (r < 0)
		return r;
	if (!n && alone) {
		o->stats.too_large += (uint64_t)p->values.v[(size_t)*from * p->types.n];
		(*from)++;
		return 0;
	}
	*from += n;
	if (*from == p->samples.n)
		return 0;
	o->stats.splits += n > 0;
	return send_layout(o, layout);
}

int push_otlp_add(struct push_otlp *o, const struct strmap *labels, const struct profile *p)
{
	_cleanup_(strmap_fini) struct strmap resource = { 0 };
	int r = resource_of(labels, &resource);

	for (int i = 0; i < LAYOUTS; i++)
		for (uint32_t from = 0; r >= 0 && o->layouts[i] && from < p->samples.n;)
			r = add_part(o, (enum otlp_layout)i, &resource, p, &from);
	return r;
}

int push_otlp_finish(struct push_otlp *o, struct push_otlp_stats *ret)
{
	int r = 0;

	for (int i = 0; i < LAYOUTS && r >= 0; i++)
		if (o->layouts[i])
			r = send_layout(o, (enum otlp_layout)i);
	*ret = o->stats;
	return r;
}
