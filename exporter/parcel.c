/* SPDX-License-Identifier: Apache-2.0 */
#include "exporter/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "exporter/otlp_format.h"

struct parcel *parcel_new(struct buf *bytes, uint8_t format)
{
	struct parcel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->bytes = *bytes;
	*bytes = BUF_INIT;
	p->format = format;
	p->items = 1;
	atomic_init(&p->refs, 1);
	return p;
}

uint8_t parcel_key(uint8_t format, const char *what)
{
	return (uint8_t)hash_bytes(what, strlen(what), parcel_format_signal(format));
}

struct parcel *parcel_ref(struct parcel *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

struct parcel *parcel_unref(struct parcel *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) > 1)
		return NULL;
	buf_fini(&p->bytes);
	free(p);
	return NULL;
}
