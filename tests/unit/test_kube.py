#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asking Kubernetes for pods: an HTTPS server of our own that answers well, slowly, wrongly, or far too much."""
import contextlib
import http.server
import ssl

from hs import *  # noqa: F403
from pyroscope import certificates

ASK = BUILD / "tests" / "unit" / "kube_ask"
PODS = json.dumps({"kind": "PodList", "items": [{"metadata": {"name": f"p{n}", "namespace": "ns", "uid": f"u{n}"}} for n in range(110)]}).encode()


class Server:
    """answer(handler) is called for each GET; `seen` has (path, Authorization)."""

    def __init__(self, answer, folder, tls=True):
        self.answer, self.seen, outer = answer, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.seen.append((self.path, self.headers.get("Authorization")))
                with contextlib.suppress(OSError):
                    outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "server.pem", folder / "server.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.server.handle_error = lambda *args: None
        self.url = f"http{'s' if tls else ''}://localhost:{self.server.server_port}/api/v1/pods"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()


def reply(handler, body=PODS, status=200, **headers):
    handler.send_response(status)
    for k, v in {"Content-Length": len(body), **headers}.items():
        handler.send_header(k.replace("_", "-"), str(v))
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def account(ca=True, token="secret-1"):
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        certificates(folder)
        if ca:
            (folder / "ca.pem").rename(folder / "ca.crt")
        (folder / "token").write_text(token + "\n")
        yield folder


class Ask:
    def __init__(self, url, folder):
        self.process = subprocess.Popen([ASK, url, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def wait_for(self, words, seconds=10):
        end = time.time() + seconds
        while not any(words in line for line in self.lines):
            assert time.time() < end, f"nothing says {words!r}: {self.lines}"
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.reader.join(5)


def test_a_list_comes_with_the_accounts_token_and_authority():
    with account() as folder, Server(reply, folder) as server, Ask(server.url, folder) as ask:
        ask.wait_for("pods 110")
        (folder / "token").write_text("secret-2\n")  # renewed
        end = time.time() + 5
        while server.seen[-1][1] != "Bearer secret-2":
            assert time.time() < end, server.seen
            time.sleep(0.05)
        assert server.seen[0] == ("/api/v1/pods", "Bearer secret-1")
    assert not any(line.startswith("wrong") for line in ask.lines), ask.lines


def test_the_token_is_told_to_nobody_unproven():
    with account(ca=False) as folder, Server(reply, folder) as server, Ask(server.url, folder) as ask:
        ask.wait_for("wrong")
        assert "certificate" in ask.lines[0] and not server.seen, (ask.lines, server.seen)
    with account() as folder, Server(reply, folder, tls=False) as server, Ask(server.url, folder) as ask:
        ask.wait_for("pods 110")
        assert server.seen[0][1] is None, "no token without TLS"
    with account() as folder, Server(reply, folder) as other:
        go = lambda h: reply(h, b"", 302, Location=other.url)
        with Server(go, folder) as server, Ask(server.url, folder) as ask:
            ask.wait_for("wrong")
            assert not other.seen, "a redirect is not followed"


def test_what_is_wrong_is_said_once_and_when_it_is_over():
    for answer, says in ((lambda h: reply(h, b'{"kind":"Status","code":403}', 403), "role get, list and watch pods"),
                         (lambda h: reply(h, b"no", 401), "token"), (lambda h: reply(h, b"no", 404), "URL"), (lambda h: reply(h, b"<html>"), "no list of pods"),
                         (lambda h: reply(h, PODS[:-1]), "no list of pods"), (lambda h: reply(h, PODS, Content_Length=len(PODS) + 9, Connection="close") or h.connection.close(), "asking again")):
        with account() as folder, Server(answer, folder) as server, Ask(server.url, folder) as ask:
            ask.wait_for(says)
            while len(server.seen) < 4:
                time.sleep(0.02)
            assert len(ask.lines) == 1 and "pods have no names meanwhile" in ask.lines[0], ask.lines
            server.answer = reply
            ask.wait_for("pods 110")
            ask.wait_for("right")


def endless(handler):
    """A list without an end, of pods with nothing in them."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b'{"kind":"PodList","items":[')
    pod = b'{"metadata":{"uid":"u","labels":{"a":"' + b"b" * 1000 + b'"}}},'
    while True:
        handler.wfile.write(pod * 500)


def test_a_huge_answer_is_given_up():
    with account() as folder, Server(endless, folder, tls=False) as server, Ask(server.url, folder) as ask:
        ask.wait_for("no list of pods of any size we read", 60)
        rss = int(re.search(r"VmHWM:\s*(\d+)", pathlib.Path(f"/proc/{ask.process.pid}/status").read_text())[1])
        assert rss < 64 << 10, f"{rss} KiB"


def test_a_slow_answer_does_not_keep_us_from_ending():
    hang = threading.Event()
    with account() as folder, Server(lambda h: hang.wait(15), folder) as server, Ask(server.url, folder) as ask:
        while not server.seen:
            time.sleep(0.02)
    hang.set()
    assert ask.lines and int(ask.lines[-1].removeprefix("ended ")) < 3000, ask.lines


run_tests(globals())
