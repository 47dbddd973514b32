# SPDX-License-Identifier: Apache-2.0
"""The receiver of otlp_server.py as a context, and what it has got."""
import json
import pathlib
import re
import subprocess
import tempfile

import peers

HERE = pathlib.Path(__file__).parent


def decode_signals(kind, requests):
    """What OpenTelemetry's own package reads in requests of traces or metrics: see otlp_signals.py."""
    framed = b"".join(len(r).to_bytes(4, "little") + r for r in requests)
    return json.loads(subprocess.run([peers.environment("otlp"), HERE / "otlp_signals.py", kind], input=framed, capture_output=True, check=True).stdout)


class Peer:
    def __init__(self, layout="otlp", tls=None):
        self.folder = tempfile.TemporaryDirectory(prefix="hotspan-otlp-")
        self.python, self.decoded = peers.environment(layout), {}
        argv = [peers.environment("otlp"), HERE / "otlp_server.py", self.folder.name]
        self.process = subprocess.Popen([*map(str, argv), *map(str, tls or [])], stdout=subprocess.PIPE, text=True)
        self.grpc_port, self.http_port = self.process.stdout.readline().split()
        self.grpc, self.http = f"http://127.0.0.1:{self.grpc_port}", f"http://127.0.0.1:{self.http_port}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def answer(self, *lines):
        (pathlib.Path(self.folder.name) / "answers").write_text("\n".join(lines))

    def files(self, kind):
        return sorted(pathlib.Path(self.folder.name).glob(f"*.{kind}"))

    def how(self):
        return [p.read_text() for p in self.files("how")]

    def signals(self, kind):
        return decode_signals(kind, [p.read_bytes() for p in self.files(kind)])

    def sizes(self):
        return [p.stat().st_size for p in self.files("pb")]

    def resources(self, *how):
        found = []
        for p in self.files("pb"):
            if (p, how) not in self.decoded:
                d = json.loads(subprocess.run([self.python, HERE / "otlp_decode.py", *how], input=p.read_bytes(), capture_output=True, check=True).stdout)
                assert not d["complaints"], d["complaints"][:3]
                self.decoded[p, how] = d["resources"]
            found += self.decoded[p, how]
        return found

    def samples(self):
        """{time of an interval: (samples that arrived, samples it had by its own account)}."""
        found = {}
        for p in (p for r in self.resources("brief") for p in r["profiles"]):
            lost, of = map(int, re.search(r"lost (\d+) of (\d+) samples", p["attributes"]["pprof.profile.comment"][0][0]).groups())
            found[p["time"]] = (found.get(p["time"], (0, 0))[0] + sum(v for s in p["samples"] for v in s["values"]), of - lost)
        return found

    def cpu_ns(self, service):
        return sum(v * p["period"] for r in self.resources("brief") if r["resource"]["service.name"] == service for p in r["profiles"]
                   for s in p["samples"] for v in s["values"])
