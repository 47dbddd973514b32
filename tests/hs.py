# SPDX-License-Identifier: Apache-2.0
"""hs - what the end-to-end tests share: run hotspan and workloads, read folded stacks, compare."""
import collections
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BUILD = pathlib.Path(os.environ.get("HOTSPAN_BUILD", "build/test")).resolve()
HOTSPAN = BUILD / "hotspan"
WORKLOADS = BUILD / "workloads"
SKIP = 77
os.environ.setdefault("HOTSPAN_TRACE_ROUTES_FILE", "off")  # what one test learns is none of another's


class Skip(Exception):
    """The machine lacks something; says what."""


def free_port(count=itertools.count()):
    """One that nobody has, now or while the test runs: who asks the kernel for any gets one above, other processes begin elsewhere."""
    while True:
        port = 20000 + (os.getpid() * 61 + next(count)) % 12000
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def need(program):
    """The path of a program, or a skip that names it."""
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def workload(name):
    path = WORKLOADS / f"w_{name}"
    if not path.exists():
        raise Skip(f"{path} was not built")
    return str(path)


def until(what, seconds=30):
    end = time.time() + seconds
    while not (found := what()):
        assert time.time() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def cgroup(path):
    """A cgroup of that name, which is all it takes to look like a container's."""
    mount = next((f[1] for f in (line.split() for line in open("/proc/mounts")) if f[2] == "cgroup2"), None)
    if not mount:
        raise Skip("no cgroup2 file system is mounted")
    folder = pathlib.Path(mount) / path
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        while folder != pathlib.Path(mount):
            folder.rmdir()
            folder = folder.parent


class Recording:
    """One run of `hotspan record`, its verdict and its folded stacks. prefix: a command that runs it."""

    def __init__(self, *args, command=None, folded=True, env=None, prefix=()):
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-test-")
        self.path = pathlib.Path(self.dir.name) / ("out.folded" if folded else "out.pb.gz")
        cache = [] if "--symbol-cache" in args else ["--symbol-cache", str(BUILD / "symbol-cache")]
        argv = [*prefix, str(HOTSPAN), "record", "--json", "-o", str(self.path), *cache, *map(str, args)]
        if command:
            argv += ["--", *map(str, command)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def wait(self, timeout=300):
        self.out, self.err = self.process.communicate(timeout=timeout)
        lines = [l for l in self.out.splitlines() if l.startswith('{"version"')]
        assert lines, f"no verdict; exit {self.process.returncode}: {self.err}"
        self.verdict = json.loads(lines[-1])
        self.command_output = self.out.replace(lines[-1], "")
        self.stacks = read_folded(self.path) if self.path.suffix == ".folded" else None
        return self

    def lost(self):
        """Samples that never arrived for a reason that is ours: not the timer's."""
        lost = dict(self.verdict["lost"])
        lost.pop("timer_late")
        return sum(lost.values()) + self.verdict["sideband_lost"] + self.verdict["stacks"]["unknown_process"]


def record(*args, command=None, timeout=300, **kw):
    return Recording(*args, command=command, **kw).wait(timeout)


class Agent:
    """`hotspan agent` with a configuration; its log lines as they come, its metrics page."""

    def __init__(self, config, *args, argv=(), env=None):
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-test-")
        self.path = pathlib.Path(self.dir.name) / "hotspan.yaml"
        self.configure(config)
        self.lines = []
        self.process = subprocess.Popen([*map(str, argv), str(HOTSPAN), "agent", "-c", str(self.path), *map(str, args)],
                                        stderr=subprocess.PIPE, text=True, env=env)
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.address = re.search(r"metrics on http://(\S+?)/metrics", self.wait_for("sampling"))[1] if "listen: off" not in config else None

    def configure(self, config):
        self.path.write_text(config if "listen:" in config else config + "listen: 127.0.0.1:0\n")

    def reload(self, config=None):
        if config is not None:
            self.configure(config)
        self.process.send_signal(signal.SIGHUP)

    def wait_for(self, *words, seconds=20, after=0):
        """The first log line, from number `after` on, that has all the words."""
        end = time.time() + seconds
        while True:
            dead = self.process.poll() is not None and not self.reader.is_alive()
            for line in self.lines[after:]:
                if all(w in line for w in words):
                    return line.strip()
            assert time.time() < end and not dead, f"no line says {words}; exit {self.process.poll()}: {self.lines}"
            time.sleep(0.02)

    def get(self, path):
        """(status, body) of a page."""
        c = http.client.HTTPConnection(self.address, timeout=10)
        try:
            c.request("GET", path)
            r = c.getresponse()
            return r.status, r.read().decode()
        finally:
            c.close()

    def metrics(self):
        """{'name{label="value"}': number}; every line must be in the format."""
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith("#"):
                assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge))", line), line
                continue
            m = re.fullmatch(r'([a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) ([0-9.e+-]+)', line)
            assert m and m[1] not in found, line
            found[m[1]] = float(m[2])
        return found

    def stop(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.reader.join(5)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def read_folded(path):
    """[(frames root first, count)]; frames[0] is the comm."""
    stacks = []
    for line in pathlib.Path(path).read_text(errors="replace").splitlines():
        frames, _, count = line.rpartition(" ")
        stacks.append((frames.split(";"), int(count)))
    return stacks


def plain(frame):
    """A frame's name without its kind's suffix and without parameters."""
    return re.sub(r"_\[[a-z]+\]$", "", frame)


def self_counts(stacks):
    counts = collections.Counter()
    for frames, n in stacks:
        counts[plain(frames[-1])] += n
    return counts


def total_counts(stacks):
    counts = collections.Counter()
    for frames, n in stacks:
        for f in {plain(f) for f in frames[1:]}:
            counts[f] += n
    return counts


def answers(text):
    """A workload's own account: "name nanoseconds" lines."""
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) (\d+)$", text, re.M)}


def assert_shares(got, want, points):
    """got, want: {name: amount}; each share of the sum over want's names within so many points."""
    got_sum, want_sum = sum(got[n] for n in want), sum(want.values())
    assert got_sum, f"none of {sorted(want)} was sampled; sampled were {dict(got.most_common(5))}"
    for name, amount in want.items():
        g, w = 100 * got[name] / got_sum, 100 * amount / want_sum
        print(f"  {name}: {g:.2f} % sampled, {w:.2f} % by its own clock")
        assert abs(g - w) <= points, f"{name}: {g:.2f} % sampled, {w:.2f} % true: over {points} points apart"


def run_tests(namespace):
    """Runs every test_* function in order; the exit status is the script's. A skip of all is 77."""
    tests = [(n, f) for n, f in namespace.items() if n.startswith("test_")]
    only = sys.argv[1:]
    failed, skipped, ran = [], [], 0
    for name, test in tests:
        if only and name not in only:
            continue
        begin = time.time()
        try:
            print(f"{name}", flush=True)
            test()
            ran += 1
            print(f"  ok, {time.time() - begin:.1f} s", flush=True)
        except Skip as s:
            skipped.append(name)
            print(f"  SKIP: {s}", flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(name)
    print(f"{ran} passed, {len(failed)} failed, {len(skipped)} skipped")
    if failed:
        sys.exit(1)
    # A script in which anything was skipped counts as skipped: the allowed-skips list decides.
    sys.exit(SKIP if skipped else 0)
