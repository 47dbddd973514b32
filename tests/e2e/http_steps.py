# SPDX-License-Identifier: Apache-2.0
"""http_steps - what a client may send on a connection (http_peers.Client): whole or in pieces, to the end or not."""
import socket

from http_peers import request

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]
STATUSES = [200, 404, 502, 204, 304, 301]


def kept_alive(c):
    for i in range(240):
        method = METHODS[i % len(METHODS)]
        c.ask(method, f"/status/{STATUSES[i % len(STATUSES)]}/{i}", [f"X-Long: {'y' * (i * 11)}"], b"b" * i if method in ("POST", "PUT", "PATCH") else b"")


def pipelined(c):
    paths = [f"/{'chunks/2' if i % 7 == 0 else 'ok'}/pipelined/{i}" for i in range(30)]
    c.send(b"".join(request("GET", path) for path in paths))
    for path in paths:
        c.answer("GET", path)


def in_bytes(c):
    c.send(*[bytes([b]) for b in request("POST", "/ok/in/bytes", ["X: y"], b"abc")])
    c.answer("POST", "/ok/in/bytes")


def chunks_both_ways(c):
    head = request("POST", "/chunks/9/both", ["Transfer-Encoding: chunked"])
    c.send(head, b"3\r\nab", b"c\r", b"\n10\r\n0123456789abcdef\r\n0\r\n", b"\r\n", pause=0.002)
    c.answer("POST", "/chunks/9/both")


def chunk_extras(c):
    c.ask("POST", "/ok/extras", ["Transfer-Encoding: chunked"], b"3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n")


def expected(c):
    c.send(request("POST", "/ok/expected", ["Expect: 100-continue", "Content-Length: 4"]), b"abcd", pause=0.02)
    c.answer("POST", "/ok/expected")


def large_head(c):
    data = request("GET", "/ok/large", [f"X-{i}: {'z' * 190}" for i in range(30)])
    c.send(*[data[i : i + 700] for i in range(0, len(data), 700)], pause=0.002)
    c.answer("GET", "/ok/large")


def absolute(c):
    c.ask("GET", "http://example.org/ok/absolute")


def asterisk(c):
    c.ask("OPTIONS", "*")


def half_closed(c):
    c.send(request("GET", "/ok/half"))
    c.s.shutdown(socket.SHUT_WR)
    c.answer("GET", "/ok/half")


def old(c):
    c.ask("GET", "/ok/old", version="1.0")


def other_method_first(c):
    c.ask("PROPFIND", "/ok/other/first")


def upgraded(c):
    c.ask("GET", "/ok/upgraded", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
    c.send(request("GET", "/ok/within"))


def cut_in_head(c):
    c.send(b"GET /cut/head HTTP/1.1\r\nHost: ")


def cut_in_body(c):
    c.send(request("POST", "/cut/body", ["Content-Length: 10"]), b"abc", pause=0.02)
    c.told.append(("POST", "/cut/body", 0))


ON_ONE = [kept_alive, pipelined, in_bytes, chunks_both_ways, chunk_extras, expected, large_head, absolute, asterisk]
EACH_ON_ITS_OWN = [half_closed, old, other_method_first, upgraded, cut_in_head, cut_in_body]
