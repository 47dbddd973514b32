#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run BUILD [--baseline]: every bench, and hotspan beside `perf record -g` on one load; JSON lines, then bench/README.md.

The numbers of a machine mean little elsewhere: what counts is the ratio to perf in the same run and to
bench/baseline.jsonl, which --baseline rewrites.
"""
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import agent
import encode
import symbols
import trace
import walk

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(sys.argv[1]).resolve()
HERE = ROOT / "bench"
SECONDS, DEPTH, ROUNDS = 8, 20, 3


def load():
    return subprocess.Popen([BUILD / "bench/bench_load", str(SECONDS), str(DEPTH)], stdout=subprocess.PIPE, text=True)


def peak_rss(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    m = re.search(r"VmHWM:\s+(\d+)", text)
    return int(m[1]) * 1024 if m else 0


def children_cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def under(argv):
    """Runs the load with a profiler beside it: (rounds of work, profiler's CPU s, its peak RSS, its output)."""
    worker = load()
    profiler, rss = None, 0
    if argv:
        profiler = subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    end = time.time() + SECONDS
    while profiler and time.time() < end - 0.3:
        rss = max(rss, peak_rss(profiler.pid))
        time.sleep(0.1)
    work = int(worker.communicate()[0])
    before = children_cpu()
    out = profiler.communicate()[0] if profiler else ""
    return work, children_cpu() - before, rss, out


def perf_samples(path):
    text = subprocess.run(["perf", "report", "-i", path, "--stdio", "--header-only"], capture_output=True, text=True).stdout
    n = subprocess.run(["perf", "script", "-i", path, "-F", "time", "-G"], capture_output=True, text=True).stdout.count("\n")
    return n


def end_to_end():
    """One JSON line per profiler and frequency; every number is a median over interleaved rounds."""
    with tempfile.TemporaryDirectory() as tmp:
        perf_data, out = f"{tmp}/perf.data", f"{tmp}/x.pb.gz"
        duration = SECONDS - 0.5
        what = {}
        for hz in (99, 999):
            what["hotspan", hz] = [BUILD / "hotspan", "record", "-a", "-F", hz, "-d", duration, "--json", "-o", out]
            if shutil.which("perf"):
                what["perf record -g", hz] = ["perf", "record", "-q", "-a", "-g", "-F", hz, "-e", "cpu-clock", "-o", perf_data,
                                              "--", "sleep", duration]
        rows = {key: [] for key in what}
        idle = []
        for _ in range(ROUNDS):
            idle.append(under(None)[0])
            for key, argv in what.items():
                work, cpu, rss, text = under(argv)
                row = {"work": work, "cpu_s": cpu, "rss_bytes": rss}
                if key[0] == "hotspan":
                    v = json.loads(text.splitlines()[-1])
                    row |= {"samples": v["samples"], "bpf_ns_per_sample": v["bpf_ns"] / v["samples"], "kernel_bytes": v["kernel_bytes"],
                            "sampling_cpu_s": v["sampling_cpu_ns"] / 1e9, "output_bytes": v["output_bytes"]}
                else:
                    row |= {"samples": perf_samples(perf_data), "output_bytes": os.path.getsize(perf_data)}
                rows[key].append(row)
        base = statistics.median(idle)
        for (name, hz), list_ in rows.items():
            row = {k: statistics.median(r[k] for r in list_) for k in list_[0]}
            row["work_lost_percent"] = round(100 * (1 - row.pop("work") / base), 2)
            yield {"bench": "record", "profiler": name, "hz": hz, **{k: round(v, 6) for k, v in row.items()}}


def bpf_stats():
    """ns per run of the sampling program as the kernel counts it (kernel.bpf_stats_enabled), beside our own count."""
    knob = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    if not knob.exists():
        return
    before = knob.read_text()
    knob.write_text("1")
    worker = load()
    p = subprocess.Popen([BUILD / "hotspan", "record", "-a", "-F", "999", "-d", str(SECONDS - 1), "--json", "-o", "/dev/null", "--format", "folded"],
                         stdout=subprocess.PIPE, text=True)
    time.sleep(SECONDS - 2)
    text = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True).stdout
    v = json.loads(p.communicate()[0].splitlines()[-1])
    worker.communicate()
    knob.write_text(before)
    for prog in json.loads(text):
        if prog.get("name") == "sample" and prog.get("run_cnt"):
            yield {"bench": "bpf_sample", "unit": "sample", "ns": round(prog["run_time_ns"] / prog["run_cnt"], 1),
                   "own_count_ns": round(v["bpf_ns"] / max(1, v["ticks"]), 1), "bytes_xlated": prog["bytes_xlated"], "bytes_jited": prog["bytes_jited"]}


def micro():
    for name in ("pprof", "symbolize", "collect", "unwind", "spans"):
        text = subprocess.run([BUILD / f"bench/bench_{name}"], check=True, capture_output=True, text=True).stdout
        yield from map(json.loads, text.splitlines())


def key(row):
    return (row["bench"], row.get("profiler") or row.get("agent") or row.get("tool") or row.get("with"), row.get("hz"))


def table(rows, baseline):
    old = {key(r): r for r in baseline}
    out = ["| bench | per | ns | baseline | ratio | allocations a round | more |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        if "unit" not in r:
            continue
        was = old.get(key(r), {}).get("ns")
        more = ", ".join(f"{k} {v:g}" for k, v in r.items() if k not in ("bench", "unit", "ns", "rounds", "allocs_per_round"))
        out.append(f"| {r['bench']} | {r['unit']} | {r['ns']:.1f} | {was or '-'} | {r['ns'] / was if was else 1:.2f} | "
                   f"{r.get('allocs_per_round', '-')} | {more} |")
    out += ["", "| profiler | Hz | samples | own CPU s | of it while sampling | BPF ns per sample | peak RSS MiB | BPF maps and rings MiB | output bytes | work lost % |",
            "|---|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        if "profiler" not in r:
            continue
        cell = lambda k, scale=1, digits=2: f"{r[k] / scale:.{digits}f}" if k in r else "-"
        out.append(f"| {r['profiler']} | {r['hz']} | {r['samples']:.0f} | {cell('cpu_s', 1, 3)} | {cell('sampling_cpu_s', 1, 3)} | "
                   f"{cell('bpf_ns_per_sample', 1, 0)} | {cell('rss_bytes', 2**20, 1)} | {cell('kernel_bytes', 2**20)} | "
                   f"{r['output_bytes']:.0f} | {cell('work_lost_percent')} |")
    return "\n".join(out + ["", symbols.table(rows), "", agent.table(rows), "", trace.table(rows)])


def main():
    rows = []
    for source in (micro, bpf_stats, lambda: walk.rows(BUILD), lambda: encode.rows(BUILD), lambda: symbols.rows(BUILD / "hotspan"), end_to_end, lambda: agent.rows(BUILD / "hotspan"), lambda: trace.rows(BUILD)):
        for row in source():
            print(json.dumps(row), flush=True)
            rows.append(row)
    path = HERE / "baseline.jsonl"
    if "--baseline" in sys.argv or not path.exists():
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    baseline = [json.loads(l) for l in path.read_text().splitlines()]
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    readme = HERE / "README.md"
    head = readme.read_text().split("<!-- results -->")[0]
    readme.write_text(f"{head}<!-- results -->\n\nLast run: {time.strftime('%Y-%m-%d')}, commit {commit}, Linux {platform.release()}, "
                      f"{os.cpu_count()} CPUs.\n\n{table(rows, baseline)}\n")


main()
