/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/build_id.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"

enum { NOTE_GO_BUILD_ID = 4, MAX_NOTES_BYTES = 1 << 20, SAMPLE_BYTES = 4096 };

char *build_id_hex(const struct build_id *id, char out[BUILD_ID_HEX_LEN])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = id->kind == BUILD_ID_NONE ? 0 : id->len;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[id->bytes[i] >> 4];
		out[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

static void set_hashed(struct build_id *ret, enum build_id_kind kind, const void *data, size_t len, uint64_t seed)
{
	uint64_t h[2] = { hash_bytes(data, len, seed), hash_bytes(data, len, ~seed) };

	*ret = (struct build_id){ .kind = (uint8_t)kind, .len = sizeof(h) };
	memcpy(ret->bytes, h, sizeof(h));
}

/* One note; true when it settles the matter: a GNU id does, Go's is kept in case none follows. */
static bool take_note(const char *name, size_t name_len, uint32_t type, const uint8_t *desc, size_t len,
		      struct build_id *ret)
{
	if (type == NT_GNU_BUILD_ID && name_len == 4 && !memcmp(name, "GNU", 4) && len) {
		*ret = (struct build_id){ .kind = BUILD_ID_GNU,
					  .len = (uint8_t)(len < BUILD_ID_MAX ? len : BUILD_ID_MAX) };
		memcpy(ret->bytes, desc, ret->len);
		return true;
	}
	if (type == NOTE_GO_BUILD_ID && name_len == 4 && !memcmp(name, "Go\0", 4) && len)
		set_hashed(ret, BUILD_ID_GO, desc, len, 0);
	return false;
}

static bool scan_notes(Elf_Data *data, struct build_id *ret)
{
	size_t off = 0, next, name_at, desc_at;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, off, &note, &name_at, &desc_at)) > 0) {
		if (take_note((const char *)data->d_buf + name_at, note.n_namesz, note.n_type,
			      (const uint8_t *)data->d_buf + desc_at, note.n_descsz, ret))
			return true;
		off = next;
	}
	return false;
}

static bool scan_segments(Elf *elf, struct build_id *ret)
{
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(elf, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_NOTE || ph.p_filesz > MAX_NOTES_BYTES)
			continue;
		if (scan_notes(elf_getdata_rawchunk(elf, (int64_t)ph.p_offset, ph.p_filesz,
						    ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR), ret))
			return true;
	}
	return false;
}

/* Debug files and relocatable modules have their notes in sections only. */
static bool scan_sections(Elf *elf, struct build_id *ret)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_NOTE && sh.sh_size <= MAX_NOTES_BYTES &&
		    scan_notes(elf_getdata(scn, NULL), ret))
			return true;
	return false;
}

static int hash_content(int fd, uint64_t size, struct build_id *ret)
{
	uint8_t bytes[2 * SAMPLE_BYTES] = { 0 };
	size_t n = size < SAMPLE_BYTES ? size : SAMPLE_BYTES;
	int r = file_pread(fd, bytes, n, 0);

	if (r >= 0)
		r = file_pread(fd, bytes + SAMPLE_BYTES, n, size - n);
	if (r >= 0)
		set_hashed(ret, BUILD_ID_FILE, bytes, sizeof(bytes), size);
	return r;
}

int build_id_of_notes(const char *path, struct build_id *ret)
{
	_cleanup_(buf_fini) struct buf b = BUF_INIT;
	struct build_id id = { 0 };
	int r = file_read_path(AT_FDCWD, path, MAX_NOTES_BYTES, &b);
	Elf_Data notes = { .d_buf = b.data, .d_size = b.len, .d_type = ELF_T_NHDR, .d_version = EV_CURRENT };

	if (r < 0)
		return r;
	elf_version(EV_CURRENT);
	if (!scan_notes(&notes, &id))
		return -ENODATA;
	*ret = id;
	return 0;
}

static void elf_endp(Elf **elf)
{
	elf_end(*elf);
}

int build_id_of_file(int fd, struct build_id *ret)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	struct build_id id = { 0 };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return -EBADMSG;
	if (!scan_segments(elf, &id) && id.kind == BUILD_ID_NONE)
		scan_sections(elf, &id);
	r = id.kind == BUILD_ID_NONE ? hash_content(fd, (uint64_t)st.st_size, &id) : 0;
	if (r >= 0)
		*ret = id;
	return r;
}
