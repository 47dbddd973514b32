#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Function, file, line and the whole inline chain beside llvm-symbolizer's, on random code addresses of many kinds of files.

dwarf_oracle.py [CASE | FILE | half]...; HOTSPAN_ORACLE_N addresses each (1000). What is known to differ is in dwarf_causes.tsv.
half: what compilers' options make, by one of the two compilers each; most of the time is theirs. All of it: ./dev soak dwarf.
"""
import atexit
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading

BUILD = pathlib.Path(os.environ["HOTSPAN_BUILD"])
DUMP = BUILD / "tests/unit/dwarf_dump"
HERE = pathlib.Path(__file__).resolve().parent
N = int(os.environ.get("HOTSPAN_ORACLE_N", "1000"))
LLVM = next((p for p in ("llvm-symbolizer-16", "llvm-symbolizer-19", "llvm-symbolizer") if
             subprocess.run(["which", p], capture_output=True).returncode == 0), None)


def run(*argv, **kw):
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="replace", timeout=60, **kw)
    assert p.returncode == 0, (argv, p.stderr[-2000:])
    return p.stdout


def text_ranges(path):
    """Executable sections with code: (start, end). Not .plt: it has no DWARF."""
    out = []
    for m in re.finditer(r"\] (\S+)\s+(?:PROGBITS|NOBITS)\s+(\w+) \w+ (\w+) \w+\s+\w*X", run("readelf", "-SW", path)):
        if m[1].startswith(".text") or m[1] in (".init", ".fini"):
            out.append((int(m[2], 16), int(m[2], 16) + int(m[3], 16)))
    return out


def symbols(path):
    """{name: address} and [(address, size)] of functions."""
    at = {}
    for table in ("--syms", "--dyn-syms"):
        for line in run("readelf", "-W", table, path).splitlines():
            f = line.split()
            if len(f) >= 8 and f[6] not in ("UND", "ABS") and re.fullmatch("[0-9a-f]{8,}", f[1]):
                at[f[7].split("@")[0]] = int(f[1], 16)
    return at


def pick(path, n):
    rng = random.Random(7)
    ranges = text_ranges(path)
    weights = [e - s for s, e in ranges]
    return sorted({rng.randrange(*ranges[i]) for i in rng.choices(range(len(ranges)), weights, k=n)})


def ours(path, addresses, *options):
    text = run(DUMP, *options, path, input="\n".join(f"{a:x}" for a in addresses))
    out = {}
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if lines[0]:
            out[int(lines[0], 16)] = [tuple(f.split("\t")) for f in lines[1:]]
    return out


def llvm_file(f):
    """Without a line the file is the one of the symbol table (STT_FILE), a bare name."""
    return f["FileName"] if f["FileName"] and (f["Line"] or "/" in f["FileName"]) else "??"


def llvms(path, addresses, *options):
    text = run(LLVM, "-f", "-i", "--no-demangle", "--output-style=JSON", *options, "-e", path,
               input="\n".join(f"0x{a:x}" for a in addresses))
    out = {}
    for line in text.splitlines():
        d = json.loads(line)
        out[int(d["Address"], 16)] = [
            (f["FunctionName"].split("@")[0] or "??", llvm_file(f), str(f["Line"]), str(f["StartLine"])) for f in d.get("Symbol", [])]
    return out


def same(a, b, at):
    """Frames are equal. Of several symbols for one address each names it; start lines are compared where both have one."""
    if len(a) != len(b):
        return False
    for i, (x, y) in enumerate(zip(a, b)):
        if x[1:3] != y[1:3] or (x[3] != y[3] and "0" not in (x[3], y[3])):
            return False
        if x[0] == y[0] or y[0] == "?":
            continue
        # A part (foo.cold) goes by the function's name, and eu-addr2line gives it plain.
        if i != len(a) - 1 or (at.get(x[0], -1) != at.get(y[0], -2) and y[0].split(".")[0] not in x[0]):
            return False
    return True


def causes():
    """{case: {function: cause}}: what is known to differ, by the oracle's innermost function."""
    out = {}
    for line in (HERE / "dwarf_causes.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            case, function, cause = line.split("\t")
            out.setdefault(case, {})[function] = cause
    return out


def compare(name, path, *options, oracle=llvms, oracle_path=None, oracle_options=(), pick_from=None, n=N):
    """Fails when more than one in a thousand is different, known causes (dwarf_causes.tsv) not counted."""
    addresses = pick(pick_from or path, n)
    a = ours(path, addresses, *options)
    b = oracle(oracle_path or path, addresses, *oracle_options)
    at, known = symbols(oracle_path or path), causes().get(name, {})
    different = [x for x in addresses if not same(a[x], b[x], at)]
    wrong = [x for x in different if b[x][0][0] not in known]
    text = (f"{name}: {len(addresses)} addresses, {len(different)} differ, {len(different) - len(wrong)} of them for a known cause; "
            f"{sum(f[-1][0] != '??' for f in a.values())} named, {sum(f[0][2] != '0' for f in a.values())} with a line, "
            f"chains up to {max(len(f) for f in a.values())}")
    for x in wrong[:5]:
        text += f"\n  {x:x}\n    ours   {a[x]}\n    oracle {b[x]}"
    print(text, flush=True)
    assert len(wrong) <= len(addresses) / 1000, text
    assert sum(f[0][2] != "0" for f in a.values()) > len(addresses) / 2, text  # an oracle that knows nothing agrees with anything


def debug_file(path):
    bid = re.search(r"Build ID: (\w+)", run("readelf", "-n", path))[1]
    return pathlib.Path(f"/usr/lib/debug/.build-id/{bid[:2]}/{bid[2:]}.debug")


def library(pattern):
    return next(p.resolve() for p in pathlib.Path("/").glob(pattern))



def eus(path, addresses, *options):
    """eu-addr2line reads dwz files, which llvm-symbolizer does not. It has no start lines."""
    text = run("eu-addr2line", "-a", "-f", "-i", *options, "-e", path, *[f"0x{a:x}" for a in addresses])
    out, frames = {}, None
    for line in text.splitlines():
        if re.fullmatch(r"0x[0-9a-f]{16}", line):
            frames = out.setdefault(int(line, 16), [])
            name = None
        elif name is None:
            name = line.split(" inlined at ")[0].split("@")[0]
        else:
            m = re.fullmatch(r"(.*?):(\d+)(?::\d+)?(?: .*)?", line)
            frames.append((name, m[1], m[2], "0"))
            name = None
    return out


SRC = HERE / "dwarfsrc"


made = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-dwarf-"))
atexit.register(shutil.rmtree, made, ignore_errors=True)
making = collections.defaultdict(threading.Lock)


def compiled(cc, *flags, only=None):
    """The folder with the C++ program's objects, compiled there from a copy of its sources, once for all cases with these flags."""
    d = made / re.sub("[^A-Za-z0-9]+", "_", " ".join((cc, *flags)))
    with making[str(d)]:
        d.mkdir(exist_ok=True)
        for f in filter(pathlib.Path.is_file, SRC.iterdir()):
            if not (d / f.name).exists():
                shutil.copyfile(f, d / f.name)
        for f in [only] if only else ["main.cc", "shapes.cc", "helper.c"]:
            if not (d / f).with_suffix(".o").exists():
                run(cc if f.endswith(".c") else CXX[cc], "-c", "-g", "-O2", *flags, f, "-o", (d / f).with_suffix(".o"), cwd=d)
    return d


CXX = {"gcc": "g++", "clang-16": "clang++-16"}


def build(cc, *flags, link=(), name="x"):
    """The path of the program, in the folder of its objects."""
    d = compiled(cc, *flags)
    run(CXX[cc], "-g", *[f for f in flags if f.startswith(("-f", "-O", "-gdwarf", "-gsplit", "-m"))], "main.o", "shapes.o", "helper.o", "-o", name, *link, cwd=d)
    return d / name


CASES = {}
made_with = collections.defaultdict(list)  # {flags: [(compiler, case)]}


def half():
    """Of each set of options the cases of one compiler, in turns, or of the only one that has it."""
    by_compiler = {name for cases in made_with.values() for _, name in cases}
    out = [name for name in CASES if name not in TOOLS and name not in by_compiler]
    for i, cases in enumerate(made_with.values()):
        compilers = sorted({cc for cc, _ in cases})
        out += [name for cc, name in cases if cc == compilers[i % len(compilers)]]
    return out


def built(name, cc, *flags, link=(), options=lambda x: (), inflated=False, **kw):
    """inflated: the oracle cannot read it as it is."""
    made_with[flags].append((cc, name))

    def f():
        x = build(cc, *flags, link=link, name=name)
        if inflated:
            kw["oracle_path"] = x.with_name(f"{name}-inflated")
            run("objcopy", "--decompress-debug-sections", x, kw["oracle_path"])
        compare(name, x, *options(x), **kw)
    CASES[name] = f


def separate(name, path, **kw):
    CASES[name] = lambda: compare(name, path, "-d", debug_file(path), oracle_path=debug_file(path), **kw)


def dwos(x):
    """Those that the scanner wants, where it wants them."""
    wanted = [line.split() for line in run(DUMP, "-w", x).splitlines()]
    assert sorted(w[0] for w in wanted) == ["dwo"] * 3 and len({w[1] for w in wanted}) == 3, wanted
    return [w for _, _, folder, name in wanted for w in ("-o", pathlib.Path(folder) / name)]


def recompressed(x):
    run("llvm-objcopy-16", "--compress-debug-sections=zstd", x)
    assert "ZSTD" in run("readelf", "-tW", x)
    return ()


def packed(tool):
    def options(x):
        run(tool, "-e", x, "-o", f"{x}.dwp", cwd=x.parent)
        return ("-p", f"{x}.dwp")
    return options


separate("libc", library("lib/x86_64-linux-gnu/libc.so.6"))
CASES["libstdc++"] = lambda: compare("libstdc++", library("usr/lib/x86_64-linux-gnu/debug/libstdc++.so.6"))
for cc in ("gcc", "clang-16"):
    for v in (2, 3, 4, 5):
        built(f"{cc}-dwarf{v}", cc, f"-gdwarf-{v}")
    built(f"{cc}-dwarf64-4", cc, "-gdwarf-4", "-gdwarf64")
    built(f"{cc}-dwarf64-5", cc, "-gdwarf-5", "-gdwarf64")
    for v in (4, 5):
        built(f"{cc}-split{v}-dwo", cc, f"-gdwarf-{v}", "-gsplit-dwarf", options=dwos)
        # llvm-dwp 16 does not end on GCC's DWARF 5, and binutils' dwp reads DWARF 4 only.
        if (cc, v) != ("gcc", 5):
            built(f"{cc}-split{v}-dwp", cc, f"-gdwarf-{v}", "-gsplit-dwarf", options=packed("llvm-dwp-16"))
    built(f"{cc}-split4-gnudwp", cc, "-gdwarf-4", "-gsplit-dwarf", options=packed("dwp"))
    built(f"{cc}-O0", cc, "-O0")
    built(f"{cc}-O3-sections", cc, "-O3", "-ffunction-sections", link=("-Wl,--gc-sections",))
    built(f"{cc}-zlib", cc, "-gdwarf-5", link=("-Wl,--compress-debug-sections=zlib",))
    built(f"{cc}-zdebug", cc, "-gdwarf-5", link=("-Wl,--compress-debug-sections=zlib-gnu",), inflated=True)
    built(f"{cc}-zstd", cc, "-gdwarf-5", options=recompressed)
    built(f"{cc}-g1", cc, "-g1")
    for v in (4, 5):
        built(f"{cc}-types{v}", cc, f"-gdwarf-{v}", "-fdebug-types-section")
        built(f"{cc}-types{v}-dwo", cc, f"-gdwarf-{v}", "-gsplit-dwarf", "-fdebug-types-section", options=dwos)
    built(f"{cc}-lto", cc, "-flto", link=("-fuse-ld=lld",) if cc == "clang-16" else ())



def rust():
    with tempfile.TemporaryDirectory() as t:
        run("rustc", "-g", "-O", SRC / "main.rs", "-o", f"{t}/x")
        compare("rust", pathlib.Path(t) / "x")


def go():
    with tempfile.TemporaryDirectory() as t:
        run("go", "build", "-o", f"{t}/x", SRC / "go/main.go", env={**os.environ, "GOCACHE": os.environ.get("GOCACHE", f"{t}/cache"), "GOFLAGS": "", "GOTOOLCHAIN": "local"})
        compare("go", pathlib.Path(t) / "x")


def without_alt(path, addresses, *options):
    """llvm-symbolizer has the chain's places, but not the names that are in the dwz file."""
    return {a: [(n if n != "??" or i == len(frames) - 1 else "?", *rest) for i, (n, *rest) in enumerate(frames)]
            for a, frames in llvms(path, addresses, *options).items()}


def named_by_both(path, addresses, *options):
    """Those names by eu-addr2line; it loses chains that cross units (LTO), there llvm-symbolizer's answer stands."""
    a, b = without_alt(path, addresses, *options), eus(path, addresses, *options)
    return {x: b[x] if len(a[x]) == len(b[x]) else a[x] for x in addresses}


def binutils():
    path = pathlib.Path("/usr/bin/x86_64-linux-gnu-ld.bfd")
    debug = debug_file(path)
    alt = run(DUMP, "-w", "-d", debug, path).split()[2]
    compare("binutils", path, "-d", debug, "-a", alt, oracle=named_by_both, oracle_path=debug)


def dwz(name="dwz", version=4, *options):
    """Two builds of one program with what they share moved to a third file; and one whose units share parts."""
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        for folder, flags in (("one", ()), ("two", ("-O3",))):
            (d / folder).mkdir()
            shutil.copy(build("gcc", *flags, f"-gdwarf-{version}", name=f"{name}-{folder}"), d / folder / "x")
        shutil.copy(d / "one/x", d / "before")
        run("dwz", *options, "-m", d / "common", d / "one/x", d / "two/x")
        alt = run(DUMP, "-w", d / "one/x").split()
        assert alt[0] == "alt" and len(alt[1]) == 40, alt
        # The oracle reads the program as it was before.
        compare(name, d / "one/x", "-a", d / "common", oracle_path=d / "before")
        shutil.copy(d / "before", d / "alone")
        run("dwz", *options, d / "alone")
        compare(f"{name}-alone", d / "alone", oracle_path=d / "before")


def link_as_laid_out(path):
    """The object file linked, its sections with code one after the other from 0x1000 on: a linker's answer to what we do."""
    at, script = 0x1000, ""
    for m in re.finditer(r"\] (\S+)\s+PROGBITS\s+\w+ \w+ (\w+) \w+\s+(\w*X\w*)\s+\d+\s+\d+\s+(\d+)$", run("readelf", "-SW", path), re.M):
        at = -(-at // int(m[4])) * int(m[4])
        script += f'"{m[1]}" {at:#x} : {{ *("{m[1]}") }}\n'
        at += int(m[2], 16)
    path.with_suffix(".ld").write_text(f"SECTIONS {{\n{script}. = 0x10000000; .rest : {{ *(.data*) *(.rodata*) *(.bss*) *(.eh_frame) *(.gcc_except_table*) *(.tbss*) *(.tdata*) }}\n}}")
    run("ld", "-T", path.with_suffix(".ld"), "--unresolved-symbols=ignore-all", "--noinhibit-exec", "-e", "0", path, "-o", path.with_suffix(".linked"))
    return path.with_suffix(".linked")


def object_file(name, cc, *flags, strip=False):
    made_with[("object", *flags)].append((cc, name))

    def f():
        with tempfile.TemporaryDirectory() as t:
            path, options = pathlib.Path(t) / "shapes.o", ()
            shutil.copy(compiled(cc, *flags, only="shapes.cc") / "shapes.o", path)
            linked = link_as_laid_out(path)
            if strip:  # as of a kernel module: code in one file, debug information in another
                run("objcopy", "--only-keep-debug", path, f"{path}.debug")
                run("strip", "--strip-debug", path)
                options = ("-d", f"{path}.debug")
            compare(name, path, *options, oracle_path=linked, pick_from=linked)
    CASES[name] = f


for cc in ("gcc", "clang-16"):
    for v in (2, 4, 5):
        object_file(f"{cc}-object{v}", cc, f"-gdwarf-{v}")
    object_file(f"{cc}-object-sections", cc, "-ffunction-sections", "-fdata-sections")
    object_file(f"{cc}-object-types", cc, "-fdebug-types-section")
    object_file(f"{cc}-object-debug", cc, "-gz=zlib", strip=True)
CASES.update(rust=rust, go=go, binutils=binutils, dwz=dwz, dwz5=lambda: dwz("dwz5", 5), dwz5sup=lambda: dwz("dwz5sup", 5, "-5"))
TOOLS = {"rust": "rustc", "go": "go"}  # tests of their own, which may skip

def check(names):
    failed = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {name: pool.submit(CASES[name]) for name in names}
    for name, future in futures.items():
        try:
            future.result()
        except Exception as e:  # a case that cannot be built is as bad as one that differs
            print(f"{name}: {str(e)[-600:]}")
            failed.append(name)
    assert not failed, failed


# The split part stays in the object file.
built("clang-16-split5-inlining", "clang-16", "-gdwarf-5", "-gsplit-dwarf", "-fsplit-dwarf-inlining", options=dwos)
built("clang-16-split4-inlining", "clang-16", "-gdwarf-4", "-gsplit-dwarf", "-fsplit-dwarf-inlining", options=dwos)
built("clang-16-single5", "clang-16", "-gdwarf-5", "-gsplit-dwarf=single", options=dwos)

if __name__ == "__main__":
    if LLVM is None:
        sys.exit("no llvm-symbolizer")
    names = half() if sys.argv[1:] == ["half"] else sys.argv[1:] or [n for n in CASES if n not in TOOLS]
    missing = [TOOLS[n] for n in names if n in TOOLS and not shutil.which(TOOLS[n])]
    if missing:
        print("skipped: no", *missing)
        sys.exit(77)
    for path in [n for n in names if "/" in n]:
        CASES[path] = lambda path=path: compare("FILE", pathlib.Path(path))
    check(names)
