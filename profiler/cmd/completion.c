/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion - a script that teaches a shell our commands and flags, made from their rows.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/flags.h"

const struct cli completion_cli = {
	.name = "completion",
	.summary = "print the completion script of a shell",
	.usage = "bash | zsh | fish",
	.about = "Prints a script that completes hotspan's commands and options.",
	.after = "Example\n"
		 "  hotspan completion bash >/etc/bash_completion.d/hotspan\n",
};

/* ---- bash; zsh runs the same through bashcompinit ---- */

static void words(const char *values, struct buf *out)
{
	for (const char *v = values; *v; v++)
		buf_putc(out, *v == '|' ? ' ' : *v);
}

/* `--by) COMPREPLY=(...)`: what a flag's value may be. */
static void bash_values(const struct cli *c, struct buf *out)
{
	char name[FLAGS_MAX_NAME];

	for (size_t i = 0; i < c->n_flags; i++) {
		const struct flag *f = &c->flags[i];

		if (!f->name || !f->arg)
			continue;
		buf_printf(out, "\t\t%s:--%s", c->name, flags_name(f, name, sizeof(name)));
		if (f->letter)
			buf_printf(out, "|%s:-%c", c->name, f->letter);
		if (!f->values) {
			buf_puts(out, ") return ;;\n");
		} else if (!strcmp(f->values, "FILE")) {
			buf_puts(out, ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
		} else {
			buf_puts(out, ") COMPREPLY=($(compgen -W \"");
			words(f->values, out);
			buf_puts(out, "\" -- \"$cur\")); return ;;\n");
		}
	}
}

static void bash_flags(const struct cli *c, struct buf *out)
{
	char name[FLAGS_MAX_NAME];

	buf_printf(out, "\t\t%s) words=\"--help", c->name);
	for (size_t i = 0; i < c->n_flags; i++)
		if (c->flags[i].name)
			buf_printf(out, " --%s", flags_name(&c->flags[i], name, sizeof(name)));
	buf_puts(out, "\" ;;\n");
}

static void bash(struct buf *out)
{
	buf_puts(out, "# bash completion for hotspan; made by `hotspan completion bash`\n"
		      "_hotspan() {\n"
		      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words\n"
		      "\tCOMPREPLY=()\n"
		      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
		      "\t\tCOMPREPLY=($(compgen -W \"--help --version");
	for (size_t i = 0; i < n_commands; i++)
		buf_printf(out, " %s", commands[i].cli->name);
	buf_puts(out, "\" -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase \"$command:$prev\" in\n");
	for (size_t i = 0; i < n_commands; i++)
		bash_values(commands[i].cli, out);
	buf_puts(out, "\tesac\n\tcase \"$command\" in\n");
	for (size_t i = 0; i < n_commands; i++)
		bash_flags(commands[i].cli, out);
	buf_puts(out, "\tesac\n"
		      "\tcase \"$cur\" in\n"
		      "\t\t-*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
		      "\t\t*) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
		      "\tesac\n"
		      "}\n"
		      "complete -o filenames -F _hotspan hotspan\n");
}

static void zsh(struct buf *out)
{
	buf_puts(out, "#compdef hotspan\n# made by `hotspan completion zsh`\nautoload -U +X bashcompinit && bashcompinit\n");
	bash(out);
}

/* ---- fish ---- */

/* Within single quotes; the first line only. */
static void fish_text(const char *s, struct buf *out)
{
	buf_putc(out, '\'');
	for (; *s && *s != '\n'; s++) {
		if (*s == '\'' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
	buf_putc(out, '\'');
}

static void fish_flag(const struct cli *c, const struct flag *f, struct buf *out)
{
	char name[FLAGS_MAX_NAME];

	buf_printf(out, "complete -c hotspan -n '__fish_seen_subcommand_from %s' -l %s", c->name, flags_name(f, name, sizeof(name)));
	if (f->letter)
		buf_printf(out, " -s %c", f->letter);
	if (f->arg && f->values && !strcmp(f->values, "FILE")) {
		buf_puts(out, " -r -F");
	} else if (f->arg) {
		buf_puts(out, " -x");
		if (f->values) {
			buf_puts(out, " -a '");
			words(f->values, out);
			buf_putc(out, '\'');
		}
	}
	buf_puts(out, " -d ");
	fish_text(f->help, out);
	buf_putc(out, '\n');
}

static void fish(struct buf *out)
{
	buf_puts(out, "# fish completion for hotspan; made by `hotspan completion fish`\n");
	for (size_t i = 0; i < n_commands; i++) {
		const struct cli *c = commands[i].cli;

		buf_printf(out, "complete -c hotspan -f -n __fish_use_subcommand -a %s -d ", c->name);
		fish_text(c->summary, out);
		buf_putc(out, '\n');
		for (size_t k = 0; k < c->n_flags; k++)
			if (c->flags[k].name)
				fish_flag(c, &c->flags[k], out);
	}
}

static const struct {
	const char *name;
	void (*print)(struct buf *out);
} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

int cmd_completion(int argc, char **argv)
{
	_cleanup_(buf_fini) struct buf out = BUF_INIT;
	int first, r = flags_parse(&completion_cli, argc, argv, NULL, NULL, &first);

	if (r)
		return r < 0 ? EXIT_USAGE : EXIT_OK;
	for (size_t i = 0; first + 1 == argc && i < ARRAY_SIZE(shells); i++) {
		if (strcmp(argv[first], shells[i].name))
			continue;
		shells[i].print(&out);
		return fwrite(out.data, 1, out.len, stdout) == out.len && !fflush(stdout) ? EXIT_OK : EXIT_FAILED;
	}
	flags_complain(&completion_cli, "say which shell: bash, zsh or fish");
	return EXIT_USAGE;
}
