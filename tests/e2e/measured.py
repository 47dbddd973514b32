# SPDX-License-Identifier: Apache-2.0
"""What an agent measures of requests, on its page and over OTLP."""
import contextlib
import urllib.request

from hs import *  # noqa: F403
from peers.prometheus import families

os.environ.pop("HOTSPAN_TRACE_ROUTES_FILE", None)  # configurations say it


class Tracing(Agent):
    """An agent that traces these processes, or what an entry of targets.include says, and nobody else's."""

    def __init__(self, include, *receivers, trace="", **keys):
        self.include, self.receivers, self.port = include, receivers, free_port()
        super().__init__(self.config(trace), **keys)
        until(lambda: self.page())

    def config(self, trace):
        trace += "" if "routes_file" in trace else ", routes_file: 'off'"
        text = f"trace: {{enabled: true, {trace.lstrip(', ')}}}\nprometheus: {{listen: '127.0.0.1:{self.port}'}}\nsymbol_cache: {BUILD}/symbol-cache\n"
        text += f"listen: 127.0.0.1:0\nshutdown_timeout: 5s\ntargets: {{include: [{', '.join(self.include)}]}}\n"
        return text + ("receivers:\n" + "".join(self.receivers) if self.receivers else "")

    def page(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read()
        assert self.process.poll() is None, self.lines

    def counts(self, name="http_server_request_duration_seconds_count", method="http_request_method", status="http_response_status_code"):
        """{(method, route, status): requests}"""
        rows = collections.Counter()
        for _, (_, _, samples) in families(self.page()).items():
            for (n, labels), value in samples.items():
                if n == name:
                    l = dict(labels)
                    rows[l[method], l.get("http_route", "?"), l.get(status, "?")] += int(float(value))
        return rows


def workers(nginx):
    return [f"{{pid: {pid}}}" for pid in nginx.workers()]


def receiver(name, url, protocol):
    return f"  - {{name: {name}, type: otlp, url: '{url}', protocol: {protocol}, send: [metrics]}}\n"


class Series:
    """What a receiver got of one metric: {(service, attributes): [points]}, in the order it came."""

    def __init__(self, peer, name):
        said = peer.signals("metrics")
        assert not said["complaints"], said["complaints"]
        self.points, self.requests = collections.defaultdict(list), len(said["requests"])
        for r in (r for request in said["requests"] for r in request["resources"]):
            self.resource, self.scope = {k: v[1] for k, v in r["resource"]}, r["scope"]
            for m in (m for m in r["items"] if m["name"] == name):
                self.kind, self.unit = m["kind"], m["unit"]
                for p in m["points"]:
                    key = (self.resource["service.name"], frozenset((k, v[1]) for k, v in p["attributes"]))
                    self.points[key].append(p)

    def last(self):
        return {frozenset(k[1]): v[-1] for k, v in self.points.items()}

    def counts(self, method="http.request.method", status="http.response.status_code"):
        rows = collections.Counter()
        for attributes, p in self.last().items():
            a = dict(attributes)
            rows[a[method], a.get("http.route", "?"), str(a.get(status, "?"))] += sum(p["counts"])
        return rows
