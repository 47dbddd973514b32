#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http_server.py PORT: the standard library's, a thread a connection. What test_http_servers.py says a server does."""
import http.server
import sys
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        n = 0
        while size := int(self.rfile.readline().split(b";")[0], 16):
            n += len(self.rfile.read(size + 2)) - 2
        while self.rfile.readline() != b"\r\n":
            pass
        return n

    def answer(self):
        n, (_, how, amount, *_) = self.read_body(), (urllib.parse.urlsplit(self.path).path + "//").split("/")
        if self.headers.get("Upgrade"):
            return self.echo()
        self.send_response(int(amount) if how == "status" else 200)
        if how == "chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(int(amount) if self.command != "HEAD" else 0):
                self.wfile.write(b"4\r\nfour\r\n")
            if self.command != "HEAD":
                self.wfile.write(b"0\r\n\r\n")
            return
        if how != "status" or amount not in ("204", "304"):
            self.send_header("Content-Length", str(n or 2))
        self.end_headers()
        if self.command != "HEAD" and amount not in ("204", "304"):
            self.wfile.write(b"x" * (n or 2))

    def echo(self):
        self.send_response(101)
        self.send_header("Upgrade", "echo")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        while data := self.connection.recv(4096):
            self.connection.sendall(data)
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_PROPFIND = answer

    def log_request(self, code="-", size="-"):
        print(self.command, self.path, int(code), flush=True)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # a client that went away


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print(server.server_port, flush=True)
server.serve_forever()
