/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the kernel and its modules, from debug files made here: a program at a kernel's addresses, and a kallsyms moved by KASLR. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/units.h"
#include "symbolize/build_id.h"
#include "symbolize/helper_serve.h"
#include "symbolize/kernel_debug.h"
#include "symbolize/symbolizer.h"

#define TEXT  0xffffffff81000000ull
#define SLIDE 0x1e000000ull
#define SOURCE                                                                   \
	"static inline int twice(int x) { return x * 2 + 1; }\n"                 \
	"__attribute__((noinline)) int startup(int x) { return x + 3; }\n"       \
	"__attribute__((noinline)) int do_work(volatile int *p)\n"               \
	"{\n"                                                                    \
	"\t*p = 7;\n"                                                            \
	"\treturn twice(*p);\n"                                                  \
	"}\n"

#define MODULE                                                                          \
	"static inline int twice(int x) { return x * 2 + 1; }\n"                        \
	"__attribute__((noinline)) int hook(volatile int *p)\n"                         \
	"{\n"                                                                           \
	"\treturn twice(*p);\n"                                                         \
	"}\n"                                                                           \
	"__attribute__((noinline, section(\".text.unlikely\"))) int rare(volatile int *p)\n" \
	"{\n"                                                                           \
	"\treturn *p - 3;\n"                                                            \
	"}\n"

static char root[] = "/tmp/hotspan-vmlinux-XXXXXX";

static void write_file(const char *name, const char *text)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -1;

	assert_true(asprintf(&path, "%s/%s", root, name) > 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void run(const char *fmt, ...)
{
	_cleanup_(freep) char *command = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&command, fmt, ap) > 0);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

/* The debug file where linux-image-*-dbg has it; its id. */
static struct build_id make_vmlinux(void)
{
	char hex[BUILD_ID_HEX_LEN], path[128];
	struct build_id id;

	write_file("vmlinux.c", SOURCE);
	run("cd %s && gcc -O2 -g -mcmodel=kernel -fno-pic -no-pie -static -nostdlib -ffreestanding -fno-toplevel-reorder -fno-reorder-functions "
	    "-Wl,--build-id=sha1 -Wl,-Ttext=%#llx -Wl,-e,startup vmlinux.c -o vmlinux", root, TEXT);
	snprintf(path, sizeof(path), "%s/vmlinux", root);
	assert_int_equal(build_id_of_file(open(path, O_RDONLY | O_CLOEXEC), &id), 0);
	build_id_hex(&id, hex);
	run("mkdir -p %s/usr/lib/debug/.build-id/%.2s && mv %s %s/usr/lib/debug/.build-id/%.2s/%s.debug", root, hex, path, root, hex, hex + 2);
	return id;
}

static uint64_t address_of(const char *name, const struct build_id *id, uint64_t *ret_size)
{
	char hex[BUILD_ID_HEX_LEN], command[256];
	unsigned long long at = 0, size = 0;
	FILE *p;

	build_id_hex(id, hex);
	snprintf(command, sizeof(command), "nm -S %s/usr/lib/debug/.build-id/%.2s/%s.debug | awk '$4 == \"%s\" { print $1, $2 }'", root, hex, hex + 2, name);
	p = popen(command, "r");
	assert_int_equal(fscanf(p, "%llx %llx", &at, &size), 2);
	pclose(p);
	*ret_size = size;
	return at;
}

static struct sym_image *load(struct symbolizer *s, const struct build_id *id)
{
	struct sym_source src = { .kind = SYM_KERNEL, .id = *id, .fd = -1, .root_fd = -1, .path = "[kernel.kallsyms]" };
	struct sym_image *img;

	assert_int_equal(symbolizer_load(s, &src, &img), 0);
	assert_int_equal(sym_image_error(img), 0);
	return img;
}

static void the_kernel_has_lines_where_its_debug_file_is(void **state)
{
	struct build_id id = make_vmlinux();
	uint64_t size, work, startup = address_of("startup", &id, &size);
	_cleanup_(freep) char *kallsyms = NULL, *cache = NULL;
	struct sym_frame chain[8];
	struct symbolizer *s;
	struct sym_image *img;
	bool inlined = false;

	work = address_of("do_work", &id, &size);
	assert_int_equal(startup, TEXT);
	assert_true(asprintf(&kallsyms, "%llx T _text\n%llx T startup\n%llx t do_work\nffffffffc0400000 t nf_hook\t[nf_tables]\n",
			     (unsigned long long)(TEXT + SLIDE), (unsigned long long)(startup + SLIDE), (unsigned long long)(work + SLIDE)) > 0);
	run("mkdir %s/proc", root);
	write_file("proc/kallsyms", kallsyms);
	assert_true(asprintf(&cache, "%s/cache", root) > 0);
	assert_int_equal(symbolizer_new(&(struct symbolizer_opts){ .sysroot = root, .lines = true, .cache_dir = cache }, &s), 0);
	img = load(s, &id);
	assert_int_equal(sym_image_resolve(img, work + SLIDE, chain, 8), 1);
	assert_null(chain[0].file); /* names at once, lines later */
	while (symbolizer_step(s, NSEC_PER_SEC))
		;
	symbolizer_upgrade(s);
	for (uint64_t at = work; at < work + size; at++) {
		int n = sym_image_resolve(img, at + SLIDE, chain, 8);

		assert_true(n >= 1);
		assert_string_equal(chain[n - 1].name, "do_work");
		assert_true(chain[n - 1].file && chain[n - 1].line >= 4 && chain[n - 1].line <= 7);
		if (n == 2) {
			assert_string_equal(chain[0].name, "twice");
			assert_int_equal(chain[0].line, 1);
			inlined = true;
		}
	}
	assert_true(inlined);
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0400010, chain, 8), 1);
	assert_string_equal(chain[0].name, "nf_hook");
	assert_string_equal(chain[0].module, "nf_tables");
	symbolizer_free(s);
	run("rm -rf %s/*", root);
}

static void the_kernel_is_found_by_its_release(void **state)
{
	struct build_id id = make_vmlinux(), other = { .kind = BUILD_ID_GNU, .len = 20 };
	_cleanup_(freep) char *debug = NULL;
	_cleanup_(closep) int fd = -1;
	char hex[BUILD_ID_HEX_LEN];
	struct utsname u;

	build_id_hex(&id, hex);
	assert_true(asprintf(&debug, "%s/usr/lib/debug", root) > 0);
	assert_int_equal(uname(&u), 0);
	run("mkdir %s/boot && mv %s/.build-id/%.2s/%s.debug %s/boot/vmlinux-%s", debug, debug, hex, hex + 2, debug, u.release);
	fd = kernel_debug_open(debug, &id, NULL);
	assert_true(fd >= 0);
	assert_int_equal(kernel_debug_open(debug, &other, NULL), -ENOENT);
	run("rm -rf %s/*", root);
}

/* Built as the kernel builds its own, with the debug file where linux-image-*-dbg has it, and what sysfs says of it. */
static void make_module(const char *file)
{
	struct utsname u;
	struct build_id id;
	char path[128];

	write_file("hook.c", MODULE);
	snprintf(path, sizeof(path), "%s/hook.ko", root);
	run("mkdir -p %s/sys/module/a_hook/notes %s/sys/module/a_hook/sections %s/proc", root, root, root);
	run("cd %s && gcc -O2 -g -c -mcmodel=kernel -fno-pic -ffreestanding hook.c -o hook.o && ld -r --build-id=sha1 hook.o -o hook.ko && "
	    "objcopy -O binary --only-section=.note.gnu.build-id hook.ko sys/module/a_hook/notes/.note.gnu.build-id", root);
	assert_int_equal(build_id_of_file(open(path, O_RDONLY | O_CLOEXEC), &id), 0);
	assert_int_equal(id.kind, BUILD_ID_GNU);
	assert_int_equal(uname(&u), 0);
	run("mkdir -p %s/usr/lib/debug/lib/modules/%s/kernel/net && objcopy --only-keep-debug %s %s/usr/lib/debug/lib/modules/%s/kernel/net/%s", root,
	    u.release, path, root, u.release, file);
	write_file("sys/module/a_hook/sections/.text", "0xffffffffc0500000\n");
	write_file("sys/module/a_hook/sections/.text.unlikely", "0xffffffffc0700000\n");
	write_file("proc/kallsyms", "ffffffff81000000 T _text\nffffffffc0500000 t hook\t[a_hook]\nffffffffc0700000 t rare\t[a_hook]\n"
				    "ffffffffc0800000 t other\t[other]\n");
}

static struct symbolizer *open_with_lines(void)
{
	_cleanup_(freep) char *cache = NULL;
	struct symbolizer *s;

	assert_true(asprintf(&cache, "%s/cache", root) > 0);
	assert_int_equal(symbolizer_new(&(struct symbolizer_opts){ .sysroot = root, .lines = true, .cache_dir = cache }, &s), 0);
	return s;
}

static void a_module_has_lines_wherever_its_sections_lie(void **state)
{
	const struct build_id id = { .kind = BUILD_ID_GNU, .len = 20 };
	struct sym_frame chain[8];
	struct symbolizer *s;
	struct sym_image *img;

	make_module("a-hook.ko");
	s = open_with_lines();
	img = load(s, &id);
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0500000, chain, 8), 1);
	assert_null(chain[0].file);
	while (symbolizer_step(s, NSEC_PER_SEC))
		;
	symbolizer_upgrade(s);
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0500002, chain, 8), 2);
	assert_string_equal(chain[0].name, "twice");
	assert_int_equal(chain[0].line, 1);
	assert_string_equal(chain[1].name, "hook");
	assert_int_equal(chain[1].line, 4);
	assert_string_equal(chain[1].module, "a_hook");
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0700002, chain, 8), 1);
	assert_string_equal(chain[0].name, "rare");
	assert_int_equal(chain[0].line, 8);
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0800000, chain, 8), 1);
	assert_string_equal(chain[0].module, "other");
	symbolizer_free(s);
}

/* As for anyone but root. */
static void a_module_whose_place_is_hidden_keeps_its_names(void **state)
{
	const struct build_id id = { .kind = BUILD_ID_GNU, .len = 20 };
	struct sym_frame chain[8];
	struct symbolizer *s;
	struct sym_image *img;

	make_module("a_hook.ko.debug");
	write_file("sys/module/a_hook/sections/.text", "0x0000000000000000\n");
	s = open_with_lines();
	img = load(s, &id);
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0500000, chain, 8), 1);
	while (symbolizer_step(s, NSEC_PER_SEC))
		;
	symbolizer_upgrade(s);
	assert_int_equal(sym_image_resolve(img, 0xffffffffc0500002, chain, 8), 1);
	assert_string_equal(chain[0].name, "hook");
	assert_null(chain[0].file);
	symbolizer_free(s);
	run("rm -rf %s", root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_has_lines_where_its_debug_file_is),
		cmocka_unit_test(the_kernel_is_found_by_its_release),
		cmocka_unit_test(a_module_has_lines_wherever_its_sections_lie),
		cmocka_unit_test(a_module_whose_place_is_hidden_keeps_its_names),
	};

	if (argc > 1 && !strcmp(argv[1], HELPER_COMMAND))
		return helper_serve(convert_image);
	if (!mkdtemp(root))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
