#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pprof files against readers we did not write. `go`: google/pprof; `outside`: protoc and Python's parsers."""
import gzip
import os
import pathlib
import re
import subprocess
import tempfile
import xml.etree.ElementTree

from hs import *  # noqa: F403
from pyroscope import Fake

HERE = pathlib.Path(__file__).resolve().parent
DUMP = BUILD / "tests/unit/pprof_dump"
GOLDEN = HERE.parent / "golden"
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-pprof-"))


def fixture(kind, stacks=300, depth=20, *more):
    path = tmp / f"{kind}-{stacks}-{depth}{''.join(more)}.{'pb.gz' if kind == 'gzip' else kind}"
    path.write_bytes(subprocess.run([DUMP, "--fixture", kind, str(stacks), str(depth), *more], capture_output=True, check=True).stdout)
    return path


def ours(path):
    return subprocess.run([DUMP, path], capture_output=True, check=True).stdout.decode(errors="replace").splitlines()


def goprof():
    go = need("go")
    version = re.search(r"go1\.(\d+)", subprocess.run([go, "version"], capture_output=True, text=True).stdout)
    if int(version[1]) < 22:
        raise Skip(f"Go 1.{version[1]} is too old for github.com/google/pprof")
    out = tmp / "goprof"
    if not out.exists():
        env = dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
        src = tmp / "src"
        src.mkdir()
        for f in (HERE / "goprof").iterdir():
            (src / f.name).write_bytes(f.read_bytes())
        p = subprocess.run([go, "build", "-o", out, "."], cwd=src, capture_output=True, text=True, env=env)
        if p.returncode:
            raise Skip("github.com/google/pprof cannot be built here: " + p.stderr.strip().splitlines()[-1])
    return out


def theirs(*args):
    p = subprocess.run([goprof(), *map(str, args)], capture_output=True)
    assert p.returncode == 0, p.stderr.decode()
    return p.stdout.decode(errors="replace").splitlines()


def same(a, b):
    assert len(a) == len(b), f"{len(a)} lines of ours, {len(b)} of Go's"
    for n, (x, y) in enumerate(zip(a, b)):
        assert x == y, f"line {n + 1}\nours: {x[:600]}\nGo's: {y[:600]}"
    return len(a)


def go_reads_what_we_write():
    for args in (("gzip",), ("raw",), ("gzip", 1, 1), ("gzip", 2000, 60), ("gzip", 50, 8, "hostile")):
        path = fixture(*args)
        print(f"  {path.name}: {same(ours(path), theirs(path))} lines equal")


def go_reads_a_recording():
    path = tmp / "real.pb.gz"
    subprocess.run([HOTSPAN, "record", "-F", "999", "-a", "--by", "thread", "-o", path, "--", "sh", "-c",
                    "for i in 1 2 3; do python3 -c 'sum(range(3000000))'; done"], capture_output=True, check=True)
    lines = ours(path)
    same(lines, theirs(path))
    for line in lines:
        m = re.match(r"mapping (\S+)-(\S+) (\S+) (\S+) (\S*) (\S+)", line)
        if m:
            assert int(m[1], 16) < int(m[2], 16), line
    flagged = {l.split()[3] for l in lines if l.startswith("mapping") and l.split(" ")[5] == "true"}
    for line in lines:
        for file, rest in re.findall(r" \[(\S*) 0x[0-9a-f]+ \w+((?: \(.*?\))*)\]", line):
            assert rest or file not in flagged or file == "", f"{file} says has_functions, a frame of it has no name"


def go_reads_what_the_agent_pushes():
    """Every series' last profile, as the fake server got it: valid, every frame named, no label that would become a series."""
    with Fake() as fake, Agent(f"frequency: 999\nflush_interval: 1s\nreceivers:\n  - name: fake\n    url: {fake.url}\n") as agent:
        subprocess.run(["sh", "-c", "for i in 1 2 3; do python3 -c 'sum(range(9000000))'; done"], check=True)
        agent.stop()
        series = fake.state()["series"]
        for i, s in enumerate(series):
            path = tmp / f"push-{i}.pb.gz"
            path.write_bytes(fake.profile(i))
            lines = theirs(path)
            assert any(l.startswith("type cpu nanoseconds") for l in lines) and same(ours(path), lines)
            for line in (l for l in lines if l.startswith("sample")):
                assert "{}" in line, line
                assert not re.search(r" 0x[0-9a-f]+ \w+\]", line), f"a frame without a name: {line}"
        print(f"  {len(series)} series")
        assert len(series) >= 2


def go_merges_two_of_ours():
    a, b = fixture("gzip", 300), fixture("gzip", 200)
    merged = theirs("-merge", a, b)
    total = sum(int(re.match(r"sample \[(\d+)", l)[1]) for f in (a, b) for l in ours(f) if l.startswith("sample"))
    assert sum(int(re.match(r"sample \[(\d+)", l)[1]) for l in merged if l.startswith("sample")) == total


def we_read_what_gos_runtime_writes():
    for path in sorted(GOLDEN.glob("*.pb.gz")):
        print(f"  {path.name}: {same(ours(path), theirs(path))} lines equal")
    assert list(GOLDEN.glob("*.pb.gz"))


def go_tool_pprof_is_content():
    path = fixture("gzip")
    for flag in ("-raw", "-top", "-traces", "-tags", "-comments"):
        p = subprocess.run([need("go"), "tool", "pprof", flag, path], capture_output=True, text=True)
        assert p.returncode == 0 and p.stdout, (flag, p.stderr)
    top = subprocess.run(["go", "tool", "pprof", "-top", path], capture_output=True, text=True).stdout
    assert "Type: cpu" in top, top[:300]


def report(*args):
    p = subprocess.run([HOTSPAN, "report", *map(str, args)], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout


def recordings():
    """Two of this host, threads apart, with all that real profiles have; made once."""
    paths = [tmp / "one.pb.gz", tmp / "two.pb.gz"]
    for path, hz in zip(paths, (999, 499)):
        if not path.exists():
            subprocess.run([HOTSPAN, "record", "-F", str(hz), "-a", "--by", "thread", "-o", path, "--", workload("spin"), "1"],
                           capture_output=True, check=True)
    return paths


def go_merges_as_we_do():
    """Sample by sample, in the same order, with the same header."""
    one, two = recordings()
    for files in ((fixture("gzip", 300), fixture("gzip", 200)), (one, two), (two, one), (one,), (one, one, two), (GOLDEN / "go-cpu.pb.gz",) * 2,
                  (fixture("gzip", 300), fixture("gzip", 50, 8, "hostile"))):
        report("-o", tmp / "merged.pb.gz", *files)
        print(f"  {len(files)} files: {same(theirs(tmp / 'merged.pb.gz'), theirs('-merge', *files))} lines equal")


def tool_top(*args):
    """{name: (flat, cum)} of `go tool pprof -top`, in nanoseconds."""
    p = subprocess.run([need("go"), "tool", "pprof", "-top", "-symbolize=none", "-nodecount=100000", "-nodefraction=0", "-unit=ns", *args],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    rows = re.findall(r"^ *(-?\d+)(?:ns)? +\S+ +\S+ +(-?\d+)(?:ns)? +\S+ +(.*?)(?: \((?:partial-)?inline\))?$", p.stdout, re.M)
    assert rows, p.stdout[:500]
    return {name: (int(flat), int(cum)) for flat, cum, name in rows}


def our_top(path, *args):
    """The same of report; a name that stands in two images is one there: left out of totals."""
    rows = {}
    for r in json.loads(report("--json", "--top", "1000000", *args, path))["top"]:
        rows.setdefault(r["name"], []).append((r["self_value"], r["total_value"]))
    return {n: (sum(s for s, _ in v), v[0][1] if len(v) == 1 else None) for n, v in rows.items()}


def compare_tops(ours, theirs):
    """Go simplifies what looks like a C++ or Go name, and leaves out addresses: those names are not compared."""
    names = [n for n in ours if n in theirs]
    print(f"  {len(names)} of {len(theirs)} functions compared")
    assert len(names) > 0.5 * len(theirs) and len(names) >= 4, (list(ours)[:5], list(theirs)[:5])
    for n in names:
        assert ours[n][0] == theirs[n][0], (n, ours[n], theirs[n])
        assert ours[n][1] in (None, theirs[n][1]), (n, ours[n], theirs[n])


def go_tool_pprof_has_our_top():
    for path in (*recordings(), GOLDEN / "go-cpu.pb.gz", fixture("gzip", 300)):
        compare_tops(our_top(path), tool_top(path))


def go_tool_pprof_has_our_lines_and_folds_inlined_calls_as_we_do():
    path = GOLDEN / "go-inline.pb.gz"
    assert any(r["inlined"] == "yes" for r in json.loads(report("--json", path))["top"])
    compare_tops(our_top(path), tool_top(path))
    compare_tops(our_top(path, "--no-inline"), tool_top("-noinlines", path))
    for ours_flags, theirs_flags in (("--lines",), ("-lines",)), (("--lines", "--no-inline"), ("-lines", "-noinlines")):
        mine = {(r["name"], r["line"]): (r["self_value"], r["total_value"])
                for r in json.loads(report("--json", "--top", "1000", *ours_flags, path))["top"]}
        rows = {}
        for name, value in tool_top(*theirs_flags, path).items():
            name, _, line = name.rpartition(":")
            rows[(name.rsplit(" ", 1)[0], int(line))] = value
        assert mine == rows, (mine, rows)


def go_tool_pprof_subtracts_as_we_do():
    one, two = recordings()
    report("--diff", one, "-o", tmp / "less.pb.gz", two)
    theirs_, ours_ = tool_top("-diff_base", one, two), tool_top(tmp / "less.pb.gz")
    assert any(flat < 0 for flat, _ in ours_.values()), "the longer recording was subtracted"
    assert {n: v for n, v in ours_.items() if any(v)} == {n: v for n, v in theirs_.items() if any(v)}
    theirs(tmp / "less.pb.gz")  # CheckValid


def protoc_decodes_what_we_write():
    text = subprocess.run([need("protoc"), f"-I{HERE.parents[1] / 'pprof'}", "--decode=perftools.profiles.Profile", "profile.proto"],
                          input=gzip.decompress(fixture("gzip").read_bytes()), capture_output=True, check=True).stdout.decode()
    assert not re.search(r"^\d+:", text, re.M), "fields the schema does not know"
    samples = re.findall(r"^sample \{(.*?)^\}", text, re.M | re.S)
    assert len(samples) == 300
    assert all(len(re.findall("value:", s)) == 2 and len(re.findall("location_id:", s)) == 20 for s in samples)
    assert text.index("string_table: \"\"") == text.index("string_table:")
    same_as_ours = [l for l in ours(fixture("gzip")) if l.startswith("sample")]
    for mine, s in zip(same_as_ours, samples):
        assert re.match(r"sample \[(\d+) (\d+)\]", mine).groups() == tuple(re.findall(r"value: (\d+)", s))


def python_reads_gos_runtime_profile_as_we_do():
    text = subprocess.run([need("protoc"), f"-I{HERE.parents[1] / 'pprof'}", "--decode=perftools.profiles.Profile", "profile.proto"],
                          input=gzip.decompress((GOLDEN / "go-cpu.pb.gz").read_bytes()), capture_output=True, check=True).stdout.decode()
    lines = ours(GOLDEN / "go-cpu.pb.gz")
    strings = [s for s in re.findall(r'^string_table: "(.*)"$', text, re.M)]
    assert "main.spinHalf" in strings and any("main.spinHalf" in l for l in lines)
    want = sum(int(re.findall(r"value: (\d+)", s)[0]) for s in re.findall(r"^sample \{(.*?)^\}", text, re.M | re.S))
    assert want == sum(int(re.match(r"sample \[(\d+)", l)[1]) for l in lines if l.startswith("sample"))


def speedscope_holds_its_schema():
    for args in ((300, 20), (50, 8, "hostile")):
        doc = json.loads(fixture("speedscope", *args).read_text())
        assert doc["$schema"] == "https://www.speedscope.app/file-format-schema.json"
        frames = doc["shared"]["frames"]
        assert all(isinstance(f["name"], str) for f in frames) and len(doc["profiles"]) == 5
        for p in doc["profiles"]:
            assert p["type"] == "sampled" and p["unit"] == "nanoseconds" and p["startValue"] == 0
            assert len(p["samples"]) == len(p["weights"]) and p["endValue"] == sum(p["weights"])
            assert all(0 <= i < len(frames) for s in p["samples"] for i in s)


def svg_is_xml_whatever_the_names():
    for args in ((300, 20), (200, 8, "hostile"), (0, 0)):
        root = xml.etree.ElementTree.parse(fixture("svg", *args)).getroot()
        assert root.tag.endswith("svg")
        rects = root.findall(".//{http://www.w3.org/2000/svg}rect")
        assert len(rects) > 10 or args == (0, 0)


def html_data_is_json_whatever_the_names():
    for args in ((300, 20), (200, 8, "hostile"), (0, 0)):
        page = fixture("html", *args).read_bytes().decode()
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", page, re.S)
        assert len(scripts) == 2, "a name opened or closed a script"
        doc = json.loads(scripts[0])
        n = len(doc["nodes"]["parent"])
        assert all(p < i for i, p in enumerate(doc["nodes"]["parent"])) and len(doc["nodes"]["frame"]) == n
        assert len(doc["rows"]) % 4 == 0 and all(r < n for r in doc["rows"][0::4])


which = {"go": [go_reads_what_we_write, go_reads_a_recording, go_reads_what_the_agent_pushes, go_merges_two_of_ours, we_read_what_gos_runtime_writes, go_tool_pprof_is_content,
                go_merges_as_we_do, go_tool_pprof_has_our_top, go_tool_pprof_has_our_lines_and_folds_inlined_calls_as_we_do, go_tool_pprof_subtracts_as_we_do],
         "outside": [protoc_decodes_what_we_write, python_reads_gos_runtime_profile_as_we_do, speedscope_holds_its_schema,
                     svg_is_xml_whatever_the_names, html_data_is_json_whatever_the_names]}
tests = {f"test_{f.__name__}": f for f in which[sys.argv.pop(1)]}
run_tests(tests)
