#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak [case...]: the runs too long for every change; writes bench/soak.md with the commit they ran on.

Cases: saturated, short, vforks, start, churn, reload, identity, outage, cfi, dwarf, fuzz, stacks, join. HOTSPAN_SOAK_SCALE=0.1 shortens all of them (for trying the
script; nothing is written then).
"""
import concurrent.futures
import datetime
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

from hs import *  # noqa: F403
from pyroscope import Fake

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCALE = float(os.environ.get("HOTSPAN_SOAK_SCALE", "1"))
CPUS = os.cpu_count()
WANT_FLAT = "RSS, symbol tables aside, grows < 1 MiB over the last 4/5"


def burners():
    """One busy process per CPU."""
    return [subprocess.Popen([workload("spin"), "100000"], stdout=subprocess.DEVNULL) for _ in range(CPUS)]


def stop(processes):
    for p in processes:
        p.kill()
        p.wait()


def case_saturated():
    """2 busy CPUs at 999 Hz: nothing lost, samples within 1 % of elapsed x CPUs x Hz."""
    busy = burners()
    try:
        r = record("-a", "-F", 999, "-d", 60 * SCALE)
    finally:
        stop(busy)
    v = r.verdict
    nominal = v["wall_ns"] / 1e9 * v["cpus"] * v["frequency_hz"]
    percent = 100 * (v["samples"] + v["ticks_idle"]) / nominal
    ok = r.lost() == 0 and abs(percent - 100) <= 1
    yield (f"{CPUS} CPUs saturated, 999 Hz, {v['wall_ns'] / 1e9:.0f} s", "lost 0; samples within 1 % of nominal",
           f"lost {r.lost()}; {v['samples']} of {nominal:.0f} = {percent:.2f} % (timer late {v['lost']['timer_late']})", ok)


def storm(count, ms, need_percent):
    count = max(int(count * SCALE), 20)
    r = record("-F", 999, "-a", command=[workload("storm"), count, ms, CPUS], timeout=1200)
    burnt = answers(r.command_output)["storm_child"] / 1e9
    late = r.verdict["lost"]["timer_late"] / 999
    named = total_counts(r.stacks)["storm_child"] / 999
    percent = 100 * named / burnt
    ok = r.lost() == 0 and percent + 100 * late / burnt >= need_percent
    return (f"{count} processes of {ms} ms, 999 Hz", f">= {need_percent} % of their CPU time arrives with names",
            f"{percent:.2f} % of {burnt:.1f} CPU s; lost {r.lost()}, unknown process "
            f"{r.verdict['stacks']['unknown_process']}, timer late {late:.2f} s", ok)


def case_short():
    yield storm(1000, 50, 98)
    yield storm(1000, 300, 99.5)


def case_vforks():
    """The names of processes that live for a third of a millisecond."""
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    import test_shortlived

    minutes = max(int(60 * SCALE), 1)
    percent, burnt, v = test_shortlived.vforks(60 * minutes)
    lost = sum(n for k, n in v["lost"].items() if k != "timer_late")
    yield (f"{minutes} min of 1,000 vfork and exec a second, 999 Hz", ">= 99 % of frames named, lost 0",
           f"{percent:.2f} % of {v['samples']} samples' frames; lost {lost}, timer late {v['lost']['timer_late']}; RSS {v['rss_bytes'] / 2**20:.1f} MiB",
           percent >= 99 and lost == 0)


def case_start():
    """On a busy host with many processes, how long and how dear until every CPU is sampled."""
    busy = burners()
    sleepers = [subprocess.Popen(["sleep", "1000"]) for _ in range(300)]
    try:
        runs = [record("-a", "-F", 99, "-d", 1).verdict for _ in range(5)]
    finally:
        stop(busy + sleepers)
    cpu, wall = max(v["start_cpu_ns"] for v in runs) / 1e9, max(v["start_ns"] for v in runs) / 1e9
    yield (f"start with every CPU busy, {runs[0]['processes']} processes, worst of {len(runs)}", "<= 0.5 CPU s, <= 1 s to the first sample",
           f"{cpu:.3f} CPU s, {wall + 0.0101:.3f} s", cpu <= 0.5 and wall + 0.0101 <= 1)


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class Memory:
    """An agent's RSS over time, and the symbol tables in it: a bounded cache that follows what else the host runs."""

    def __init__(self, agent):
        self.agent, self.begin, self.rows = agent, time.time(), []

    def look(self):
        self.rows.append((time.time() - self.begin, rss_kib(self.agent.process.pid),
                          self.agent.metrics()["hotspan_symbol_table_bytes"] / 1024))

    def grown(self):
        """(MiB by which RSS grew in the last four fifths, MiB by which the tables did); prints the curve."""
        print("  RSS KiB by time: " + " ".join(f"{t:.0f}s:{k}" for t, k, _ in self.rows[:: max(1, len(self.rows) // 15)]))
        _, rss, tables = next(r for r in self.rows if r[0] >= self.rows[-1][0] / 5)
        return (self.rows[-1][1] - rss) / 1024, (self.rows[-1][2] - tables) / 1024

    def levels(self, warm):
        """RSS in KiB: the median of 10 s behind the first `warm` seconds, that of the last 10 s, the most since warm."""
        of = lambda begin, end: [k for t, k, _ in self.rows if begin <= t <= end]
        end = self.rows[-1][0]
        self.grown()
        return statistics.median(of(warm, warm + 10)), statistics.median(of(end - 10, end)), max(of(warm, end))

    def told(self):
        rss, tables = self.grown()
        return f"{rss:.2f} MiB, of it symbol tables {tables:.2f}, to {self.rows[-1][1] / 1024:.1f} MiB", rss - max(tables, 0) < 1


def case_churn():
    """A storm of forks beside dlopen and dlclose: memory must not follow the number of processes. By the agent: what
    record keeps until its end is the profile itself, which grows with every stack it has not seen before."""
    seconds = 600 * SCALE
    forks = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])
    dlopens = subprocess.Popen([workload("churn"), "1e9"], stdout=subprocess.DEVNULL)
    with Fake() as fake, Agent(f"frequency: 99\nreceivers:\n  - name: soak\n    url: {fake.url}\n") as agent:
        memory = Memory(agent)
        try:
            while time.time() - memory.begin < seconds:
                time.sleep(min(10, seconds / 20))
                memory.look()
            m = agent.metrics()
        finally:
            stop([forks, dlopens])
        agent.stop()
    lost = {k: v for k, v in m.items() if "lost_total" in k and v and "timer_late" not in k}
    told, flat = memory.told()
    yield (f"{seconds / 60:.0f} min of forks and dlopen, {m['hotspan_processes']:.0f} processes known at the end", WANT_FLAT,
           f"{told}; lost {lost or 0}, {m['hotspan_samples_total']:.0f} samples", flat and not lost)


def case_reload():
    """The agent under a storm of forks, reloaded each second: another rate, other labels, now and then a wrong file."""
    seconds = 300 * SCALE
    forks = subprocess.Popen(["sh", "-c", "while :; do /bin/true; done"])
    receiver = lambda url: f"receivers:\n  - name: soak\n    url: {url}\n"
    configs = lambda url: [f"frequency: {hz}\nflush_interval: 2s\nlabels: {{round: r{hz}}}\n{receiver(url)}" for hz in (99, 97, 199)] + ["frequency: many\n"]
    with Fake() as fake, Agent(configs(fake.url)[0]) as agent:
        memory = Memory(agent)
        try:
            for i in range(max(int(seconds), 20)):
                agent.reload(configs(fake.url)[i % 4])
                time.sleep(max(0, memory.begin + i + 1 - time.time()))
                memory.look()
            m = agent.metrics()
        finally:
            stop([forks])
        agent.stop()
        pushed = sum(s["totals"]["samples:count"] for s in fake.state()["series"])
        stopped = agent.wait_for("stopped:")
    total = int(re.search(r"(\d+) samples", stopped)[1])
    lost = {k: v for k, v in m.items() if "lost_total" in k and v and "timer_late" not in k}
    reloads = {r: m[f'hotspan_config_reloads_total{{result="{r}"}}'] for r in ("ok", "failed")}
    late = m['hotspan_samples_lost_total{reason="timer_late"}']
    told, flat = memory.told()
    yield (f"{seconds / 60:.0f} min of forks, the agent reloaded each second", "no sample lost; " + WANT_FLAT,
           f"{reloads['ok']:.0f} reloads, {reloads['failed']:.0f} refused; "
           f"{pushed} of {total} samples arrived, lost {lost or 0}, timer late {late:.0f}; {told}",
           not lost and pushed == total and flat)


def case_identity():
    """1,000 processes a second that say who they are and end, a reload each second: every stack under its own service, and
    memory does not follow the number of processes. What else the host runs is left out: its symbol and unwind tables are
    bounded caches that grow with every other program (case_churn). A name that was lost would be w_services."""
    seconds = max(600 * SCALE, 60)
    warm, prefix = 30, f"soak-{os.getpid()}"  # another run on this host is not ours
    rules = ("relabel_configs:\n  - {source_labels: [__meta_otel_service_name], target_label: said}\n"
             "  - {action: keep, source_labels: [service_name], regex: '%s-.*|w_services'}\n" % prefix)
    with Fake() as fake, Agent(f"frequency: 499\nflush_interval: 5s\nmax_cpu_percent: 0\n{rules}receivers:\n  - name: soak\n    url: {fake.url}\n") as agent:
        load = subprocess.Popen([workload("services"), "1000", str(int(seconds)), "300"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, PREFIX=prefix))
        memory = Memory(agent)
        while load.poll() is None:
            time.sleep(1)
            agent.reload()
            memory.look()
        reloads = agent.metrics()['hotspan_config_reloads_total{result="ok"}']
        agent.stop()
        right = wrong = 0
        for s in fake.state()["series"]:
            for n in s["names"]:
                of = re.fullmatch(r"service_(\d)", n["name"])
                mine = of and s["labels"]["service_name"] == f"{prefix}-{of[1]}" == s["labels"].get("said")
                right, wrong = right + n["self"] * bool(mine), wrong + n["self"] * bool(of and not mine)
    burnt = sum(answers(load.communicate()[0]).values())
    first, last, most = memory.levels(warm)
    yield (f"{seconds / 60:.0f} min of 1,000 exec a second, each a service for 0.3 ms, a reload each second",
           f"no stack under another's name; the median of RSS in the last 10 s < 1 MiB above that in the 10 s behind the first {warm:.0f} s",
           f"{right / 1e9:.1f} CPU s under their names, {wrong / 1e9:.3f} under others', {burnt / 1e9:.1f} burnt; RSS {(last - first) / 1024:+.2f} MiB "
           f"to {last / 1024:.1f}, at most {most / 1024:.1f}; {reloads:.0f} reloads",
           wrong == 0 and right > 0.95 * burnt and last - first < 1024)


def case_outage():
    """A server that is away, then answers 503; and an agent that is killed at random moments while the server has its whims."""
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    import test_spool

    seconds, kills = max(600 * SCALE, 30), max(int(100 * SCALE), 10)
    r = test_spool.outage(seconds, interval=5)
    yield (f"the receiver away for {seconds / 120:.1f} min, then answering 503 for as long, with a spool",
           "nothing lost, nothing twice, in order; RSS, symbol tables aside, grows < 8 MiB, whatever the host begins meanwhile",
           f"{100 * r['share']:.2f} % of the CPU burnt, {r['intervals']} intervals of the load, largest gap {r['gap_ms']:.0f} ms, {r['twice']} twice, "
           f"{'in order' if r['ordered'] else 'NOT in order'}; {r['waited']} profiles, {r['disk_bytes'] / 2**20:.1f} MiB on disk, {r['dropped']:.0f} dropped; RSS {r['memory_bytes'] / 2**20:.2f} MiB",
           r["right"] and r["gap_ms"] < 50 and r["ordered"] and r["memory_bytes"] < 8 << 20 and not r["twice"] + r["dropped"] + r["left"])
    r = test_spool.kills(kills)
    yield (f"{kills} kills -9 at random moments, the receiver answering 429, 500 and 503, cut and slow",
           "lost: the open interval and the one being encoded, no other; twice <= what was on its way",
           f"of {r['made']} profiles made {r['lost']} lost, {r['twice']} twice; open or being encoded at a kill "
           f"at most {r['late_s']:.2f} s; {r['left']} left in the spool",
           not r["lost"] and r["twice"] <= 8 * kills and not r["left"])


def cfi_oracle():
    """Our unwind rows against libdw's, on every ELF file of this host."""
    out = subprocess.run([BUILD / "tests/unit/test_cfi_oracle", "/usr", "/lib"], capture_output=True, text=True, errors="replace")
    print(out.stdout, end="")
    m = re.search(r"^(\d+) sections .* (\d+) FDEs, .* (\d+) pcs, (\d+) of them covered: (\d+) differences, ([\d.]+) %, (\d+) unexplained",
                  out.stdout, re.M)
    causes = re.findall(r"^cause +(\w+) +(\d+) pcs", out.stdout, re.M)
    yield ("unwind rows against libdw's, every ELF file in /usr and /lib", "< 0.01 % of covered pcs differ, each by a known cause",
           f"{m[1]} sections, {m[2]} functions, {int(m[3]) / 1e6:.2f} million pcs: {m[5]} to our disadvantage = {m[6]} %, {m[7]} unexplained; "
           f"by cause: {', '.join(f'{n} {c}' for c, n in causes)}" if m else f"no result: status {out.returncode}", out.returncode == 0)


def make_fuzzers(*targets):
    subprocess.run(["sh", "-c", f"cmake --preset asan && cmake --build build/asan -j {CPUS} --target {' '.join('fuzz_' + t for t in targets)}"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def fuzzed(target, what):
    """A reader of foreign bytes under ASan and UBSan; the fuzzer is in the build with sanitizers."""
    asan, seconds = ROOT / "build/asan", int(600 * SCALE)
    out = subprocess.run([ROOT / "tests/fuzz/run", asan / f"tests/fuzz/fuzz_{target}", ROOT / f"tests/fuzz/corpus/{target}"],
                         env={**os.environ, "HOTSPAN_FUZZ_SECONDS": str(seconds)}, capture_output=True, text=True, errors="replace")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", out.stdout + out.stderr)
    return (f"{what} fuzzed for {seconds / 60:.0f} min under ASan and UBSan", "no crash, no input that takes 20 s",
            f"{int(runs[1]) / 1e6:.1f} million inputs, status {out.returncode}" if runs else f"no result: status {out.returncode}",
            out.returncode == 0 and bool(runs))


def case_cfi():
    yield from cfi_oracle()
    make_fuzzers("cfi")
    yield fuzzed("cfi", "the CFI reader")


def case_dwarf():
    """All that ./dev test does a half of: programs of two compilers, with every form of debug information."""
    out = subprocess.run([sys.executable, ROOT / "tests/unit/dwarf_oracle.py"], capture_output=True, text=True)
    print(out.stdout, end="")
    rows = re.findall(r"^\S+: (\d+) addresses, (\d+) differ, (\d+) of them for a known cause;", out.stdout, re.M)
    addresses, different, known = (sum(int(r[i]) for r in rows) for i in range(3))
    yield ("names, lines and inlined frames against llvm-symbolizer's and eu-addr2line's, gcc and clang, DWARF 2 to 5", "< 0.1 % of each program's addresses differ",
           f"{len(rows)} programs, {addresses} addresses, {different - known} differ; status {out.returncode}", out.returncode == 0 and bool(rows))


def case_fuzz():
    """What strangers write, as many at a time as there are CPUs."""
    what = {"elf": "ELF symbols", "dwarf": "DWARF", "line": "line programs", "code": "x86 code", "symcache": "symcaches", "perf_map": "perf maps",
            "jitdump": "jitdumps", "pclntab": "Go's pclntab", "http1": "HTTP/1 in any parts"}
    make_fuzzers(*what)
    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        yield from pool.map(fuzzed, what, what.values())


POSTGRES = """set -e
bin=$(echo /usr/lib/postgresql/*/bin); mkdir -p @/db; chown postgres @/ @/db; cd @/
setpriv --reuid=postgres --clear-groups $bin/initdb -D @/db >/dev/null
setpriv --reuid=postgres --clear-groups $bin/postgres -D @/db -k @/ -c listen_addresses= & sleep 2
while :; do setpriv --reuid=postgres --clear-groups psql -h @/ postgres -c 'select count(distinct md5((x % 1000)::text)), max(x::text || 7) from generate_series(1, 300000) x'; done"""
GO = """package main
import ("encoding/json"; "fmt"; "sort"; "strings")
func main() { for { var v []map[string]int; for i := 0; i < 500; i++ { v = append(v, map[string]int{fmt.Sprint("k", i): i}) }
b, _ := json.Marshal(v); w := strings.Fields(strings.ReplaceAll(string(b), ":", " ")); sort.Strings(w); json.Unmarshal(b, &v) } }
"""
LUA = "local t = {} for i = 1, 1e9 do t[i % 1000] = tostring(i):rep(3); if i % 1000 == 0 then table.sort(t) end end"


def case_stacks():
    """Programs that bring their own code or have no CFI: how many stacks reach their root, and why the others do not."""
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    import test_stacks as stacks

    def java(d):
        (d / "Spin.java").write_text("class Spin { public static void main(String[] a) { java.util.Map<Integer, String> m = new java.util.HashMap<>(); "
                                     "for (long i = 0;; i++) { m.put((int) (i % 5000), Long.toHexString(i * i)); } } }")

    def go(d):
        (d / "main.go").write_text(GO)
        subprocess.run(["go", "build", "-o", d / "spin", d / "main.go"], check=True, cwd=d, env={**os.environ, "GOCACHE": f"{d}/cache", "GO111MODULE": "off"})

    def yuv(d):
        (d / "in.yuv").write_bytes(os.urandom(320 * 240 * 3 // 2) * 60)

    # Needed program, its load; a gate where all code has CFI or a pclntab, else what is said is enough.
    loads = [("psql", "postgres", lambda: stacks.Load(["/bin/sh", "-c", POSTGRES], loop=False), 99.5),
             ("go", "Go of today", lambda: stacks.Load(["@/spin"], go, loop=False), 99.5),
             ("node", "node", lambda: stacks.Load(["node", "-e", "function f(n){return n<2?n:f(n-1)+f(n-2)}; for(;;){f(27); JSON.stringify([...Array(20000).keys()])}"], loop=False), 0),
             ("javac", "java", lambda: stacks.Load(["java", "-Xmx256m", "@/Spin.java"], java, loop=False), 0),
             ("java", "java -XX:+PreserveFramePointer", lambda: stacks.Load(["java", "-XX:+PreserveFramePointer", "-Xmx256m", "@/Spin.java"], java, loop=False), 0),
             ("luajit", "LuaJIT", lambda: stacks.Load(["luajit", "-e", LUA], loop=False), 0),
             ("qemu-x86_64", "qemu (TCG)", lambda: stacks.Load(["qemu-x86_64", workload("spin_static"), "100"], loop=False), 0),
             ("x265", "x265", lambda: stacks.Load(["x265", "--input", "@/in.yuv", "--input-res", "320x240", "--fps", "25", "-o", "/dev/null"], yuv), 0)]
    for program, name, make, gate in loads:
        if not shutil.which(program):
            print(f"-- skip {name}: {program} is not installed")
            continue
        load, seconds = make(), max(20 * SCALE, 8)
        r = record("-F", 499, "-d", seconds, command=["timeout", seconds + 1, *load.argv])
        percent, why = stacks.complete(r)
        yield (f"user stacks of {name} that reach their root, {r.verdict['samples']} samples", f">= {gate} %" if gate else "said, with causes",
               f"{percent:.2f} %; {', '.join(f'{k} {v} %' for k, v in why.items()) or 'no other'}", percent >= gate)


def case_join():
    """A million samples of servers in C, python and Go, each against what its stack says it worked on."""
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    import test_join

    right = wrong = 0
    end = time.time() + 1800 * SCALE
    while right + wrong < 1e6 * SCALE and time.time() < end:
        more = test_join.sampled(60 * min(SCALE, 1))
        right, wrong = right + more[0], wrong + more[1]
    yield ("CPU time by route at 4,999 Hz, servers in C, python and Go", "within 3 % of the threads' clocks; of 1,000,000 samples 0 on another route",
           f"{right + wrong} samples, {wrong} on another route", wrong == 0 and right >= 1e6 * SCALE)


def main():
    cases = sys.argv[1:] or ["saturated", "short", "vforks", "start", "churn", "reload", "identity", "outage", "cfi", "dwarf", "fuzz", "stacks", "join"]
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    rows, failed = [], 0
    for case in cases:
        for what, want, got, ok in globals()[f"case_{case}"]():
            print(f"-- {'ok  ' if ok else 'FAIL'} {what}: {got}", flush=True)
            rows.append(f"| {what} | {want} | {got} | {'ok' if ok else '**missed**'} |")
            failed += not ok
    if SCALE == 1 and not sys.argv[1:]:
        (ROOT / "bench/soak.md").write_text(
            "<!-- SPDX-License-Identifier: Apache-2.0 -->\n# Soak\n\nWritten by `./dev soak`: the runs too long for `./dev test`.\n\n"
            f"Last run: {datetime.date.today()}, commit {commit or 'unknown'}, {CPUS} CPUs.\n\n"
            "| what | wanted | got | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
