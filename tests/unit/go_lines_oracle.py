#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines and inlined calls of Go binaries: from the pclntab as debug/gosym and, of DWARF, llvm-symbolizer see them.

What llvm-symbolizer says otherwise, of the same compiler's DWARF, has causes, counted here by name:
    padding       behind a function's end: the table names the function before, DWARF nothing
    abi0          DWARF names functions in assembly NAME.abi0
    dot           DWARF writes the "·" of local types as "."
    type_args     Go 1.18 to 1.20's pclntab shortens type arguments to [...]
    wrapper       DWARF leaves out a call inlined into a wrapper that the compiler made
    generated     DWARF has no place for, or another in, code that the compiler made
    start         DWARF has no line of declaration for some functions
Any other difference is wrong."""
import collections
import random

from hs import *  # noqa: F403

HERE = pathlib.Path(__file__).resolve().parent
DUMP = BUILD / "tests/unit/go_lines_dump"
N = int(os.environ.get("HOTSPAN_GO_PCS", "4000"))
PROGRAM = """package main

import (
	"encoding/json"
	"os"
	"regexp"
	"text/template"
)

func main() {
	b, _ := json.Marshal(map[string]int{"a": 1})
	template.Must(template.New("x").Parse("{{.}}")).Execute(os.Stdout, regexp.MustCompile("a+").FindString(string(b)))
}
"""
scratch = tempfile.TemporaryDirectory(prefix="hotspan-go-lines-")
tmp = pathlib.Path(scratch.name)


def go_build(src, out, *flags):
    cgo = "-ldflags=-linkmode=external" in flags
    env = dict(os.environ, CGO_ENABLED=str(int(cgo)), GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod -p=2",
               GOCACHE=os.environ.get("GOCACHE", str(tmp / "cache")))
    p = subprocess.run([need("go"), "build", "-o", out, *flags, "."], cwd=src, capture_output=True, text=True, env=env)
    assert p.returncode == 0, p.stderr
    return out


def program(name, *flags):
    src = tmp / "src"
    if not src.exists():
        src.mkdir()
        (src / "go.mod").write_text("module x\n")
        (src / "main.go").write_text(PROGRAM)
    return go_build(src, tmp / name, *flags)


def pcs_of(path, n=N):
    sections = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\.text\s+PROGBITS\s+(\w+) \w+ (\w+)", sections)
    start, size = int(m[1], 16), int(m[2], 16)
    rng = random.Random(1)
    return [start + rng.randrange(size) for _ in range(n)]


def text_of(path):
    """Where Go's code begins: its own symbol says so; in a stripped file we have to be believed."""
    symbols = subprocess.run(["nm", path], capture_output=True, text=True).stdout
    m = re.search(r"^(\w+) \w runtime\.text$", symbols, re.M)
    if m:
        return m[1]
    p = subprocess.run([DUMP, path], input="", capture_output=True, text=True, check=True)
    return re.search(r"code 0x(\w+)", p.stderr)[1]


def lines(program, path, pcs, *args):
    p = subprocess.run([program, path, *args], input="\n".join(f"{pc:x}" for pc in pcs) + "\n", capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    if p.stderr:
        print("  " + p.stderr.strip().replace("\n", ", "))
    return p.stdout.splitlines()


def ours(path, pcs):
    """One chain an address: [(name, file, line, start line)], innermost first."""
    chains, chain = [], []
    for line in lines(DUMP, path, pcs):
        if line == ".":
            chains.append(chain)
            chain = []
        else:
            name, file, at, start = line.split("\t")
            chain.append((name, "" if file == "?" else file, int(at), int(start)))
    assert len(chains) == len(pcs)
    return chains


def gosym():
    src, out = tmp / "gosym-src", tmp / "gosym"
    if not out.exists():
        shutil.copytree(HERE / "gosym", src)
        go_build(src, out)
    return out


def compare_gosym(path):
    """It knows the innermost place and the outermost function."""
    pcs = pcs_of(path)
    want = [tuple(l.split("\t")) for l in lines(gosym(), path, pcs, text_of(path))]
    different = []
    for pc, chain, (name, file, line) in zip(pcs, ours(path, pcs), want):
        got = (chain[-1][0], chain[0][1], chain[0][2]) if chain else ("", "", 0)
        place = (file, max(int(line), 0)) if file else ("", 0)
        # C's functions have no tables: gosym reads what stands at the tables' beginning.
        if got[0] != name or (got[1:] != place and not re.match(r"_?x_cgo|_cgo", name)):
            different.append((hex(pc), got, (name, file, line)))
    assert not different, (path, len(different), different[:3])
    return len(pcs)


def llvm(path, pcs):
    program = next((p for p in map(shutil.which, ("llvm-symbolizer-16", "llvm-symbolizer")) if p), None)
    if not program:
        raise Skip("llvm-symbolizer is not installed")
    out = subprocess.run([program, "--output-style=JSON", "--no-demangle", f"--obj={path}"], check=True,
                         input="\n".join(hex(pc) for pc in pcs) + "\n", capture_output=True, text=True).stdout
    answers = [json.loads(line) for line in out.splitlines() if line.strip()]
    answers = answers[0] if len(answers) == 1 and isinstance(answers[0], list) else answers
    return [[(s["FunctionName"], s["FileName"].replace("./<auto", "<auto"), s["Line"], s["StartLine"]) for s in a["Symbol"]]
            for a in answers]


def names(chain):
    return [f[0] for f in chain]


def cause(a, b):
    """Why our chain a is not llvm-symbolizer's b."""
    if [f[:3] for f in a] == [f[:3] for f in b]:
        return "start" if all(y[3] in (0, x[3]) for x, y in zip(a, b)) else None
    if a and a[0][2] == 0 or not a:
        return "padding" if names(b) in ([""], names(a)) or not a else None
    if names(a) != names(b):
        for why, edit in (("abi0", lambda n: n.removesuffix(".abi0")), ("dot", lambda n: n.replace("·", ".")),
                          ("type_args", lambda n: re.sub(r"\[.*\]", "[...]", n))):
            if [edit(n) for n in names(a)] == [edit(n) for n in names(b)]:
                return why
    if a[-1][1] == "<autogenerated>":
        return "wrapper" if len(a) > len(b) else "generated" if names(a) == names(b) else None
    return None


def compare_llvm(path):
    pcs, causes, wrong = pcs_of(path), collections.Counter(), []
    for pc, a, b in zip(pcs, ours(path, pcs), llvm(path, pcs)):
        if a == b:
            causes["equal"] += 1
            continue
        why = cause(a, b)
        causes[why] += 1
        if not why:
            wrong.append((hex(pc), a, b))
    print("  " + ", ".join(f"{n} {why or 'WRONG'}" for why, n in causes.most_common()))
    # One in a thousand: the compiler's two descriptions differ in a line now and then.
    assert len(wrong) * 1000 <= len(pcs), wrong[:5]
    return len(pcs)


def test_binaries_made_here_agree_with_dwarf_and_with_gosym():
    for name, flags in (("exe", []), ("pie", ["-buildmode=pie"]), ("ld", ["-buildmode=pie", "-ldflags=-linkmode=external"])):
        if name == "ld" and not shutil.which("gcc"):
            continue
        whole = program(name, *flags)
        compare_llvm(whole)
        compare_gosym(whole)
        depths = collections.Counter(map(len, ours(whole, pcs_of(whole))))
        assert depths[2] > N / 20 and max(depths) > 3, depths


def test_a_stripped_binary_says_the_same():
    for flags in ([], ["-buildmode=pie"]):
        whole = program("whole", *flags)
        stripped = program("stripped", "-ldflags=-s -w", *flags)
        pcs = pcs_of(whole)
        assert ours(whole, pcs) == ours(stripped, pcs)


def test_a_distributions_binary_agrees_with_gosym():
    path = need("fzf")
    print(f"  {path}: {compare_gosym(path)} pcs")


if __name__ == "__main__":
    run_tests(globals())
