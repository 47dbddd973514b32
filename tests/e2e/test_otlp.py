#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent against OpenTelemetry's own messages behind grpcio's server, and over HTTP: what arrives, and how it fails."""
import collections
import contextlib
import socket

from hs import *  # noqa: F403
from pushing import LIGHT, is_whole
from peers.otlp import Peer
from pyroscope import Fake, certificates

HOST = socket.gethostname()


class Particular:
    """A gRPC server as grpc-go's is that knows no compression, and says so: HTTP/2 by hand, a request a connection."""

    def __init__(self):
        self.server, self.seen = socket.create_server(("127.0.0.1", 0)), []
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with contextlib.suppress(OSError), self.server.accept()[0] as c:
                c.settimeout(10)
                self.answer(c, self.message(c, c.makefile("rb")))

    @staticmethod
    def frame(kind, flags, stream, body=b""):
        return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body

    def headers(self, flags, **fields):
        """Literal, not indexed."""
        pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in fields.items()]
        body = b"".join(b"\0" + bytes([len(k)]) + k + bytes([len(v)]) + v for k, v in pairs)
        return self.frame(1, 4 | flags, 1, (b"\x88" if "content_type" in fields else b"") + body)

    def message(self, c, stream):
        """The first bytes of it."""
        stream.read(24)
        c.sendall(self.frame(4, 0, 0, b"\0\4\x7f\xff\xff\xff") + self.frame(8, 0, 0, b"\x3f\xff\xff\xff"))
        found = b""
        while True:
            head = stream.read(9)
            body = stream.read(int.from_bytes(head[:3], "big"))
            if head[3] == 4 and not head[4]:
                c.sendall(self.frame(4, 1, 0))
            if head[3] == 0:
                found = (found + body)[:16]
            if head[3] == 0 and head[4] & 1:
                return found

    def answer(self, c, message):
        self.seen.append("zstd" if message[5:9] == b"\x28\xb5\x2f\xfd" else "gzip" if message[5:7] == b"\x1f\x8b" else "none")
        if message[0]:
            c.sendall(self.headers(1, content_type="application/grpc", grpc_status="12", grpc_message="Decompressor is not installed", grpc_accept_encoding="identity"))
        else:
            c.sendall(self.headers(0, content_type="application/grpc") + self.frame(0, 0, 1, bytes(5)) + self.headers(1, grpc_status="0"))
        while c.recv(4096):  # its turn to end; with something unread the end would be a reset, which takes the answer along
            pass


def receiver(name, url, **keys):
    return f"  - name: {name}\n    type: otlp\n    url: {url}\n" + "".join(f"    {k}: {v}\n" for k, v in keys.items())


def config(*receivers, hz=499, interval="1s", more="max_cpu_percent: 0\n"):
    """No budget: beside compilers the rate would go down, and with it what can be expected of sums."""
    return f"frequency: {hz}\nflush_interval: {interval}\nshutdown_timeout: 5s\n{more}receivers:\n" + "".join(receivers)


def burn(seconds, service, *argv):
    """CPU ns by its own clock."""
    argv = [workload(argv[0]), *map(str, argv[1:]), str(seconds)] if argv else [workload("spin"), str(seconds), str(LIGHT)]
    p = subprocess.run(argv, capture_output=True, text=True, env=dict(os.environ, OTEL_SERVICE_NAME=service))
    return sum(answers(p.stdout).values())


def test_every_way_carries_the_cpu_burnt():
    name = f"carried-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        ways = {(protocol, compression): stack.enter_context(Peer()) for protocol in ("grpc", "http/protobuf") for compression in ("gzip", "zstd", "none")
                if (protocol, compression) != ("grpc", "zstd")}  # grpcio has no zstd
        fake = stack.enter_context(Fake())
        receivers = [receiver(f"{p[:4]}-{c}", peer.grpc if p == "grpc" else peer.http, protocol=p, compression=c) for (p, c), peer in ways.items()]
        agent = stack.enter_context(Agent(config(*receivers, f"  - name: pyroscope\n    url: {fake.url}\n", more="labels: {env: prod}\nmax_cpu_percent: 0\n")))  # one rate: sums are exact
        want = burn(4, name)
        assert agent.stop() == 0
        for way, peer in ways.items():
            got = peer.cpu_ns(name)
            print(f"  {way}: {100 * got / want:.2f} % of the CPU burnt; {len(peer.how())} requests, {peer.how()[0]}")
            assert is_whole(got, want), way
            assert all(h.startswith(way[0][:4]) and "hotspan/" in h for h in peer.how())
        pushed = sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(service_name=name))
        assert abs(pushed / got - 1) < 0.001, "both kinds carry the same"
        [r] = [r for r in peer.resources() if r["resource"]["service.name"] == name][:1]
        assert r["resource"] == {"service.name": name, "host.name": HOST, "env": "prod"} and r["scope"][0] == "hotspan", r["resource"]
        stacks = [s["stack"] for s in r["profiles"][0]["samples"]]
        assert any("(spin_half|" in s for s in stacks) and any("spin.c:" in s for s in stacks), stacks[:3]


def test_the_standard_variables_suffice():
    name = f"variables-{os.getpid()}"
    with Peer() as peer:
        said = {"OTEL_EXPORTER_OTLP_ENDPOINT": peer.grpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test"}
        with Agent("frequency: 499\nflush_interval: 1s\nmax_cpu_percent: 0\n", env=dict(os.environ, **said)) as agent:
            want = burn(2, name)
            assert agent.stop() == 0
        assert is_whole(peer.cpu_ns(name), want)
        assert all(r["resource"]["deployment.environment"] == "test" for r in peer.resources())


def test_a_receiver_gets_what_it_asks_for_and_nothing_false():
    with Peer() as asked, Peer() as other, \
            Agent(config(receiver("asked", asked.http, send="[traces, metrics]"), receiver("other", other.http, path="/v1development/profiles"),
                         receiver("astray", other.http, path="/elsewhere"))) as agent:
        burn(2, "asked")
        until(lambda: other.how())
        agent.wait_for("receiver astray", "HTTP 404")
        requests = lambda signal, result: metric(agent, "hotspan_receiver_items_total", receiver="asked", signal=signal, result=result)
        assert requests("traces", "delivered") == requests("metrics", "refused") == 0
        assert metric(agent, "hotspan_receiver_rejected_items_total", receiver="asked", signal="metrics") == 0
        assert agent.stop() == 0
        assert other.resources() and not asked.how(), "there are no spans and metrics to send yet"


def test_the_older_layout():
    name = f"older-{os.getpid()}"
    with Peer("otlp-1.9") as old, Peer() as new, \
            Agent(config(receiver("old", old.http, proto='"1.9"'), receiver("new", new.grpc, protocol="grpc"))) as agent:
        # The server's own messages are of 1.10: it keeps what came in the other layout all the same.
        want = burn(2, name)
        assert agent.stop() == 0
        assert is_whole(old.cpu_ns(name), want) and is_whole(new.cpu_ns(name), want)


def test_tls_and_credentials_over_grpc():
    with tempfile.TemporaryDirectory() as d:
        certificates(d)
        token = pathlib.Path(d) / "token"
        token.write_text("hush\n")
        with Peer(tls=[f"{d}/server.pem", f"{d}/server.key"]) as peer:
            url = f"https://127.0.0.1:{peer.grpc_port}"
            keys = dict(protocol="grpc", tls_config=f"{{ca_file: {d}/ca.pem, server_name: localhost}}", bearer_token_file=token)
            with Agent(config(receiver("tls", url, **keys))) as agent:
                burn(1, "tls")
                assert agent.stop() == 0
                assert peer.how() and all("authorization=Bearer hush" in h for h in peer.how()), peer.how()
            with Agent(config(receiver("tls", url, protocol="grpc"))) as agent:
                agent.wait_for("receiver tls", "certificate")


def metric(agent, name, **labels):
    return agent.metrics()[name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}"]


def test_answers_over_grpc():
    with Peer() as peer, Agent(config(receiver("prod", peer.grpc, protocol="grpc"))) as agent:
        until(lambda: peer.how())
        cause = lambda c: metric(agent, "hotspan_receiver_failed_tries_total", receiver="prod", cause=c)
        result = lambda r: metric(agent, "hotspan_receiver_profiles_total", receiver="prod", result=r)
        peer.answer("grpc UNAVAILABLE come back")
        agent.wait_for("receiver prod", "gRPC UNAVAILABLE: come back", "next try in")
        agent.wait_for("delivering again")
        peer.answer("grpc-retry 2.5 RESOURCE_EXHAUSTED slow down")
        agent.wait_for("gRPC RESOURCE_EXHAUSTED: slow down", "next try in 2.5 s")
        until(lambda: cause("throttled") == 1)
        peer.answer("grpc RESOURCE_EXHAUSTED message larger than max")
        line = agent.wait_for("refused it for good", "gRPC RESOURCE_EXHAUSTED: message larger than max")
        refused = int(re.search(r"request of (\d+) profiles?: ", line)[1])
        until(lambda: result("refused") == refused)
        peer.answer("grpc INVALID_ARGUMENT 100% wrong")
        until(lambda: result("refused") > refused)
        peer.answer("grpc UNAUTHENTICATED who are you")
        agent.wait_for("gRPC UNAUTHENTICATED: who are you")
        assert cause("credentials") == 1
        peer.answer("partial 3 no room for these")
        agent.wait_for("without 3 of its profiles: no room for these")
        assert metric(agent, "hotspan_receiver_rejected_profiles_total", receiver="prod") == 3


def test_answers_over_http():
    with Peer() as peer, Agent(config(receiver("prod", peer.http))) as agent:
        until(lambda: peer.how())
        peer.answer("http 503 later")
        agent.wait_for("receiver prod", "HTTP 503: later", "next try in")
        agent.wait_for("delivering again")
        peer.answer("http 400 no such field")
        agent.wait_for("refused it for good", "HTTP 400: no such field")
        peer.answer("partial 1 too old")
        agent.wait_for("without 1 of its profiles: too old")
        peer.answer("partial 2 " + "a long story, " * 40)
        until(lambda: metric(agent, "hotspan_receiver_rejected_profiles_total", receiver="prod") == 3)


def test_a_window_larger_than_a_server_takes_goes_in_parts():
    """grpcio refuses a message of more than 4 MiB, as grpc-go does."""
    name = f"maze-{os.getpid()}"
    to = lambda peer, interval: config(receiver("prod", peer.grpc, protocol="grpc"), hz=999, interval=interval,
                                       more=f"max_cpu_percent: 50\nmax_window_bytes: 256MiB\ntargets: {{include: [{{service: {name}}}]}}\n").replace("shutdown_timeout: 5s", "shutdown_timeout: 20s")
    with Peer() as peer, Agent(to(peer, "60s")) as agent:
        want = burn(3, name, "maze", 480)
        agent.reload(to(peer, "1s"))
        until(lambda: agent.metrics()["hotspan_windows_total"] >= 2)
        split = agent.metrics()["hotspan_profiles_split_total"]
        assert agent.stop() == 0
        got, sizes, said = peer.cpu_ns(name), peer.sizes(), peer.samples()
        parts = [r for r in peer.resources("brief") if r["resource"]["service.name"] == name]
        print(f"  {sum(sizes)} bytes in {len(sizes)} requests, the largest {max(sizes)}; {len(parts)} profiles; {100 * got / want:.2f} % of the CPU burnt; {said}")
        assert sum(sizes) > 4 << 20 and max(sizes) < 4 << 20 and split >= 1 and len(parts) > split, agent.lines
        assert all(arrived == counted for arrived, counted in said.values()), said
        assert is_whole(got, want, 999)
        assert not any("refused" in l for l in agent.lines), agent.lines


def test_a_compression_that_is_refused_is_given_up_once():
    name = f"refused-{os.getpid()}"
    particular = Particular()
    with Peer() as over_grpc, Peer() as over_http:
        over_http.answer("http 415 what is zstd")
        to = config(receiver("core", over_grpc.grpc, protocol="grpc", compression="zstd"), receiver("web", over_http.http, compression="zstd"),
                    receiver("go", particular.url, protocol="grpc", compression="zstd"), receiver("gone", particular.url + "/nowhere", protocol="grpc"))
        with Agent(to) as agent:
            want = burn(2, name)
            agent.reload(to)  # the same: nothing is asked again
            time.sleep(2)
            assert agent.stop() == 0
            said = [l for l in agent.lines if "does not take" in l]
            dropped = [l for l in agent.lines if "dropped" in l]
        print("".join(f"  {l}" for l in said), end="")
        assert sorted(re.search(r"receiver (\w+): .* does not take (\w+), .* compression: (\w+)", l).groups() for l in said) == \
            [("core", "zstd", "gzip"), ("go", "zstd", "none"), ("gone", "gzip", "none"), ("web", "zstd", "gzip")]
        assert not dropped, dropped
        assert collections.Counter(particular.seen)["zstd"] == collections.Counter(particular.seen)["gzip"] == 1, particular.seen
        assert all(h.startswith("http gzip") for h in over_http.how()), over_http.how()
        for peer in over_grpc, over_http:
            assert is_whole(peer.cpu_ns(name), want)


def test_what_waits_goes_in_the_way_that_is_configured_now():
    name = f"way-{os.getpid()}"
    with Peer() as peer, Agent(config(receiver("prod", f"http://127.0.0.1:{free_port()}", protocol="grpc", compression="zstd"))) as agent:
        want = burn(2, name)
        agent.wait_for("receiver prod", "wait", "next try in")
        agent.reload(config(receiver("prod", peer.http, compression="none")))
        until(lambda: peer.how() and is_whole(peer.cpu_ns(name), want))
        assert all(h.startswith("http identity") for h in peer.how()), peer.how()


def test_what_waits_in_another_layout_is_dropped_and_counted():
    """Its reader would take indices for values."""
    name = f"layout-{os.getpid()}"
    with Peer("otlp-1.9") as peer, Agent(config(receiver("prod", f"http://127.0.0.1:{free_port()}"))) as agent:
        burn(1, name)
        ended = agent.metrics()["hotspan_windows_total"]
        until(lambda: agent.metrics()["hotspan_windows_total"] > ended + 1)
        agent.wait_for("receiver prod", "wait", "next try in")
        agent.reload(config(receiver("prod", peer.http, proto='"1.9"')))
        agent.wait_for("receiver prod", "made for the receiver's former type, proto or send, dropped")
        until(lambda: metric(agent, "hotspan_receiver_profiles_total", receiver="prod", result="format_changed") > 0)
        until(lambda: peer.how())
        assert agent.stop() == 0
        assert not peer.cpu_ns(name)


def test_a_server_that_is_away_gets_what_waited():
    name = f"away-{os.getpid()}"
    with Agent(config(receiver("prod", f"http://127.0.0.1:{free_port()}", protocol="grpc"))) as agent:
        want = burn(2, name)
        agent.wait_for("receiver prod", "wait", "next try in")
        with Peer() as peer:
            agent.reload(config(receiver("prod", peer.grpc, protocol="grpc")))
            until(lambda: peer.how() and is_whole(peer.cpu_ns(name), want))


if __name__ == "__main__":
    run_tests(globals())
