#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hotspan trace beside the servers and clients people run: methods, paths, statuses and counts are those of each one's own log,
whichever calls move the bytes and however they are cut."""
from http_steps import EACH_ON_ITS_OWN, ON_ONE
from http_world import *  # noqa: F403


def without_cut(rows):
    return collections.Counter({k: n for k, n in rows.items() if not k[1].startswith("/cut/")})


def check(name, hooks="sockets"):
    """Everything a client may send, on a connection that was there before and on new ones."""
    w = world(hooks)
    server, lacks = there(w.servers[name]), SERVERS.get(name, (None, []))[1]
    clients = [w.early[name]]
    for step in [*ON_ONE, *EACH_ON_ITS_OWN]:
        if step.__name__ in lacks:
            continue
        if step in EACH_ON_ITS_OWN:
            clients.append(w.connect(name))
        step(clients[0] if step in ON_ONE else clients[-1])
        if step in EACH_ON_ITS_OWN:
            clients[-1].close()
    clients[0].close()
    asked = [row for c in clients for row in c.told]
    mine, theirs = w.rows(len(asked), [ME], "client", clients), w.rows(len(asked), server.pids(), "server", clients)
    seen, want = told(theirs, "server"), without_cut(counted(asked))

    def log():
        return without_cut(counted(row[:3] for row in server.log() if row[1] not in ("/probe", "/ok/before")))

    if name != "nginx":  # whose log ends it
        until_settled(lambda: log().total(), want.total())
    assert len(asked) > 250
    if name != "own":  # which works for the proxies too
        same("log", log(), want)
    assert sum(n for k, n in seen.items() if k[1] == "/cut/body") == 1, [k for k in seen if k[1].startswith("/cut/")]
    same("server", without_cut(seen), want)
    same("client", told(mine, "client"), counted(asked))


def test_own_server():
    check("own")


def test_unix_socket():
    check("unix")


def test_python():
    check("python")


def test_aiohttp():
    check("aiohttp")


def test_node():
    check("node")


def test_java():
    check("java")


def test_go():
    check("go")


def test_apache():
    check("apache")


def test_nginx():
    check("nginx")


# Of what each is asked; whatever call the server writes by, it reads by read, recv, readv, recvmsg and recvmmsg in turn.
WAYS = {"write": 40000, "bytes": 60, "send": 700, "writev": 40000, "sendmsg": 40000, "sendmmsg": 40000, "sendfile": 90000, "splice": 9000, "early": 9}
LAST_WAYS = {"rest": 200, "cut": 200, "drop": 0}  # the connection ends; with the status that was told before


def every_call(name, hooks, **kw):
    """The requests of a client, as each side tells them."""
    w = world(hooks)
    clients = [w.connect(name, **kw)]
    for i, (how, n) in enumerate(WAYS.items()):
        clients[0].ask("GET", f"/{how}/{n}/{name}")
        clients[0].ask("POST", f"/{how}/0/{name}", body=b"b" * (i * 700))
    for how, status in LAST_WAYS.items():
        clients.append(w.connect(name, **kw))
        path = f"/{how}/50/{name}"
        if status:
            clients[-1].ask("GET", path)
        else:
            clients[-1].send(request("GET", path))
            assert not clients[-1].f.read()
            clients[-1].told.append(("GET", path, 0))
    [c.close() for c in clients]
    asked = [row for c in clients for row in c.told]
    for side, pids in (("server", w.servers[name].pids()), ("client", [ME])):
        rows = [r for r in w.rows(len(asked), pids, side, clients) if r["path"].endswith(f"/{name}")]
        same(side, told(rows, side), counted(asked))
        odd = [r for r in rows if r["unfinished"] != r["path"].startswith(("/cut", "/drop"))]
        assert not odd, odd[:2]


def test_every_call_that_moves_bytes():
    every_call("own", "sockets")


def test_every_call_over_a_unix_socket():
    every_call("unix", "sockets")


def test_every_call_over_ipv6():
    every_call("own", "sockets", host="::1")


def check_client(name, hooks="sockets"):
    """What the client asks is what the server's log says, on both sides."""
    w = world(hooks)
    own, p = w.servers["own"], there(w.clients[name])
    p.stdin.close()
    assert p.wait(30) == 0

    def of(rows):
        return [row for row in rows if row[1].startswith(f"/sleep/300/{name}/")]

    log = counted(of([row[:3] for row in own.log()]))
    assert log.total() >= 300, log
    for side, pid in (("server", own.pids()[0]), ("client", str(p.pid))):
        def seen():
            return counted(of([(r["method"], r["path"], r["status"]) for r in w.trace.rows() if r["side"] == side and str(r["pid"]) == pid]))

        until_settled(lambda: seen().total(), log.total())
        same(side, seen(), log)


def test_curl_as_client():
    check_client("curl")


def test_node_as_client():
    check_client("node")


def test_aiohttp_as_client():
    check_client("aiohttp")


def test_go_as_client():
    check_client("go")


def test_by_syscalls_own_server():
    check("own", "syscalls")


def test_by_syscalls_unix_socket():
    check("unix", "syscalls")


def test_by_syscalls_python():
    check("python", "syscalls")


def test_by_syscalls_node():
    check("node", "syscalls")


def test_by_syscalls_nginx():
    check("nginx", "syscalls")


def test_by_syscalls_every_call():
    every_call("own", "syscalls")
    every_call("unix", "syscalls")


def test_by_syscalls_clients():
    check_client("curl", "syscalls")
    check_client("go", "syscalls")


def amid(hooks):
    """Connections on which a message was under way when the tracer began: what follows it is seen."""
    w = world(hooks)
    head, body = w.amid
    head.send(b"four")  # the answer says 4 bytes, and has none
    head.answer("HEAD", "/ok/before")
    for _ in range(64):
        body.send(b"b" * 1000, pause=0.001)
    body.answer("POST", "/ok/before")
    for c in w.amid:
        c.told.clear()
        for i in range(3):
            c.ask("GET", f"/ok/amid/{i}")
        c.close()
    rows = w.rows(6, [ME], "client", w.amid) + w.rows(6, w.servers["own"].pids(), "server", w.amid)
    same("both", counted((r["method"], r["path"], r["status"]) for r in rows), counted(2 * [row for c in w.amid for row in c.told]))


def test_connections_amid_a_message():
    amid("sockets")


def test_by_syscalls_amid_a_message():
    amid("syscalls")


def test_a_request_begins_with_its_first_byte():
    w = world()
    c = w.connect("own")
    data = request("GET", "/ok/first/byte")
    c.send(data[:20], data[20:], pause=0.3)
    c.answer("GET", "/ok/first/byte")
    c.close()
    rows = w.rows(1, [ME], "client", [c]) + w.rows(1, w.servers["own"].pids(), "server", [c])
    rows = [r for r in rows if r["path"] == "/ok/first/byte"]  # another connection may have had these ports
    assert len(rows) == 2 and all(250e6 <= r["duration_ns"] < 5e9 for r in rows), rows


class Sink:
    """Reads whatever comes, and never answers."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def run(self):
        try:
            while s := self.listener.accept()[0]:
                while s.recv(1 << 16):
                    pass
                s.close()
        except OSError:
            pass

    def __exit__(self, *_):
        self.listener.close()


def memory_of(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


# Five that are given up, on both sides; one that nobody takes for HTTP; and one that is a request for good.
HOSTILE = [
    b"GET /hostile HTTP/1.1\r\nX: " + b"x" * (2 << 20),
    b"GET /" + b"x" * (2 << 20),
    b"GET /hostile HTTP/1.1\r\n" + b"X: y\r\n" * 300000,
    b"GET " + b" " * (2 << 20),
    b"POST /hostile/length HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /hostile/chunk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n",
    b"POST /hostile/trailers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 300000,
]


def test_hostile_clients_cost_nothing():
    own = world().servers["own"]
    with Sink() as sink:
        t = Trace([ME, *own.pids()], side=None).ready(lambda: Client(own.port).ask("GET", "/probe"))
        before = memory_of(t.process.pid)
        for data in HOSTILE:
            c = Client(sink.port)
            c.send(*[data[i : i + 50000] for i in range(0, len(data), 50000)])
            c.close()
        over = Client(own.port)  # more in flight than are remembered, with heads in several windows
        over.send(b"".join(request("GET", f"/sleep/0/over/{i}", [f"X: {'x' * 700}"]) for i in range(120)))
        for i in range(120):
            over.answer("GET", f"/sleep/0/over/{i}")
        over.ask("GET", "/ok/after")
        lost = Client(own.port)  # an answer whose bytes are not seen
        lost.ask("GET", "/file/9")
        want = collections.Counter([*[(side, f"/hostile/{what}", 0) for side in ("server", "client") for what in ("chunk", "trailers")],
                                    ("client", "/ok/after", 200), ("server", "/ok/after", 200), ("client", "/file/9", 200), ("server", "/file/9", 0)])

        def ends():
            return collections.Counter((r["side"], r["path"], r["status"]) for r in t.rows() if not r["path"].startswith(("/sleep", "/probe")))

        until_settled(lambda: ends().total(), want.total())
        after = memory_of(t.process.pid)
        t.end()
    same("ends", ends(), want)
    assert f"{2 * 5} connections went on as something else" in t.err and "1 transfers" in t.err, t.err
    assert after - before < 2048, (before, after)


if __name__ == "__main__":
    run_in_world(globals())
