/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/otlp_send.h"

#include <errno.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "exporter/net.h"
#include "exporter/parcel.h"

static int send_packed(struct otlp_sender *s, uint8_t encoding, uint32_t formats, const struct buf *request,
		       uint32_t items)
{
	_cleanup_(buf_fini)
	struct buf packed = BUF_INIT;
	struct parcel *parcel;
	int r = otlp_pack(encoding, request, &packed);

	if (r < 0)
		return r;
	s->bytes += packed.len;
	parcel = parcel_new(&packed, parcel_format(s->signal, encoding));
	if (!parcel)
		return -ENOMEM;
	parcel->time_ns = s->time_ns;
	parcel->formats = formats;
	parcel->items = items;
	r = net_send(s->net, parcel);
	parcel_unref(parcel);
	return r;
}

int otlp_send(void *sender, const struct buf *request, uint32_t items)
{
	struct otlp_sender *s = sender;
	uint32_t wanted = net_formats(s->net, s->signal);
	int r = 0;

	for (uint8_t f = 0; f < PARCEL_FORMATS && r >= 0; f++)
		if (wanted >> f & 1)
			r = send_packed(s, f, wanted, request, items);
	s->requests += wanted && r >= 0;
	s->items += wanted && r >= 0 ? items : 0;
	return r;
}
