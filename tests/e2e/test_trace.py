#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hotspan trace beside access logs: every request is there once, with its method, path and status, however its bytes came."""
import http.client
import random
import socket
import socketserver

from hs import *  # noqa: F403
from nginx import Nginx, raw

HOOKS = os.environ.get("HOTSPAN_TRACE_HOOKS", "auto")  # the agent's own variable
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-trace-"))

class Trace:
    """hotspan trace of these processes, all lines of one side, or of both: into a file, which takes lines as fast as they come."""

    def __init__(self, pids=(), side="server", extra=(), hooks=HOOKS):
        args = ["-p", ",".join(pids)] if pids else ["-a"]
        self.out = open(tmp / f"trace-{time.monotonic_ns()}", "w")
        self.process = subprocess.Popen([HOTSPAN, "trace", "--hooks", hooks, *args, *(["--side", side] if side else []), "--json", *extra], stdout=self.out, stderr=subprocess.PIPE, text=True)

    def ready(self, probe):
        """Hooks are there when a first request shows."""
        while not os.fstat(self.out.fileno()).st_size:
            assert self.process.poll() is None, self.process.stderr.read()
            probe()
            time.sleep(0.2)
        return self

    def rows(self):
        """So far."""
        text = pathlib.Path(self.out.name).read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def end(self):
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        self.err = self.process.communicate(timeout=60)[1]
        assert self.process.returncode == 0, self.err
        self.out.close()
        return self.rows()


def key(method, path, status):
    return f"{method} {path} {status}"


LAST = b"GET /ok/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def programs(hooks):
    """The tags of the programs that hotspan trace with these hooks has loaded."""
    p = subprocess.Popen([HOTSPAN, "trace", "-d", "20s", "--hooks", hooks], stdout=subprocess.DEVNULL)
    tags = set()

    def read():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            tags.update(re.findall(r"prog_tag:\s+(\w+)", " ".join(f.read_text() for f in pathlib.Path(f"/proc/{p.pid}/fdinfo").iterdir())))
        return tags

    try:
        until(read)
        return tags
    finally:
        p.terminate()
        p.wait()


def test_the_hooks_asked_for_are_used():
    sockets, syscalls = programs("sockets"), programs("syscalls")
    assert sockets - syscalls and syscalls - sockets and programs("auto") == sockets, (sockets, syscalls)
    p = subprocess.run([HOTSPAN, "trace", "--hooks", "kprobes"], capture_output=True, text=True)
    assert p.returncode == 2 and "auto, sockets or syscalls" in p.stderr, p


def test_every_request_of_nginx_is_there_once():
    with Nginx(tmp) as nginx:
        port = nginx.port
        t = Trace(nginx.workers()).ready(lambda: raw(port, b"GET /ok/probe HTTP/1.0\r\n\r\n"))
        c = http.client.HTTPConnection("127.0.0.1", port)
        for i in range(300):  # kept alive, one after the other
            method = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"][i % 7]
            body = os.urandom(i * 37) if method in ("POST", "PUT", "PATCH") else None
            c.request(method, f"/{['ok', 'missing', 'broken', 'gone', 'same', 'elsewhere'][i % 6]}/{i}?secret={i}", body, {"X-Long": "y" * (i * 13)})
            c.getresponse().read()
        c.close()
        many = b"".join(b"GET /ok/pipelined/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(30))
        raw(port, many + LAST)
        raw(port, *[bytes([b]) for b in b"POST /take/slowly HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + LAST], pause=0.001)
        raw(port, b"POST /take/chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n", LAST, pause=0.05)
        raw(port, b"POST /take/expected HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", b"abcd" + LAST, pause=0.1)
        raw(port, b"GET /ok/old HTTP/1.0\r\n\r\n")
        raw(port, b"\r\nGET /large HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
        raw(port, b"GET http://example.org/ok/absolute?q HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
        raw(0, b"GET /ok/unix HTTP/1.1\r\nHost: x\r\n\r\n" + LAST, path=f"{nginx.dir}/socket")
        got = t.end()
        want = collections.Counter(key(r["method"], r["uri"], r["status"]) for r in nginx.log())
    probes = key("GET", "/ok/probe", 200)
    have = collections.Counter(key(r["method"], r["path"], r["status"]) for r in got)
    for one in (have, want):
        one.pop(probes, None)
    missing, extra = want - have, have - want
    assert sum(want.values()) > 340, sum(want.values())
    assert not missing and not extra, (missing.most_common(5), sum(missing.values()), extra.most_common(5), sum(extra.values()), t.err)
    assert all(not r["unfinished"] for r in got)


def test_sizes_and_times_are_those_of_the_log():
    with Nginx(tmp) as nginx:
        t = Trace(nginx.workers()).ready(lambda: raw(nginx.port, b"GET /ok/probe HTTP/1.0\r\n\r\n"))
        c = http.client.HTTPConnection("127.0.0.1", nginx.port)
        for i in range(20):
            c.request("POST", f"/take/{i}", b"x" * (i * 100))
            c.getresponse().read()
        c.request("GET", "/large")
        c.getresponse().read()
        c.close()
        got = [r for r in t.end() if r["path"] != "/ok/probe"]
        log = [r for r in nginx.log() if r["uri"] != "/ok/probe"]
    by = {r["path"]: r for r in got if not r["path"].startswith("/ok")}
    for r in log:
        if r["uri"].startswith("/ok"):
            continue  # what nginx asks itself for /take
        mine = by[r["uri"]]
        assert mine["response_bytes"] == r["bytes"], (mine, r)
        assert mine["request_bytes"] == int(r["length"] or 0), (mine, r)
        # nginx looks at the clock when it begins to work on events: what it waits for a CPU from then on is not in its time.
        assert abs(mine["duration_ns"] / 1e6 - r["ms"] * 1e3) < max(5, 0.3 * r["ms"] * 1e3) + (mine.get("wait_ns") or 0) / 1e6, (mine, r)


def test_a_client_and_its_server_tell_the_same():
    with Nginx(tmp) as nginx:
        t = Trace(side="client").ready(lambda: subprocess.run(["curl", "-s", f"http://127.0.0.1:{nginx.port}/ok/probe"], stdout=subprocess.DEVNULL))
        urls = [f"http://127.0.0.1:{nginx.port}/{random.choice(['ok', 'missing', 'broken'])}/{i}" for i in range(50)]
        subprocess.run(["curl", "-s", *urls], stdout=subprocess.DEVNULL, check=True)
        # Not by its name: at the last requests it may be gone already.
        got = [r for r in t.end() if r["peer"] == f"127.0.0.1:{nginx.port}" and r["path"] != "/ok/probe"]
        log = [r for r in nginx.log() if r["uri"] != "/ok/probe"]
    mine, theirs = ([key(r["method"], r[path], r["status"]) for r in rows] for rows, path in ((got, "path"), (log, "uri")))
    mine, theirs = sorted(mine), sorted(theirs)  # each worker writes its log when it likes
    assert len(theirs) == 50 and mine == theirs, (len(mine), len(theirs), [x for x in zip(mine, theirs) if x[0] != x[1]][:3], t.err)
    assert all(r["local"].startswith("127.0.0.1:") for r in got)


def test_bytes_are_seen_however_they_are_moved():
    def ways():
        p = subprocess.Popen([workload("http_ways"), str(free_port()), f"{tmp}/ways"], stdout=subprocess.PIPE, text=True)
        return p.communicate(timeout=60)[0], p

    t = Trace(side=None).ready(ways)
    out, p = ways()
    got = [r for r in t.end() if r["pid"] == p.pid]
    assert p.returncode == 0
    want = collections.Counter({tuple(line.split()[:3]): int(line.split()[3]) for line in out.splitlines()})
    for side in ("server", "client"):
        have = collections.Counter((r["path"], r["method"], str(r["status"])) for r in got if r["side"] == side)
        assert sum(want.values()) == 8 * 3 * 25 and have == want, (side, want - have, have - want, t.err)
    assert not any(r["unfinished"] for r in got)


def test_what_io_uring_moves_is_counted_where_it_cannot_be_seen():
    """At sockets each transfer, at system calls each ring and what submits to it: with a thread of the kernel's that polls there is little else."""
    for how in ([], ["poll"], ["amid"]):
        p = subprocess.Popen([workload("http_ring"), "20", *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pairs = Pairs()
        t = Trace([str(p.pid), str(os.getpid())], side=None).ready(lambda: pairs.ask(*pairs.new(), b"/probe"))
        calls, transfers = map(int, p.communicate(timeout=60)[0].split())
        got = [(r["side"], r["path"]) for r in t.end() if r["pid"] == p.pid]
        assert p.returncode == 0 and transfers == 40
        assert sorted(got) == sorted(("client", f"/ring/{i}") for i in range(20)), got
        said = f"{transfers} transfers by io_uring, sendfile or splice" if HOOKS == "auto" else f"{calls} calls of io_uring"
        assert said in t.err and t.err.count("io_uring") == 1, (said, t.err)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Pairs:
    """Connections both of whose ends are this process's."""

    def __init__(self, path=None):
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(path or ("127.0.0.1", 0))
        self.listener.listen(100)

    def new(self):
        c = socket.socket(self.listener.family)
        c.connect(self.listener.getsockname())
        return c, self.listener.accept()[0]

    def ask(self, c, s, path, before_answer=lambda: None):
        c.sendall(b"GET %s HTTP/1.1\r\n\r\n" % path)
        s.recv(1000)
        before_answer()
        s.sendall(OK)
        c.recv(1000)


def of_this_process(ready):
    return Trace([str(os.getpid())], side=None).ready(ready)


def test_a_read_that_brings_nothing_ends_nothing():
    pairs = Pairs()
    c, s = pairs.new()

    def read_in_vain():
        for bytes_, flags in ((1000, socket.MSG_DONTWAIT), (0, 0), (1000, socket.MSG_ERRQUEUE), (1000, socket.MSG_OOB)):
            try:
                c.recv(bytes_, flags)
            except OSError:
                pass

    t = of_this_process(lambda: pairs.ask(c, s, b"/probe"))
    for i in range(5):
        pairs.ask(c, s, b"/vain", read_in_vain)
    got = [(r["side"], r["status"], r["unfinished"]) for r in t.end() if r["path"] == "/vain"]
    assert sorted(got) == [("client", 200, False)] * 5 + [("server", 200, False)] * 5, (got, t.err)


def test_a_unix_socket_where_another_one_was_is_a_new_one():
    pairs = Pairs(f"{tmp}/pairs")
    t = of_this_process(lambda: pairs.ask(*pairs.new(), b"/probe"))
    for _ in range(20):  # what speaks something else for so long is not looked at any more; then it ends, and its memory is another's
        c, s = pairs.new()
        for _ in range(40):
            c.sendall(b"other")
            s.recv(100)
        c.close(), s.close()
        c, s = pairs.new()
        pairs.ask(c, s, b"/again")
        c.close(), s.close()
    got = collections.Counter(r["side"] for r in t.end() if r["path"] == "/again")
    assert got == {"client": 20, "server": 20}, (got, t.err)


def test_a_traceparent_is_taken_and_the_client_within_is_a_child():
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with Nginx(tmp) as nginx:
        t = Trace(side="server").ready(lambda: raw(nginx.port, b"GET /ok/probe HTTP/1.0\r\n\r\n"))
        raw(nginx.port, f"GET /ok/traced HTTP/1.1\r\nHost: x\r\nTraceParent: 00-{trace}-{parent}-01\r\nConnection: close\r\n\r\n".encode())
        raw(nginx.port, f"GET /ok/broken HTTP/1.1\r\nHost: x\r\ntraceparent: 00-{trace}-0000000000000000-01\r\nConnection: close\r\n\r\n".encode())
        got = {r["path"]: r for r in t.end()}
    assert got["/ok/traced"]["trace_id"] == trace and got["/ok/traced"]["parent_id"] == parent, got["/ok/traced"]
    assert got["/ok/broken"]["trace_id"] != trace and "parent_id" not in got["/ok/broken"], got["/ok/broken"]


def test_what_is_no_http_is_left_alone():
    class Echo(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(4096):
                self.request.sendall(data)

    with Nginx(tmp) as nginx, socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        t = Trace().ready(lambda: raw(nginx.port, b"GET /ok/probe HTTP/1.0\r\n\r\n"))
        s = socket.create_connection(server.server_address)
        for i in range(200):
            data = random.choice([b"HELLO /x HTTP\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET", b"HTTP/1.1", os.urandom(50), b"GET /\r\n\r\n"])
            s.sendall(data)
            s.recv(4096)
        s.close()
        got = t.end()
        server.shutdown()
        port = server.server_address[1]
    odd = [r for r in got if f":{port}" in r["local"] + r["peer"]]
    assert got and not odd, odd[:3]


if __name__ == "__main__":
    run_tests(globals())
