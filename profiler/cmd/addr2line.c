/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr2line - addresses of an ELF file as functions and lines of its source: the options and the output of
 * binutils' addr2line 2.40, so that it can stand in for it.
 *
 * It differs where binutils guesses: an address between two functions is nobody's here, a function's file is
 * not taken from the symbol table, and discriminators are not shown.
 */
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/addr2line_input.h"
#include "cmd/command.h"
#include "cmd/flags.h"
#include "cmd/target_opts.h"
#include "symbolize/elf_image.h"
#include "symbolize/symbolizer.h"

/* Deepest inline chain that is shown; longest line that is read, as there. */
enum { MAX_CHAIN = 256, MAX_WORD = 100 };

/* In the order of the rows below. */
enum { ROW_EXE, ROW_SECTION, ROW_SHOW, ROW_ADDRESSES, ROW_FUNCTIONS, ROW_INLINES, ROW_PRETTY, ROW_BASENAMES, ROW_DEMANGLE,
       ROW_KEPT, ROW_SYMBOL_CACHE, ROW_DEBUGINFOD, ROW_SAME, ROW_TARGET, ROW_LIMIT, ROW_NO_LIMIT };

static const struct flag flags[] = {
	[ROW_EXE] = { 'e', "exe", "FILE", "the ELF file (default a.out)", .values = "FILE" },
	[ROW_SECTION] = { 'j', "section", "NAME", "addresses are offsets in this section" },
	[ROW_SHOW] = { .heading = "What is shown" },
	[ROW_ADDRESSES] = { 'a', "addresses", NULL, "the address too" },
	[ROW_FUNCTIONS] = { 'f', "functions", NULL, "the function too" },
	[ROW_INLINES] = { 'i', "inlines", NULL, "of an inlined function also those it is inlined into" },
	[ROW_PRETTY] = { 'p', "pretty_print", NULL, "all of a function on one line" },
	[ROW_BASENAMES] = { 's', "basenames", NULL, "files without their directories" },
	[ROW_DEMANGLE] = { 'C', "demangle", NULL, "functions as people write them; =STYLE may follow, the name tells it anyway" },
	[ROW_KEPT] = { .heading = "Not of binutils" },
	[ROW_SYMBOL_CACHE] = TARGET_ROW_SYMBOL_CACHE,
	[ROW_DEBUGINFOD] = TARGET_ROW_DEBUGINFOD,
	[ROW_SAME] = { .heading = "Taken because binutils takes them, and without effect" },
	[ROW_TARGET] = { 'b', "target", "NAME", "the file's format: it says it itself" },
	[ROW_LIMIT] = { 'R', "recurse_limit", NULL, "demangling has a limit" },
	[ROW_NO_LIMIT] = { 'r', "no_recurse_limit", NULL, "it has one all the same" },
};

const struct cli addr2line_cli = {
	.name = "addr2line",
	.summary = "turn addresses of an ELF file into functions and source lines",
	.usage = "[options] [ADDRESS...]",
	.about = "Prints where in the source an address of the file lies: FILE:LINE, as binutils' addr2line does.\n"
		 "Addresses are hexadecimal, or SYMBOL+OFFSET; without any they are read from standard input.",
	.flags = flags,
	.n_flags = ARRAY_SIZE(flags),
	.after = "??:0 is an address in no function, FILE:? or ??:? one whose line is not known.\n"
		 "\n"
		 "Exit status: 0 ok, 1 the file cannot be read, 2 wrong usage.\n"
		 "\n"
		 "Example\n"
		 "  hotspan addr2line -Cfipe app 0x4011d6\n",
};

struct options {
	const char *exe, *section, *symbol_cache, *debuginfod_urls;
	bool addresses, functions, inlines, pretty, basenames, demangle;
	char **words;
	int n_words;
};

static int set(void *ctx, size_t row, const char *value)
{
	struct options *o = ctx;

	switch (row) {
	case ROW_EXE:
		o->exe = value;
		break;
	case ROW_SECTION:
		o->section = value;
		break;
	case ROW_ADDRESSES:
		o->addresses = true;
		break;
	case ROW_FUNCTIONS:
		o->functions = true;
		break;
	case ROW_INLINES:
		o->inlines = true;
		break;
	case ROW_PRETTY:
		o->pretty = true;
		break;
	case ROW_BASENAMES:
		o->basenames = true;
		break;
	case ROW_DEMANGLE:
		o->demangle = true;
		break;
	case ROW_SYMBOL_CACHE:
		o->symbol_cache = value;
		break;
	case ROW_DEBUGINFOD:
		o->debuginfod_urls = target_debuginfod_urls(&addr2line_cli);
		return o->debuginfod_urls ? 0 : -EINVAL;
	}
	return 0;
}

/* Options may stand behind addresses. */
static int parse(int argc, char **argv, struct options *o)
{
	static char demangle[] = "--demangle";
	char **rest = argv;
	int n = argc;

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strncmp(argv[i], "--demangle=", 11))
			argv[i] = demangle;
	for (;;) {
		int first, r = flags_parse(&addr2line_cli, n, rest, set, o, &first);
		bool no_more;

		if (r)
			return r;
		no_more = first > 1 && !strcmp(rest[first - 1], "--");
		while (first < n && (no_more || rest[first][0] != '-'))
			o->words[o->n_words++] = rest[first++];
		if (first >= n)
			return 0;
		rest += first - 1; /* what stands there plays argv[0] */
		n -= first - 1;
	}
}

struct lookup {
	const struct options *o;
	int fd;
	struct addr2line_input input;
	struct symbolizer *symbols;
	struct sym_image *img;
	struct buf out;
};

static void put_source(struct lookup *l, const char *file, uint32_t line)
{
	const char *slash = l->o->basenames && file ? strrchr(file, '/') : NULL;

	buf_puts(&l->out, slash ? slash + 1 : file ? file : "??");
	if (line)
		buf_printf(&l->out, ":%u\n", line);
	else
		buf_puts(&l->out, ":?\n");
}

static void put_frame(struct lookup *l, const struct sym_frame *f)
{
	const char *name = l->o->demangle ? f->name : f->system_name;

	if (l->o->functions) {
		buf_puts(&l->out, name[0] ? name : "??"); /* between functions, where a line goes on */
		buf_puts(&l->out, l->o->pretty ? " at " : "\n");
	}
	put_source(l, f->file, f->line);
}

static void put_unknown(struct lookup *l)
{
	if (l->o->functions)
		buf_puts(&l->out, l->o->pretty ? "?? " : "??\n");
	buf_puts(&l->out, "??:0\n");
}

/*
 * binutils shows the name of an inlined call where it is what a linker would call it, else that of the symbol, which is
 * the function the call was inlined into. Of languages that do not mangle every name is one.
 */
static bool is_link_name(const struct sym_frame *f)
{
	static const uint16_t plain[] = { DW_LANG_C89, DW_LANG_C, DW_LANG_Ada83, DW_LANG_Cobol74, DW_LANG_Cobol85, DW_LANG_Fortran77,
					  DW_LANG_Pascal83, DW_LANG_C99, DW_LANG_PLI, DW_LANG_UPC, DW_LANG_C11, DW_LANG_Mips_Assembler };

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (f->language == plain[i])
			return true;
	return strcmp(f->name, f->system_name) != 0;
}

static void look_up(struct lookup *l, const char *word)
{
	uint64_t value = addr2line_input_value(&l->input, word), address;
	struct sym_frame chain[MAX_CHAIN];
	int n = addr2line_input_address(&l->input, value, &address);

	if (l->o->addresses)
		buf_printf(&l->out, "0x%0*llx%s", l->input.is_64 ? 16 : 8, (unsigned long long)value, l->o->pretty ? ": " : "\n");
	if (n >= 0)
		n = sym_image_resolve_address(l->img, address, chain, MAX_CHAIN);
	if (n < 0)
		put_unknown(l);
	if (n > 1 && !l->o->inlines && !is_link_name(&chain[0])) {
		chain[0].name = chain[n - 1].name;
		chain[0].system_name = chain[n - 1].system_name;
	}
	for (int i = 0; i < n && (!i || l->o->inlines); i++) {
		if (i && l->o->pretty)
			buf_puts(&l->out, " (inlined by) ");
		put_frame(l, &chain[i]);
	}
}

static int flush(struct lookup *l)
{
	bool ok = !buf_error(&l->out) && fwrite(l->out.data, 1, l->out.len, stdout) == l->out.len && !fflush(stdout);

	buf_reset(&l->out);
	return ok ? 0 : -EIO;
}

/* An answer for each line at once: programs use us over a pipe. */
static int look_up_all(struct lookup *l)
{
	char line[MAX_WORD];
	int r = 0;

	for (int i = 0; i < l->o->n_words; i++)
		look_up(l, l->o->words[i]);
	while (!l->o->n_words && r >= 0 && fgets(line, sizeof(line), stdin)) {
		look_up(l, line);
		r = flush(l);
	}
	return r < 0 || !l->out.len ? r : flush(l);
}

/* A file's debug information is read the first time it is asked for. */
static int wait_for_lines(struct lookup *l)
{
	struct symbolizer_stats s;
	char text[192];

	symbolizer_stats(l->symbols, &s);
	if (s.lines_error)
		log_warn("there will be no lines: %s", lines_complaint(s.lines_error, text, sizeof(text)));
	while (symbolizer_step(l->symbols, NSEC_PER_SEC))
		;
	symbolizer_stats(l->symbols, &s);
	for (int i = HELPER_OK + 1; i < HELPER_RESULTS; i++)
		if (s.lines.made[i] && i != HELPER_NO_DEBUG_INFO)
			log_warn("%s: no lines: %s", l->o->exe, helper_result_name((enum helper_result)i));
	if (s.lines.later)
		log_warn("%s: no lines: a debuginfod server could not be asked", l->o->exe);
	symbolizer_upgrade(l->symbols);
	return 0;
}

static int open_image(struct lookup *l)
{
	struct symbolizer_opts opts = target_symbols(l->o->symbol_cache);
	struct sym_source src = { .kind = SYM_ELF, .root_fd = -1, .path = l->o->exe };
	int r = l->fd = src.fd = file_open_regular(AT_FDCWD, l->o->exe, 0, NULL);

	opts.debuginfod_urls = l->o->debuginfod_urls;
	if (r >= 0)
		r = addr2line_input_open(l->fd, l->o->section, &l->input);
	if (r >= 0)
		r = build_id_of_file(l->fd, &src.id);
	if (r >= 0)
		r = symbolizer_new(&opts, &l->symbols);
	if (r >= 0)
		r = symbolizer_load(l->symbols, &src, &l->img);
	return r < 0 ? r : wait_for_lines(l);
}

static void lookup_fini(struct lookup *l)
{
	symbolizer_free(l->symbols);
	addr2line_input_fini(&l->input);
	closep(&l->fd);
	buf_fini(&l->out);
}

static void complain(const struct options *o, int r)
{
	if (r == -ENXIO)
		log_error("%s has no section %s", o->exe, o->section);
	else
		log_error("cannot read %s: %s", o->exe,
			  r == -EBADMSG ? "it is no ELF file, or a damaged one" :
			  r == -EINVAL  ? "it is no regular file" :
					  strerror(-r));
}

int cmd_addr2line(int argc, char **argv)
{
	_cleanup_(freep) char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct options o = { .exe = "a.out", .words = words };
	_cleanup_(lookup_fini) struct lookup l = { .o = &o, .fd = -1 };
	int r = words ? parse(argc, argv, &o) : -ENOMEM;

	if (r)
		return r == FLAGS_HELP ? EXIT_OK : EXIT_USAGE;
	r = open_image(&l);
	if (r < 0) {
		complain(&o, r);
		return EXIT_FAILED;
	}
	return look_up_all(&l) < 0 ? EXIT_FAILED : EXIT_OK;
}
