#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`hotspan addr2line` beside binutils' own: the same options give the same text."""
import random

from hs import *  # noqa: F403
from http_pages import Server

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-addr2line-"))
LIBSTDCXX = pathlib.Path("/usr/lib/x86_64-linux-gnu/libstdc++.so.6")

PROGRAM = """
#include <cstdlib>
#include <string>
#include <vector>
namespace shop {
static inline int leaf(int x) { return x * 3 + std::abs(x); }
static inline int walk(int x)
{
	for (int i = 0; i < 9; i++)
		x = leaf(x ^ i) + i;
	return x;
}
struct basket {
	std::vector<std::string> names;
	__attribute__((noinline)) int sum(int x) const { return walk(x) + (int)names.size(); }
	__attribute__((noinline)) void add(const std::string &name) { names.push_back(name + "!"); }
};
}
extern "C" __attribute__((noinline)) int feed(int x) { return x * 5; }
int main(int argc, char **argv)
{
	shop::basket b;
	for (int i = 0; i < argc; i++)
		b.add(argv[i]);
	return b.sum(argc) + feed(argc);
}
"""


def program(*flags):
    """The program compiled with such flags, once."""
    path = tmp / ("p" + "".join(flags).replace("/", "_"))
    if not path.exists():
        (tmp / "shop.cc").write_text(PROGRAM)
        subprocess.run([need("g++"), *flags, "-o", path, tmp / "shop.cc"], check=True)
    return path


def addresses(path, n=300):
    """Random ones inside functions that have a size, and each function's first and last."""
    text = subprocess.run([need("nm"), "-S", "--defined-only", *(["-D"] if ".so" in path.name else []), path], capture_output=True, text=True).stdout
    ranges = [(int(a, 16), int(s, 16)) for a, s in re.findall(r"^(\w+) (\w+) [tTwW] ", text, re.M)]
    assert ranges, path
    rng = random.Random(7)
    edges = [a for r in rng.sample(ranges, min(50, len(ranges))) for a in (r[0], r[0] + r[1] - 1)]
    return edges + [a + rng.randrange(s) for a, s in rng.choices(ranges, k=n) if s]


def aliases(path):
    """{name: what all names of its address share}: each tool shows one of them, not the same."""
    found = {}
    for flags in ([], ["-D"], ["-C"], ["-CD"]):
        text = subprocess.run(["nm", "--defined-only", *flags, path], capture_output=True, text=True).stdout
        for address, name in re.findall(r"^(\w+) [tTwWiu] (.*?)(?:@+[\w.]+)?$", text, re.M):
            found[name] = "at " + address
    return found


def run(argv, words, stdin):
    words = [f"{w:x}" if isinstance(w, int) else w for w in words]
    p = subprocess.run([*map(str, argv), *([] if stdin else words)], capture_output=True, text=True, timeout=60,
                       input="".join(w + "\n" for w in words) if stdin else "")
    return p.returncode, p.stdout, p.stderr


def plain(text, lines):
    """binutils guesses the file of a local function from the symbol table and adds discriminators: we do not."""
    text = re.sub(r" \(discriminator \d+\)", "", text)
    return text if lines else re.sub(r"(^| at )\S+:\?$", r"\1??:?", text, flags=re.M)


def function_of(line, known):
    head, at, source = line.rpartition(" at ")
    address, colon, name = head.rpartition(": ") if re.match("0x[0-9a-f]+: ", head) else ("", "", head if at else line)
    inlined, name = re.fullmatch(r"( \(inlined by\) )?(.*)", name).groups()
    # A part moved away has a symbol of its own, which is what we show; a destructor's two variants may be one.
    name = re.sub(r"\.cold$| \[clone \.cold\]$", "", name)
    name = known.get(name) or re.sub(r"([CD])[12]E", r"\1E", name)
    return f"{address}{colon}{inlined or ''}{name}{at}{source if at else ''}"


def same(options, words, stdin=False, lines=False, known={}):
    status, theirs, _ = run([need("addr2line"), *options], words, stdin)
    ours = run([HOTSPAN, "addr2line", *options], words, stdin)
    assert (ours[0], ours[2]) == (status, ""), ours
    a, b = ours[1].splitlines(), plain(theirs, lines).splitlines()
    for i, (x, y) in enumerate(zip(a, b)):
        if lines and re.search(r"\bshop\.cc:\d{3,}$", y):
            continue  # that file has 25 lines: it takes a namespace's file table wrong
        assert x == y or function_of(x, known) == function_of(y, known), (options, i, a[max(0, i - 4):i + 2], b[max(0, i - 4):i + 2])
    assert len(a) == len(b) and a, (options, len(a), len(b))
    return ours[1]


def test_names_of_files_without_debug_information():
    for path in (program("-O2"), program("-O0", "-no-pie", "-fno-pie"), program("-O2", "-static"), LIBSTDCXX):
        words, known = addresses(path), aliases(path)
        for options in ("-fe", "-fCe", "-afpe", "-fipe", "-ae", "-e", "-fse"):
            same([options, path], words, known=known)
        print(f"  {path.name}: {len(words)} addresses")


def test_words_are_read_as_binutils_reads_them():
    path = program("-O2")
    words = ["main", "main+4", "main+0x4", "main+10", "main+zz", "feed", "feed+2", "zz", "nosuch+4", "0x", "0xffffffffffffffffffff", "1", "ffffffff",
             "1139junk", "1140+2", "main +2", "_start"]
    same(["-afe", path], words)
    same(["-afe", path], [*words, "", "main+4 x", "1180 x"], stdin=True)
    same(["-afpe", path, "--", "-1"], [])
    for options in (["--exe=" + str(path), "--functions", "--demangle", "--addresses"], ["-C", "--inlines", "--pretty-print", "-e", path, "--functions"],
                    ["--demangle=gnu-v3", "--basenames", "-f", "--exe", path], ["-b", "elf64-x86-64", "-r", "-R", "-fe", path]):
        same(options, words)
    same(["main", "-fe", path, "feed+1", "-a"], ["--", "main+1"])


def test_offsets_in_a_section():
    path = program("-O2")
    same(["-afj", ".text", "-e", path], [0, 1, 0x20, 0x51, 0x100, 0x200, 0x100000])
    same(["-fj", ".init", "-e", path], [0, 1, 0x1000])
    same(["-fj", ".comment", "-e", path], [0, 1])


def test_a_program_that_asks_over_a_pipe_gets_each_answer_at_once():
    p = subprocess.Popen([HOTSPAN, "addr2line", "-fe", program("-O2")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for name in ("main", "feed"):
        p.stdin.write(name + "+1\n")
        p.stdin.flush()
        assert p.stdout.readline() == name + "\n" and p.stdout.readline()
    p.stdin.close()
    assert p.wait(10) == 0


def test_files_it_cannot_read():
    text = tmp / "text"
    text.write_text("no ELF\n")
    for argv, status, word in ((["-e", tmp / "nosuch", "1"], 1, "No such file"), (["-e", text, "1"], 1, "no ELF file"), (["-e", tmp, "1"], 1, "no regular file"),
                               (["-j", ".nosuch", "-e", program("-O2"), "1"], 1, "no section .nosuch"), (["-e"], 2, "needs a value"),
                               (["--nosuch"], 2, "no option")):
        got = run([HOTSPAN, "addr2line", *argv], [], False)
        assert got[0] == status and word in got[2] and not got[1] and got[2].count("\n") == 1, (argv, got)


def test_lines_and_inlined_calls():
    for flags in (("-O2", "-g"), ("-O2", "-g", "-gdwarf-4"), ("-O0", "-g"), ("-O2", "-g", "-gz", "-no-pie", "-fno-pie")):
        path = program(*flags)
        words, known = addresses(path), aliases(path)
        # Of calls that no linker has a name for, binutils says that or their function's, by what it looked up before.
        known |= dict.fromkeys(["leaf", "walk", "shop::leaf(int)", "shop::walk(int)", "_ZNK4shop6basket3sumEi", "shop::basket::sum(int) const"], "sum")
        for options in ("-e", "-fe", "-fie", "-fCipe", "-afse", "-ie"):
            same([options, path], words, lines=True, known=known)


def test_offsets_in_object_files():
    for flags in (("-O2", "-g"), ("-O0", "-g", "-gdwarf-4"), ("-O2", "-g", "-ffunction-sections"), ("-O2",)):
        (tmp / "feed.c").write_text("static int inner(int x)\n{\n\treturn x * 3 + (x >> 1);\n}\n\nint feed(int x)\n{\n\treturn inner(x) + inner(-x);\n}\n\n"
                                    "int food(int x)\n{\n\treturn feed(x) ^ feed(x + 1);\n}\n")
        path = tmp / ("o" + "".join(flags) + ".o")
        subprocess.run([need("gcc"), *flags, "-c", tmp / "feed.c", "-o", path], check=True)
        text = subprocess.run(["nm", "-S", path], capture_output=True, text=True).stdout
        functions = [(name, int(a, 16), int(size, 16)) for a, size, name in re.findall(r"^(\w+) (\w+) [tT] (\w+)$", text, re.M)]
        apart = "-ffunction-sections" in flags
        for function, begin, size in functions:
            for options in ("-f", "-fi", "-af"):
                same([options, "-j", f".text.{function}" if apart else ".text", "-e", path], range(begin, begin + size), known={"inner": function})
            if not apart:
                same(["-fe", path], [*range(begin, begin + size), function + "+4"], known={"inner": function})
        assert len(functions) in (2, 3), functions


def test_a_debug_file_is_fetched_when_that_is_asked_for():
    path, app = program("-O2", "-g", "-Wl,--build-id=sha1"), tmp / "fetched"
    build_id = re.search(r"Build ID: (\w+)", subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout)[1]
    subprocess.run([need("objcopy"), "--only-keep-debug", path, tmp / "fetched.debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", path, app], check=True)
    server = Server({f"/buildid/{build_id}/debuginfo": (tmp / "fetched.debug").read_bytes()})
    main = re.search(r"^(\w+) \w+ T main$", subprocess.run(["nm", "-S", path], capture_output=True, text=True).stdout, re.M)[1]

    def ask(cache, *options, url=server.url):
        p = subprocess.run([HOTSPAN, "addr2line", *options, "--symbol-cache", tmp / cache, "-fe", app, main], capture_output=True, text=True,
                           timeout=60, env=dict(os.environ, DEBUGINFOD_URLS=url))
        return p.returncode, p.stdout, p.stderr

    assert ask("a") == (0, "??\n??:0\n", "") and not server.asked
    status, out, err = ask("a", "--debuginfod")
    assert status == 0 and re.fullmatch(r"main\n\S+/shop\.cc:\d+\n", out) and not err, (out, err)
    assert (tmp / "a/debuginfod" / f"{build_id}.debug").exists()
    assert ask("a") == (0, out, "") and len(server.asked) == 1
    status, out, err = ask("b", "--debuginfod", url="http://127.0.0.1:1")
    assert status == 0 and out == "??\n??:0\n" and "could not be asked" in err, (out, err)
    p = subprocess.run([HOTSPAN, "addr2line", "--debuginfod", "-e", app, main], capture_output=True, text=True)
    assert p.returncode == 2 and "DEBUGINFOD_URLS" in p.stderr, p


if __name__ == "__main__":
    run_tests(globals())
