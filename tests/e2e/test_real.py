#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs, sampled by perf and by us at the same time: self shares agree."""
import collections
import os
import pathlib
import re
import subprocess
import tempfile
import time

from hs import *  # noqa: F403

SECONDS, HZ = 6, 1499


# A software clock cannot interrupt code that runs with interrupts off: such samples land where they go
# on again, and how many do depends on the phase between timers, which is drawn anew by each run. Of
# nginx under wrk, three runs of perf gave _raw_spin_unlock_irqrestore 3.5, 7.0 and 13.9 %, three of ours
# at the same time 16.4, 5.5 and 2.7 %. Shown, not judged.
INTERRUPTS_ON_AGAIN = re.compile(r"_raw_spin_unlock_irq|finish_task_switch|__do_softirq|handle_softirqs|do_idle|.*safe_halt")


def perf_self_shares(data):
    """({function: share in %}, samples) of perf script's leaf lines, kernel included, idle left out."""
    p = subprocess.run(["perf", "script", "-i", data, "--no-inline", "-F", "pid,ip,sym"], capture_output=True, text=True)
    counts = collections.Counter()
    for line in p.stdout.splitlines():
        m = re.match(r"\s*(\d+)\s+[0-9a-f]+ (.*)$", line)
        if m and m[1] != "0":
            counts[base_name(m[2])] += 1
    total = sum(counts.values())
    assert total > 1000, f"perf saw {total} samples: {p.stderr[-300:]}"
    return {n: 100 * c / total for n, c in counts.items()}, total


def base_name(name):
    """A name both tools agree on: no parameters, no clone suffix, no version."""
    name = re.sub(r"@@?\w+$", "", name.strip())
    name = re.sub(r" ?\[clone .*| ?\.(cold|part|isra|constprop|lto_priv|localalias).*$", "", name)
    depth, out = 0, []
    for c in re.sub(r"\s*\bconst$", "", name):
        if c == "(":
            depth += 1
        if depth == 0:
            out.append(c)
        if c == ")":
            depth -= 1
    return "".join(out).strip()


def compare(pid=None, points=3, system=False, at_least=0):
    need("perf")
    with tempfile.TemporaryDirectory() as d:
        data = f"{d}/perf.data"
        who = ["-a"] if system else ["-p", str(pid)]
        # Ours first: the kernel lets our wish for build ids leak into the mmap records of perf events
        # that are older than ours (profiler/proc/sideband.c), and perf 6.1 dies of them.
        recording = Recording("-F", HZ, *who, "-d", SECONDS + 1)
        time.sleep(0.5)
        p = subprocess.run(["perf", "record", "-q", "-B", "-N", "-e", "cpu-clock", "-F", str(HZ), *who, "-o", data, "--",
                            "sleep", str(SECONDS)], capture_output=True, text=True)
        assert p.returncode == 0, f"perf record ended with {p.returncode}: {p.stderr}"
        r = recording.wait()
        theirs, n = perf_self_shares(data)
    ours = collections.Counter()
    for name, count in self_counts(r.stacks).items():
        ours[base_name(name)] += count
    total = sum(ours.values())
    ours = {k: 100 * v / total for k, v in ours.items()}
    big = sorted({k for k, v in [*theirs.items(), *ours.items()] if v > 5 and not re.match(r"\[unknown\]|\[.*\+0x", k)})
    print(f"  perf {n} samples, hotspan {total}; {r.verdict['frames_named_percent']:.1f} % of frames named")
    assert total > 1000
    shown = sorted(ours.items(), key=lambda kv: -kv[1])[:3]
    print("  our top: " + ", ".join(f"{k} {v:.1f} %" for k, v in shown))
    assert len(big) >= at_least, "nothing to judge: no function has over 5 %"
    for name in big:
        a, b = theirs.get(name, 0), ours.get(name, 0)
        print(f"  {name}: perf {a:.1f} %, hotspan {b:.1f} %")
        if INTERRUPTS_ON_AGAIN.match(name):
            continue
        assert abs(a - b) <= points, f"{name}: perf {a:.1f} %, hotspan {b:.1f} %"
    return r, big


def running(argv, **kw):
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)
    time.sleep(1)
    return p


def end(p):
    p.kill()
    p.wait()


def test_python():
    p = running(["/usr/bin/python3", "-c", "import json\nd={str(i):[i,i*2.5,'x'*i] for i in range(300)}\nwhile 1: json.loads(json.dumps(d))"])
    try:
        compare(p.pid, at_least=1)
    finally:
        end(p)


def test_node():
    p = running([need("node"), "--perf-basic-prof", "--no-logfile-per-isolate", "--logfile=/dev/null", "-e",
                 "function hotInner(n){let x=0;for(let i=0;i<n;i++)x=(x*31+i)|0;return x};"
                 "function warmOuter(n){let s='';for(let i=0;i<n;i++)s+=String.fromCharCode(97+i%26);return s.length};"
                 "for(;;){hotInner(3e6);warmOuter(2e4)}"])
    try:
        r, _ = compare(p.pid, at_least=1)
        jit = sum(n for f, n in r.stacks if "hotInner" in f[-1])
        assert jit > 0.2 * r.verdict["samples"], "the JIT's own names come from its perf map"
    finally:
        end(p)
        pathlib.Path(f"/tmp/perf-{p.pid}.map").unlink(missing_ok=True)


def test_node_with_a_jitdump():
    """Names and lines come from the file that it maps, wherever that is. It is written in blocks of 4 KiB: what was
    compiled last is named when more is, so the program goes on making functions."""
    with tempfile.TemporaryDirectory() as d:
        program = pathlib.Path(d) / "app.js"
        program.write_text("function hotInner(n) {\n  let x = 0;\n  for (let i = 0; i < n; i++) x = (x * 31 + i) | 0;\n  return x;\n}\n"
                           "for (let k = 0;; k++) {\n  hotInner(3e6);\n"
                           "  const f = new Function('x', 'let s = x; for (let i = 0; i < 9; i++) s += i ^ ' + k + '; return s');\n"
                           "  for (let i = 0; i < 3e4; i++) f(i);\n}\n")
        p = running([need("node"), "--perf-prof", "--no-logfile-per-isolate", "--logfile=/dev/null", program], cwd=d)
        try:
            r = record("-p", p.pid, "-d", 3)
            jit = sum(n for f, n in r.stacks if "hotInner" in f[-1] or "app.js" in f[-1])
            assert jit > 0.5 * r.verdict["samples"], [f[-1] for f, _ in r.stacks[:5]]
        finally:
            end(p)


def test_a_compiler():
    need("g++")
    with tempfile.TemporaryDirectory() as d:
        src = pathlib.Path(d) / "x.cc"
        src.write_text("#include <regex>\n#include <map>\n#include <string>\n#include <iostream>\n"
                       "int main(){std::map<std::string,std::regex> m;m[\"a\"]=std::regex(\"x+\");"
                       "std::cout<<std::regex_match(\"xx\",m[\"a\"]);}\n")
        p = running(["sh", "-c", f"while :; do g++ -std=c++17 -O2 -c {src} -o {d}/x.o; done"], start_new_session=True)
        try:
            r, _ = compare(system=True)
            assert any("cc1plus" in f[0] for f, _ in r.stacks)
        finally:
            os.killpg(p.pid, 9)
            p.wait()


def test_nginx_under_load():
    nginx, wrk = need("nginx"), need("wrk")
    with tempfile.TemporaryDirectory() as d:
        (pathlib.Path(d) / "index.html").write_text("x" * 2000)
        os.chmod(d, 0o755)
        conf = pathlib.Path(d) / "nginx.conf"
        conf.write_text(f"daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log {d}/err;\n"
                        f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:18080; root {d}; }} }}\n")
        server = running([nginx, "-c", str(conf), "-p", d])
        load = running([wrk, "-t1", "-c8", f"-d{SECONDS + 4}s", "http://127.0.0.1:18080/"])
        try:
            assert server.poll() is None, (pathlib.Path(d) / "err").read_text()
            r, _ = compare(server.pid)
            assert any(x.endswith("_[k]") for f, _ in r.stacks for x in f), "nginx lives in the kernel's network stack"
        finally:
            end(load), end(server)


if __name__ == "__main__":
    run_tests(globals())
