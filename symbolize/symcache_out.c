/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symcache_out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void symcache_out_begin(struct symcache_out *o, int fd, uint64_t at)
{
	*o = (struct symcache_out){ .fd = fd, .written = at, .sum = SYMCACHE_SUM_INIT };
}

static void flush(struct symcache_out *o)
{
	size_t done = 0;

	symcache_sum_add(&o->sum, o->bytes, o->len);
	while (done < o->len && !o->error) {
		ssize_t n = pwrite(o->fd, o->bytes + done, o->len - done, (off_t)(o->written + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			o->error = n == 0 ? -ENOSPC : -errno;
	}
	o->written += o->len;
	o->len = 0;
}

void symcache_out_put(struct symcache_out *o, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len && !o->error) {
		size_t n = sizeof(o->bytes) - o->len < len ? sizeof(o->bytes) - o->len : len;

		memcpy(o->bytes + o->len, p, n);
		o->len += n;
		p += n;
		len -= n;
		if (o->len == sizeof(o->bytes))
			flush(o);
	}
}

uint64_t symcache_out_align(struct symcache_out *o)
{
	static const uint8_t zeros[8];

	symcache_out_put(o, zeros, -symcache_out_at(o) & 7);
	return symcache_out_at(o);
}

int symcache_out_end(struct symcache_out *o)
{
	flush(o);
	return o->error;
}
