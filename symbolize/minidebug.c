/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/minidebug.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

enum { PIECE = 64 * 1024 };

static int error_of(lzma_ret r)
{
	switch (r) {
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

/* Ends well only where the stream does: its checksum has been compared by then. */
static int inflate_all(lzma_stream *z, struct buf *out)
{
	lzma_ret r = LZMA_OK;

	while (r == LZMA_OK) {
		if (out->len >= MINIDEBUG_MAX)
			return -EFBIG;
		z->next_out = buf_reserve(out, PIECE);
		if (!z->next_out)
			return buf_error(out);
		z->avail_out = PIECE;
		r = lzma_code(z, LZMA_FINISH);
		out->len += PIECE - z->avail_out;
	}
	return r == LZMA_STREAM_END ? 0 : error_of(r);
}

static int inflate(const Elf_Data *data, struct buf *out)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&z, MINIDEBUG_DECODER_MAX, 0);
	int err;

	if (r != LZMA_OK)
		return error_of(r);
	z.next_in = data->d_buf;
	z.avail_in = data->d_size;
	err = inflate_all(&z, out);
	lzma_end(&z);
	return err;
}

static int find(const struct elf_image *img, Elf_Data **ret)
{
	GElf_Shdr sh;
	Elf_Scn *scn = elf_image_section(img, ".gnu_debugdata", &sh);

	if (!scn)
		return -ENODATA;
	if (sh.sh_size > MINIDEBUG_COMPRESSED_MAX)
		return -EFBIG;
	*ret = elf_image_data(scn);
	return *ret && (*ret)->d_buf ? 0 : -EBADMSG;
}

int minidebug_open(const struct elf_image *img, struct minidebug **ret)
{
	struct minidebug *m;
	Elf_Data *data;
	int r = find(img, &data);

	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = inflate(data, &m->bytes);
	if (r >= 0)
		r = elf_image_open_memory(m->bytes.data, m->bytes.len, &m->img);
	if (r < 0)
		minidebug_free(m);
	else
		*ret = m;
	return r;
}

struct minidebug *minidebug_free(struct minidebug *m)
{
	if (!m)
		return NULL;
	elf_image_free(m->img);
	buf_fini(&m->bytes);
	free(m);
	return NULL;
}
