#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kernels [suite...]: boot Debian kernels under QEMU (no KVM needed), record and run the agent in each, write
bench/kernels.md.

In each kernel the agent pushes the same workload to the fake Pyroscope server too, and tests/bpf/both_walks.c
compares the stacks of both programs. With each of the hooks that the kernel has, an agent counts the requests of
tests/workloads/http_ways.c, which says what it answered.

A kernel package is fetched through this host's own apt sources with the suite replaced; hotspan, its
libraries and a workload go into a busybox initramfs, whose init records and prints the verdict.
"""
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(os.environ.get("HOTSPAN_KERNELS_DIR", "/var/tmp/hotspan-kernels"))
HOTSPAN = ROOT / "build/test/hotspan"
FAKE = ROOT / "build/test/tests/fake_pyroscope"
VERIFIER = ROOT / "build/test/tests/unit/test_verifier"
BUDGET = ROOT / "tests/unit/verifier-budget.tsv"
BOTH_WALKS = ROOT / "build/test/tests/e2e/both_walks"
HTTP1 = ROOT / "build/test/tests/unit/test_http1_kernel"
HOOKS = ROOT / "build/test/tests/unit/test_tracer"
WAYS = ROOT / "build/test/workloads/w_http_ways"
STREAMS = ROOT / "tests/fuzz/corpus/http1"
PROGRAMS = ("sample", "sample_old", "sent", "received", "inet_sent", "inet_received", "inet_page_sent", "syscall_ended/syscalls")
SUITES = {"bullseye": "5.10", "bookworm": "6.1", "trixie": "6.12", "sid": "newest"}

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /sys/fs/cgroup; /bin/busybox mount -t cgroup2 none /sys/fs/cgroup
echo "KERNEL $(/bin/busybox uname -r)"
hotspan record -F 99 --json -o /tmp/x.folded -- /bin/spin 4 > /tmp/out 2>/tmp/err
echo "STATUS $?"
/bin/busybox sed 's/^/OUT /' /tmp/out
/bin/busybox sed 's/^/ERR /' /tmp/err
/bin/busybox sed 's/^/FOLDED /' /tmp/x.folded
/bin/busybox ip link set lo up
fake_pyroscope --port 4040 > /dev/null &
/bin/busybox sleep 1
HOTSPAN_FLUSH_INTERVAL=2s hotspan agent -c /agent.yaml 2>/tmp/log &
agent=$!
/bin/busybox sleep 1
echo "BURNT $(OTEL_SERVICE_NAME=spin /bin/spin 6 | /bin/busybox awk '{n += $2} END {printf "%.0f", n}')"
/bin/busybox kill -TERM $agent
wait $agent
echo "AGENT $?"
/bin/busybox sed 's/^/LOG /' /tmp/log
/bin/busybox wget -q -O /tmp/state http://127.0.0.1:4040/fake/state
/bin/busybox sed 's/^/STATE /' /tmp/state
echo
/bin/spin 100 > /dev/null & /bin/spin 100 > /dev/null &
hotspan record -F 99 -d 8 --json -o /tmp/hot.folded > /tmp/hot 2>&1 &
hot=$!
until /bin/busybox ls -l /proc/$hot/fd | /bin/busybox grep -q perf_event || ! /bin/busybox kill -0 $hot; do /bin/busybox sleep 1; done
/bin/busybox sleep 2; echo 0 > /sys/devices/system/cpu/cpu1/online
/bin/busybox sleep 2; echo 1 > /sys/devices/system/cpu/cpu1/online
wait $hot
/bin/busybox killall spin
/bin/busybox sed 's/^/HOT /' /tmp/hot
both_walks 450 600 9000 > /tmp/walks 2>&1; echo "WALKS $?"
/bin/busybox sed 's/^/WALKED /' /tmp/walks
test_verifier > /tmp/verifier 2>&1; echo "VERIFIER $?"
/bin/busybox sed 's/^/VERIFIED /' /tmp/verifier
test_http1_kernel > /tmp/http1 2>&1; echo "HTTP1 $?"
/bin/busybox sed 's/^/PARSED /' /tmp/http1
test_tracer > /tmp/hooks 2>&1; echo "HOOKS $?"
/bin/busybox sed 's/^/HOOKED /' /tmp/hooks
/bin/busybox killall fake_pyroscope
trace() {
	HOTSPAN_TRACE_HOOKS=$1 hotspan agent -c /trace.yaml 2>/tmp/log &
	agent=$!
	until /bin/busybox wget -q -O /dev/null http://127.0.0.1:9400/metrics || ! /bin/busybox kill -0 $agent; do /bin/busybox sleep 1; done
	/bin/busybox kill -0 $agent && OTEL_SERVICE_NAME=ways http_ways 8080 /tmp/socket 3 > /tmp/ways
	/bin/busybox sleep 3
	/bin/busybox wget -q -O /tmp/page http://127.0.0.1:9400/metrics
	/bin/busybox wget -q -O - http://127.0.0.1:9464/metrics | /bin/busybox grep hotspan_trace_total | /bin/busybox sed "s/^/TRACER $1 /"
	/bin/busybox kill $agent
	wait $agent
	echo "TRACE $1 $?"
	/bin/busybox sed "s/^/ANSWERED $1 /" /tmp/ways
	/bin/busybox grep duration_seconds_count /tmp/page | /bin/busybox sed "s/^/COUNTED $1 /"
	/bin/busybox sed "s/^/TRACER $1 /" /tmp/log
	/bin/busybox rm -f /tmp/ways /tmp/page
} 2>/dev/null
trace sockets; trace syscalls
hotspan doctor > /tmp/doctor; echo "DOCTOR $?"
/bin/busybox sed 's/^/CHECK /' /tmp/doctor
/bin/busybox poweroff -f
"""


def run(*argv, **kw):
    return subprocess.run(list(map(str, argv)), check=True, capture_output=True, text=True, **kw).stdout


def apt_options(suite):
    """apt with the sources of this host, the suite replaced, and folders of its own."""
    d = WORK / "apt" / suite
    for sub in ("lists/partial", "cache/archives/partial", "parts"):
        (d / sub).mkdir(parents=True, exist_ok=True)
    lines = []
    for f in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]:
        if not f.exists():
            continue
        text = f.read_text()
        for m in re.finditer(r"^deb (\[[^\]]*\] )?(\S+) bookworm main", text, re.M):
            lines.append(f"deb [trusted=yes] {m[2]} {suite} main")
        if "URIs:" in text:
            for uri in re.findall(r"^URIs: *(\S+)", text, re.M):
                if "security" not in uri:
                    lines.append(f"deb [trusted=yes] {uri} {suite} main")
    (d / "sources.list").write_text("\n".join(dict.fromkeys(lines)) + "\n")
    return ["-o", f"Dir::Etc::sourcelist={d}/sources.list", "-o", f"Dir::Etc::sourceparts={d}/parts",
            "-o", f"Dir::State::lists={d}/lists", "-o", f"Dir::Cache={d}/cache", "-o", "APT::Get::List-Cleanup=0"]


def kernel(suite):
    """The unpacked vmlinuz of a suite's cloud kernel."""
    d = WORK / "kernel" / suite
    if (d / "vmlinuz").exists():
        return d / "vmlinuz"
    shutil.rmtree(d, ignore_errors=True)
    options = apt_options(suite)
    run("apt-get", *options, "update")
    depends = run("apt-cache", *options, "depends", "linux-image-cloud-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends)[1]
    d.mkdir(parents=True, exist_ok=True)
    # Newer suites keep the image itself in a package of its own.
    binary = re.findall(r"Depends: (linux-binary-\S+)", run("apt-cache", *options, "depends", package))
    run("apt-get", *options, "download", package, *binary, cwd=d)
    for deb in d.glob("*.deb"):
        run("dpkg", "-x", deb, d)
        deb.unlink()
    # /boot/vmlinuz-VERSION, and in newer suites /usr/lib/modules/VERSION/vmlinuz.
    found = [p for p in d.rglob("vmlinuz*") if p.is_file()]
    if not found:
        sys.exit(f"kernels: {package} holds no vmlinuz")
    found[0].rename(d / "vmlinuz")
    for folder in ("boot", "lib", "usr"):
        shutil.rmtree(d / folder, ignore_errors=True)
    return d / "vmlinuz"


def libraries(binary):
    return re.findall(r"(/\S+) \(0x", run("ldd", binary))


def initramfs(path):
    with tempfile.TemporaryDirectory() as d:
        tree = pathlib.Path(d)
        for sub in ("bin", "proc", "sys", "tmp", "dev"):
            (tree / sub).mkdir()
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        shutil.copy(HOTSPAN, tree / "bin/hotspan")
        shutil.copy(FAKE, tree / "bin/fake_pyroscope")
        shutil.copy(VERIFIER, tree / "bin/test_verifier")
        shutil.copy(WAYS, tree / "bin/http_ways")
        shutil.copy(BOTH_WALKS, tree / "bin/both_walks")
        (tree / str(BUDGET)[1:]).parent.mkdir(parents=True)
        shutil.copy(BUDGET, tree / str(BUDGET)[1:])
        shutil.copy(HTTP1, tree / "bin/test_http1_kernel")
        shutil.copy(HOOKS, tree / "bin/test_tracer")
        shutil.copytree(STREAMS, tree / str(STREAMS)[1:])
        (tree / "agent.yaml").write_text("max_cpu_percent: 0\nreceivers:\n  - name: fake\n    url: http://127.0.0.1:4040\n")
        (tree / "trace.yaml").write_text("trace: {enabled: true}\nprometheus: {listen: 127.0.0.1:9400}\nmax_cpu_percent: 0\nfrequency: 19\n")
        flags = ["-D_GNU_SOURCE", "-O1", "-fno-omit-frame-pointer", "-fno-inline", "-static"]
        run("gcc", *flags, ROOT / "tests/workloads/spin.c", "-o", tree / "bin/spin")
        for lib in {lib for binary in (HOTSPAN, FAKE, VERIFIER, BOTH_WALKS, HTTP1, HOOKS) for lib in libraries(binary)}:
            (tree / lib[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(lib, tree / lib[1:])
        (tree / "init").write_text(INIT)
        (tree / "init").chmod(0o755)
        names = "\n".join(str(p.relative_to(tree)) for p in sorted(tree.rglob("*")))
        cpio = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=tree,
                              capture_output=True, check=True).stdout
        path.write_bytes(cpio)


def boot(vmlinuz, initrd):
    p = subprocess.run(["qemu-system-x86_64", "-m", "1024", "-smp", "2", "-cpu", "max", "-kernel", str(vmlinuz),
                        "-initrd", str(initrd), "-append", "console=ttyS0 quiet panic=-1 rdinit=/init",
                        "-nographic", "-no-reboot", "-accel", "tcg,thread=multi"],
                       capture_output=True, timeout=900, stdin=subprocess.DEVNULL)
    text = p.stdout.decode(errors="replace").replace("\r", "")
    return re.sub(r"\x1b(c|\[[?0-9;]*[a-zA-Z])", "", text)  # the BIOS clears the screen


def judge(text):
    """(kernel version, verdict, complaint or None)."""
    version = re.search(r"KERNEL (\d\S+)", text)  # not at a line's start: the console may hold half a message
    if not version:
        return "?", None, "it did not boot: " + text[-300:]
    status = re.search(r"^STATUS (\d+)", text, re.M)
    line = re.search(r'^OUT (\{"version".*\})$', text, re.M)
    if not status or status[1] != "0" or not line:
        return version[1], None, "record failed: " + " ".join(re.findall(r"^ERR (.*)", text, re.M))[:300]
    verdict = json.loads(line[1])
    counts = {n: 0 for n in ("spin_half", "spin_third", "spin_fifth")}
    rooted = 0
    for frames, n in re.findall(r"^FOLDED (.*) (\d+)$", text, re.M):
        leaf = frames.split(";")[-1]
        if leaf in counts:
            counts[leaf] += int(n)
            rooted += int(n) * ("main" in frames.split(";"))
    total = sum(counts.values())
    if total < 100:
        return version[1], verdict, f"only {total} samples in the workload's functions"
    # A virtual CPU that is kept waiting spoils what spin means to do, and spin says what it did.
    told = {n: int(ns) for n, ns in re.findall(r"^OUT (\w+) (\d+)$", text, re.M)}
    half, truth = 100 * counts["spin_half"] / total, 100 * told["spin_half"] / sum(told.values())
    if abs(half - truth) > 8:
        return version[1], verdict, f"spin_half has {half:.1f} % of the samples, {truth:.1f} % is true"
    if rooted < 0.9 * total:
        return version[1], verdict, f"only {rooted} of {total} stacks reach main"
    lost = {k: v for k, v in verdict["lost"].items() if v and k != "timer_late"}
    return version[1], verdict, f"lost {lost}" if lost else judge_agent(text)


def verified(text, program):
    """Instructions the kernel's verifier walked through."""
    m = re.search(rf"^VERIFIED {program}: (\d+) of", text, re.M)
    return m[1] if m else "-"


def traced(text, hooks):
    """(exit status of the agent, requests answered, requests counted of servers, of clients): by (path, method, status)."""
    status = re.search(rf"^TRACE {hooks} (\d+)", text, re.M)
    answered = {tuple(k): int(n) for *k, n in re.findall(rf"^ANSWERED {hooks} (\S+) (\S+) (\S+) (\d+)", text, re.M)}
    counted = {"server": {}, "client": {}}
    for side, labels, n in re.findall(rf"^COUNTED {hooks} http_(\w+)_request_duration_seconds_count{{(.*)}} (\d+)", text, re.M):
        l = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        # Under emulation the first ones may come before the agent has learned whose they are.
        key = l.get("http_route"), l["http_request_method"], l.get("http_response_status_code")
        if key[0] != "/metrics":
            counted[side][key] = counted[side].get(key, 0) + int(n)
    return int(status[1]) if status else None, answered, counted["server"], counted["client"]


def missed(text, hooks):
    m = re.search(rf'^TRACER {hooks} hotspan_trace_total{{what="missed"}} (\d+)', text, re.M)
    return int(m[1]) if m else 0


def judge_tracing(text, kernel):
    """Where the kernel has such hooks, all that was answered is counted; else the agent says what is missing."""
    for hooks in ("sockets", "syscalls"):
        status, answered, servers, clients = traced(text, hooks)
        log = " ".join(re.findall(rf"^TRACER {hooks} (.*)", text, re.M))
        if kernel < (6, 1):
            if status != 3 or "needs Linux 6.1" not in log:
                return f"trace.hooks {hooks}: exit status {status}; {log[-300:]}"
        elif status or not answered:
            return f"trace.hooks {hooks}: exit status {status}, {len(answered)} answers; {log[-300:]}"
        elif missed(text, hooks):
            # Emulated CPUs are held up for many ticks, within our program too; what was missed may be either side's.
            off = max(abs(sum(answered.values()) - sum(c.values())) for c in (servers, clients))
            if off > missed(text, hooks):
                return f"trace.hooks {hooks}: {off} requests are not counted, {missed(text, hooks)} transfers were missed; {log[-300:]}"
        elif servers != answered or clients != answered:
            other = [(k, answered.get(k), servers.get(k), clients.get(k)) for k in {*answered, *servers, *clients}]
            return f"trace.hooks {hooks}: (answered, counted of server, of client) {[o for o in other if len(set(o[1:])) > 1][:3]}; {log[-300:]}"
    return None


def requests(text, hooks):
    n = sum(traced(text, hooks)[2].values()) or "-"
    return f"{n} ({missed(text, hooks)} transfers missed)" if missed(text, hooks) else n


def judge_agent(text):
    """All that the agent sampled arrived; and the workload's sum is what its own clock says, as far as emulated CPUs have one:
    ticks come late or not at all there, and the CPU times of all processes may be a tenth more than the wall's time."""
    log = " ".join(re.findall(r"^LOG (.*)", text, re.M))[-300:]
    status, burnt, state = (re.search(p, text, re.M) for p in (r"^AGENT (\d+)", r"^BURNT (\d+)", r"^STATE (\{.*\})$"))
    if not status or status[1] != "0" or not burnt or not state:
        return "agent failed: " + log
    series = json.loads(state[1])["series"]
    took, came = re.search(r"^LOG .*stopped: (\d+) samples", text, re.M), sum(s["totals"]["samples:count"] for s in series)
    if not took or int(took[1]) != came:
        return f"agent: {came} samples arrived; {log}"
    series = [s for s in series if s["labels"]["service_name"] == "spin"]
    if len(series) != 1 or series[0]["nameless"]:
        return f"agent: {len(series)} series of the workload; {log}"
    percent = 100 * series[0]["totals"]["cpu:nanoseconds"] / int(burnt[1])
    if abs(percent - 100) > 30:
        return f"agent: {percent:.1f} % of the CPU time burnt arrived; {log}"
    hot = re.search(r'^HOT (\{"version".*\})$', text, re.M)
    if not hot:
        return "record across hotplug failed: " + " ".join(re.findall(r"^HOT (.*)", text, re.M))[:300]
    # 8 s on one CPU and some 5 on the one that was away for 2 and is found again within a second.
    samples = json.loads(hot[1])["samples"]
    if not 99 * (8 + 4) <= samples <= 99 * (8 + 6.5):
        return f"{samples} samples in 8 s while one of two CPUs was away for 2 s"
    walks = re.search(r"^WALKS (\d+)", text, re.M)
    if not walks or walks[1] != "0":
        return "deep stacks: " + " ".join(re.findall(r"^WALKED (.*)", text, re.M))[:300]
    verifier = re.search(r"^VERIFIER (\d+)", text, re.M)
    if not verifier or verifier[1] != "0":
        return "verifier: " + " ".join(re.findall(r"^VERIFIED (ERROR: .*)", text, re.M) or re.findall(r"^VERIFIED (.*)", text, re.M))[:300]
    http1 = re.search(r"^HTTP1 (\d+)", text, re.M)
    if verified(text, "sample") != "-" and (not http1 or http1[1] != "0"):  # before 6.1 nothing is traced
        return "http1: " + " ".join(re.findall(r"^PARSED (.*)", text, re.M))[-300:]
    hooks = re.search(r"^HOOKS (\d+)", text, re.M)
    if verified(text, "sample") != "-" and (not hooks or hooks[1] != "0"):
        return "hooks: " + " ".join(re.findall(r"^HOOKED (.*)", text, re.M))[-300:]
    doctor = re.search(r"^DOCTOR (\d+)", text, re.M)
    if not doctor or doctor[1] != "0":
        return "doctor sees a blocker: " + " ".join(re.findall(r"^CHECK .*missing.*", text, re.M))[:300]
    return judge_tracing(text, tuple(map(int, re.search(r"KERNEL (\d+)\.(\d+)", text).groups())))


def main():
    suites = sys.argv[1:] or list(SUITES)
    WORK.mkdir(parents=True, exist_ok=True)
    initrd = WORK / "initrd"
    initramfs(initrd)
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    rows, failed = [], 0
    for suite in suites:
        text = boot(kernel(suite), initrd)
        (WORK / f"{suite}.txt").write_text(text)
        version, verdict, complaint = judge(text)
        failed += complaint is not None
        samples = verdict["samples"] if verdict else "-"
        print(f"-- {suite} {version}: {complaint or 'ok'} ({samples} samples)", flush=True)
        programs = " | ".join(verified(text, p) for p in PROGRAMS)
        rows.append(f"| {suite} | {version} | {samples} | {requests(text, 'sockets')} / {requests(text, 'syscalls')} | {programs} | {complaint or 'ok'} |")
    (ROOT / "bench/kernels.md").write_text(
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n# Kernels\n\n`./dev kernels` boots Debian kernels under QEMU without KVM, records `spin` in each,\nlets the agent push it to the fake Pyroscope server, and compares the stacks of both programs, 450 to 9,000\ncalls deep (before 6.1 there is `sample_old` only). An agent counts the HTTP requests of `http_ways` with the hooks at\nsockets (trace events from 6.3 on, before the exit of functions) and at the end of system calls, both from 6.1 on, and all that was answered has to\nbe counted, on both sides. Behind each program: how many instructions the verifier walked through; tests/unit/verifier-budget.tsv says how\nmany it may.\n\n"
        f"Last run: {datetime.date.today()}, commit {commit}.\n\n| suite | kernel | samples | requests at sockets / system calls | " + " | ".join(f"`{p}`" for p in PROGRAMS) + " | result |\n|" + "---|" * (5 + len(PROGRAMS)) + "\n"
        + "\n".join(rows) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
