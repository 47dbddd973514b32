#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random spans and metrics, encoded by the agent's encoders and decoded by OpenTelemetry's own package, are what went in;
and so they are behind grpcio's server and over HTTP, with what those answer counted."""
import signals
from hs import *  # noqa: F403
from peers.otlp import Peer, decode_signals

MAKE = BUILD / "tests/unit/signals_make"


def encode(kind, made, most=0):
    raw, requests = subprocess.run([MAKE, kind, str(most)], input=made.input, capture_output=True, check=True).stdout, []
    while raw:
        n = int.from_bytes(raw[:4], "little")
        requests.append(raw[4:4 + n])
        raw = raw[4 + n:]
    return requests


def send(made, url, protocol, compression):
    p = subprocess.run([MAKE, "send", url, protocol, compression], input=made.input, capture_output=True, text=False, timeout=60)
    assert p.returncode == 0, p.stderr
    return p.stdout.decode()


def test_random_spans():
    for seed in range(20):
        made = signals.Signals(seed, families=0)
        [request] = encode("traces", made)
        signals.compare_spans(made, decode_signals("traces", [request]))
    print(f"  {len(made.spans)} spans: {len(request)} bytes")


def test_random_metrics():
    for seed in range(20):
        made = signals.Signals(seed, spans=0)
        signals.compare_metrics(made, decode_signals("metrics", encode("metrics", made)))


def test_requests_that_are_cut_are_the_same_together():
    for seed, most in ((1, 20000), (2, 4000), (3, 1)):
        made = signals.Signals(seed, spans=2000, series=200)
        spans, metrics = encode("traces", made, most), encode("metrics", made, most)
        print(f"  of {most}: {len(spans)}, {len(metrics)} requests; {max(map(len, spans))}, {max(map(len, metrics))} bytes the longest")
        assert len(spans) > 5 and len(metrics) > 5 and max(map(len, spans + metrics)) < most + 1500
        signals.compare_spans(made, decode_signals("traces", spans))
        signals.compare_metrics(made, decode_signals("metrics", metrics))


def test_every_way_carries_them():
    for protocol, compression in (("grpc", "gzip"), ("grpc", "none"), ("http/protobuf", "gzip"), ("http/protobuf", "zstd"), ("http/protobuf", "none")):
        made = signals.Signals(protocol + compression, spans=1500, series=100)
        with Peer() as peer:
            said = send(made, peer.grpc if protocol == "grpc" else peer.http, protocol, compression)
            points = sum(len(f["points"]) for f in made.families)
            assert f"sent {len(made.spans)} spans, {points} data points" in said, said
            assert f"traces: {len(made.spans)} delivered, 0 refused, 0 rejected\nmetrics: {points} delivered, 0 refused, 0 rejected" in said, said
            got = peer.signals("traces")
            key = lambda x: json.dumps(x[1], sort_keys=True)
            assert sorted(signals.spans_of(got), key=key) == sorted([(made.resources[i], s) for i, s in made.spans], key=key)
            signals.compare_metrics(made, peer.signals("metrics"))
            assert len(peer.files("traces")) > 2 and len(peer.files("metrics")) > 1 and not peer.files("pb")


def test_what_servers_reject_is_counted_and_said():
    for protocol in ("grpc", "http/protobuf"):
        with Peer() as peer:
            url = peer.grpc if protocol == "grpc" else peer.http
            peer.answer("partial 3 no room for these")
            said = send(signals.Signals(1, spans=50, families=0), url, protocol, "gzip")
            assert "receiver peer: it took a request without 3 of its spans: no room for these" in said, said
            assert "traces: 50 delivered, 0 refused, 3 rejected\nmetrics: 0 delivered, 0 refused, 0 rejected" in said, said
            peer.answer("partial 5")
            made = signals.Signals(2, spans=0)
            said = send(made, url, protocol, "gzip")
            points = sum(len(f["points"]) for f in made.families)
            assert "without 5 of its data points" in said and f"metrics: {points} delivered, 0 refused, 5 rejected" in said, said
            peer.answer("grpc INVALID_ARGUMENT not so" if protocol == "grpc" else "http 400 not so")
            said = send(signals.Signals(1, spans=50, families=0), url, protocol, "gzip")
            assert re.search(r"receiver peer: request of 50 spans: the server refused it for good, dropped: .*not so", said) and "traces: 0 delivered, 50 refused" in said, said


if __name__ == "__main__":
    run_tests(globals())
