#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Series of requests: whose route is not known, how routes are called and keep their names, when series begin and when they go."""
import atexit
import ctypes
import queue
import socket

from hs import *  # noqa: F403
from measured import Series, Tracing, receiver, workers
from nginx import Nginx, raw
from peers.otlp import Peer
from peers.prometheus import families

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-series-"))


def test_a_ring_that_overruns_costs_routes_and_no_counts():
    """Nobody reads the ring, and no route is known yet: each request is handed to it."""
    many = 20000
    with Nginx(tmp) as nginx:
        with Tracing(workers(nginx)) as agent:
            agent.process.send_signal(signal.SIGSTOP)
            for _ in range(many // 2000):
                request = b"GET /ok/many HTTP/1.1\r\nHost: x\r\n\r\n"
                raw(nginx.port, *[request * 25] * 79, request * 24 + b"GET /ok/many HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", pause=0.002)
            agent.process.send_signal(signal.SIGCONT)
            until(lambda: sum(agent.counts().values()) >= many)
            time.sleep(2)
            counts, page = agent.counts(), agent.metrics()
            raw(nginx.port, b"GET /ok/many HTTP/1.0\r\n\r\n")  # the route is known by now
            until(lambda: agent.counts()["GET", "/ok/many", "200"] == counts["GET", "/ok/many", "200"] + 1)
            assert agent.stop() == 0
            assert len(nginx.log()) == many + 1
    unknown, lost = counts["GET", "?", "200"], page['hotspan_trace_total{what="ring_full"}']
    print(f"  {many} requests: {unknown} ({100 * unknown / many:.1f} %) under no route, the ring lost {lost:.0f}")
    assert sum(counts.values()) == many and page['hotspan_trace_total{what="requests"}'] >= many
    assert 0 < unknown < many and unknown <= lost, "what was lost beside is of others, whom nobody asked for"


WORDS = [a + b for a in "kmnprstv" for b in ("a", "e", "i", "o", "u")]


def test_routes_are_yours_or_learned_and_keep_their_names_over_a_restart():
    kept = tmp / "state" / "deep" / "routes.tsv"
    with Nginx(tmp) as nginx:
        def routes(order, **keys):
            with Tracing(workers(nginx), trace=f"routes: ['/ok/{{id}}', '/gone/**'], routes_file: {kept}") as agent:
                for w in order:
                    raw(nginx.port, *[f"GET /{path} HTTP/1.0\r\n\r\n".encode() for path in [f"missing/{w}"]])
                    raw(nginx.port, f"GET /ok/{w} HTTP/1.0\r\n\r\n".encode())
                    raw(nginx.port, f"GET /gone/{w}/4711/x HTTP/1.0\r\n\r\n".encode())
                until(lambda: sum(agent.counts().values()) == 3 * len(order))
                time.sleep(1)
                counts = {route: n for (_, route, _), n in agent.counts().items()}
                assert agent.stop() == 0
                return counts

        first = routes(WORDS)
        again = routes(WORDS[::-1])
    assert first["/ok/{id}"] == first["/gone/**"] == len(WORDS)
    assert first["/missing/*"] > 1 and len(first) == 2 + 32 + 1, first
    assert again == first


def test_a_file_of_routes_that_is_none_is_said():
    def start(path, seconds=20):
        config = tmp / "said.yaml"
        config.write_text(f"trace: {{enabled: true, routes_file: '{path}'}}\nlisten: 'off'\nsymbol_cache: {tmp}/cache\n")
        return subprocess.run(["timeout", "-s", "TERM", str(seconds), HOTSPAN, "agent", "-c", config], capture_output=True, text=True)

    foreign = tmp / "foreign"
    foreign.write_text("root:x:0:0:root:/root:/bin/bash\n")
    p = start(foreign)
    assert p.returncode == 1 and f"trace.routes_file {foreign}: this is no file of learned routes: remove it, or name another file" in p.stderr, p.stderr
    assert foreign.read_text().startswith("root:")
    p = start(foreign / "x")
    assert p.returncode == 1 and f"trace.routes_file {foreign}/x: Not a directory" in p.stderr, p.stderr
    p = start("/proc/nowhere/routes.tsv", 3)
    assert "trace.routes_file /proc/nowhere/routes.tsv: No such file or directory; learned routes are lost with a restart" in p.stderr, p.stderr


def of_one_set(n):
    """So many threads that note what they work on in the same place (flight_set_of() of bpf/flight.h): their jobs, which each does once told."""
    place = lambda tid: ((os.getpid() << 42 ^ tid) * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 52
    left = [tid for tid in range(1000, 1 << 15) if place(tid) == place(os.getpid()) and not os.path.exists(f"/proc/{tid}")]
    jobs = []

    def run(tid, started):
        job = queue.SimpleQueue() if threading.get_native_id() == tid else None
        started.put(job)
        while job and (todo := job.get()):
            todo()

    while len(jobs) < n:
        tid, started = left.pop(0), queue.SimpleQueue()
        pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(tid - 1))
        threading.Thread(target=run, args=(tid, started), daemon=True).start()
        if job := started.get():
            jobs.append(job)
        else:  # another program took it
            left.append(tid)
    return jobs


def test_who_finds_no_place_to_note_its_request_is_counted():
    with Tracing([f"{{pid: {os.getpid()}}}"]) as agent, socket.create_server(("127.0.0.1", 0)) as listener:
        jobs, read = of_one_set(6), queue.SimpleQueue()
        ends = [(socket.create_connection(listener.getsockname()), listener.accept()[0]) for _ in jobs]

        def ask(n):
            """Each reads one before any of them answers."""
            for (client, server), job in zip(ends[:n], jobs):
                client.sendall(b"GET /set HTTP/1.1\r\nHost: x\r\n\r\n")
                job.put(lambda: read.put(server.recv(1000)))
                assert read.get().startswith(b"GET")
            for (client, server), job in zip(ends[:n], jobs):
                job.put(lambda: server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
                client.recv(1000)

        def counted(n):
            until(lambda: agent.counts() == {("GET", "/set", "200"): n})
            return agent.metrics().get('hotspan_trace_total{what="flights_full"}', 0)

        ask(1)  # from here on the process is known
        assert counted(1) == 0
        ask(4)
        assert counted(1 + 4) == 0
        ask(6)
        assert counted(1 + 4 + 6) == 6 - 4
        [job.put(None) for job in jobs]
        assert agent.stop() == 0


SERVER = """
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    c = s.accept()[0]
    while c.recv(4096):
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    c.close()
"""


class Service:
    def __init__(self, name, requests=0, held=False, server=(sys.executable, "-S", "-c", SERVER)):
        """held: it is a shell, and of no name, until it begins."""
        argv = ["sh", "-c", 'read _; exec env "$@"', "sh", f"OTEL_SERVICE_NAME={name}", *server] if held else server
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ) if held else dict(os.environ, OTEL_SERVICE_NAME=name))
        atexit.register(self.process.kill)  # of a test that failed
        if not held:
            self.begin()
            self.ask(requests)

    def begin(self):
        self.process.stdin.close()
        self.port = int(self.process.stdout.readline())

    def ask(self, requests):
        with socket.create_connection(("127.0.0.1", self.port)) as c:
            for _ in range(requests):
                c.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
                c.recv(4096)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def until_counted(agent, n):
    with contextlib.suppress(AssertionError):
        until(lambda: agent.counts() == {("GET", "/a", "200"): n})
    assert agent.counts() == {("GET", "/a", "200"): n}, (agent.counts(), {k: v for k, v in agent.metrics().items() if v and k.startswith("hotspan_trace_total")})


@contextlib.contextmanager
def helpers_held(pid):
    """All threads of the agent but its first are stopped: unwind tables that samples wait for are not built, and events behind those
    samples wait, too, for 2 s."""
    call = ctypes.CDLL(None, use_errno=True).ptrace
    threads = [int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid]
    for t in threads:
        assert call(0x4206, t, 0, 0) == 0 and call(0x4207, t, 0, 0) == 0, os.strerror(ctypes.get_errno())  # PTRACE_SEIZE, PTRACE_INTERRUPT
        os.waitpid(t, 0x40000000)  # __WALL
    try:
        yield
    finally:
        for t in threads:
            call(17, t, 0, 0)  # PTRACE_DETACH


def test_who_is_asked_before_it_is_known_what_it_runs_counts_all_the_same():
    """The shell that it was before is not wanted. One goes before it is known; its name is its file's."""
    mark, many = f"early-{os.getpid()}", 300
    named = shutil.copy(workload("http_server"), tmp / f"{mark}-gone")
    with Tracing([f"{{service: '{mark}-*'}}"]) as agent:
        early, gone = Service(f"{mark}-late", held=True), Service(f"{mark}-gone", held=True, server=[named, "0"])
        time.sleep(0.5)
        with helpers_held(agent.process.pid):
            burner = subprocess.Popen([workload("spin"), "3"], stdout=subprocess.DEVNULL, env=dict(os.environ, OTEL_SERVICE_NAME=f"{mark}-burner"))
            time.sleep(0.3)  # its first sample waits for a table
            gone.begin()
            gone.ask(2)
            time.sleep(0.2)
            gone.end()
            early.begin()
            early.ask(many)
            time.sleep(0.7)

        def seen():
            """Of its route, of none, and told as lost: what could not be kept until then."""
            counts = agent.counts()
            return counts["GET", "/a", "200"], counts["GET", "?", "200"], agent.metrics()['hotspan_trace_total{what="ring_full"}']

        is_all = lambda known, unknown, lost: known + unknown == many + 2 and 0 < unknown <= lost < many
        with contextlib.suppress(AssertionError):
            until(lambda: is_all(*seen()))
        assert is_all(*seen()), seen()
        assert agent.stop() == 0
        early.end()
        burner.wait()


def test_series_go_with_their_service_and_begin_anew():
    """What a process counts last, before it is killed, is counted too."""
    mark = f"churn-{os.getpid()}"
    with Peer() as peer:
        with Tracing([f"{{service: '{mark}-*'}}"], receiver("h", peer.http, "http/protobuf"), trace="forget_after: 5s, metrics_interval: 1s") as agent:

            def seen():
                page = families(agent.page())
                name = lambda rows: {l["service_name"] for l in (dict(labels) for _, labels in rows) if l["service_name"].startswith(mark)}
                return name(page.get("http_server_request_duration_seconds", ("", "", {}))[2]), name(page["target_info"][2])

            long, again = Service(f"{mark}-long", 1), Service(f"{mark}-again", 3)
            short = [Service(f"{mark}-{i}", 1) for i in range(12)]
            until_counted(agent, 1 + 3 + 12)
            for one in short * 4:
                one.ask(1)
            for one in [*short, again]:
                one.end()
            until_counted(agent, 1 + 3 + 5 * 12)
            until(lambda: seen() == ({f"{mark}-long"},) * 2, 15)
            gone = time.time_ns()
            again = Service(f"{mark}-again", 4)
            until_counted(agent, 1 + 4)
            assert agent.stop() == 0
            long.end()
            again.end()
        series = [p for (service, _), p in Series(peer, "http.server.request.duration").points.items() if service == f"{mark}-again"]
    first, second = ([[p for p in points if (p["time"] > gone) == late] for points in series] for late in (False, True))
    last = lambda life: sum(sum(points[-1]["counts"]) for points in life if points)
    assert last(first) == 3 and last(second) == 4, series
    assert min(p["start"] for points in second for p in points) >= max(p["time"] for points in first for p in points), "it begins anew behind what was said"


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
