#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Requests counted by the agent: what its Prometheus page says equals the access log, by route, method and status.
Their CPU time is test_join.py's."""
import threading
import urllib.request

from hs import *  # noqa: F403
from nginx import Nginx, raw

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-red-"))


class Agent:
    """An agent that traces; its page of what is measured."""

    def __init__(self, more="", trace="", listen="off"):
        self.port = free_port()
        config = tmp / f"{self.port}.yaml"
        config.write_text(f"trace: {{enabled: true{trace and ', ' + trace}}}\nprometheus: {{listen: '127.0.0.1:{self.port}'}}\nlisten: '{listen}'\nsymbol_cache: {tmp}/cache\nmax_cpu_percent: 0\n{more}")
        self.process = subprocess.Popen([HOTSPAN, "agent", "-c", config], stderr=subprocess.PIPE, text=True)
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()
        until(lambda: self.page() is not None)

    def page(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10).read().decode()
        except OSError:
            assert self.process.poll() is None, "the agent ended"
            return None

    def series(self, name):
        """{frozenset of labels: value}"""
        found = {}
        for line in self.page().splitlines():
            m = re.match(rf"{name}{{(.*)}} (\S+)$", line)
            if m:
                found[frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[1]))] = float(m[2])
        return found

    def counts(self, service):
        """{(method, route, status): requests} of servers."""
        rows = collections.Counter()
        for labels, n in self.series("http_server_request_duration_seconds_count").items():
            l = dict(labels)
            if l.get("service_name") == service:
                rows[l["http_request_method"], l.get("http_route", "?"), l.get("http_response_status_code", "?")] += int(n)
        return rows

    def end(self):
        self.process.terminate()
        assert self.process.wait(60) == 0


def route_of(uri):
    """As routes are learned: a segment with a digit is a place for one."""
    return "/".join("*" if re.search(r"\d", s) else s for s in uri.split("/"))


def test_counts_by_route_equal_the_log():
    with Nginx(tmp) as nginx:
        agent = Agent(nginx.targets())
        raw(nginx.port, b"GET /ok/probe HTTP/1.0\r\n\r\n")
        for i in range(400):
            method = [b"GET", b"POST", b"DELETE"][i % 3]
            what = [b"ok", b"missing", b"broken", b"gone"][i % 4]
            raw(nginx.port, b"%s /%s/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (method, what, i))
        many = b"".join(b"GET /ok/many/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(30))
        raw(nginx.port, many + b"GET /ok/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        until(lambda: sum(agent.counts("nginx").values()) >= 432)
        time.sleep(1)
        got = agent.counts("nginx")
        agent.end()
        want = collections.Counter((r["method"], route_of(r["uri"]), str(r["status"])) for r in nginx.log())
    assert got == want, (got - want, want - got)


def test_starved_it_counts_all_the_same():
    with Nginx(tmp) as nginx:
        agent = Agent(nginx.targets())
        os.setpriority(os.PRIO_PROCESS, agent.process.pid, 19)
        burners = [subprocess.Popen([workload("spin"), "20"], stdout=subprocess.DEVNULL) for _ in range(2 * os.cpu_count())]
        wrk = subprocess.run([need("wrk"), "-t1", "-c8", "-d4s", f"http://127.0.0.1:{nginx.port}/ok/x"], capture_output=True, text=True).stdout
        for b in burners:
            b.kill()
        time.sleep(2)
        got = sum(agent.counts("nginx").values())
        agent.end()
        log = len(nginx.log())
    assert int(re.search(r"(\d+) requests in", wrk)[1]) > 1000
    assert abs(got - log) <= 0.001 * log, (got, log)


if __name__ == "__main__":
    run_tests(globals())
