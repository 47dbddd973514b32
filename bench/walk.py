# SPDX-License-Identifier: Apache-2.0
"""walk - what the walk up a native stack without frame pointers costs in the kernel, per frame: a stack of 63 calls less
one of 3, warm (samples follow each other at once) and cold (64 MiB are read between two); `perf record --call-graph
dwarf` on the same load, which copies the stack and walks it afterwards; and how soon after exec a program nobody has
seen gets its first whole stack."""
import collections
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

ROUNDS = 3
YOUNG = 60


def children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def record(build, hz, argv, path="/dev/null"):
    out = subprocess.run([build / "hotspan", "record", "-F", str(hz), "--json", "-o", path, "--format", "folded", "--", *map(str, argv)],
                         capture_output=True, text=True).stdout
    return json.loads(next(line for line in out.splitlines() if line.startswith('{"version"')))


def bpf_ns(build, hz, depth, sweep):
    v = record(build, hz, [build / "bench/bench_deep", 5, depth, sweep])
    return v["bpf_ns"] / v["samples"]


def walks(build):
    for name, hz, sweep in (("walk_warm", 1999, 0), ("walk_cold", 99, 64)):
        deep, flat = (min(bpf_ns(build, hz, depth, sweep) for _ in range(ROUNDS)) for depth in (63, 3))
        yield {"bench": name, "unit": "frame", "ns": round((deep - flat) / 60, 1), "ns_of_60_frames": round(deep - flat), "ns_of_the_rest": round(flat)}


def perf_dwarf(build):
    load = [str(build / "bench/bench_deep"), "5", "63", "0"]
    with tempfile.NamedTemporaryFile() as out:
        before = children()
        subprocess.run(load, capture_output=True)
        alone = children() - before
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "--call-graph", "dwarf,65528", "-o", out.name, "--", *load], capture_output=True)
        recording = children() - before - 2 * alone
        text = subprocess.run(["perf", "script", "--no-inline", "-i", out.name, "-F", "time,ip"], capture_output=True, text=True).stdout
        walking = children() - before - 2 * alone - recording
        n = len(re.findall(r"^\S*\s*\d+\.\d+:", text, re.M))
        if n:
            yield {"bench": "walk_perf_dwarf", "unit": "sample", "ns": round(1e9 * walking / n), "bytes_per_sample": round(os.path.getsize(out.name) / n),
                   "recording_ns": round(1e9 * max(recording, 0) / n), "samples": n}


def with_new_id(path, copy):
    """The same program as an image nobody has seen: another build id."""
    note = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
    data = path.read_bytes()
    at = data.index(note) + len(note)
    copy.write_bytes(data[:at] + os.urandom(20) + data[at + 20:])
    copy.chmod(0o755)


def stacks_by_ms(path):
    """Of each program: (milliseconds since its exec, whether the stack reaches the root), of the samples that say when they were."""
    seen = collections.defaultdict(list)
    for stack in path.read_text(errors="replace").splitlines():
        frames = stack.rpartition(" ")[0].split(";")
        ms = [int(f[3:]) for f in frames if re.fullmatch(r"ms_\d+", f)]
        if ms:
            seen[frames[0]].append((ms[0], "_start" in frames))
    return seen


def from_exec(build):
    with tempfile.TemporaryDirectory() as tmp:
        copies = [Path(tmp) / f"young{i}" for i in range(YOUNG)]
        for copy in copies:
            with_new_id(build / "bench/bench_young", copy)
        v = record(build, 1999, [build / "bench/bench_young", *copies], out := Path(tmp) / "out.folded")
        seen = stacks_by_ms(out)
    first, whole = ([min((ms for ms, root in s if root or not want), default=1000) for s in seen.values()] for want in (False, True))
    yield {"bench": "walk_from_exec", "unit": "program", "ns": statistics.median(whole) * 1e6, "programs": len(seen), "first_sample_ms": statistics.median(first),
           "first_whole_ms": statistics.median(whole), "slowest_whole_ms": max(whole), "complete_percent": round(100 * v["stacks"]["root"] / v["samples"], 2)}


def rows(build):
    yield from walks(build)
    if shutil.which("perf"):
        yield from perf_dwarf(build)
    yield from from_exec(build)
