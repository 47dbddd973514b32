# SPDX-License-Identifier: Apache-2.0
"""walk - what the walk up a native stack without frame pointers costs in the kernel, per frame: a stack of 63 calls less
one of 3, warm (samples follow each other at once) and cold (64 MiB are read between two); `perf record --call-graph
dwarf` on the same load, which copies the stack and walks it afterwards; and how much of a program's first 20 ms is
seen whole."""
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time

ROUNDS = 3


def children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def record(build, hz, seconds, argv):
    out = subprocess.run([build / "hotspan", "record", "-F", str(hz), "--json", "-o", "/dev/null", "--format", "folded", "--", *map(str, argv)],
                         capture_output=True, text=True).stdout
    return json.loads(next(line for line in out.splitlines() if line.startswith('{"version"')))


def bpf_ns(build, hz, depth, sweep):
    v = record(build, hz, 5, [build / "bench/bench_deep", 5, depth, sweep])
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


def first(build):
    loop = f"for i in $(seq 150); do {build}/bench/bench_deep 0.02 40 0; done"
    v = record(build, 999, 0, ["sh", "-c", loop])
    yield {"bench": "walk_first_20_ms", "unit": "sample", "ns": round(v["bpf_ns"] / v["samples"], 1), "samples": v["samples"],
           "complete_percent": round(100 * v["stacks"]["root"] / v["samples"], 2)}


def rows(build):
    yield from walks(build)
    if shutil.which("perf"):
        yield from perf_dwarf(build)
    yield from first(build)
