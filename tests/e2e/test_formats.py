#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real recording in every format, each read by something we did not write."""
import gzip
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import xml.etree.ElementTree

from hs import *  # noqa: F403

PROTO = pathlib.Path(__file__).resolve().parents[2] / "pprof"


def record_as(name, d, *args):
    out = pathlib.Path(d) / name
    p = subprocess.run([HOTSPAN, "record", "--json", "-F", "499", "-o", out, *args, "--", workload("spin"), "1"],
                       capture_output=True, text=True)
    assert p.returncode == 0, p
    return out, json.loads(p.stdout.splitlines()[-1])


def decode(path):
    """The text of `protoc --decode`: Google's own decoder, our .proto from the published tables."""
    need("protoc")
    return subprocess.run(["protoc", f"-I{PROTO}", "--decode=perftools.profiles.Profile", "profile.proto"],
                          input=gzip.decompress(path.read_bytes()), capture_output=True, check=True).stdout.decode()


def test_pprof_has_its_types_labels_mappings_and_times():
    with tempfile.TemporaryDirectory() as d:
        before = time.time_ns()
        path, verdict = record_as("x.pb.gz", d, "--by", "thread")
        text = decode(path)
        strings = [s.encode().decode("unicode_escape") for s in re.findall(r'^string_table: "(.*)"$', text, re.M)]
        assert strings[0] == ""
        for s in ("samples", "count", "cpu", "nanoseconds", "comm", "pid", "tid", "w_spin", "spin_half"):
            assert s in strings, s
        assert before - 1e9 < int(re.search(r"^time_nanos: (\d+)", text, re.M)[1]) < time.time_ns()
        assert int(re.search(r"^period: (\d+)", text, re.M)[1]) == 1000000000 // 499
        assert abs(int(re.search(r"^duration_nanos: (\d+)", text, re.M)[1]) - verdict["wall_ns"]) < 50e6
        values = [list(map(int, re.findall(r"value: (-?\d+)", s))) for s in re.findall(r"^sample \{(.*?)^\}", text, re.M | re.S)]
        assert all(len(v) == 2 and v[1] == v[0] * (1000000000 // 499) for v in values)
        assert sum(v[0] for v in values) == verdict["samples"]
        notes = subprocess.run(["readelf", "-n", workload("spin")], capture_output=True, text=True).stdout
        assert re.search(r"Build ID: (\w+)", notes)[1] in strings, "the build id of what ran"


def program_functions(path, program, *flags):
    """{name: share} of a program's own functions, as `go tool pprof` shows them."""
    p = subprocess.run([need("go"), "tool", "pprof", "-top", "-nodecount=1000", "-nodefraction=0", *flags, path], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return {name: float(flat) for flat, name in re.findall(r"^ *\S+ +([0-9.]+)% +\S+ +\S+ +\S+ +(.+)$", p.stdout, re.M)
            if re.fullmatch(r"main|spin_\w+", name)}


def test_without_symbols_go_tool_pprof_finds_our_names_itself():
    """Also where images are not loaded at the address in their file, and where they are."""
    for program in ("spin", "spin_nopie", "spin_static"):
        with tempfile.TemporaryDirectory() as d:
            named, bare = pathlib.Path(d) / "named.pb.gz", pathlib.Path(d) / "bare.pb.gz"
            for path, flags in ((named, []), (bare, ["--no-symbols"])):
                subprocess.run([HOTSPAN, "record", "-F", "999", *flags, "-o", path, "--", workload(program), "1"], capture_output=True, check=True)
            text = decode(bare)
            strings = re.findall(r'^string_table: "(.*)"$', text, re.M)
            maps = re.findall(r"^mapping \{(.*?)^\}", text, re.M | re.S)
            mine = [m for m in maps if strings[int(re.search(r"filename: (\d+)", m)[1])].endswith("w_" + program) and "build_id" in m]
            assert mine and "has_functions" not in mine[0], maps
            assert "spin_half" not in strings and any("has_functions" in m for m in maps), "the kernel has its names"
            ours, theirs = program_functions(named, program), program_functions(bare, program, "-symbolize=local")
            print(f"  {program}: {theirs}")
            assert {"spin_half", "spin_third", "main"} <= set(theirs) and set(theirs) == set(ours), (ours, theirs)
            assert all(abs(ours[n] - theirs[n]) < 10 for n in ours), (ours, theirs)


def test_html_svg_speedscope_and_folded():
    with tempfile.TemporaryDirectory() as d:
        html, _ = record_as("x.html", d)
        text = html.read_text()
        assert "spin_half" in text and "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", text) and "https://" not in text
        svg, _ = record_as("x.svg", d)
        assert "spin_half" in "".join(xml.etree.ElementTree.parse(svg).getroot().itertext())
        scope, verdict = record_as("x.speedscope.json", d)
        doc = json.loads(scope.read_text())
        weights = sum(sum(p["weights"]) for p in doc["profiles"])
        assert weights == verdict["samples"] * (1000000000 // 499)
        folded, verdict = record_as("x.folded", d)
        assert sum(n for _, n in read_folded(folded)) == verdict["samples"]


def test_standard_output_is_folded_and_the_verdict_stays_off_it():
    p = subprocess.run([HOTSPAN, "record", "-F", "499", "-d", "0.5", "-o", "-"], capture_output=True, text=True)
    assert p.returncode == 0 and all(re.search(r" \d+$", l) for l in p.stdout.splitlines()) and "samples" in p.stderr


if __name__ == "__main__":
    run_tests(globals())
