#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent against OpenTelemetry's own collector: every way of OTLP, several at once, carries what the agent says it took."""
import collections
import contextlib

import peers
from hs import *  # noqa: F403
from pyroscope import certificates

# name: (protocol, compression, TLS). grpc-go, unlike grpcio, has zstd.
WAYS = {"grpc-none": ("grpc", "none", False), "grpc-gzip": ("grpc", "gzip", True), "grpc-zstd": ("grpc", "zstd", False),
        "http-none": ("http/protobuf", "none", False), "http-gzip": ("http/protobuf", "gzip", False), "http-zstd": ("http/protobuf", "zstd", True)}


class Collector:
    """A receiver of OTLP for each of WAYS; .lines: what its exporters were given, a dict for each profile."""

    def __init__(self, folder):
        self.folder, self.lines = pathlib.Path(folder), []
        self.ports = {name: free_port() for name in WAYS}
        (self.folder / "collector.yaml").write_text(self.config())
        self.process = subprocess.Popen([peers.go_program("gocollector"), "--config", self.folder / "collector.yaml", "--feature-gates", "service.profilesSupport"],
                                        stdout=subprocess.PIPE, stderr=(self.folder / "log").open("w"), text=True)
        self.reader = threading.Thread(target=lambda: self.lines.extend(map(json.loads, self.process.stdout)), daemon=True)
        self.reader.start()
        until(lambda: self.process.poll() is not None or "Everything is ready" in self.log())
        assert self.process.poll() is None, self.log()

    def log(self):
        return (self.folder / "log").read_text()

    def config(self):
        tls = f", tls: {{cert_file: {self.folder}/server.pem, key_file: {self.folder}/server.key}}"
        receivers = "".join(f'  otlp/{name}: {{protocols: {{{protocol[:4]}: {{endpoint: "127.0.0.1:{self.ports[name]}"{tls if secure else ""}}}}}}}\n'
                            for name, (protocol, _, secure) in WAYS.items())
        return (f"receivers:\n{receivers}exporters:\n" + "".join(f"  print/{name}:\n" for name in WAYS) + "service:\n  pipelines:\n" +
                "".join(f"    profiles/{name}: {{receivers: [otlp/{name}], exporters: [print/{name}]}}\n" for name in WAYS))

    def receivers(self):
        """The agent's side of it."""
        tls = f"    tls_config: {{ca_file: {self.folder}/ca.pem, server_name: localhost}}\n"
        return "receivers:\n" + "".join(f"  - name: {name}\n    type: otlp\n    protocol: {protocol}\n    compression: {compression}\n"
                                        f"    url: http{'s' if secure else ''}://127.0.0.1:{self.ports[name]}\n{tls if secure else ''}"
                                        for name, (protocol, compression, secure) in WAYS.items())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.reader.join(5)


@contextlib.contextmanager
def collector():
    with tempfile.TemporaryDirectory(prefix="hotspan-collector-") as folder:
        certificates(folder)
        peer = Collector(folder)
        try:
            yield peer
        finally:
            peer.process.kill()
            peer.process.wait()


def burn(name, *argv):
    p = subprocess.run([workload(argv[0]), *map(str, argv[1:])], capture_output=True, text=True, env=dict(os.environ, OTEL_SERVICE_NAME=name))
    return sum(answers(p.stdout).values())


def said(line):
    """(samples lost, those it had)."""
    return tuple(map(int, re.search(r"lost (\d+) of (\d+) samples", line["comment"]).groups()))


def test_every_way_carries_what_the_agent_took():
    """One interval of more than a message's 4 MiB, from two threads no two stacks of which are alike, and a program with two halves."""
    maze, spin = f"maze-{os.getpid()}", f"spin-{os.getpid()}"
    with collector() as peer:
        config = lambda interval: f"frequency: 999\nflush_interval: {interval}\nshutdown_timeout: 20s\nmax_cpu_percent: 0\nmax_memory_bytes: 1GiB\nmax_window_bytes: 256MiB\n{peer.receivers()}"
        with Agent(config("60s")) as agent:
            want = {maze: burn(maze, "maze", 480, 3), spin: burn(spin, "spin", 2)}
            agent.reload(config("1s"))
            until(lambda: agent.metrics()["hotspan_windows_total"] >= 1)
            assert agent.stop() == 0
            trouble = [l for l in agent.lines if "receiver " in l]
        peer.stop()
    assert not trouble, trouble
    for name in WAYS:
        lines = [l for l in peer.lines if l["exporter"] == name]
        sums, accounts = collections.Counter(), {l["time"]: said(l) for l in lines}
        took, lost = {t: of - lost for t, (lost, of) in accounts.items()}, sum(lost for lost, _ in accounts.values())
        for l in lines:
            sums[l["time"]] += l["sum"]
        cpu = {s: sum(l["sum"] * l["period"] for l in lines if l["service"] == s) for s in want}
        print(f"  {name}: {len(lines)} profiles, {sum(sums.values())} of {sum(took.values())} samples; " + ", ".join(f"{100 * cpu[s] / want[s]:.2f} % of {s}" for s in want))
        assert sums == took and lines, (sums, took)
        share = lost / (lost + sum(took.values()))  # where others want the CPUs, the timer may be late
        assert all(abs(cpu[s] / want[s] - 1) < 0.05 + share for s in want), (cpu, want, share)
        assert {l["type"] for l in lines} == {"samples"}
        assert sum(l["service"] == maze for l in lines) > 1 and max(l["deepest"] for l in lines) > 480, "it went in parts, each stack whole"
        half = sum(l["leaves"].get("spin_half", 0) for l in lines if l["service"] == spin) * lines[0]["period"] / cpu[spin]
        assert abs(half - 0.5) < 0.05, half


if __name__ == "__main__":
    run_tests(globals())
