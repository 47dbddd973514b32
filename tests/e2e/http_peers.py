# SPDX-License-Identifier: Apache-2.0
"""http_peers - servers that log what they answered, and a client that sends whatever bytes in whatever pieces.

What such a server does: of /HOW/AMOUNT/ANYTHING, /status/N has status N, /chunks/N is N chunks, everything else is 200. The answer
is as long as the request's body, or two bytes. A request with Upgrade gets 101 and its bytes back.
"""
import socket

import peers
from hs import *  # noqa: F403
from nginx import Nginx

PEERS = pathlib.Path(peers.__file__).parent


class Server:
    """A program that prints its port, then "METHOD TARGET STATUS [NS]" of each request."""

    def __init__(self, *argv, folder):
        self.out = open(tempfile.mktemp(dir=folder), "w+")
        self.process = subprocess.Popen([*map(str, argv)], stdout=self.out)

    def lines(self):
        text = pathlib.Path(self.out.name).read_text()
        return text[: text.rfind("\n") + 1].splitlines()

    @property
    def port(self):
        until(lambda: self.lines())
        return int(self.lines()[0])

    def pids(self):
        return [str(self.process.pid)]

    def log(self):
        """[(method, path, status, ns)]"""
        return rows_of(self.lines()[1:])

    def end(self):
        self.process.kill()
        self.process.wait()
        self.out.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def rows_of(lines):
    rows = [line.split() for line in lines]
    return [(m, path_of(target), int(status), int(ns[0]) if ns else None) for m, target, status, *ns in rows]


class Proxy:
    """nginx, which hands everything to another server."""

    def __init__(self, to, folder):
        self.nginx = Nginx(folder, f"location / {{ proxy_pass http://127.0.0.1:{to}; proxy_http_version 1.1; }}").__enter__()
        self.port, self.pids, self.end = self.nginx.port, self.nginx.workers, self.nginx.__exit__

    def log(self):
        return [(r["method"], r["uri"], r["status"], None) for r in self.nginx.log()]


APACHE = """ServerName x
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
User www-data
Group www-data
PidFile {dir}/pid
ErrorLog {dir}/error.log
LogFormat "%m %U %>s %D" times
CustomLog {dir}/access.log times
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ProxyPass / http://127.0.0.1:{to}/
"""


class Apache:
    """Apache, which does so too; its log has microseconds."""

    def __init__(self, to, folder):
        self.dir, self.port = tempfile.mkdtemp(dir=folder), free_port()
        os.chmod(self.dir, 0o755)
        conf = pathlib.Path(self.dir) / "conf"
        conf.write_text(APACHE.format(port=self.port, dir=self.dir, to=to, modules="/usr/lib/apache2/modules"))
        self.process = subprocess.Popen([need("apache2"), "-X", "-d", self.dir, "-f", conf], stderr=subprocess.DEVNULL)
        until(lambda: not socket.socket().connect_ex(("127.0.0.1", self.port)))

    def pids(self):
        return [str(self.process.pid)]

    def log(self):
        rows = rows_of((pathlib.Path(self.dir) / "access.log").read_text().splitlines())
        return [(*row[:3], row[3] * 1000) for row in rows if row[0] != "-"]

    def end(self):
        self.process.kill()
        self.process.wait()


def path_of(target):
    return re.sub(r"^\w+://[^/]*", "", target) or "/"


def java_class(name):
    """The folder of the compiled class of tests/peers/NAME.java."""
    source = PEERS / f"{name}.java"
    folder, making = peers.place(name, source)
    if not folder.exists():
        making.mkdir(parents=True)
        subprocess.run([need("javac"), "-d", making, source], check=True)
        peers.put(making, folder)
    return folder


def request(method, path, headers=(), body=b"", version="1.1"):
    if body and not any(h.startswith("Transfer-Encoding") for h in headers):
        headers = [*headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "\r\n"]).encode() + body


class Client:
    """A connection; all it asked and was told."""

    def __init__(self, port=0, path=None, host="127.0.0.1"):
        self.ends = ("unix", "unix")  # its own address, the server's
        if path:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.connect(path)
        else:
            self.s = socket.create_connection((host, port))
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ends = tuple(f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p, *_ in (self.s.getsockname(), self.s.getpeername()))
        self.s.settimeout(10)
        self.f = self.s.makefile("rb")
        self.told = []

    def send(self, *pieces, pause=0):
        for piece in pieces:
            self.s.sendall(piece)
            if pause:
                time.sleep(pause)

    def head(self):
        line = self.f.readline()
        assert line.startswith(b"HTTP/1."), line
        fields = {}
        while (header := self.f.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return int(line.split()[1]), fields

    def body(self, fields):
        if fields.get("transfer-encoding") == "chunked":
            while size := int(self.f.readline().split(b";")[0], 16):
                self.f.read(size + 2)
            while self.f.readline() not in (b"\r\n", b""):
                pass
        else:
            self.f.read(int(fields["content-length"]) if "content-length" in fields else -1)

    def answer(self, method, path):
        """The next answer is to this request."""
        status, fields = self.head()
        while status < 200 and status != 101:
            status, fields = self.head()
        if method != "HEAD" and status not in (101, 204, 304):
            self.body(fields)
        self.told.append((method, path_of(path), status))
        return status

    def ask(self, method, path, headers=(), body=b"", version="1.1", **kw):
        self.send(request(method, path, headers, body, version), **kw)
        return self.answer(method, path)

    def close(self):
        self.f.close()
        self.s.close()
