#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole stacks without frame pointers: how many reach their root, and do the callers agree with perf's.

perf copies 64 KiB of stack with each sample and unwinds by libdw: slow, and independent of us. Compared are
pairs (function, caller) of the stacks that perf itself completed."""
import collections
import contextlib
import math
import os
import pathlib
import re
import subprocess
import tempfile
import time

from hs import *  # noqa: F403

SECONDS = 4
GATE = 99.5  # % of user stacks that reach their root
ROOTS = {"_start", "clone", "__clone", "clone3", "__clone3"}


compared = []  # loads whose callers perf could tell too


class Load:
    """A command and the folder it works in; "@/" in its arguments stands for that. By default in a loop."""

    def __init__(self, argv, setup=None, loop=True):
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-load-")
        if setup:
            setup(pathlib.Path(self.dir.name))
        self.argv = [a.replace("@/", self.dir.name + "/") for a in argv]
        if loop:
            self.argv = ["/bin/sh", "-c", 'while :; do "$@" >/dev/null 2>&1 </dev/null; done', "sh", *self.argv]


@contextlib.contextmanager
def running(load):
    p = subprocess.Popen(load.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield p
    finally:
        os.killpg(p.pid, 9)
        p.wait()


def complete(r):
    """(% of user stacks that reach their root, {why: %} of the others)."""
    cuts = {k: v for k, v in r.verdict["stacks"].items()}
    whole = sum(cuts.pop(k, 0) for k in ("root", "middle", "exiting", "in_exec"))
    for k in ("no_user", "not_asked"):
        cuts.pop(k, None)
    total = whole + sum(cuts.values())
    assert total > 300, f"only {total} user stacks: {r.err[-500:]}"
    return 100 * whole / total, {k: round(100 * v / total, 2) for k, v in cuts.items() if v}


def name_of(name):
    """What both tools can say of a frame: its function, else its file."""
    m = re.match(r"\[(.+?)\+0x[0-9a-f]+\]$", name)
    if m:
        return f"[{m[1]}]"
    return re.sub(r"\(.*|<.*| ?\[clone .*|@@?.*$|\.(cold|part|isra|constprop|lto_priv|localalias).*$", "", name.strip())


def our_pairs(stacks):
    pairs = collections.Counter()
    for frames, n in stacks:
        user = [name_of(plain(f)) for f in frames[1:] if not f.endswith("_[k]")]
        for pair in set(zip(user[::-1], user[::-1][1:])):
            pairs[pair] += n
    return pairs


def perf_pairs(data, comms):
    """{pair: stacks it is in} of the stacks that perf completed, and how many those were."""
    out = subprocess.run(["perf", "script", "-i", data, "--no-inline", "-F", "comm,ip,sym,dso"], capture_output=True, text=True)
    pairs, done = collections.Counter(), 0
    for block in out.stdout.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if lines[0].strip() not in comms:
            continue
        frames = []
        for line in lines[1:]:
            m = re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)$", line)
            if m and not m[1].startswith("ffffffff"):
                frames.append(name_of(m[2]) if m[2] != "[unknown]" else f"[{os.path.basename(m[3])}]")
        stripped = frames[-1:] != ["_start"] and frames[-2:-1] == ["__libc_start_main"]
        if len(frames) < 2 or not (frames[-1] in ROOTS or stripped):
            continue
        done += 1
        for pair in set(zip(frames, frames[1:])):
            pairs[pair] += 1
    return pairs, done


def agree(ours, theirs):
    """A function's callers have the same shares in both: within 6 standard errors and a point, for each function that perf
    saw at least 20 times. Shares of stacks as such would not do: which stacks perf completes is not left to chance."""
    totals = [collections.Counter() for _ in range(2)]
    for pairs, total in zip((ours, theirs), totals):
        for (function, _), n in pairs.items():
            total[function] += n
    judged = 0
    for function, caller in set(ours) | set(theirs):
        n, m = (t[function] for t in totals)
        if m < 20 or not n:
            assert m < 20, f"{function}: {m} of perf's stacks, none of ours"
            continue
        judged += 1
        a, b = ours[function, caller] / n, theirs[function, caller] / m
        p = (ours[function, caller] + theirs[function, caller]) / (n + m)
        bound = 0.01 + 6 * math.sqrt(p * (1 - p) * (1 / n + 1 / m))
        assert abs(a - b) <= bound, f"{function} is called by {caller} in {100 * a:.1f} % of our stacks, {100 * b:.1f} % of perf's, bound {100 * bound:.1f}"
    assert judged, "nothing to judge"
    return judged


def judge(name, load, gate=GATE, perf=True):
    with tempfile.TemporaryDirectory() as d:
        data = f"{d}/perf.data"
        # Started by us, so that all its processes are followed from their first instruction on.
        recording = Recording("-F", 499, "-d", SECONDS, command=["timeout", SECONDS + 1, *load.argv])
        if perf:
            need("perf")
            time.sleep(0.5)
            subprocess.run(["perf", "record", "-q", "-B", "-N", "-e", "cpu-clock:u", "-F", "99", "--call-graph", "dwarf,65528", "-a",
                            "-o", data, "--", "sleep", str(SECONDS - 1)], capture_output=True, text=True)
        r = recording.wait()
        percent, why = complete(r)
        frames = [len(f) - 1 for f, n in r.stacks for _ in range(n)]
        print(f"  {name}: {r.verdict['samples']} samples, {sum(frames) / len(frames):.0f} frames on average, "
              f"{percent:.2f} % of user stacks whole, others {why}", flush=True)
        if perf:
            theirs, n = perf_pairs(data, {f[0] for f, _ in r.stacks})
            if n < 20:
                print(f"    not compared: perf completed {n} stacks", flush=True)
            else:
                print(f"    {agree(our_pairs(r.stacks), theirs)} pairs agree with {n} stacks of perf's", flush=True)
                compared.append(name)
        assert percent >= gate, f"{name}: {percent:.2f} % of user stacks reach their root, others {why}"
        return r


def source(name, text):
    def write(d):
        (d / name).write_text(text)
    return write


CXX = """#include <regex>
#include <map>
#include <string>
#include <functional>
template<int N> int f() { std::map<int, std::function<int()>> m; m[N] = [] { return f<N - 1>(); }; return m[N](); }
template<> int f<0>() { return std::regex_match("aab", std::regex("a+b")); }
int main() { return f<20>(); }
"""


def test_cc1plus():
    need("g++")
    judge("cc1plus", Load(["g++", "-O2", "-g", "-c", "@/x.cc", "-o", "@/x.o"], source("x.cc", CXX)))


def test_python():
    judge("python3", Load(["/usr/bin/python3", "-c", "import json\nd={str(i):[i,i*2.5,'x'*i] for i in range(300)}\nfor i in range(200): json.loads(json.dumps(d))"]))


def test_perl():
    judge("perl", Load([need("perl"), "-e", "for(1..2000000){$a{$_%1000}+=$_*2; @b=sort {$a<=>$b} (3,2,1) if $_%10==0}"]))


def test_sqlite():
    judge("sqlite3", Load([need("sqlite3"), ":memory:", "with recursive c(x) as (select 1 union all select x+1 from c where x<1000000) "
                           "select sum(x), count(distinct x%1000), max(printf('%d',x)) from c;"]))


def test_openssl():
    judge("openssl speed", Load([need("openssl"), "speed", "-seconds", "1", "rsa2048", "sha256", "ecdsap256"]))


def test_git():
    def setup(d):
        (d / "a").write_text("\n".join(f"line {i * 7919 % 10007}" for i in range(60000)))
        (d / "b").write_text("\n".join(f"line {i * 7919 % 10009}" for i in range(60000)))
    judge("git", Load([need("git"), "diff", "--no-index", "--stat", "--minimal", "@/a", "@/b"], setup))


def test_xz():
    judge("xz", Load([need("xz"), "-k", "-c", "-T2", str(HOTSPAN)]))


def test_go_of_debian():
    def setup(d):
        (d / "in").write_text("\n".join(f"{i * 7919 % 100003:x} some words to search {i}" for i in range(200000)))
    fzf = need("fzf")
    # Of Go 1.19: its systemstack() has no frame, and some of what it calls leaves rbp to chance.
    judge("fzf, a Go program", Load(["/bin/sh", "-c", f"{fzf} --filter 'abc sea' < @/in"], setup), gate=95, perf=False)


def test_rust_of_debian():
    def setup(d):
        (d / "in").write_text("\n".join(f"{i * 7919 % 100003:x} some words to search {i}" for i in range(400000)))
    judge("ripgrep, a Rust program", Load([need("rg"), "-c", "-e", "[a-f]{3,}.*(words|sea)rch [0-9]*7$", "@/in"], setup))


def test_nginx():
    nginx, wrk = need("nginx"), need("wrk")

    def setup(d):
        (d / "index.html").write_text("x" * 2000)
        os.chmod(d, 0o755)
        (d / "nginx.conf").write_text(f"daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log {d}/err;\n"
                                      f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:18081; root {d}; }} }}\n")
    load = Load([nginx, "-c", "@/nginx.conf", "-p", "@/"], setup, loop=False)
    with running(Load(["/bin/sh", "-c", f"sleep 0.5; exec {wrk} -t1 -c8 -d60s http://127.0.0.1:18081/"], loop=False)):
        judge("nginx", load)


def test_musl_static():
    """Its libc has neither CFI nor frame pointers: the rows come from its instructions."""
    judge("musl, asking for the time", Load([workload("spin_musl"), "1"]), perf=False)
    judge("musl, inside libc", Load([workload("libc_calls_musl"), "2"]), perf=False)


def test_a_child_that_lives_for_one_sample():
    """The first sample of a process has a whole stack too: what it runs is new to the BPF program each time."""
    judge("short-lived", Load(["/usr/bin/env", "true"]), gate=90, perf=False)


def test_perf_was_compared_with():
    """Where programs are stripped and their libraries too, perf loses its way in some."""
    assert len(compared) >= 4, compared


def test_reported_without_a_gate():
    for name, argv in {"node": ["node", "-e", "function f(n){return n<2?n:f(n-1)+f(n-2)}; for(let i=0;i<20;i++){f(27); JSON.stringify([...Array(20000).keys()])}"]}.items():
        judge(name, Load([need(name), *argv[1:]]), gate=0, perf=False)


if __name__ == "__main__":
    run_tests(globals())
