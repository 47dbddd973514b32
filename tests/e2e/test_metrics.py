#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Metrics of requests as they leave the host: over OTLP, read by OpenTelemetry's own package, and on the page, beside access logs."""
from hs import *  # noqa: F403
from measured import Series, Tracing, receiver, workers
from nginx import Nginx, raw
from peers.otlp import Peer
from peers.prometheus import complaints, families

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-metrics-"))


def ask(nginx, n):
    for i in range(n):
        method = [b"GET", b"POST", b"DELETE"][i % 3]
        what = [b"ok", b"missing", b"broken", b"gone"][i % 4]
        raw(nginx.port, b"%s /%s/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc" % (method, what, i))


def route_of(uri):
    return "/".join("*" if re.search(r"\d", s) else s for s in uri.split("/"))


def logged(nginx):
    return collections.Counter((r["method"], route_of(r["uri"]), str(r["status"])) for r in nginx.log())


def test_what_arrives_over_otlp_equals_the_log():
    with Peer() as over_grpc, Peer() as over_http, Nginx(tmp) as nginx:
        begin = time.time_ns()
        with Tracing(workers(nginx), receiver("g", over_grpc.grpc, "grpc"), receiver("h", over_http.http, "http/protobuf"), trace="metrics_interval: 1s") as agent:
            for i in range(3):
                ask(nginx, 60)
                until(lambda: min(len(peer.how()) for peer in (over_grpc, over_http)) > i)
            ask(nginx, 7)  # what no interval has: it goes at the end
            assert agent.stop() == 0
            want, log = logged(nginx), nginx.log()
            for peer in over_grpc, over_http:
                got = Series(peer, "http.server.request.duration")
                assert got.counts() == want, (got.counts() - want, want - got.counts())
                assert got.requests >= 3 and (got.kind, got.unit) == ("histogram", "s") and got.scope[0] == "hotspan"
                assert got.resource["service.name"] == "nginx" and got.resource["telemetry.sdk.name"] == "hotspan" and got.resource["os.type"] == "linux", got.resource
                for points in got.points.values():
                    assert len({p["start"] for p in points}) == 1 and begin < points[0]["start"] < points[0]["time"], points
                    assert all(a["time"] < b["time"] and a["sum"] <= b["sum"] and all(x <= y for x, y in zip(a["counts"], b["counts"])) for a, b in zip(points, points[1:])), points
                for attributes, p in got.last().items():
                    a = dict(attributes)
                    assert a.get("error.type") == ("500" if a["http.response.status_code"] == 500 else None) and a["url.scheme"] == "http"
                    assert p["bounds"] == [.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10]
                sizes = Series(peer, "http.server.response.body.size")
                assert sizes.unit == "By" and sum(p["sum"] for p in sizes.last().values()) == sum(r["bytes"] for r in log)
                assert sum(p["sum"] for p in Series(peer, "http.server.request.body.size").last().values()) == 3 * len(log)
                assert Series(peer, "hotspan.http.server.cpu.time").kind == "sum"
            assert all(h.startswith("grpc") for h in over_grpc.how()) and all(h.startswith("http gzip") for h in over_http.how())


def test_the_end_is_an_interval_too():
    with Peer() as peer, Nginx(tmp) as nginx:
        with Tracing(workers(nginx), receiver("h", peer.http, "http/protobuf")) as agent:
            ask(nginx, 8)
            assert agent.stop() == 0
            got, want = Series(peer, "http.server.request.duration"), logged(nginx)
            assert got.requests == 1 and got.counts() == want, (got.counts(), want)


def test_what_a_server_that_is_away_misses_is_in_the_next():
    with Peer() as peer, Nginx(tmp) as nginx:
        peer.answer("http 503 later")
        with Tracing(workers(nginx), receiver("h", peer.http, "http/protobuf"), env=dict(os.environ, OTEL_METRIC_EXPORT_INTERVAL="1000")) as agent:
            ask(nginx, 8)
            agent.wait_for("receiver h", "HTTP 503", "next try in")
            until(lambda: peer.how())
            assert agent.stop() == 0
            got, want = Series(peer, "http.server.request.duration"), logged(nginx)
            assert got.counts() == want, (got.counts(), want)


def test_names_are_the_conventions_or_beylas():
    with Peer() as peer, Nginx(tmp) as nginx:
        with Tracing(workers(nginx), receiver("h", peer.http, "http/protobuf")) as agent:
            ask(nginx, 24)
            until(lambda: sum(agent.counts().values()) == 24)
            stable = families(agent.page())
            assert not complaints(agent.page()), complaints(agent.page())
            ours = {"hotspan_http_server_cpu_time_seconds", "hotspan_http_server_cpu_unattributed_seconds", "target_info"}
            assert set(stable) - ours == {"http_server_request_duration_seconds", "http_server_request_body_size_bytes",
                                          "http_server_response_body_size_bytes"}, set(stable)
            agent.reload(agent.config("metric_names: beyla"))
            agent.wait_for("reloaded")
            beyla = families(agent.page())
            assert not complaints(agent.page()), complaints(agent.page())
            assert set(beyla) - ours == {"http_server_duration_seconds", "http_server_request_size_bytes"}, set(beyla)
            labels = {k for _, l in beyla["http_server_duration_seconds"][2] for k, _ in l}
            assert labels == {"job", "instance", "service_name", "http_method", "http_status_code", "http_route", "le"}, labels
            on_page = agent.counts("http_server_duration_seconds_count", "http_method", "http_status_code")
            assert agent.stop() == 0
            got, want = Series(peer, "http.server.duration"), logged(nginx)
            assert on_page == want and got.unit == "s" and got.counts("http.method", "http.status_code") == want, (on_page, got.points)


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
