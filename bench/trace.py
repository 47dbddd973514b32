# SPDX-License-Identifier: Apache-2.0
"""trace - what tracing costs nginx under wrk, on this machine: throughput, CPU and latency a request at saturation and at 1,000
requests a second, with nothing, with empty programs on the same hooks, with RED, with spans, and when another program is selected;
memory of 10,000 connections; what a sample and a request cost more for the join; how soon a start has the first metric. Rounds are
interleaved, figures are medians."""
import contextlib
import ctypes
import json
import mmap
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
import urllib.request

import agent

ROUNDS, SECONDS, SETTLE, PORT, HELD = 3, 2, 2, 18098, 10000
STARTS, FIRST_BAR_MS = 9, 1000  # OBI: 16 s
NGINX = """daemon off; worker_processes 1; worker_rlimit_nofile 20000; error_log %(d)s/error.log; pid %(d)s/pid;
events { worker_connections 12000; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_temp_path %(d)s; proxy_temp_path %(d)s; fastcgi_temp_path %(d)s;
uwsgi_temp_path %(d)s; scgi_temp_path %(d)s; server { listen 127.0.0.1:%(port)d backlog=16000; location / { return 200 "a small page, as APIs have them"; } location /status { stub_status; } } }
"""
CONFIG = """max_cpu_percent: 0
symbol_cache: %(d)s/cache
trace: {enabled: true, hooks: %(hooks)s, routes_file: 'off'}
relabel_configs:
  - {action: keep, source_labels: [__meta_process_comm], regex: %(comm)s}
"""
CALLS = "the kernel's part of RED alone"  # empty.bpf.c
WITH = ("nothing", "empty programs", CALLS, "RED", "RED and spans", "another program selected")
TRACING = "sent|received|inet|unix|syscall_ended|empty_|calls_"


class Nginx:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-bench-")
        conf = pathlib.Path(self.dir.name) / "conf"
        conf.write_text(NGINX % {"d": self.dir.name, "port": PORT})
        self.process = subprocess.Popen(["nginx", "-c", conf, "-p", self.dir.name], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        self.worker = int(subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()[0])

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()


def cpu_ns(pid):
    return sum(int(f.read_text().split()[0]) for f in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


@contextlib.contextmanager
def watching(build, nginx, what, hooks):
    """The process that watches nginx, or None."""
    if what == "nothing":
        yield None
        return
    if what in ("empty programs", CALLS):
        p = subprocess.Popen([build / "bench/bench_empty", *([hooks] if what != CALLS else ["calls", str(nginx.worker)])], stdout=subprocess.PIPE, text=True)
        try:
            p.stdout.readline()
            yield p.pid
        finally:
            p.kill()
            p.wait()
        return
    with tempfile.TemporaryDirectory() as d:
        more = CONFIG % {"d": d, "hooks": hooks, "comm": "nobody" if what == "another program selected" else "nginx"}
        running = agent.Running(build / "hotspan", more, "    type: otlp\n    send: [traces]\n" if what == "RED and spans" else "")
        try:
            time.sleep(2)
            yield running.process.pid
        finally:
            running.stop()


def served():
    """Requests so far, by nginx's own count."""
    return int(urllib.request.urlopen(f"http://127.0.0.1:{PORT}/status").read().split()[9])


def wrk(seconds):
    return subprocess.Popen(["wrk", "-t1", "-c8", f"-d{seconds}", "--latency", f"http://127.0.0.1:{PORT}/answer"], stdout=subprocess.PIPE, text=True)


def p50_ns(load):
    m = re.search(r"50%\s+([\d.]+)(us|ms|s)", load.communicate()[0])
    return float(m[1]) * {"us": 1e3, "ms": 1e6, "s": 1e9}[m[2]]


def bpftool(*argv):
    return json.loads(subprocess.run(["bpftool", "-j", *argv], capture_output=True, text=True, check=True).stdout)


def programs_of(pid, names):
    """{id: (runs, ns)} of the programs that a process holds."""
    own = set()
    for f in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            own |= set(map(int, re.findall(r"^prog_id:\s*(\d+)", f.read_text(), re.M)))
    return {p["id"]: (p.get("run_cnt", 0), p.get("run_time_ns", 0)) for p in bpftool("prog", "show") if p["id"] in own and re.match(names, p.get("name", ""))}


@contextlib.contextmanager
def bpf_stats():
    knob = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    was = knob.read_text()
    knob.write_text("1")
    try:
        yield
    finally:
        knob.write_text(was)


def bpf(pid, names, seconds):
    """Runs of a process's programs a request, and their ns a run, as the kernel counts (its own part of that is in it)."""
    with bpf_stats():
        n, before = served(), programs_of(pid, names)
        time.sleep(seconds)
        after, n = programs_of(pid, names), served() - n
    runs, ns = (sum(after[i][k] - before.get(i, (0, 0))[k] for i in after) for k in (0, 1))
    return {"bpf_runs": runs / n, "bpf_run_ns": ns / max(runs, 1)}


def full(nginx, pid):
    """At saturation. A new process is traced until the agent has judged it: wrk has begun before anything is counted."""
    load = wrk(SETTLE + SECONDS + 2)
    time.sleep(SETTLE)
    n, t, own, theirs = served(), time.monotonic(), cpu_ns(nginx.worker), cpu_ns(pid) if pid else 0
    time.sleep(SECONDS)
    n, t = served() - n, time.monotonic() - t
    row = {"rate": n / t, "full_nginx_ns": (cpu_ns(nginx.worker) - own) / n, "agent_ns": (cpu_ns(pid) - theirs) / n if pid else 0,
           **(bpf(pid, TRACING, 1) if pid else {})}
    return row | {"full_p50_ns": p50_ns(load)}


def calm(build, nginx):
    """At 1,000 requests a second."""
    own, argv = cpu_ns(nginx.worker), [build / "bench/bench_pace", str(PORT), "1000", str(SECONDS)]
    row = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    return {"calm_nginx_ns": (cpu_ns(nginx.worker) - own) / row["requests"], "calm_p50_ns": row["p50_ns"]}


def once(build, nginx, what, hooks):
    with watching(build, nginx, what, hooks) as pid:
        return full(nginx, pid) | calm(build, nginx)


def requests(build):
    kinds = [("nothing", "sockets")] + [(w, h) for h in ("sockets", "syscalls") for w in WITH[1:] if (w, h) != (CALLS, "syscalls")]
    nginx = Nginx()
    try:
        rounds = {k: [] for k in kinds}
        for _ in range(ROUNDS):
            for kind in kinds:
                rounds[kind].append(once(build, nginx, *kind))
    finally:
        nginx.stop()
    median = {k: {f: statistics.median(r[f] for r in rows) for f in rows[0]} for k, rows in rounds.items()}
    base = median["nothing", "sockets"]
    for (what, hooks), m in median.items():
        row = {"bench": "trace", "with": what, "hooks": "-" if what == "nothing" else hooks, **{k: round(v, 1) for k, v in m.items()}}
        row["throughput_lost_percent"] = round(100 * (1 - statistics.median(b["rate"] / a["rate"] for a, b in zip(rounds["nothing", "sockets"], rounds[what, hooks]))), 2)
        for k in ("full_nginx_ns", "full_p50_ns", "calm_nginx_ns", "calm_p50_ns"):
            row[f"added_{k}"] = round(m[k] - base[k])
        if what.startswith("RED") or what == CALLS:
            row["ns_above_empty"] = round(m["bpf_runs"] * (m["bpf_run_ns"] - median["empty programs", hooks]["bpf_run_ns"]))
            row["ns_above_empty_bar"] = 500 if hooks == "sockets" else 1500
        yield row


def slab():
    return 1024 * int(re.search(r"^Slab:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)[1])


def grown(build):
    """What the kernel's own memory grows by with so many connections more."""
    before = slab()
    client = subprocess.Popen([build / "bench/bench_pace", str(PORT), "hold", str(HELD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    client.stdout.readline()
    time.sleep(1)
    after = slab()
    client.communicate("")
    time.sleep(2)
    return after - before


def held(build):
    """Of both ends of each connection; the rest of the agent and its maps is the same for any number."""
    nginx = Nginx()
    try:
        grown(build)
        without = grown(build)
        with tempfile.TemporaryDirectory() as d:
            running = agent.Running(build / "hotspan", CONFIG % {"d": d, "hooks": "auto", "comm": "nginx|bench_pace"})
            wrk(1).communicate()
            bytes_ = grown(build) - without
            page = agent.metrics(running.address)
            running.stop()
    finally:
        nginx.stop()
    yield {"bench": "trace_held", "connections": HELD, "bytes_per_end": round(bytes_ / HELD / 2), "rss_bytes": page["process_resident_memory_bytes"],
           "kernel_bytes": page["hotspan_kernel_memory_bytes"]}


def join(build):
    """ns of a sample of nginx and wrk, without tracing and with."""
    nginx = Nginx()
    found = {"false": [], "true": []}
    try:
        for enabled in list(found) * ROUNDS:
            with tempfile.TemporaryDirectory() as d:
                more = f"max_cpu_percent: 0\nsymbol_cache: {d}/cache\ntrace: {{enabled: {enabled}, routes_file: 'off'}}\n"
                running = agent.Running(build / "hotspan", more, hz=999)
                load = wrk(SETTLE + SECONDS + 1)
                time.sleep(SETTLE)
                found[enabled].append(bpf(running.process.pid, "sample$", SECONDS)["bpf_run_ns"])
                load.communicate()
                running.stop()
    finally:
        nginx.stop()
    off, on = (statistics.median(found[k]) for k in found)
    yield {"bench": "trace_join", "unit": "sample", "ns": round(on, 1), "without_ns": round(off, 1), "added_ns": round(on - off, 1)}


def variable(pid, name):
    """A variable of the BPF programs that a process holds, (memory shared with them, its place in it)."""
    held = set(re.findall(r"^map_id:\s*(\d+)", "".join(f.read_text() for f in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir()), re.M))
    for m in bpftool("map", "show"):
        if str(m["id"]) not in held or not m.get("name", "").endswith(".bss"):
            continue
        types = bpftool("btf", "dump", "id", str(m["btf_id"]))["types"]
        named = [t["id"] for t in types if t.get("name") == name]
        for at in (v["offset"] for t in types if t["kind"] == "DATASEC" for v in t["vars"] if v["type_id"] in named):
            attr = struct.pack("<II120x", m["id"], 0)
            fd = ctypes.CDLL(None, use_errno=True).syscall(321, 14, attr, len(attr))  # bpf(BPF_MAP_GET_FD_BY_ID)
            if fd < 0:
                raise OSError(ctypes.get_errno(), f"map {m['id']} of process {pid}")
            with open(fd, "rb"):  # the mapping has one of its own
                return mmap.mmap(fd, m["bytes_value"]), at
    raise LookupError(name)


class Known:
    """Whether a process is known to an agent's programs: of one that is not its requests are counted and no more, without the join."""

    def __init__(self, agent_pid, tgid):
        self.memory, at = variable(agent_pid, "proc_places")  # bpf/trace_proc.h
        self.at = at + 8 * (tgid % 16384)
        self.word = struct.unpack_from("<Q", self.memory, self.at)[0]
        assert self.word & 0x3fffff == tgid and self.word & 1 << 30, hex(self.word)

    def set(self, known):
        struct.pack_into("<Q", self.memory, self.at, self.word if known else self.word & ~(1 << 30))


def request_join(build):
    """ns of a request that it costs to say who works on it, by spells with and without in one agent."""
    nginx = Nginx()
    found = {False: [], True: []}
    try:
        with watching(build, nginx, "RED", "sockets") as pid, wrk(60) as load:
            try:
                time.sleep(SETTLE)
                known = Known(pid, nginx.worker)
                for _ in range(40):
                    for k in found:
                        known.set(k)
                        row = bpf(pid, TRACING, 0.3)
                        found[k].append(row["bpf_runs"] * row["bpf_run_ns"])
                known.set(True)
            finally:
                load.kill()
    finally:
        nginx.stop()
    added = statistics.quantiles((b - a for a, b in zip(found[False], found[True])), n=4)
    yield {"bench": "trace_join", "unit": "request", "ns": round(statistics.median(found[True])), "without_ns": round(statistics.median(found[False])),
           "added_ns": round(added[1]), "added_quartiles_ns": [round(added[0]), round(added[2])]}


def first_metric(build, page_port):
    """ms from a start to a page that has nginx's requests, which it answers all the time; and of the agent's CPU time until then."""
    with tempfile.TemporaryDirectory() as d:
        config = pathlib.Path(d) / "config"
        config.write_text(CONFIG % {"d": d, "hooks": "auto", "comm": "nginx"} + f"prometheus: {{listen: '127.0.0.1:{page_port}'}}\n")
        began = time.monotonic()
        p = subprocess.Popen([build / "hotspan", "agent", "-c", config], stderr=subprocess.DEVNULL)
        page = b""
        try:
            while b"\nhttp_server_request_duration_seconds_count{" not in page:
                assert p.poll() is None, "the agent ended before it had a metric"
                with contextlib.suppress(OSError):
                    page = urllib.request.urlopen(f"http://127.0.0.1:{page_port}/metrics", timeout=10).read()
                time.sleep(0.01)
            return 1e3 * (time.monotonic() - began), cpu_ns(p.pid) / 1e6
        finally:
            p.terminate()
            p.wait()


def starts(build):
    nginx = Nginx()
    load = subprocess.Popen([build / "bench/bench_pace", str(PORT), "1000", str(10 * STARTS)], stdout=subprocess.DEVNULL)
    try:
        wall, cpu = zip(*(first_metric(build, PORT + 1) for _ in range(STARTS)))
    finally:
        load.kill()
        load.wait()
        nginx.stop()
    yield {"bench": "trace_start", "starts": STARTS, "median_ms": round(statistics.median(wall)), "worst_ms": round(max(wall)), "bar_ms": FIRST_BAR_MS,
           "cpu_ms": round(statistics.median(cpu))}


def rows(build):
    if not shutil.which("nginx") or not shutil.which("wrk"):
        return
    for part in (requests, held, join, request_join, starts):
        yield from part(build)


def table(rows):
    out = ["| with | hooks | requests/s | lost % | nginx us a request, added | p50 us, added | at 1,000/s: nginx us, added | p50 us, added | BPF runs | ns a run | ns a request above empty (bar) | agent s per 100,000 requests |",
           "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    us = lambda r, k: f"{r[k] / 1000:.2f}, {r['added_' + k] / 1000:+.2f}"
    for r in rows:
        if r["bench"] == "trace":
            runs = [f"{r['bpf_runs']:.1f}", f"{r['bpf_run_ns']:.0f}"] if "bpf_runs" in r else ["-", "-"]
            above = f"{r['ns_above_empty']} ({r['ns_above_empty_bar']})" if "ns_above_empty" in r else "-"
            own = f"{r['agent_ns'] / 1e4:.3f}" if r["with"] not in WITH[:3] else "-"
            out.append(f"| {r['with']} | {r['hooks']} | {r['rate']:.0f} | {r['throughput_lost_percent']} | " +
                       " | ".join(us(r, k) for k in ("full_nginx_ns", "full_p50_ns", "calm_nginx_ns", "calm_p50_ns")) + " | " + " | ".join([*runs, above, own]) + " |")
    for r in rows:
        if r["bench"] == "trace_held":
            out += ["", f"{r['connections']:,} connections, all of them traced: {r['bytes_per_end']} bytes of the kernel's for each end of one; "
                    f"the agent's RSS {r['rss_bytes'] / 2**20:.1f} MiB, its maps and rings {r['kernel_bytes'] / 2**20:.1f} MiB."]
        if r["bench"] == "trace_join":
            out += ["", f"What the join adds to a {r['unit']}: {r['added_ns']:.0f} ns, to {r['without_ns']:.0f}."]
        if r["bench"] == "trace_start":
            out += ["", f"From a start to a page with the first request's metric, with nginx at 1,000 requests a second: {r['median_ms']} ms, the worst of "
                    f"{r['starts']} {r['worst_ms']} ms (bar {r['bar_ms']}); {r['cpu_ms']} ms of CPU time, most of it the kernel's verifier."]
    return "\n".join(out)
