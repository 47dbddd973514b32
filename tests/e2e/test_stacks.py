#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole stacks without frame pointers: how many reach their root, and do the callers agree with perf's (loads.py)."""
import os

from loads import *  # noqa: F403

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


# On CPUs without instructions for SHA it runs assembler without names, in which perf completes few stacks: 62 of 442 of sha256's.
def test_openssl():
    judge("openssl speed", Load([need("openssl"), "speed", "-seconds", "1", "rsa2048", "sha256", "ecdsap256"]), completed=10)


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
    # Stripped, so perf has no names to compare with. Many of its samples are a new process's, on a thread's own stack below a
    # goroutine's: without a copy of the latter too, 96 to 98 %.
    judge("fzf, a Go program", Load(["/bin/sh", "-c", f"{fzf} --filter 'abc sea' < @/in"], setup), gate=99, how=None)


def test_rust_of_debian():
    def setup(d):
        (d / "in").write_text("\n".join(f"{i * 7919 % 100003:x} some words to search {i}" for i in range(400000)))
    judge("ripgrep, a Rust program", Load([need("rg"), "-c", "-e", "[a-f]{3,}.*(words|sea)rch [0-9]*7$", "@/in"], setup))


def test_nginx():
    nginx, wrk, port = need("nginx"), need("wrk"), free_port()

    def setup(d):
        (d / "index.html").write_text("x" * 2000)
        os.chmod(d, 0o755)
        (d / "nginx.conf").write_text(f"daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log {d}/err;\n"
                                      f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {d}; }} }}\n")
    load = Load([nginx, "-c", "@/nginx.conf", "-p", "@/"], setup, loop=False)
    with running(Load(["/bin/sh", "-c", f"while :; do {wrk} -t1 -c8 -d60s http://127.0.0.1:{port}/ || sleep 0.1; done"], loop=False)):
        judge("nginx", load)


def test_musl_static():
    """Its libc has neither CFI nor frame pointers: the rows come from its instructions."""
    judge("musl, asking for the time", Load([workload("spin_musl"), "1"]), how=None)
    judge("musl, inside libc", Load([workload("libc_calls_musl"), "2"]), how=None)
    # perf comes to main()'s caller where the program itself runs, not libc: about a fifth of it.
    judge("musl, with CFI but in libc", Load([workload("callers_musl"), "2"]), completed=5)


def test_musl_calls_libc_from_where_it_says():
    """What perf cannot tell: who called libc. The program knows, by its own clock, and musl's names say what was called."""
    r = record("-F", 999, command=[workload("callers_musl"), "5"])
    called = {"qsort": "sort", "printf": "print", "malloc": "allocate", "free": "allocate", "mix": "mix"}
    got, others = collections.Counter(), 0
    for frames, n in r.stacks:
        names = [plain(f) for f in frames]
        caller = next((i for i, f in enumerate(names) if f in ("often", "seldom")), None)
        works = {called[w] for w in called if caller and caller + 1 < len(names) and w in names[caller + 1]}
        if works and names[1:caller] == ["libc_start_main_stage2", "main"]:
            got[f"{names[caller]}_{works.pop()}"] += n
        elif caller is None:
            others += n
    want = answers(r.command_output)
    assert len(want) == 8 and others < 0.01 * r.verdict["samples"], (want, others)
    assert_shares(got, want, 3)
    # And it can tell: the sorting of the one counted with the other's is no 3 points.
    swapped = dict(got, often_sort=got["seldom_sort"], seldom_sort=got["often_sort"])
    assert any(abs(swapped[n] / sum(got.values()) - want[n] / sum(want.values())) > 0.03 for n in want), want


def test_a_child_that_lives_for_one_sample():
    """The first sample of a process has a whole stack too: what it runs is new to the BPF program each time."""
    judge("short-lived", Load(["/usr/bin/env", "true"]), gate=90, how=None)


def test_reported_without_a_gate():
    for name, argv in {"node": ["node", "-e", "function f(n){return n<2?n:f(n-1)+f(n-2)}; for(let i=0;i<20;i++){f(27); JSON.stringify([...Array(20000).keys()])}"]}.items():
        judge(name, Load([need(name), *argv[1:]]), gate=0, how=None)


if __name__ == "__main__":
    run_tests(globals())
