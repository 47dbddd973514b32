#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names beside those of readelf and c++filt, on real binaries and on debug files in every place they may lie."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

BUILD = pathlib.Path(os.environ["HOTSPAN_BUILD"])
DUMP = BUILD / "tests/unit/symbols_dump"
SOURCE = """
#include <stdio.h>
__attribute__((noinline)) static int hidden_helper(int x) { return x * 7 + 1; }
__attribute__((noinline)) int visible(int x) { return hidden_helper(x) + 2; }
int main(int argc, char **argv) { printf("%d\\n", visible(argc)); return 0; }
"""


def run(*argv, **kw):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, **kw).stdout


def ours(path, offsets, *args):
    """{offset: (linkage name, name)}"""
    text = run(DUMP, path, *args, input="\n".join(f"{o:x}" for o in offsets))
    rows = re.findall(r"^([0-9a-f]+) (.*)\t(.*)$", text, re.M)
    return {int(o, 16): (a, b) for o, a, b in rows}


def segments(path):
    """Executable PT_LOADs: (vaddr, offset, filesz)."""
    out = []
    for m in re.finditer(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ (.{3})", run("readelf", "-lW", path)):
        if "E" in m[4]:
            out.append((int(m[2], 16), int(m[1], 16), int(m[3], 16)))
    return out


def functions(path, table="--syms"):
    """[(addr, size, name)] of sized functions in .symtab, or with --dyn-syms in .dynsym, as readelf lists them."""
    out = []
    for line in run("readelf", "-W", table, path).splitlines():
        f = line.split()
        if len(f) >= 8 and f[3] in ("FUNC", "IFUNC") and f[6] != "UND":
            out.append((int(f[1], 16), int(f[2], 0), f[7].split("@")[0]))
    return out


def to_offset(segs, addr):
    for vaddr, offset, size in segs:
        if vaddr <= addr < vaddr + size:
            return addr - vaddr + offset
    return None


def short(name):
    """c++filt spells out the standard's own abbreviations (DMGL_VERBOSE); people do not. Without spaces."""
    for stream in ("ostream", "istream", "iostream"):
        name = name.replace(f"std::basic_{stream}<char, std::char_traits<char> >", f"std::{stream}")
    return name.replace("std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string").replace(" ", "")


def compare(path, table, asked=None):
    """Every address asked: ours is one of the names that start where the nearest function starts.
    asked: the file that we are given, when it is not the one readelf reads."""
    segs, symbols = segments(path), functions(path, table)
    symbols = [s for s in symbols if s[1] and to_offset(segs, s[0]) is not None]
    rng = random.Random(1)
    picked = rng.sample(symbols, min(400, len(symbols)))
    want = {}
    for addr, size, _ in picked:
        a = addr + rng.randrange(size)
        # The innermost function that covers it: the greatest start.
        cover = [s for s in symbols if s[0] <= a < s[0] + s[1]]
        start = max(s[0] for s in cover)
        want[to_offset(segs, a)] = {s[2] for s in symbols if s[0] == start}
    got = ours(asked or path, want)
    wrong = [(hex(o), got.get(o), sorted(w)[:3]) for o, w in want.items() if got.get(o, ("",))[0] not in w]
    assert not wrong, f"{path}: {len(wrong)} of {len(want)} differ: {wrong[:3]}"
    mangled = [(a, b) for a, b in got.values() if a.startswith("_Z") and not re.search(r"17h[0-9a-f]{16}E", a)]
    if mangled:
        filtered = run("c++filt", input="\n".join(a for a, _ in mangled)).splitlines()
        bad = [(m[0], m[1], f) for m, f in zip(mangled, filtered) if short(m[1]) != short(f)]
        assert not bad, f"{path}: {bad[:3]}"
    return len(want)


def test_real_binaries_agree_with_readelf():
    libs = [str(p) for p in pathlib.Path("/usr/lib/x86_64-linux-gnu").glob("lib*.so.*") if p.is_file() and not p.is_symlink()]
    dynamic = sorted(libs, key=os.path.getsize)[-25:] + ["/usr/bin/python3.11", "/usr/bin/node", "/usr/sbin/nginx"]
    dynamic += [p for p in libs if "libstdc++" in p or p.endswith("/libc.so.6")]  # which has 58 IFUNCs
    with_symtab = [BUILD / "tests/unit/test_symtab", DUMP, *BUILD.glob("workloads/w_*")]
    asked = files = 0
    for path, table in [(p, "--dyn-syms") for p in dynamic] + [(p, "--syms") for p in with_symtab]:
        if pathlib.Path(path).is_file() and open(path, "rb").read(4) == b"\x7fELF":
            n = compare(path, table)
            asked += n
            files += n > 0
    print(f"{asked} addresses in {files} files")
    assert files >= 15 and asked > 3000, (files, asked)


ODD = """
int visible(int x) { return x * 7 + 1; }
int weak_alias(int x) __attribute__((weak, alias("visible")));
int _underscored(int x) __attribute__((alias("visible")));
static int fast(int x) { return x + 1; }
static void *pick(void) { return fast; }
int chosen(int x) __attribute__((ifunc("pick")));
__asm__(".globl unsized\\n.type unsized, @function\\nunsized: nop\\n.nops 63\\n"
        ".globl sized\\n.type sized, @function\\nsized: nop\\ninside: .nops 30\\nret\\n.size sized, . - sized\\n");
"""


def test_odd_symbols_have_one_name_each():
    """An alias, an IFUNC at its resolver's address, a function without a size, a label inside one."""
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        (d / "x.c").write_text(ODD)
        run("gcc", "-O1", "-shared", "-fPIC", d / "x.c", "-o", d / "x")
        run("objcopy", "--strip-all", d / "x", d / "dynamic")
        segs = segments(d / "x")
        at = {f[7].split("@")[0]: int(f[1], 16) for f in (l.split() for l in run("readelf", "-sW", d / "x").splitlines())
              if len(f) == 8 and f[6].isdigit()}
        offset = {n: to_offset(segs, a) for n, a in at.items() if to_offset(segs, a) is not None}
        cases = [("visible", 0, "visible"), ("chosen", 0, "chosen"), ("fast", 0, "fast"), ("unsized", 0, "unsized"),
                 ("unsized", 63, "unsized"), ("sized", 0, "sized"), ("inside", 4, "sized")]
        for symbol, more, want in cases:
            assert name(d / "x", offset[symbol] + more) == want, (symbol, name(d / "x", offset[symbol] + more))
        # Of .dynsym alone: what has no size there is one address.
        for symbol, more, want in (("visible", 0, "visible"), ("chosen", 0, "chosen"), ("unsized", 0, "unsized"), ("unsized", 63, "")):
            assert name(d / "dynamic", offset[symbol] + more) == want, (symbol, more, name(d / "dynamic", offset[symbol] + more))


def build(d, *flags):
    (d / "x.c").write_text(SOURCE)
    run("gcc", "-g", "-O1", *flags, d / "x.c", "-o", d / "x")
    segs = segments(d / "x")
    hidden = next(a for a, _, n in functions(d / "x") if n == "hidden_helper")
    off = to_offset(segs, hidden) + 1
    run("objcopy", "--only-keep-debug", d / "x", d / "x.debug")
    run("objcopy", "--strip-all", d / "x", d / "stripped")
    return off


def name(path, off, *args):
    return ours(path, [off], *args)[off][0]


def build_id(path):
    return re.search(r"Build ID: (\w+)", run("readelf", "-n", path))[1]


def with_minidebug(path, d):
    """The file as Fedora ships it: .dynsym, and the other functions in .gnu_debugdata."""
    mini, out, keep = d / "mini", d / "with-minidebug", d / "keep"
    dynamic = {n for _, _, n in functions(path, "--dyn-syms")}
    keep.write_text("\n".join(sorted({n for _, _, n in functions(path)} - dynamic)))
    run("objcopy", "--only-keep-debug", path, d / "debug")
    run("objcopy", "-S", f"--keep-symbols={keep}", d / "debug", mini)
    run("xz", "-f", mini)
    run("objcopy", "--strip-all", f"--add-section=.gnu_debugdata={mini}.xz", path, out)
    return out


def test_minidebuginfo_has_the_names_that_stripping_took():
    with tempfile.TemporaryDirectory() as t:
        d, asked = pathlib.Path(t), 0
        off = build(d)
        assert name(with_minidebug(d / "x", d), off) == "hidden_helper"
        for path in (DUMP, BUILD / "tests/unit/test_symtab", BUILD / "hotspan"):
            mini = with_minidebug(path, d)
            assert ".symtab" not in run("readelf", "-SW", mini)
            asked += compare(path, "--syms", mini)
        print(f"{asked} addresses")
        # Damaged: fewer names, those of .dynsym; cut before its end likewise.
        data = bytearray(mini.read_bytes())
        at = data.index(b"\xfd7zXZ\0")
        data[at + 200] ^= 0xFF
        mini.write_bytes(data)
        run(DUMP, mini, input="1000\n")


def test_a_debug_file_is_found_by_build_id():
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        off = build(d, "-Wl,--build-id=sha1")
        assert name(d / "stripped", off) == ""
        bid = build_id(d / "x")
        place = d / "debug/.build-id" / bid[:2]
        place.mkdir(parents=True)
        shutil.copy(d / "x.debug", place / f"{bid[2:]}.debug")
        assert name(d / "stripped", off, d / "debug") == "hidden_helper"
        # Another program's file under that name is not believed.
        other = d / "other"
        other.mkdir()
        build(other, "-Wl,--build-id=sha1", "-DOTHER=1", "-fno-pie", "-no-pie")
        shutil.copy(other / "x.debug", place / f"{bid[2:]}.debug")
        assert name(d / "stripped", off, d / "debug") == ""


def test_a_debug_file_is_found_by_its_link():
    for build_flag, ids in (("-Wl,--build-id=none", False), ("-Wl,--build-id=sha1", True)):
        for place in ("beside", "dot-debug", "global"):
            with tempfile.TemporaryDirectory() as t:
                d = pathlib.Path(t)
                off = build(d, build_flag)
                run("objcopy", f"--add-gnu-debuglink={d}/x.debug", d / "stripped")
                target = {"beside": d / "x.debug", "dot-debug": d / ".debug/x.debug",
                          "global": d / f"debug{d}/x.debug"}[place]
                target.parent.mkdir(parents=True, exist_ok=True)
                if target != d / "x.debug":
                    shutil.move(d / "x.debug", target)
                assert name(d / "stripped", off, d / "debug") == "hidden_helper", (place, ids)
                if not ids:  # the CRC is all there is to tell: one byte more, and it is another file
                    with open(target, "ab") as f:
                        f.write(b"x")
                    assert name(d / "stripped", off, d / "debug") == "", place


def test_a_containers_debug_file_is_found_in_its_root():
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        off = build(d, "-Wl,--build-id=sha1")
        bid = build_id(d / "x")
        place = d / "root/debug/.build-id" / bid[:2]
        place.mkdir(parents=True)
        shutil.copy(d / "x.debug", place / f"{bid[2:]}.debug")
        assert name(d / "stripped", off, "/debug", d / "root") == "hidden_helper"
        # A link that leads out of the root ends inside it, where there is nothing.
        (place / f"{bid[2:]}.debug").unlink()
        (place / f"{bid[2:]}.debug").symlink_to(d / "x.debug")
        assert name(d / "stripped", off, "/debug", d / "root") == ""


def test_a_file_stripped_of_everything_has_no_names():
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        off = build(d)
        assert "hidden_helper" == name(d / "x", off)
        run("objcopy", "--strip-all", "--remove-section=.gnu.version", d / "x", d / "bare")
        assert name(d / "bare", off) == ""


if __name__ == "__main__":
    only = sys.argv[1:]
    for key, test in list(globals().items()):
        if key.startswith("test_") and (not only or key in only):
            test()
            print("ok", key)
