#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""icount BUILD [suite...]: what tracing costs, counted in instructions: nginx under wrk in a QEMU guest whose clock is its
instruction counter, so that neither this machine nor what else runs on it moves a figure. Writes bench/icount.md.

-icount shift=0,sleep=off -smp 1: an instruction is a virtual nanosecond. Cache misses and what a trap costs are not in it.
One connection: with several it depends on their order how many requests nginx finds at each wake-up, and that is most of
what moves. `welcome`: what nginx answers as Debian installs it, with its default site. `file`: a page of 1 KiB by sendfile, with a
line in the access log. `answer`: 31 bytes and no log: there is hardly a request that does less. From run to run `file` moves by
up to 0.8 %, the others by 0.1.

Behind a suite's name -syscalls: with the hooks at system calls, as where a kernel lets no program attach to its functions.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/kernels"))
import kernels  # noqa: E402

NGINX = """worker_processes 1; error_log /tmp/error.log; pid /tmp/nginx.pid; user root;
events { worker_connections 512; }
http { sendfile on; tcp_nopush on; access_log off; keepalive_requests 100000000;
client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
server { listen 127.0.0.1:8080; root /www; location /file { access_log /tmp/access.log; } location /answer { return 200 "a small page, as APIs have them"; } location /status { stub_status; } }
server { listen 80 default_server; include /etc/nginx/mime.types; default_type application/octet-stream; gzip on; access_log /var/log/nginx/access.log; root /var/www/html;
index index.html index.htm index.nginx-debian.html; server_name _; location / { try_files $uri $uri/ =404; } }
server { listen 127.0.0.1:4318; client_max_body_size 0; location / { default_type application/x-protobuf; return 200; } } }
"""
PROFILES = "listen: 'off'\nsymbol_cache: /tmp/cache\nmax_cpu_percent: 0\n"
AGENT = PROFILES + """trace: {enabled: true, routes_file: 'off', sample_percent: %d}
prometheus: {listen: '127.0.0.1:9400'}
relabel_configs:
  - {action: keep, source_labels: [__meta_process_comm], regex: '%s'}
"""
TRACES = "receivers:\n  - {name: here, type: otlp, url: 'http://127.0.0.1:4318', send: [traces], compression: %s}\n"
AGENTS = {"profiles": PROFILES, "red": AGENT % (100, "nginx"), "one": AGENT % (1, "nginx") + TRACES % "gzip", "spans": AGENT % (100, "nginx") + TRACES % "gzip", "zstd": AGENT % (100, "nginx") + TRACES % "zstd",
          "both": AGENT % (100, "nginx|wrk"), "other": AGENT % (100, "nobody")}
WHAT = {"none": "nothing", "empty": "empty programs on the same hooks", "profiles": "profiles alone, at 99 Hz", "red": "RED of nginx", "one": "RED and spans of nginx, 1 % sampled",
        "spans": "RED and spans of nginx, all of them", "zstd": "the same, as zstd", "both": "RED of nginx and of wrk", "other": "another program is selected"}
PAGES = {"welcome": "127.0.0.1:80/", "file": "127.0.0.1:8080/file", "answer": "127.0.0.1:8080/answer"}
# Of throughput, of instructions of the agent and of runs of programs per request; of spans as OBI's figures are, with 1 % of them. What has
# none is there to be compared with, at one page.
BARS = {"red": (0.95, 3000, 6), "one": (0.90, 10000, 6), "other": (0.99, None, None)}
COMPARED = ("spans", "zstd", "both")

INIT = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmp /tmp; mount -t devtmpfs dev /dev
mkdir -p /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
export HOTSPAN_TRACE_HOOKS=WHERE
echo "KERNEL $(uname -r) WHERE"
nginx -c /nginx.conf
sleep 1
# Of all threads of a process so far.
insns() { cat /proc/$1/task/*/schedstat | awk '{n += $1} END {printf "%.0f", n}'; }
now() { awk '/^now at/ {print $3}' /proc/timer_list; }
requests() { wget -q -O - http://127.0.0.1:8080/status | awk 'NR == 3 {print $3}'; }
programs() { [ $1 = none ] && echo "[]" || bpftool -j prog show; }
# wrk has begun, and has been judged, before anything is counted.
measure() { # name, process that watches
	for page in PAGES; do
		case " COMPARED " in *" $1 "*) [ ${page%=*} = file ] || continue ;; esac
		wrk -t1 -c1 -d3 http://${page#*=} > /tmp/wrk &
		wrk=$! page=${page%=*}
		sleep 0.6
		a=$(insns $2); n=$(requests); t=$(now)
		sleep 2
		t=$(($(now) - t)); n=$(($(requests) - n)); a=$(($(insns $2) - a))
		echo "ROW $1 $page $n $t $a"
		echo 1 > /proc/sys/kernel/bpf_stats_enabled
		n=$(requests); programs $1 > /tmp/before
		sleep 0.2
		programs $1 > /tmp/after; n=$(($(requests) - n))
		echo 0 > /proc/sys/kernel/bpf_stats_enabled
		wait $wrk
		grep -q Non-2xx /tmp/wrk && echo "wrk got errors"
		echo "BEFORE $1 $page $(cat /tmp/before)"
		echo "AFTER $1 $page $n $(cat /tmp/after)"
	done
}
watched() { # name, command
	name=$1; shift
	"$@" > /tmp/out 2> /tmp/log &
	pid=$!
	sleep 6
	measure $name $pid
	kill $pid; wait $pid
	sed "s/^/LOG $name /" /tmp/log
}
measure none $$
watched empty bench_empty WHERE
for name in AGENTS; do watched $name hotspan agent -c /$name.yaml; done
echo END
poweroff -f
"""


def initramfs(build, path, agents, hooks):
    programs = {"hotspan": build / "hotspan", "bench_empty": build / "bench/bench_empty"}
    programs |= {name: pathlib.Path(shutil.which(name, path="/usr/sbin:/usr/bin:/bin")) for name in ("busybox", "nginx", "wrk", "bpftool")}
    with tempfile.TemporaryDirectory() as d:
        tree = pathlib.Path(d)
        for sub in ("bin", "proc", "sys", "tmp", "dev", "etc", "www", "var/log/nginx", "var/lib/nginx", "var/www/html", "etc/nginx"):
            (tree / sub).mkdir(parents=True)
        for name, binary in programs.items():
            shutil.copy(binary, tree / "bin" / name)
        for lib in {lib for name, binary in programs.items() if name != "busybox" for lib in kernels.libraries(binary)}:
            (tree / lib[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(lib, tree / lib[1:])
        (tree / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
        (tree / "etc/group").write_text("root:x:0:\n")
        (tree / "nginx.conf").write_text(NGINX)
        (tree / "www/file").write_text("x" * 1024)
        shutil.copy("/var/www/html/index.nginx-debian.html", tree / "var/www/html")
        shutil.copy("/etc/nginx/mime.types", tree / "etc/nginx")
        for name in agents:
            (tree / f"{name}.yaml").write_text(AGENTS[name])
        (tree / "init").write_text(INIT.replace("PAGES", " ".join(f"{name}={url}" for name, url in PAGES.items()))
                                  .replace("AGENTS", " ".join(agents)).replace("COMPARED", " ".join(COMPARED)).replace("WHERE", hooks))
        (tree / "init").chmod(0o755)
        names = "\n".join(str(p.relative_to(tree)) for p in sorted(tree.rglob("*")))
        path.write_bytes(subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=tree, capture_output=True, check=True).stdout)


def boot(vmlinuz, initrd):
    argv = ["qemu-system-x86_64", "-m", "1024", "-smp", "1", "-cpu", "max", "-kernel", vmlinuz, "-initrd", initrd,
            "-append", "console=ttyS0 quiet panic=-1 rdinit=/init", "-nographic", "-no-reboot", "-accel", "tcg,thread=single",
            "-icount", "shift=0,sleep=off"]
    lines = []
    with subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as p:
        for line in p.stdout:
            lines.append(line.decode(errors="replace").replace("\r", ""))
            if re.match("ROW|.*KERNEL", lines[-1]):
                print(lines[-1], end="", file=sys.stderr)
    return "".join(lines)


def programs(text, name, page):
    """{program: (runs a request, instructions a request)}; those of bpf_stats_enabled itself, some 48 a run, are in it."""
    m = re.search(rf"^BEFORE {name} {page} (\[.*\])\nAFTER {name} {page} (\d+) (\[.*\])$", text, re.M)
    if not m:
        return {}
    before = {p["id"]: p for p in json.loads(m[1])}
    more = lambda p, key: (p.get(key, 0) - before.get(p["id"], {}).get(key, 0)) / int(m[2])
    return {p["name"]: (more(p, "run_cnt"), more(p, "run_time_ns")) for p in json.loads(m[3]) if p["name"] != "sample" and more(p, "run_cnt") > 0.01}


def judge(name, ratio, agent, runs):
    bars = BARS.get(name, (None, None, None))
    bad = [f"{what} {value:.3g}, bar {bar}" for what, value, bar, sign in
           (("ratio", ratio, bars[0], 1), ("agent", agent, bars[1], -1), ("runs", runs, bars[2], -1)) if bar and sign * value < sign * bar]
    return "; ".join(bad) or ("ok" if any(bars) else "-")


def rows(text):
    kernel, hooks = re.search(r"KERNEL (\S+) (\S+)", text).groups()
    base = {}
    for m in re.finditer(r"^ROW (\S+) (\S+) (\d+) (\d+) (\d+)$", text, re.M):
        name, page, n, rate = m[1], m[2], int(m[3]), 1e9 * int(m[3]) / int(m[4])
        base.setdefault(page, rate)
        progs = programs(text, name, page)
        runs, agent, ratio = sum(r for r, _ in progs.values()), 0 if name == "none" else int(m[5]) / n, rate / base[page]
        yield {"kernel": kernel, "hooks": hooks, "what": name, "page": page, "rate": rate, "ratio": ratio, "insns": 1e9 / rate,
               "agent": agent, "runs": runs, "bpf": sum(i for _, i in progs.values()), "verdict": judge(name, ratio, agent, runs)}


def table(rows):
    out = ["| kernel, hooks | page | with | requests/s | ratio | instructions a request | of the agent | BPF runs | of them | bars |",
           "|---|---|---|---|---|---|---|---|---|---|"]
    for r in rows:
        out.append(f"| {r['kernel'].split('-')[0].split('+')[0]}, {r['hooks']} | {r['page']} | {WHAT[r['what']]} | {r['rate']:.0f} | {r['ratio']:.3f} | {r['insns']:.0f} | "
                   f"{r['agent']:.0f} | {r['runs']:.1f} | {r['bpf']:.0f} | {r['verdict']} |")
    return "\n".join(out)


def run(build, suite, agents):
    with tempfile.NamedTemporaryFile() as initrd:
        initramfs(build, pathlib.Path(initrd.name), agents, "syscalls" if suite.endswith("-syscalls") else "sockets")
        text = boot(kernels.kernel(suite.removesuffix("-syscalls")), initrd.name)
    if not re.search("^END$", text, re.M):
        sys.exit(f"icount: {suite} did not come to its end: {text[-2000:]}")
    return list(rows(text))


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    suites = [a for a in sys.argv[2:] if a.removesuffix("-syscalls") in kernels.SUITES] or ["bookworm", "bookworm-syscalls", "trixie"]
    agents = [a for a in sys.argv[2:] if a in AGENTS] or list(AGENTS)
    for suite in suites:
        kernels.kernel(suite.removesuffix("-syscalls"))  # fetched one after the other
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [row for suite in pool.map(lambda suite: run(build, suite, agents), suites) for row in suite]
    print(table(found))
    if len(agents) == len(AGENTS):
        commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
        (ROOT / "bench/icount.md").write_text(f"<!-- SPDX-License-Identifier: Apache-2.0 -->\n# Instructions a request\n\n{__doc__.partition(chr(10) * 2)[2]}\n"
                                              f"Last run: {time.strftime('%Y-%m-%d')}, commit {commit}.\n\n{table(found)}\n")


main()
