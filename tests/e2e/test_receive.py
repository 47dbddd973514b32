#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An agent as the destination of agents: what arrives behind it is what was pushed to it, over its restarts too; what it
refuses, and how; agents in a circle."""
import gzip
import http.client
import socket

from hs import *  # noqa: F403
from pushing import is_whole, spin
from pyroscope import PUSH, Fake

NAME = f"receive-{os.getpid()}"


def receiver(name, port, more=""):
    return f"{{name: {name}, url: 'http://127.0.0.1:{port}'{more}}}"


def config(receivers, service, more="", agent="a"):
    """Of this host only one service, so that two agents are told apart."""
    return (f"listen: 127.0.0.1:0\nfrequency: 499\nflush_interval: 1s\nshutdown_timeout: 10s\nmax_cpu_percent: 0\nlabels: {{agent: {agent}}}\n"
            f"targets: {{include: [{{service: {service}}}]}}\nreceivers: [{', '.join(receivers)}]\n{more}")


def middle(port, to, more="", service="nobody", receivers=()):
    return config([receiver("up", to, more), *receivers], service, f"receive: {{listen: '127.0.0.1:{port}'}}\n", agent="b")


def burnt(p):
    return sum(answers(p.communicate()[0]).values())


def metric(agent, name, **labels):
    return agent.metrics()[f"{name}{{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}"]


def received(agent, result="taken"):
    return metric(agent, "hotspan_received_pushes_total", result=result)


def stored(fake, service=NAME):
    return [r for r in fake.state()["log"] if r["stored"] and r["service"] == service]


def twice(rows):
    return len(rows) - len({r["id"] for r in rows})


def largest_gap(rows):
    """ns between intervals that follow each other."""
    times = sorted((r["time_nanos"], r["time_nanos"] + r["duration_nanos"]) for r in rows)
    return max(b[0] - a[1] for a, b in zip(times, times[1:]))


def cpu_ns(fake, **labels):
    return sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(**labels))


def test_what_arrives_is_what_was_pushed():
    port = free_port()
    with Fake() as fake, Agent(middle(port, fake.port)) as b, Agent(config([receiver("b", port)], NAME)) as a:
        b.wait_for("taking pushes at", f"127.0.0.1:{port}")
        burnt(spin(5, NAME))
        time.sleep(2.5)  # the last interval's
        m = a.metrics()
        pushed, sampled = m['hotspan_receiver_profiles_total{receiver="b",result="delivered"}'], m["hotspan_sampled_cpu_seconds_total"] * 1e9
        assert a.stop() == 0
        got = cpu_ns(fake, agent="a")
        print(f"  {pushed:.0f} pushes, {got / 1e9:.3f} of {sampled / 1e9:.3f} CPU s sampled arrived")
        assert pushed >= 5 and received(b) == pushed == fake.state()["requests"]["200"]
        assert abs(got - sampled) < 1e3  # the metric has nine digits
        [series] = fake.state()["series"]
        assert series["labels"] == {"__name__": "process_cpu", "agent": "a", "instance": socket.gethostname(), "service_name": NAME}, "labels are kept"
        assert metric(b, "hotspan_receiver_profiles_total", receiver="up", result="delivered") == pushed
        assert b.metrics()["hotspan_received_bytes_total"] == m['hotspan_receiver_delivered_bytes_total{receiver="b"}']
        assert b.stop() == 0


def over_restarts(kill, more, spool_of_b):
    port = free_port()
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        os.mkdir(f"{d}/b")
        way_up = middle(port, fake.port, f", spool: {d}/b" if spool_of_b else "")
        with Agent(config([receiver("b", port, f", spool: {d}{more}")], NAME)) as a:
            p = spin(16, NAME)
            for i in range(4):
                with Agent(way_up) as b:
                    time.sleep(3 if i < 3 else 6)
                    if i < 3 and kill:
                        b.process.kill()
                        b.process.wait()
                        time.sleep(0.5)
                    elif i < 3:
                        assert b.stop() == 0
                    else:
                        want = burnt(p)
                        until(lambda: is_whole(cpu_ns(fake, service_name=NAME), want))
                        assert a.stop() == 0 and b.stop() == 0
        rows = stored(fake)
        print(f"  {len(rows)} intervals, {twice(rows)} twice, largest gap {largest_gap(rows) / 1e6:.0f} ms")
        assert largest_gap(rows) < 50e6, "no interval is missing"
        return twice(rows)


def test_a_restart_in_between_loses_nothing():
    assert over_restarts(False, "", False) == 0


def test_a_kill_in_between_loses_nothing_where_both_have_spools():
    assert over_restarts(True, "", True) <= 3 * 8, "no more than were on their way"


# ---- by hand ----

def field(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def push_request(pprof=b"not looked into", **labels):
    return field(1, b"".join(field(1, field(1, k) + field(2, v)) for k, v in labels.items()) + field(2, field(1, pprof) + field(2, "an-id")))


def ask(port, body=b"", method="POST", path=PUSH, chunks=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {"Content-Type": "application/proto", **{k.replace("_", "-"): v for k, v in headers.items()}}
        c.request(method, path, chunks or body, headers, encode_chunked=bool(chunks))
        r = c.getresponse()
        text = r.read()
        print(f"  {r.status} {text.decode()[:100].strip()}")
        return r.status, dict(r.headers), json.loads(text) if text else {}
    finally:
        c.close()


def test_what_is_refused_and_how():
    port = free_port()
    good = push_request(service_name="checkout", __name__="process_cpu")
    with Fake() as fake, Agent(middle(port, fake.port)) as b:
        assert ask(port, good)[0] == 200
        assert ask(port, gzip.compress(good), Content_Encoding="gzip", Connect_Protocol_Version="1")[0] == 200
        assert ask(port, chunks=[good[:10], good[10:]], Transfer_Encoding="chunked")[0] == 200
        until(lambda: sum(fake.state()["requests"].values()) >= 3)
        assert received(b) == 3 and b.metrics()["hotspan_received_bytes_total"] == 3 * len(good)
        refusals = {
            "not_a_push": [(404, "what is taken here is POST", dict(path="/ingest?name=x")), (404, "", dict(path="/", method="GET")),
                           (405, "", dict(method="GET")), (415, "application/proto", dict(Content_Type="application/json")),
                           (415, "", dict(Content_Type="application/x-protobuf")), (501, "gzip", dict(Content_Encoding="zstd")),
                           (400, "Connect-Protocol-Version", dict(Connect_Protocol_Version="2"))],
            "malformed": [(400, "PushRequest", dict(body=good[:-1])), (400, "PushRequest", dict(body=b"\x08\x01\xff")), (400, "no profiles", dict(body=b"")),
                          (400, "no profiles", dict(body=field(1, field(1, b"")))), (400, "damaged", dict(body=b"\x1f\x8bxxxxxxxxxxxxxxx", Content_Encoding="gzip")),
                          (400, "middle", dict(body=gzip.compress(good)[:-9], Content_Encoding="gzip")), (400, "PushRequest", dict(body=b"<html>"))],
            "too_large": [(413, "16 MiB", dict(body=b"x", Content_Length=str(1 << 40))), (413, "", dict(body=push_request(bytes(17 << 20)))),
                          (413, "", dict(chunks=[bytes(1 << 20)] * 17, Transfer_Encoding="chunked")),
                          (413, "", dict(body=gzip.compress(bytes(100 << 20), 9), Content_Encoding="gzip"))],
        }
        rss = b.metrics()["process_resident_memory_bytes"]
        for result, cases in refusals.items():
            before = received(b, result)
            for status, words, how in cases:
                try:
                    got, _, said = ask(port, **how)
                except (BrokenPipeError, ConnectionResetError):  # it answered before all was sent
                    assert status == 413
                    continue
                assert got == status and words in said["message"] and said["code"], (how.get("path"), got, said)
            assert received(b, result) - before == len(cases), result
        before = received(b, "cut")  # those that hung up when they were refused
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\nContent-Length: 100\r\n\r\nabc".encode())
        until(lambda: received(b, "cut") == before + 1)
        assert received(b) == 3 and b.metrics()["process_resident_memory_bytes"] - rss < 48 << 20
        assert b.stop() == 0


def test_without_room_who_pushes_keeps_it():
    port, away = free_port(), free_port()
    big = push_request(os.urandom(30 << 10), service_name="checkout", __name__="process_cpu")
    with Agent(config(["{name: otlp, type: otlp, url: 'http://127.0.0.1:9'}"], "nobody", f"receive: {{listen: '127.0.0.1:{port}'}}\n")) as b:
        status, headers, said = ask(port, big)
        assert status == 503 and headers["Retry-After"] == "5" and "no receiver of type pyroscope" in said["message"] and received(b, "no_receiver") == 1
        b.reload(middle(port, away, ", queue_bytes: 64KiB"))
        b.wait_for("reloaded")
        assert [ask(port, big)[0] for _ in range(4)] == [200, 200, 429, 429]
        assert received(b, "full") == 2 and metric(b, "hotspan_receiver_profiles_total", receiver="up", result="queue_full") == 0
        b.reload(middle(port, away, ", queue_bytes: 64KiB", receivers=[receiver("other", free_port())]))
        b.wait_for("reloaded", after=len(b.lines) - 1)
        until(lambda: 'hotspan_receiver_queue_bytes{receiver="other"}' in b.metrics())
        assert ask(port, big)[0] == 200, "one that has room is enough; the others' oldest goes"
        assert metric(b, "hotspan_receiver_profiles_total", receiver="up", result="queue_full") == 1


def test_agents_in_a_circle_get_everything_once():
    ports, names = (free_port(), free_port()), (NAME + "-a", NAME + "-b")
    to = lambda i, fake: config([receiver("own", fake.port), receiver("other", ports[1 - i])], names[i], f"receive: {{listen: '127.0.0.1:{ports[i]}'}}\n", agent="ab"[i])
    with Fake() as one, Fake() as two, Agent(to(0, one)) as a, Agent(to(1, two)) as b:
        ps = [spin(5, n, share=0.5) for n in names]
        want = [burnt(p) for p in ps]
        time.sleep(3)
        requests = [fake.state()["requests"].copy() for fake in (one, two)]
        circles = [received(agent, "circle") for agent in (a, b)]
        time.sleep(3)
        assert requests == [fake.state()["requests"] for fake in (one, two)], "nothing goes round"
        print(f"  {requests}, refused as had: {circles}")
        assert min(circles) >= 4
        a.wait_for("receiver other", "HTTP 400", "in a circle")
        for fake in (one, two):
            for name, ns in zip(names, want):
                assert not twice(stored(fake, name)) and abs(cpu_ns(fake, service_name=name) / ns - 1) < 0.05, name
        assert a.stop() == 0 and b.stop() == 0


run_tests(globals())
