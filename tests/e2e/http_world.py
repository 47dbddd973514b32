# SPDX-License-Identifier: Apache-2.0
"""http_world - servers and clients that run, and one hotspan trace that sees them all; what it told, and whether that is the same
as what they say themselves."""
from http_peers import *  # noqa: F403
from test_trace import Trace

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-servers-"))
os.chmod(tmp, 0o755)
ME = str(os.getpid())
KNOWN = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}


def java():
    folder = java_class("HttpServerPeer")
    return [need("java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dsun.net.httpserver.nodelay=true", "-cp", folder, "HttpServerPeer", 0]


# What each is made by, and what it does not do, or does not log: Java's server knows no `OPTIONS *`, nor does nginx.
SERVERS = {
    "own": (lambda w: Server(workload("http_server"), 0, folder=tmp), []),
    "python": (lambda w: Server(sys.executable, PEERS / "http_server.py", 0, folder=tmp), []),
    "aiohttp": (lambda w: Server(peers.environment("http"), PEERS / "http_aiohttp.py", 0, folder=tmp), ["half_closed"]),
    "node": (lambda w: Server(need("node"), PEERS / "http_server.js", 0, folder=tmp), []),
    "java": (lambda w: Server(*java(), folder=tmp), ["chunk_extras", "asterisk", "upgraded"]),
    "go": (lambda w: Server(peers.go_program("goserver"), 0, folder=tmp), []),
    "nginx": (lambda w: Proxy(w.servers["own"].port, tmp), ["asterisk", "upgraded"]),
    "apache": (lambda w: Apache(w.servers["own"].port, tmp), ["upgraded"]),
}
CLIENTS = {
    "curl": lambda: [need("curl"), "-s", "URL/[1-300]"],
    "node": lambda: [need("node"), PEERS / "http_client.js", "URL", 300],
    "aiohttp": lambda: [peers.environment("http"), PEERS / "http_client_aiohttp.py", "URL", 300],
    "go": lambda: [peers.go_program("goserver"), "get", "URL", 1000, 8],
}


def held(argv):
    """A program that begins when its input is closed: its process is known before."""
    return subprocess.Popen(["sh", "-c", 'read _; exec "$@"', "sh", *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def made(table, name, *args):
    """What the table's function makes, or the skip it asks for."""
    try:
        return table[name](*args)
    except Skip as s:
        return s


class World:
    """Servers, connections to them, clients that wait: then the tracer, which sees them all."""

    def __init__(self, hooks, servers, clients):
        self.servers, self.clients, self.early = {}, {}, {}
        for name in servers:
            self.servers[name] = made({n: f for n, (f, _) in SERVERS.items()}, name, self)
        self.path = f"{tmp}/{hooks}.sock"
        self.servers["unix"] = Server(workload("http_server"), self.path, folder=tmp)
        running = {n: s for n, s in self.servers.items() if not isinstance(s, Skip)}
        for name, s in running.items():
            self.early[name] = self.connect(name)
            self.early[name].ask("GET", "/ok/before")
            self.early[name].told.clear()
        self.amid = [self.connect("own") for _ in range(2)]
        self.amid[0].send(request("HEAD", "/ok/before", ["Content-Length: 4"]))
        self.amid[1].send(request("POST", "/ok/before", ["Content-Length: 64000"]))
        for name in clients:
            argv = made(CLIENTS, name)
            url = f"http://localhost:{self.servers['own'].port}/sleep/300/{name}"
            self.clients[name] = argv if isinstance(argv, Skip) else held([str(a).replace("URL", url) for a in argv])
        pids = [pid for s in running.values() for pid in s.pids()] + [str(p.pid) for p in self.clients.values() if not isinstance(p, Skip)]
        probes = self.connect("own")
        self.trace = Trace([*pids, ME], side=None, hooks=hooks).ready(lambda: probes.ask("GET", "/probe"))
        probes.close()

    def connect(self, name, **kw):
        return Client(path=self.path) if name == "unix" else Client(self.servers[name].port, **kw)

    def rows(self, n, pids, side, clients):
        """Of these processes and connections on this side, at least so many; those of before and the probes aside."""
        own, other = ("local", "peer") if side == "client" else ("peer", "local")
        ends = {c.ends for c in clients}
        def of():
            return [r for r in self.trace.rows() if str(r["pid"]) in pids and r["side"] == side and (r[own], r[other]) in ends and r["path"] not in ("/probe", "/ok/before")]

        until_settled(lambda: len(of()), n)
        return of()

    def end(self):
        self.trace.end()
        for p in self.clients.values():
            if not isinstance(p, Skip):
                p.kill()
        for s in self.servers.values():
            if not isinstance(s, Skip):
                s.end()


def until_settled(count, n):
    """What is to come has come, and a little more time for what is not to come. Too few: the caller says so."""
    end = time.time() + 10
    while count() < n and time.time() < end:
        time.sleep(0.05)
    time.sleep(0.15)


worlds = {}  # by hooks


def world(hooks="sockets"):
    if hooks not in worlds:
        everything = hooks == "sockets"
        worlds[hooks] = World(hooks, SERVERS if everything else ["own", "python", "node", "nginx"], CLIENTS if everything else ["curl", "go"])
    return worlds[hooks]


def there(thing):
    if isinstance(thing, Skip):
        raise thing
    return thing


def counted(rows):
    return collections.Counter((m if m in KNOWN else "_OTHER", path, status) for m, path, status in rows)


def told(rows, side):
    return counted((r["method"], r["path"], r["status"]) for r in rows if r["side"] == side)


def same(what, got, want):
    missing, odd = want - got, got - want
    assert got == want, (what, "not seen", missing.total(), missing.most_common(5), "not there", odd.total(), odd.most_common(5))


def run_in_world(namespace):
    try:
        run_tests(namespace)
    finally:
        for w in worlds.values():
            w.end()
        shutil.rmtree(tmp)
