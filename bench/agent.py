# SPDX-License-Identifier: Apache-2.0
"""agent - the always-on agent: what it costs on a quiet host, and beside a mixed load that fills every CPU,
with `perf record -g` on the same load as the peer (perf only copies stacks: it names nothing and sends nothing)."""
import http.server
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

HZ, SECONDS = 99, 30
JAVA = "class Spin { public static void main(String[] a) { java.util.Map<Integer, String> m = new java.util.HashMap<>(); for (long i = 0;; i++) { m.put((int) (i % 5000), Long.toHexString(i * i)); } } }"
NODE = "const m = new Map(); for (let i = 0;; i++) { m.set('k' + i % 5000, JSON.stringify({ i, s: String(i * i) })); }"
PYTHON = "d = {}\ni = 0\nwhile True:\n    i += 1\n    d[i % 5000] = str(i * i)"
CPP = "#include <regex>\n#include <map>\n#include <string>\nstd::map<std::string, std::regex> m; int main() { m[\"a\"] = std::regex(\"a+b\"); }\n"


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes every push; a thread of this process, so that it is not part of what is measured."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/proto")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Mixed:
    """cc1plus, python3, node, java, openssl, nginx under wrk: whatever of these is installed; every CPU is busy."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-bench-")
        d = pathlib.Path(self.dir.name)
        self.processes, self.names = [], []
        (d / "x.cpp").write_text(CPP)
        self.add("g++", "sh", "-c", f"while :; do g++ -O2 -c {d}/x.cpp -o {d}/x.o; done")
        self.add("python3", "python3", "-c", PYTHON)
        self.add("node", "node", "-e", NODE)
        self.add("openssl", "sh", "-c", "while :; do openssl speed -seconds 5 sha256; done")
        if shutil.which("javac"):
            (d / "Spin.java").write_text(JAVA)
            subprocess.run(["javac", "-d", str(d), str(d / "Spin.java")], check=True, capture_output=True)
            self.add("java", "java", "-Xmx128m", "-cp", str(d), "Spin")
        if shutil.which("nginx") and shutil.which("wrk"):
            (d / "nginx.conf").write_text(f"daemon off; error_log {d}/error.log; pid {d}/pid; events {{}} http {{ access_log off; server {{ listen 127.0.0.1:18099; return 200 ok; }} }}")
            self.add("nginx", "nginx", "-c", f"{d}/nginx.conf", "-p", str(d))
            time.sleep(0.5)
            self.add("wrk", "wrk", "-t1", "-c8", "-d1000", "http://127.0.0.1:18099/")

    def add(self, needed, *argv):
        if not shutil.which(needed):
            return
        self.processes.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
        self.names.append(needed)

    def stop(self):
        for p in self.processes:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        self.dir.cleanup()


def metrics(address):
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    return {m[1]: float(m[2]) for m in re.finditer(r"^([^# ]+) (\S+)$", text, re.M)}


class Running:
    """An agent that pushes to a sink of ours every 15 s."""

    def __init__(self, hotspan, more="", receiver="", hz=HZ):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.file.write(f"frequency: {hz}\nlisten: 127.0.0.1:0\n{more}receivers:\n  - name: sink\n    url: http://127.0.0.1:{self.server.server_port}\n{receiver}")
        self.file.flush()
        self.process = subprocess.Popen([str(hotspan), "agent", "-c", self.file.name], stderr=subprocess.PIPE, text=True)
        self.address = re.search(r"metrics on http://(\S+)/metrics", self.process.stderr.readline())[1]

    def stop(self):
        self.process.terminate()
        self.process.communicate()
        self.server.shutdown()


def memory(m):
    return {"rss_bytes": m["process_resident_memory_bytes"], "kernel_bytes": m["hotspan_kernel_memory_bytes"]}


def quiet(hotspan):
    agent = Running(hotspan)
    time.sleep(35)
    m = metrics(agent.address)
    agent.stop()
    return {"bench": "agent_quiet", "agent": "hotspan", "hz": HZ, "load": "quiet host", **memory(m),
            "cpu_percent_of_host": 100 * m["process_cpu_seconds_total"] / 35 / os.cpu_count(), "samples": m["hotspan_samples_total"]}


def beside(hotspan):
    """From the second flush on: the first loads every symbol table."""
    agent = Running(hotspan)
    time.sleep(20)
    a = metrics(agent.address)
    time.sleep(SECONDS)
    b = metrics(agent.address)
    agent.stop()
    d = {k: b[k] - a.get(k, 0) for k in b}
    cpu, bpf, samples = d["process_cpu_seconds_total"], d["hotspan_bpf_seconds_total"], d["hotspan_samples_total"]
    lost = sum(v for k, v in d.items() if k.startswith("hotspan_samples_lost_total"))
    return {"agent": "hotspan", "samples": samples, "lost": lost, **memory(b), "cpu_s_per_1000": 1000 * cpu / samples,
            "bpf_us_per_sample": 1e6 * bpf / samples, "cpu_percent_of_host": 100 * cpu / SECONDS / os.cpu_count(),
            "with_bpf_percent_of_host": 100 * (cpu + bpf) / SECONDS / os.cpu_count()}


def hundred(hotspan):
    """100 processes of programs that hosts run, each awake now and then: what their unwind tables take, and how long
    a sample waits for a table that is not there yet (from then on the program walks by it alone)."""
    programs = [("python3", "-c", "import json, time\nwhile 1: json.dumps(list(range(20000))); time.sleep(0.3)"),
                ("perl", "-e", "while (1) { for (1..100000) { $a{$_ % 100} += $_ } select(undef, undef, undef, 0.3) }"),
                ("node", "-e", "setInterval(() => JSON.stringify([...Array(20000).keys()]), 400)"),
                ("sh", "-c", "while :; do i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; sleep 0.3; done"),
                ("sqlite3", ":memory:", "with recursive c(x) as (select 1 union all select x+1 from c where x<2000000000) select sum(x) from c where x % 7 = 3;"),
                ("openssl", "speed", "-seconds", "60", "sha256")]
    have = [p for p in programs if shutil.which(p[0])]
    load = [subprocess.Popen(["nice", *have[i % len(have)]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            for i in range(100)]
    try:
        time.sleep(5)
        agent = Running(hotspan)
        time.sleep(25)
        m = metrics(agent.address)
        agent.stop()
    finally:
        for p in load:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
    return {"bench": "agent_100", "agent": "hotspan", "hz": HZ, "load": "100 processes: " + " ".join(p[0] for p in have), **memory(m),
            "samples": m["hotspan_samples_total"], "tables": m["hotspan_unwind_tables"], "table_bytes": m["hotspan_unwind_table_bytes"],
            "wait_ms_per_table": 1000 * m["hotspan_unwind_wait_seconds_total"] / max(m["hotspan_unwind_tables"], 1)}


def crowd(hotspan):
    """10,000 processes in 2,000 cgroups, all of them sampled within two minutes; nothing else of the host, whose symbol and
    unwind tables are another bench's."""
    mount = next((f[1] for f in (line.split() for line in open("/proc/mounts")) if f[2] == "cgroup2"), None)
    if not mount:
        return None
    folder = pathlib.Path(mount) / "hotspan-crowd"
    folder.mkdir(exist_ok=True)
    load = subprocess.Popen([hotspan.parent / "bench/bench_crowd", "10000", "2000", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        load.stdout.readline()
        agent = Running(hotspan, "relabel_configs:\n  - {action: keep, source_labels: [__meta_process_comm], regex: bench_crowd}\n")
        time.sleep(120)
        m = metrics(agent.address)
        agent.stop()
    finally:
        load.communicate("")
        folder.rmdir()
    return {"bench": "agent_crowd", "agent": "hotspan", "hz": HZ, "load": f"{m['hotspan_processes']:.0f} processes in 2,000 containers' cgroups", **memory(m),
            "samples": m["hotspan_samples_total"], "cpu_s_per_1000": 1000 * m["process_cpu_seconds_total"] / m["hotspan_samples_total"]}


def perf_beside():
    with tempfile.NamedTemporaryFile() as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        p = subprocess.run(["perf", "record", "-q", "-a", "-g", "-e", "cpu-clock", "-F", str(HZ), "-o", out.name, "--", "sleep", str(SECONDS)],
                           capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = subprocess.run(["perf", "script", "-i", out.name, "-F", "comm,time"], capture_output=True, text=True).stdout
    samples = sum(1 for line in text.splitlines() if line.strip() and not line.startswith("swapper"))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if p.returncode or not samples:
        return None
    return {"agent": "perf record -g", "samples": samples, "cpu_s_per_1000": 1000 * cpu / samples, "cpu_percent_of_host": 100 * cpu / SECONDS / os.cpu_count()}


def rows(hotspan):
    yield quiet(hotspan)
    yield hundred(hotspan)
    yield from filter(None, [crowd(hotspan)])
    load = Mixed()
    try:
        time.sleep(3)
        for row in (beside(hotspan), perf_beside() if shutil.which("perf") else None):
            if row:
                yield {"bench": "agent_mixed", "hz": HZ, "load": " ".join(load.names), **row}
    finally:
        load.stop()


def table(rows):
    out = ["| agent | load | samples | own CPU s per 1,000 samples | BPF us per sample | % of the host | with BPF | RSS MiB | BPF maps and rings MiB | of it unwind tables | ms waited per table |",
           "|---|---|---|---|---|---|---|---|---|---|---|"]
    cell = lambda r, k, scale=1, digits=2: f"{r[k] / scale:.{digits}f}" if k in r else "-"
    for r in rows:
        if "agent" in r:
            out.append(f"| {r['agent']}, {r['hz']} Hz | {r['load']} | {r['samples']:.0f} | {cell(r, 'cpu_s_per_1000', 1, 4)} | "
                       f"{cell(r, 'bpf_us_per_sample')} | {cell(r, 'cpu_percent_of_host', 1, 3)} | {cell(r, 'with_bpf_percent_of_host', 1, 3)} | "
                       f"{cell(r, 'rss_bytes', 2**20, 1)} | {cell(r, 'kernel_bytes', 2**20)} | {cell(r, 'table_bytes', 2**20)} | {cell(r, 'wait_ms_per_table')} |")
    return "\n".join(out)
