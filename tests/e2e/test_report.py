#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hotspan report beside sums made here, perf report and protoc; bad input is one clear line."""
import gzip
import random

from hs import *  # noqa: F403

ROOT = pathlib.Path(__file__).resolve().parents[2]
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-report-"))

BEFORE = "main;parse;memcpy 40\nmain;parse 10\nmain;send;write_[k] 50\n"
AFTER = "main;parse;memcpy 10\nmain;parse 20\nmain;send;write_[k] 10\nmain;idle 0\n"


def run(*args, stdin=None):
    p = subprocess.run([HOTSPAN, "report", *map(str, args)], capture_output=True, input=stdin, timeout=60)
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def report(*args, stdin=None):
    status, out, err = run(*args, stdin=stdin)
    assert status == 0, (args, status, err)
    assert all(len(l) <= 100 for l in out.splitlines()) or "--json" in args or "-o" in args, max(out.splitlines(), key=len)
    return out


def report_json(*args, **kw):
    return json.loads(report("--json", *args, **kw))


def file(name, text):
    path = tmp / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def recording(name="rec.folded", *args):
    """A recording of the whole host while w_spin runs, made once."""
    path = tmp / name
    if not path.exists():
        subprocess.run([HOTSPAN, "record", "-a", "-F", "999", "-o", path, *args, "--", workload("spin"), "1"], capture_output=True, check=True)
    return path


def random_stacks(seed, n=300):
    """Folded text with recursion, and what it says."""
    rng = random.Random(seed)
    names = [f"f{i}" for i in range(12)]
    lines = [";".join(rng.choice(names) for _ in range(rng.randint(1, 12))) + f" {rng.randint(1, 50)}" for _ in range(n)]
    return file(f"random{seed}.folded", "\n".join(lines) + "\n"), [(l.rsplit(" ", 1)[0].split(";"), int(l.rsplit(" ", 1)[1])) for l in lines]


def sums(stacks):
    selfs, totals = collections.Counter(), collections.Counter()
    for frames, n in stacks:
        selfs[frames[-1]] += n
        for f in set(frames):
            totals[f] += n
    return selfs, totals


def test_top_is_what_summing_the_stacks_gives():
    for path, stacks in (random_stacks(1), random_stacks(2), (recording(), read_folded(recording()))):
        selfs, totals = sums([([plain(f) for f in frames], n) for frames, n in stacks])
        doc = report_json("--top", 1000000, path)
        assert doc["whole"] == sum(selfs.values()) and doc["type"] == "samples"
        rows = {r["name"]: r for r in doc["top"]}
        assert len(rows) == len(doc["top"]) == doc["functions"] and set(rows) == set(totals)
        for name, r in rows.items():
            assert (r["self_value"], r["total_value"]) == (selfs[name], totals[name]), r
            assert abs(r["self_percent"] - 100 * selfs[name] / doc["whole"]) < 0.001
        for order in ("self", "total"):
            values = [r[f"{order}_value"] for r in report_json("--sort", order, "-n", 7, path)["top"]]
            assert len(values) == min(7, len(rows)) and values == sorted(rows[n][f"{order}_value"] for n in rows)[::-1][:7]


def tree_paths(doc):
    """{path from the root: (self, total)} of the flat node list."""
    paths, out = [], {}
    for n in doc["nodes"]:
        above = paths[n["parent"]] if n["parent"] >= 0 else ()
        assert n["depth"] == len(above), n
        paths.append(above + (n["name"],))
        assert paths[-1] not in out
        out[paths[-1]] = (n["self"], n["total"])
    return out


def want_tree(stacks):
    want = collections.defaultdict(lambda: [0, 0])
    for frames, n in stacks:
        for i in range(1, len(frames) + 1):
            want[tuple(frames[:i])][1] += n
        want[tuple(frames)][0] += n
    return {k: tuple(v) for k, v in want.items()}


def test_tree_has_every_path_with_its_sums():
    path, stacks = random_stacks(3)
    got = tree_paths(report_json("--tree", "--min-percent", 0, path))
    assert got == {("all", *k): v for k, v in want_tree(stacks).items()} | {("all",): (0, sum(n for _, n in stacks))}
    some = tree_paths(report_json("--tree", "--min-percent", 2, path))
    whole = got[("all",)][1]
    assert some == {k: v for k, v in got.items() if 100 * v[1] / whole >= 2} and len(some) < len(got)


def test_callers_and_callees_are_the_stacks_cut_at_the_function():
    path, stacks = random_stacks(4)
    with_f = [(frames, n) for frames, n in stacks if "f3" in frames]
    inner = [(frames[len(frames) - 1 - frames[::-1].index("f3")::-1], n) for frames, n in with_f]
    outer = [(frames[frames.index("f3"):], n) for frames, n in with_f]
    for flag, cut in (("--callers", inner), ("--callees", outer)):
        assert tree_paths(report_json(flag, "f3", "--min-percent", 0, path)) == want_tree(cut), flag
    total = sum(n for _, n in with_f)
    assert report_json("--callers", "f3", path)["nodes"][0]["total"] == total == sums(stacks)[1]["f3"]


def test_trees_as_people_see_them():
    path = file("before.folded", BEFORE)
    assert report("--tree", path).splitlines()[2:] == [
        "   total      self  samples  call tree",
        "  100.0 %    0.0 %      100  main",
        "   50.0 %   10.0 %       50  |- parse",
        "   40.0 %   40.0 %       40  |  memcpy",
        "   50.0 %    0.0 %       50  `- send",
        "   50.0 %   50.0 %       50     write [k]"]
    assert report("--callers", "memcpy", path).splitlines()[2:] == [
        "   total     of it  samples  function, below it who called it",
        "   40.0 %  100.0 %       40  memcpy",
        "   40.0 %  100.0 %       40  parse",
        "   40.0 %  100.0 %       40  main"]
    assert report("-n", 2, path).splitlines() == [
        "profile    100 samples",
        "",
        "    self     total  samples  image               function",
        "   50.0 %   50.0 %       50  unknown             write",
        "   40.0 %   40.0 %       40  unknown             memcpy",
        "",
        "2 of 5 functions: --top N shows more"]


def test_a_difference_compares_shares():
    before, after = file("before.folded", BEFORE), file("after.folded", AFTER)
    text = report("--diff", before, after)
    assert "runs of different length compare" in text
    assert text.splitlines()[5:] == [
        "  self                             total",
        "  base %  now %  points  samples   base %  now %  points  samples  function",
        "    10.0   50.0   +40.0      +16     50.0   75.0   +25.0      +10  parse",
        "    50.0   25.0   -25.0      -10     50.0   25.0   -25.0      -10  write",
        "     0.0    0.0    +0.0       +0     50.0   25.0   -25.0      -10  send",
        "    40.0   25.0   -15.0       -6     40.0   25.0   -15.0       -6  memcpy"]
    assert report("--diff", before, "--sort", "total", "-n", 1, after).splitlines()[-1].endswith("parse")
    doc = report_json("--diff", before, after)
    rows = {r["name"]: r for r in doc["functions"]}
    assert doc["base_whole"] == 100 and doc["whole"] == 40
    assert rows["parse"]["self_points"] == 40 and rows["parse"]["self_change"] == 16 and rows["parse"]["base"]["self"] == 10
    scaled = file("scaled.folded", "".join(f"{l.rsplit(' ', 1)[0]} {7 * int(l.rsplit(' ', 1)[1])}\n" for l in BEFORE.splitlines()))
    assert report("--diff", before, scaled).splitlines()[-1] == "no share changed by 0.05 points or more"


def test_a_written_difference_has_base_negative():
    before, after = file("before.folded", BEFORE), file("after.folded", AFTER)
    out = tmp / "d.pb.gz"
    report("--diff", before, "-o", out, after)
    text = subprocess.run([need("protoc"), f"-I{ROOT / 'pprof'}", "--decode=perftools.profiles.Profile", "profile.proto"],
                          input=gzip.decompress(out.read_bytes()), capture_output=True, check=True).stdout.decode()
    assert sorted(map(int, re.findall(r"value: (-?\d+)", text))) == [-40, -30, 10]
    back = {r["name"]: r["self_value"] for r in report_json(out)["top"]}
    assert back["memcpy"] == -30 and back["parse"] == 10 and back["write"] == -40


def test_files_add_up():
    (a, sa), (b, sb) = random_stacks(5), random_stacks(6)
    assert report_json("--top", 99, a, b)["top"] == report_json("--top", 99, file("ab.folded", a.read_bytes() + b.read_bytes()))["top"]
    assert report_json(a, b)["whole"] == sum(n for _, n in sa + sb)
    status, _, err = run(recording("rec.pb.gz"), a)
    assert status == 1 and "do not add up" in err and "--type" in err and "rec.pb.gz" in err, err
    mixed = report_json("--type", "samples", recording("rec.pb.gz"), a)
    assert mixed["whole"] == sum(n for _, n in sa) + report_json("--type", "samples", recording("rec.pb.gz"))["whole"]


def test_formats_convert_without_loss():
    rec = recording("rec.pb.gz")
    report("-o", tmp / "c.folded", rec)
    report("-o", tmp / "c.pb", rec)
    report("-o", tmp / "c2.folded", tmp / "c.pb")
    assert (tmp / "c.folded").read_bytes() == (tmp / "c2.folded").read_bytes()
    assert (tmp / "c.folded").read_text(errors="replace") == report("-o", "-", rec)
    assert sum(n for _, n in read_folded(tmp / "c.folded")) == report_json("--type", "samples", rec)["whole"]
    whole, top, again = report_json("--type", "samples", rec)["whole"], collections.Counter(), collections.Counter()
    for r in report_json("--type", "samples", "-n", 1000000, rec)["top"]:
        top[re.sub(r"[;\n\r]", lambda m: ":" if m[0] == ";" else " ", r["name"])] += r["self_value"]
    for r in report_json("-n", 1000000, tmp / "c.folded")["top"]:
        again[r["name"]] += r["self_value"]
    # A sample without frames is a line of its comm alone: nothing else may differ.
    assert sum(again.values()) == whole and all(again[n] >= v for n, v in top.items()), top - again
    assert sum((again - top).values()) == whole - sum(top.values())
    report("-o", tmp / "c.html", tmp / "c.folded")
    assert "spin_half" in (tmp / "c.html").read_text()
    assert report("-o", "-", "--format", "svg", rec).startswith("<?xml")
    assert report("-o", "-", stdin=gzip.compress(b"a;b 3\n"), *["-"]) == "a;b 3\n"


def test_filters_keep_what_they_say():
    path, stacks = random_stacks(7)
    keep = [(f, n) for f, n in stacks if "f1" in f and not {"f2", "f10"} & set(f)]
    doc = report_json("--focus", "^f1$", "--ignore", "^f(2|10)$", "-n", 99, path)
    assert {r["name"]: r["total_value"] for r in doc["top"]} == dict(sums(keep)[1])
    assert doc["unfiltered"] == sum(n for _, n in stacks)
    rec = recording("rec.pb.gz")
    spin = report_json("--label", "comm=w_spin", rec)
    by_hand = sum(n for f, n in read_folded(recording("same.folded", "--comm", "w_spin")))
    assert spin["top"][0]["name"] == "spin_half" and spin["whole"] < spin["unfiltered"] and by_hand
    report("-o", tmp / "spin.folded", "--label", "comm=w_spin", rec)
    assert {f[0] for f, _ in read_folded(tmp / "spin.folded")} == {"w_spin"}
    assert "kept" in report("--label", "comm=w_spin", rec)


def perf(*args, **kw):
    return subprocess.run([need("perf"), *map(str, args)], capture_output=True, text=True, **kw)


def perf_data(*flags):
    path = tmp / f"perf{len(flags)}.data"
    # -B: no build ids; a kernel with another reader of them breaks perf's records.
    p = perf("record", "-B", "-N", "-F", "999", "-e", "cpu-clock", *flags, "-o", path, "--", workload("spin"), "1")
    if p.returncode or perf("script", "-i", path).returncode:
        raise Skip("perf cannot read its own recording here: " + p.stderr.strip().splitlines()[-1])
    return path


def perf_shares(path, children):
    out = perf("report", "-i", path, "--children" if children else "--no-children", "--stdio", "-g", "none", "-F",
               "overhead_children,sym" if children else "overhead,sym", "-w", "20,400").stdout
    return {m[2].strip(): float(m[1]) for m in re.finditer(r"^ *([0-9.]+)%  *\[.\] +(.*)$", out, re.M)}


def compare_with_perf(text, self_shares, totals):
    doc = report_json("-n", 100000, "-", stdin=text)
    got = {r["name"]: r for r in doc["top"]}
    assert doc["type"] == "cpu" and abs(doc["whole"] / 1e9 - 1) < 0.3
    for name in ("spin_half", "spin_third", "spin_fifth"):
        print(f"  {name}: {got[name]['self_percent']:.2f} %, perf report {self_shares[name]} %")
        assert abs(got[name]["self_percent"] - self_shares[name]) < 0.011
    for name, share in totals.items():
        assert abs(got[name]["total_percent"] - share) < 0.011, name
    return doc


def test_a_kept_perf_script_has_the_shares_perf_report_gave():
    text = gzip.decompress((ROOT / "tests/golden/perf-script.txt.gz").read_bytes())
    doc = compare_with_perf(text, {"spin_half": 49.50, "spin_third": 29.82, "spin_fifth": 20.28}, {"main": 100, "clock_gettime@@GLIBC_2.17": 0.40})
    assert doc["whole"] == 1008016024, "Event count of perf report"
    callers = report_json("--callers", "spin_half", "-", stdin=text)["nodes"]
    assert [n["name"] for n in callers] == ["spin_half", "main", "__libc_start_call_main"]
    assert report_json("--label", "comm=w_spin", "-", stdin=text)["whole"] == doc["whole"]
    script = file("script.txt", text)
    report("-o", tmp / "script.pb.gz", script)
    assert report_json(tmp / "script.pb.gz", script)["whole"] == 2 * doc["whole"]


def test_perf_script_has_the_shares_of_perf_report():
    data = {flags: perf_data(*flags) for flags in (("-g",), ())}
    for flags, path in data.items():
        text = perf("script", "-i", path).stdout.encode()
        total = perf_shares(path, True) if flags else {}
        compare_with_perf(text, perf_shares(path, False), {"main": total["main"]} if flags else {})


def test_a_fifo_is_as_good_as_a_file():
    path = tmp / "a.fifo"
    os.mkfifo(path)
    shown = subprocess.Popen([HOTSPAN, "report", "--json", path], stdout=subprocess.PIPE)
    path.write_text(BEFORE)
    assert json.loads(shown.communicate(timeout=60)[0])["whole"] == 100


def refused(status, *words, argv, stdin=None):
    got, out, err = run(*argv, stdin=stdin)
    print(f"  {got}: {err.strip()}")
    assert got == status and len(err.splitlines()) == 1 and all(w in err for w in words), (argv, got, err)
    assert out == "", out


def test_lines_and_inlined_calls():
    """The numbers are held against go tool pprof's in tests/unit/pprof_oracle.py."""
    path = ROOT / "tests/golden/go-inline.pb.gz"
    assert "main.(*list).at main.go:11 (inlined)" in report("--lines", path)
    assert "main.(*list).at [i]" in report("--tree", path) and "[i]" not in report("--tree", "--no-inline", path)
    assert {r["inlined"] for r in report_json(path)["top"]} == {"yes", "no"}
    nodes = report_json("--tree", "--lines", path)["nodes"]
    assert any((n["name"], n["line"], n["kind"]) == ("main.(*list).mix", 14, "inlined") and n["file"].endswith("main.go") for n in nodes)
    assert "no share changed" in report("--diff", path, "--lines", path)
    assert "_[i]" in report("-o", "-", path) and "_[i]" not in report("-o", "-", "--no-inline", path)
    assert "the profile has none" in report("--lines", file("before.folded", BEFORE))
    assert "the profile has none" not in report("--lines", path)


def test_bad_input_is_one_clear_line():
    good = file("before.folded", BEFORE)
    refused(2, "no file", "--help", argv=[])
    refused(2, "--colour", argv=["--colour", good])
    for flag, value in (("--top", "0"), ("--sort", "name"), ("--min-percent", "x"), ("--min-percent", "101"), ("--label", "comm"),
                        ("--focus", "("), ("--ignore", "*a["), ("-o", "x.png"), ("--format", "folded")):
        refused(2, value if flag != "--format" else "-o", argv=[flag, value, good])
    refused(2, "one view", argv=["--tree", "--callers", "main", good])
    refused(2, "--diff", argv=["--tree", "--diff", good, good])
    refused(2, "pprof", argv=["--diff", good, "-o", tmp / "d.html", good])
    refused(2, "--lines", argv=["--lines", good, "-o", tmp / "d.html"])
    refused(2, "once", argv=["-", "-"])
    refused(1, "nowhere.pb.gz", "no such file", argv=[tmp / "nowhere.pb.gz"])
    refused(1, str(tmp), "directory", argv=[tmp])
    refused(1, "empty.pb.gz", "empty", argv=[file("empty.pb.gz", b"")])
    refused(1, "void.gz", "empty", argv=[file("void.gz", gzip.compress(b""))])
    refused(1, "cut.gz", "truncated", argv=[file("cut.gz", recording("rec.pb.gz").read_bytes()[:200])])
    refused(1, "cut.pb", "cut short", argv=[file("cut.pb", gzip.decompress(recording("rec.pb.gz").read_bytes())[:-1])])  # within the last field
    refused(1, "prose.txt", "line 2", "folded", "perf script", argv=[file("prose.txt", "\nIt was a dark and stormy night.\n")])
    refused(1, "half.folded", "line 3", argv=[file("half.folded", "a;b 1\na 2\na;b\n")])
    refused(1, "half.script", "line 3", argv=[file("half.script", "a 1 1.0: 7 cycles:\n\nnonsense\n")])
    refused(1, "standard input", "empty", argv=["-"], stdin=b"")
    refused(1, "program", "record", argv=["/bin/true"])
    refused(1, "perf.data", "perf script", argv=[file("perf.data", b"PERFILE2" + bytes(100))])
    refused(1, "memcp", "did you mean memcpy", argv=["--callers", "memcp", good])
    refused(1, "zzz", "lists", argv=["--callees", "zzz", good])
    refused(1, "no sample type 'cpu'", "samples", argv=["--type", "cpu", good])
    refused(1, "no labels", argv=["--label", "comm=x", good])
    refused(1, "comm=nobody", "keys are", "comm", argv=["--label", "comm=nobody", recording("rec.pb.gz")])
    refused(1, "--focus", "no stack", argv=["--focus", "zzz", good])
    refused(1, "compare", "--type", argv=["--diff", recording("rec.pb.gz"), good])
    refused(1, "/nowhere", "folder", argv=["-o", "/nowhere/x.pb.gz", good])


def test_a_full_standard_output_is_a_failure():
    with open("/dev/full", "w") as full:
        p = subprocess.run([HOTSPAN, "report", file("before.folded", BEFORE)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "standard output" in p.stderr, p


def test_no_prefix_and_no_damage_crashes_it():
    rng = random.Random(1)
    for whole in (gzip.decompress(recording("rec.pb.gz").read_bytes()), (ROOT / "tests/fuzz/corpus/perf_script/odd").read_bytes()):
        for i in range(60):
            data = bytearray(whole[:rng.randrange(len(whole))] if i % 2 else whole)
            for _ in range(rng.randrange(1, 20)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            for view in (["--tree"], ["--json"], ["--callers", "main"]):
                status, out, err = run(*view, "-", stdin=bytes(data))
                assert status in (0, 1) and len(err.splitlines()) == (status == 1), (status, err)


def test_an_empty_profile_is_no_error():
    subprocess.run([HOTSPAN, "record", "-d", "0.2", "--comm", "nobody-is-called-so", "-o", tmp / "none.pb.gz"], capture_output=True, check=True)
    for view in ([], ["--tree"], ["--json"], ["--diff", tmp / "none.pb.gz"]):
        report(*view, tmp / "none.pb.gz")


def test_names_cannot_steer_the_terminal():
    out = report(file("evil.folded", b"main;\x1b[2J\x1b]0;x\x07evil 3\n"))
    assert "\x1b" not in out and "\x07" not in out and "evil" in out
    assert report_json(tmp / "evil.folded")["top"][0]["name"].endswith("evil")


if __name__ == "__main__":
    run_tests(globals())
