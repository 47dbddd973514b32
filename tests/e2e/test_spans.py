#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Spans of the agent, as OpenTelemetry's own package reads them: each request is one, on its own connection, in its own trace;
what is sampled and what is kept; what an outage leaves. Ids inside the requests are the proof."""
import contextlib
import random
import socket

from hs import *  # noqa: F403
from nginx import Nginx, raw
from peers.otlp import Peer

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-spans-"))
SERVER, CLIENT, ERROR = 2, 3, 2
LAST_56 = (1 << 56) - 1


def config(*receivers, trace="", more="", who=f"*-{os.getpid()}"):
    """Only services of this very test are traced: others run beside it."""
    return (f"trace: {{enabled: true{trace}}}\nflush_interval: 2s\nsymbol_cache: {tmp}/cache\nmax_cpu_percent: 0\n"
            f"targets: {{include: [{{service: '{who}'}}]}}\n{more}receivers:\n" + "".join(receivers))


def receiver(name, url, **keys):
    keys = {"send": "[traces]", **keys}
    return f"  - name: {name}\n    type: otlp\n    url: {url}\n" + "".join(f"    {k}: {v}\n" for k, v in keys.items())


def service(name):
    return f"{name}-{os.getpid()}"


def environment(name):
    return {**os.environ, "OTEL_SERVICE_NAME": service(name)}


def spans(peer, name):
    """Of one service, attributes by name."""
    decoded = peer.signals("traces")
    assert not decoded["complaints"], decoded["complaints"][:3]
    found = []
    for r in (r for q in decoded["requests"] for r in q["resources"]):
        resource = {k: v for k, (_, v) in r["resource"]}
        if resource["service.name"] in (name, service(name)):
            assert resource["host.name"] == socket.gethostname() and resource["telemetry.sdk.name"] == "hotspan", resource
            found += [dict(s, attributes={k: v for k, (_, v) in s["attributes"]}) for s in r["items"]]
    return found


def of(found, kind, path=""):
    url = "url.path" if kind == SERVER else "url.full"
    return [s for s in found if s["kind"] == kind and path in s["attributes"].get(url, "")]


# /work/ID?sleep: answers ID, perhaps after it has asked the backend for /back/ID on a connection of its own.
THREADS = """
import http.client, http.server, re, socketserver, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    def do_GET(self):
        what, ident = self.path.split("/")[1:3]
        if what == "ask":
            backend = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
            backend.request("GET", "/back/" + ident)
            assert backend.getresponse().read() == ident.encode()
            backend.close()
        if what == "slow":
            time.sleep(0.4)
        if what == "burn":
            end = time.thread_time() + 0.3
            while time.thread_time() < end: pass
        self.send_response(500 if what == "fail" else 200)
        self.send_header("Content-Length", len(ident))
        self.end_headers()
        self.wfile.write(ident.encode())
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 256
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# The same of one thread that works on all of them at once.
LOOP = """
import asyncio, sys
async def ask(ident):
    r, w = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    w.write(f"GET /back/{ident} HTTP/1.1\\r\\nHost: b\\r\\nConnection: close\\r\\n\\r\\n".encode())
    assert (await r.read()).endswith(ident.encode())
    w.close()
async def serve(r, w):
    try:
        while True:
            head = (await r.readuntil(b"\\r\\n\\r\\n")).decode()
            what, ident = head.split()[1].split("/")[1:3]
            if what == "ask":
                await ask(ident)
            await asyncio.sleep({"late": 0.3, "slow": 0.8}.get(what, 0))
            w.write(f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(ident)}\\r\\n\\r\\n{ident}".encode())
            if what == "late":
                await asyncio.sleep(0.2)
                await ask(ident)
            if "Connection: close" in head:
                return w.close()
    except asyncio.IncompleteReadError:
        w.close()
async def main():
    await (await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=256)).serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def server(program, name, *argv):
    port = free_port()
    p = subprocess.Popen([sys.executable, "-c", program, str(port), *map(str, argv)], env=environment(name))
    try:
        until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)))
        yield port
    finally:
        p.kill()
        p.wait()


def get(port, path, *headers):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: t", "Connection: close", *headers, "", ""]).encode())
        return s.makefile("rb").read()


def introduce(*ports):
    """From the next connection on they are known to the agent."""
    for port in ports:
        get(port, "/hello/0")
    time.sleep(1)


def parent(trace, span, flags):
    return f"Traceparent: 00-{trace}-{span}-{flags:02x}"


def test_each_request_is_a_span_whichever_way_it_goes():
    with Nginx(tmp) as nginx, Peer() as grpc, Peer() as http, \
            Agent(config(receiver("grpc", grpc.grpc, protocol="grpc"), receiver("http", http.http, compression="zstd"), who="nginx")) as agent:
        for i in range(60):
            method, what = ["GET", "POST", "PURGE"][i % 3], ["ok", "missing", "broken", "gone"][i % 4]
            raw(nginx.port, f"{method} /{what}/{i}?token=secret HTTP/1.1\r\nHost: u:secret@h.example:81\r\nUser-Agent: {os.getpid()}/{i}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        assert agent.stop() == 0
        want = collections.Counter((r["method"], r["uri"], r["status"]) for r in nginx.log())
        for peer in grpc, http:
            assert b"secret" not in b"".join(p.read_bytes() for p in peer.files("traces"))
            found = [s for s in spans(peer, "nginx") if s["attributes"].get("user_agent.original", "").startswith(f"{os.getpid()}/")]  # not of tests beside us
            said = collections.Counter()
            for s in found:
                a = s["attributes"]
                i = int(a["url.path"].rsplit("/", 1)[1])
                said[a.get("http.request.method_original", a["http.request.method"]), a["url.path"], a["http.response.status_code"]] += 1
                assert s["kind"] == SERVER and not s["parent"] and s["state"] == "ot=th:0" and s["flags"] == 3, s
                assert a["http.route"] == re.sub(r"\d+$", "*", a["url.path"]) and s["name"] == ("HTTP" if "http.request.method_original" in a else a["http.request.method"]) + " " + a["http.route"], s
                assert (a["server.address"], a["server.port"], a["user_agent.original"], a["client.address"]) == ("h.example", 81, f"{os.getpid()}/{i}", "127.0.0.1"), a
                assert (s["status"] == ERROR) == (a["http.response.status_code"] >= 500) == (a.get("error.type") == "500"), s
            assert said == want, (said - want, want - said)
            assert len({s["span"] for s in found}) == len({s["trace"] for s in found}) == 60


class Mix:
    """100 connections that are kept, requests in batches on each; which id went over which port, in which trace."""

    def __init__(self, port, seed):
        self.port, self.sent, self.lock, self.failed = port, {}, threading.Lock(), []
        threads = [threading.Thread(target=self.connection, args=(n, random.Random(seed + n))) for n in range(100)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert not self.failed, self.failed[:3]

    def connection(self, n, rng):
        try:
            s = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            answers = s.makefile("rb")
            for batch in range(3):
                idents = [f"{n}x{batch}x{k}" for k in range(rng.randint(1, 6))]
                s.sendall("".join(self.request(i, rng, s.getsockname()[1]) for i in idents).encode())
                for i in idents:
                    assert b" 200 " in answers.readline()
                    while answers.readline() != b"\r\n":
                        pass
                    assert answers.read(len(i)) == i.encode()
        except Exception as e:
            self.failed.append(repr(e))

    def request(self, ident, rng, port):
        trace, span, what = f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(64):016x}", rng.choice(["ask", "work"])
        traced = rng.random() < 0.7
        with self.lock:
            self.sent[ident] = {"trace": trace if traced else None, "span": span if traced else "", "port": port, "what": what}
        return f"GET /{what}/{ident} HTTP/1.1\r\nHost: mix\r\n{parent(trace, span, 1) if traced else 'X: y'}\r\n\r\n"


def check_mix(program, first_are_nested):
    with Peer() as peer, server(THREADS, "back") as back, server(program, "front", back) as front, Agent(config(receiver("p", peer.http))) as agent:
        introduce(back, front)
        mix = Mix(front, random.randrange(1 << 32))
        asked = sum(s["what"] == "ask" for s in mix.sent.values())
        until(lambda: agent.metrics()["hotspan_spans_total"] >= len(mix.sent) + 2 * asked + 2)
        lost = {k: v for k, v in agent.metrics().items() if "trace_total" in k and re.search("lost|full|un", k) and v}
        assert agent.stop() == 0
        found, behind = spans(peer, "front"), spans(peer, "back")
    ident = lambda s: s["attributes"].get("url.path", s["attributes"].get("url.full")).rsplit("/", 1)[1]
    served = {ident(s): s for s in of(found, SERVER) if ident(s) != "0"}
    assert len(of(found, SERVER)) == len(mix.sent) + 1 and served.keys() == mix.sent.keys(), lost
    for i, sent in mix.sent.items():
        s = served[i]
        assert s["attributes"]["url.path"] == f"/{sent['what']}/{i}" and s["attributes"]["network.peer.port"] == sent["port"], (sent, s)
        assert s["parent"] == sent["span"] and sent["trace"] in (s["trace"], None), (sent, s)
        assert s["flags"] == (0x301 if sent["span"] else 3), s
    asks = of(found, CLIENT, "/back/")
    assert collections.Counter(map(ident, asks)) == collections.Counter(i for i, s in mix.sent.items() if s["what"] == "ask")
    nested = [s for s in asks if s["parent"]]
    wrong = [s for s in nested if (s["parent"], s["trace"]) != (served[ident(s)]["span"], served[ident(s)]["trace"])]
    outside = [s for s in nested if not served[ident(s)]["start"] <= s["start"] <= s["end"] <= served[ident(s)]["end"]]
    print(f"  {len(served)} requests, {len(asks)} asked on: {len(nested)} nested, {len(wrong)} under a wrong parent, {len(outside)} outside of it in time")
    assert not wrong and not outside, wrong[:2] + outside[:2]
    if first_are_nested:  # those behind them were read at once with them: when they begin nobody knows
        missing = {ident(s) for s in asks if ident(s).endswith("x0")} - {ident(s) for s in nested}
        assert len(nested) > 20 and not missing, (len(nested), missing)
    else:
        assert not nested, nested[:2]
    assert all(s["state"] == ("ot=th:0" if not mix.sent[ident(s)]["span"] else "") for s in nested)
    taken = of(behind, SERVER, "/back/")
    assert sorted(map(ident, taken)) == sorted(map(ident, asks)) and not any(s["parent"] for s in taken), "nobody told the backend"
    assert len({s["span"] for s in found + behind}) == len(found + behind)


def test_a_mix_of_connections_on_threads():
    check_mix(THREADS, True)


def test_a_mix_of_connections_in_one_loop():
    """Whose turn it is nobody knows there: no parent, rather than a wrong one."""
    check_mix(LOOP, False)


def test_who_has_ended_asks_under_nobody():
    """Another request is the only one in flight by then, on the same thread."""
    with Peer() as peer, server(THREADS, "back") as back, server(LOOP, "front", back) as front, Agent(config(receiver("p", peer.http))) as agent:
        introduce(back, front)
        threads = [threading.Thread(target=raw, args=(front, f"GET /{what}/1 HTTP/1.1\r\nConnection: close\r\n\r\n".encode())) for what in ("late", "slow")]
        for t in threads:
            t.start()
            time.sleep(0.1)
        until(lambda: agent.metrics()["hotspan_spans_total"] >= 6)
        assert agent.stop() == 0
        found = spans(peer, "front")
        [late], [slow], [asked] = of(found, SERVER, "/late/1"), of(found, SERVER, "/slow/1"), of(found, CLIENT, "/back/1")
    assert late["end"] < asked["start"] and slow["start"] < late["end"] and asked["end"] < slow["end"]
    assert not asked["parent"], (late, slow, asked)


def test_failed_and_slow_ones_are_kept_and_parents_are_heard():
    with Peer() as peer, server(THREADS, "front") as front, Agent(config(receiver("p", peer.http), trace=", sample_percent: 0, keep_slower_than: 300ms")) as agent:
        introduce(front)
        trace = lambda n: f"{n:032x}"
        for i in range(30):
            get(front, f"/work/{i}")
            get(front, f"/work/{i}", parent(trace(i + 1), f"{i + 1:016x}", 0))
        get(front, "/slow/1")
        get(front, "/fail/1")
        get(front, "/fail/2", parent(trace(77), f"{77:016x}", 0), "Tracestate: a=b")
        get(front, "/work/8", parent(trace(88), f"{88:016x}", 1), "Tracestate: a=b", "X: y", "Tracestate: c=d")
        get(front, "/fail/9", parent(trace(99), f"{99:016x}", 1))
        until(lambda: agent.metrics()["hotspan_spans_total"] >= 5)
        assert agent.stop() == 0
        found = {s["attributes"]["url.path"]: s for s in spans(peer, "front")}
        said = {p: (s["attributes"].get("hotspan.sampling.reason"), s["parent"], s["state"], s["flags"] & 1) for p, s in found.items()}
    assert said == {"/slow/1": ("slow", "", "", 0), "/fail/1": ("error", "", "", 0), "/fail/2": ("error", f"{77:016x}", "a=b", 0),
                    "/work/8": (None, f"{88:016x}", "a=b,c=d", 1), "/fail/9": (None, f"{99:016x}", "", 1)}, said


def test_always_off_is_off():
    """For requests that nobody else samples: also for those that fail, and those that get no answer."""
    with Peer() as peer, server(THREADS, "front") as front, Agent(config(receiver("p", peer.http)), env={**os.environ, "OTEL_TRACES_SAMPLER": "always_off"}) as agent:
        introduce(front)
        get(front, "/fail/1")
        with socket.create_connection(("127.0.0.1", front)) as s:
            s.sendall(b"GET /slow/1 HTTP/1.1\r\nHost: t\r\n\r\n")
            time.sleep(0.1)
        get(front, "/work/1", parent("7" * 32, "7" * 16, 1))
        time.sleep(0.5)
        assert agent.stop() == 0
        said = [s["attributes"]["url.path"] for s in spans(peer, "front")]
    assert said == ["/work/1"], said


def test_a_ratio_is_of_trace_ids():
    with Peer() as peer, server(THREADS, "front") as front, \
            Agent(config(receiver("p", peer.http)), env={**os.environ, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}) as agent:
        introduce(front)
        for i in range(50):
            raw(front, b"GET /work/1 HTTP/1.1\r\nHost: t\r\n\r\n" * 31 + b"GET /work/1 HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert agent.stop() == 0
        found = of(spans(peer, "front"), SERVER, "/work/1")
    print(f"  {len(found)} of 1600")
    assert abs(len(found) - 400) < 5 * (1600 * 0.25 * 0.75) ** 0.5
    assert all(s["state"] == "ot=th:c" and int(s["trace"], 16) & LAST_56 >= 0xc << 52 for s in found)


def test_an_outage_loses_none():
    spool = tempfile.mkdtemp(dir=tmp)
    nobody = f"http://127.0.0.1:{free_port()}"
    with server(THREADS, "front") as front:
        with Agent(config(receiver("p", nobody, spool=spool))) as agent:
            introduce(front)
            for i in range(150):
                get(front, f"/work/{i}")
            agent.wait_for("receiver p", "wait", "next try in")
            until(lambda: agent.metrics()["hotspan_spans_total"] >= 151)
            agent.process.kill()  # what is in the spool is safe
            agent.process.wait()
        with Peer() as peer, Agent(config(receiver("p", peer.http, spool=spool))) as agent:
            for i in range(150, 200):
                get(front, f"/work/{i}")
            until(lambda: agent.metrics().get("hotspan_spans_total", 0) >= 50 and len(of(spans(peer, "front"), SERVER, "/work/")) >= 200)
            assert agent.stop() == 0
            got = collections.Counter(s["attributes"]["url.path"] for s in of(spans(peer, "front"), SERVER, "/work/"))
    assert got == collections.Counter(f"/work/{i}" for i in range(200)), got


def sampled_cpu(folder, stacks):
    """{span_id: CPU ns} of one route in files of pprof; their labels are text there as tests/unit/pprof_dump.c writes them."""
    found = collections.Counter()
    for path in folder.glob("*.pb.gz"):
        for line in subprocess.run([BUILD / "tests/unit/pprof_dump", path], capture_output=True, text=True, check=True).stdout.splitlines():
            if line.startswith("sample ") and stacks in line:
                assert "trace_id" not in line, line
                found[m[1] if (m := re.search(r"\bspan_id=(\w+)", line)) else None] += int(re.match(r"sample \[\d+ (\d+)\]", line)[1])
    return found


def test_samples_say_which_span_they_fell_on():
    """In pprof as Pyroscope's span profiles have it, in OTLP as links, in both layouts; of sampled requests only."""
    files = pathlib.Path(tempfile.mkdtemp(dir=tmp)) / "files"
    both = dict(send="[profiles, traces]")
    with Peer() as new, Peer("otlp-1.9") as old, server(THREADS, "front") as front, \
            Agent(config(receiver("new", new.http, **both), receiver("old", old.http, proto='"1.9"', **both), f"  - {{name: files, type: file, path: {files}}}\n", more="frequency: 499\n")) as agent:
        introduce(front)
        get(front, "/burn/7", parent("e" * 32, "1" * 16, 0))  # the route is known from here on
        time.sleep(0.5)
        traces = {f"{i + 1:032x}": i for i in range(4)}
        threads = [threading.Thread(target=get, args=(front, f"/burn/{i}", parent(t, "1" * 16, 1))) for t, i in traces.items()]
        threads += [threading.Thread(target=get, args=(front, "/burn/9", parent("f" * 32, "1" * 16, 0)))]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert agent.stop() == 0
        found = of(spans(new, "front"), SERVER, "/burn/")
        linked = {}
        for peer in new, old:
            linked[peer] = collections.Counter()
            for s in ((s, p) for r in peer.resources() if r["resource"]["service.name"] == service("front") for p in r["profiles"] for s in p["samples"]):
                s, p = s
                assert "span_id" not in s["attributes"] and "trace_id" not in s["attributes"], s["attributes"]
                if s["attributes"].get("http.route") == ["/burn/*", ""]:
                    linked[peer][tuple(s["link"] or ())] += s["values"][0] * p["period"]
    labelled = sampled_cpu(files, "http.route=/burn/*")
    print(f"  {labelled}")
    assert sorted(s["trace"] for s in found) == sorted(traces) and labelled.keys() == {s["span"] for s in found} | {None}
    for s in found:
        assert s["attributes"]["pyroscope.profile.id"] == s["span"]
        assert abs(labelled[s["span"]] / 1e9 - 0.3) < 0.05 and abs(s["attributes"]["hotspan.cpu.time"] * 1e9 - labelled[s["span"]]) < 0.03e9, (s, labelled)
    for peer in new, old:
        assert linked[peer] == {**{(s["trace"], s["span"]): labelled[s["span"]] for s in found}, (): labelled[None]}, (linked[peer], labelled)


def test_without_a_receiver_of_traces_none_are_made():
    with Peer() as peer, server(THREADS, "front") as front, Agent(config(receiver("p", peer.http, send="[profiles]"))) as agent:
        introduce(front)
        get(front, "/work/1")
        assert "hotspan_spans_total" not in agent.metrics()
        agent.reload(config(receiver("p", peer.http, send="[profiles, traces]")))
        agent.wait_for("a receiver takes traces now", "next start")
        assert agent.stop() == 0
        assert not peer.files("traces")


if __name__ == "__main__":
    run_tests(globals())
