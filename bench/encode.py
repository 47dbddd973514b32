# SPDX-License-Identifier: Apache-2.0
"""encode - a window of ten thousand real stacks as bytes, and sent until a receiver has it: what ours costs, beside what Go has for it
on the same window."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from agent import Mixed

HERE = pathlib.Path(__file__).parent
# The tests' helpers look for the build there when they are loaded.
os.environ["HOTSPAN_BUILD"] = sys.argv[1]
sys.path.append(str(HERE.parent / "tests"))
import hs  # noqa: E402
import peers  # noqa: E402
import pyroscope  # noqa: E402

HZ, SECONDS, STACKS, CGROUP = 999, 20, 10000, "hotspan-bench-window"
AGENT = """frequency: %d
flush_interval: 600s
listen: 'off'
symbol_cache: '%s/symbols'
max_cpu_percent: 0
targets:
  include: [{cgroup: /%s}]
receivers:
  - {name: files, type: file, path: '%s'}
"""
COLLECTOR = """receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:%d'}, http: {endpoint: '127.0.0.1:%d'}}}}
exporters: {print: }
service: {pipelines: {profiles: {receivers: [otlp], exporters: [print]}}}
"""


@contextlib.contextmanager
def load_apart():
    """The mixed load in a cgroup of its own: what else runs on the host is not in the window."""
    with hs.cgroup(CGROUP) as folder:
        us = next(line[3:].strip().lstrip("/") for line in open("/proc/self/cgroup") if line.startswith("0::"))
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            load = Mixed()
        finally:
            (folder.parent / us / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            load.stop()
            hs.until(lambda: not (folder / "cgroup.procs").read_text())


def record(build, folder, seconds):
    """What an agent sends of so long an interval."""
    shutil.rmtree(folder, ignore_errors=True)
    config = folder.parent / "window.yaml"
    config.write_text(AGENT % (HZ, folder.parent, CGROUP, folder))
    with load_apart():
        agent = subprocess.Popen([build / "hotspan", "agent", "-c", config], stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        agent.terminate()
        assert agent.wait(60) == 0


def json_lines(argv, **env):
    out = subprocess.run(list(map(str, argv)), stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ, **env)).stdout
    return [json.loads(line) for line in out.splitlines()]


def encoded(build, folder):
    """Our rows of a window of so many stacks at least."""
    for seconds in range(SECONDS, 4 * SECONDS, 5):
        record(build, folder, seconds)
        rows = json_lines([build / "bench/bench_pprof", "window"], HOTSPAN_BENCH_WINDOW=str(folder))
        if rows[0]["stacks"] >= STACKS:
            break
    return rows


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def connected(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True


@contextlib.contextmanager
def receivers(build, tmp):
    """The tests' Pyroscope, which reads every profile, and OpenTelemetry's collector where it can be had: as the benches' environment has it."""
    with pyroscope.Fake() as fake, contextlib.ExitStack() as stack:
        env = {"HOTSPAN_BENCH_PYROSCOPE": fake.url}
        with contextlib.suppress(hs.Skip):
            program, ports = peers.go_program("gocollector"), [free_port(), free_port()]
            (tmp / "collector.yaml").write_text(COLLECTOR % tuple(ports))
            collector = subprocess.Popen([program, "--config", tmp / "collector.yaml", "--feature-gates", "service.profilesSupport"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(collector.wait)
            stack.callback(collector.kill)
            hs.until(lambda: all(map(connected, ports)))
            env |= {"HOTSPAN_BENCH_OTLP_GRPC": f"http://127.0.0.1:{ports[0]}", "HOTSPAN_BENCH_OTLP_HTTP": f"http://127.0.0.1:{ports[1]}"}
        yield env


def go(tmp):
    """The program of goencode, None where it cannot be made."""
    if not shutil.which("go"):
        return None
    src = pathlib.Path(shutil.copytree(HERE / "goencode", tmp / "goencode"))
    built = subprocess.run(["go", "build", "-o", src / "goencode", "."], cwd=src, capture_output=True, env=dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local"))
    return src / "goencode" if built.returncode == 0 else None


def rows(build):
    with tempfile.TemporaryDirectory() as folder:
        tmp = pathlib.Path(folder)
        yield from encoded(build, tmp / "window")
        peer = go(tmp)
        with receivers(build, tmp) as env:
            env |= {"HOTSPAN_BENCH_WINDOW": str(tmp / "window"), "HOTSPAN_BENCH_OTLP_FILE": str(tmp / "otlp")}
            yield from json_lines([build / "bench/bench_send"], **env)
            if peer:
                yield from json_lines([peer, tmp / "window"], **env)
