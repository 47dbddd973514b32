/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind - an ELF file's unwind rows, as readelf shows CFI: for people, and to compare with other tools.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "unwind/elf_cfi.h"
#include "unwind/rule_text.h"

enum { ROW_STATS };

static const struct flag flags[] = {
	[ROW_STATS] = { 's', "stats", NULL, "how many rows and rules, their bytes, the time they took, what was left out" },
};

const struct cli unwind_cli = {
	.name = "unwind",
	.summary = "show the rows that unwind an ELF file's code",
	.usage = "[--stats] FILE [ADDRESS]",
	.about = "Prints the unwind table made from a file's .eh_frame, .debug_frame and Go pclntab: for each range of code how the\n"
		 "caller's frame (CFA), its rbp and its return address are found, as `readelf --debug-dump=frames-interp`\n"
		 "writes it. With an ADDRESS (of the file, in hexadecimal): the row that covers it.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "c-16: in memory at CFA - 16; u: unchanged; plt11: the two halves of a PLT entry; stop: the outermost\n"
		 "frame; -: no rule.\n\n"
		 "Exit status: 0 ok, 1 the file has no rows, or none for ADDRESS, 2 wrong usage.\n",
};

struct arguments {
	bool stats;
	const char *path;
	const char *address_text;
	uint64_t address;
};

static int set(void *ctx, size_t row, const char *value)
{
	struct arguments *a = ctx;

	a->stats = true;
	return 0;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	int first, r = flags_parse(&unwind_cli, argc, argv, set, a, &first);
	char *end;

	if (r)
		return r;
	if (first == argc)
		return flags_complain(&unwind_cli, "say which FILE");
	if (argc - first > 2)
		return flags_complain(&unwind_cli, "'%s' is one argument too many", argv[first + 2]);
	a->path = argv[first];
	a->address_text = argv[first + 1];
	if (!a->address_text)
		return 0;
	errno = 0;
	a->address = strtoull(a->address_text, &end, 16);
	if (errno || *end || end == a->address_text || *a->address_text == '-')
		return flags_complain(&unwind_cli, "'%s' is no address: write it in hexadecimal", a->address_text);
	return 0;
}

static const char *failure(int r)
{
	switch (r) {
	case -ENODATA:
		return "it carries no unwind information for its code";
	case -ENOTSUP:
		return "only 64-bit x86 and arm64 code can be unwound";
	case -EBADMSG:
		return "it is no ELF file, or a damaged one";
	case -E2BIG:
		return "it holds more code than a table can cover";
	default:
		return strerror(-r);
	}
}

static int load(const char *path, struct rows **ret, uint64_t *ret_ns)
{
	_cleanup_(elf_image_freep) struct elf_image *img = NULL;
	_cleanup_(closep) int fd = file_open_regular(AT_FDCWD, path, 0, NULL);
	uint64_t begin = time_boot_ns();
	int r = fd < 0 ? fd : elf_image_open(fd, &img);

	if (r >= 0)
		r = elf_cfi_rows(img, ELF_CFI_ALL, ret);
	*ret_ns = time_boot_ns() - begin;
	return r;
}

static void print_head(const struct rows *rows, struct buf *out)
{
	const struct arch_facts *arch = arch_facts(rows->arch);

	buf_printf(out, "%-16s %-14s %-12s %s\n", "   LOC", "CFA", arch->names[arch->fp], "ra");
}

static void print_row(const struct rows *rows, const struct rows_span *span, struct buf *out)
{
	struct rule_text t = rule_text(rows->arch, span->rule);

	if (*t.fp)
		buf_printf(out, "%016" PRIx64 " %-14s %-12s %s\n", span->start, t.cfa, t.fp, t.ra);
	else
		buf_printf(out, "%016" PRIx64 " %s\n", span->start, t.cfa);
}

static void print_all(const struct rows *t, struct buf *out)
{
	struct rows_cursor at = { 0 };
	struct rows_span span;

	print_head(t, out);
	while (rows_next(t, &at, &span))
		print_row(t, &span, out);
}

static int print_one(const struct rows *t, const struct arguments *a, struct buf *out)
{
	struct rows_cursor at = { 0 };
	struct rows_span span;

	while (rows_next(t, &at, &span)) {
		if (a->address < span.start || a->address >= span.end)
			continue;
		if (unwind_cfa(span.rule) == UNWIND_INVALID)
			break;
		print_head(t, out);
		print_row(t, &span, out);
		return 0;
	}
	log_error("no rule of %s covers %s", a->path, a->address_text);
	return -ENODATA;
}

static void print_stats(const struct rows *t, uint64_t ns, struct buf *out)
{
	double bytes = (double)rows_bytes(t), rows = (double)t->stats.rows;

	buf_printf(out, "code       %" PRIu64 " bytes in %u pages\n", t->end - t->base, t->n_pages);
	buf_printf(out, "functions  %" PRIu64 "\n", t->stats.fdes);
	if (t->stats.code_rows)
		buf_printf(out, "assembly   %" PRIu64 " rows of functions without CFI, from their instructions\n", t->stats.code_rows);
	if (t->stats.go_functions)
		buf_printf(out, "Go         %" PRIu64 " functions of the pclntab\n", t->stats.go_functions);
	buf_printf(out, "rows       %" PRIu64 "\n", t->stats.rows);
	buf_printf(out, "rules      %u (%" PRIu64 " rows of the rare ones)\n", t->n_rules, t->stats.escapes);
	buf_printf(out, "bytes      %.0f (%.2f a row)\n", bytes, rows > 0 ? bytes / rows : 0);
	buf_printf(out, "time       %.2f ms (%.1f million rows a second)\n", (double)ns / 1e6, rows * 1e3 / (double)ns);
	for (int i = 0; i < UNWIND_WHY_MAX; i++)
		if (t->stats.why[i])
			buf_printf(out, "left out   %" PRIu64 ": %s\n", t->stats.why[i], unwind_why_help(i));
}

int cmd_unwind(int argc, char **argv)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	_cleanup_(rows_freep) struct rows *t = NULL;
	struct arguments a = { 0 };
	uint64_t ns;
	int r = parse(argc, argv, &a);

	if (r)
		return r == FLAGS_HELP ? EXIT_OK : EXIT_USAGE;
	r = load(a.path, &t, &ns);
	if (r < 0) {
		log_error("cannot unwind %s: %s", a.path, failure(r));
		return EXIT_FAILED;
	}
	if (a.stats)
		print_stats(t, ns, &out);
	if (a.address_text)
		r = print_one(t, &a, &out);
	else if (!a.stats)
		print_all(t, &out);
	if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout))
		return EXIT_FAILED;
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}
