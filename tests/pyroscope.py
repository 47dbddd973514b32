# SPDX-License-Identifier: Apache-2.0
"""pyroscope - the fake Pyroscope server for tests in Python: start it, push to it, ask it, break it."""
import gzip
import http.client
import json
import pathlib
import ssl
import subprocess

from hs import BUILD

FAKE = BUILD / "tests" / "fake_pyroscope"
PUSH = "/push.v1.PusherService/Push"


class Fake:
    """One running server. Start it from the main thread: it ends with the thread that started it."""

    def __init__(self, *args, port=0, ca=None, client=None):
        self.args, self.ca, self.client, self.port, self.process = list(map(str, args)), ca, client, port, None
        self.start()

    def start(self):
        """Again on the same port after stop()."""
        self.process = subprocess.Popen([FAKE, "--port", str(self.port), *self.args], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), f"fake_pyroscope did not start: {line}"
        self.port = int(line)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.stdout.close()
            assert self.process.wait(10) == 0, f"fake_pyroscope ended with {self.process.returncode}"
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    @property
    def tls(self):
        return "--tls-cert" in self.args

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else '127.0.0.1'}:{self.port}"

    def connect(self, timeout=10):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.ca)
        if self.client:
            context.load_cert_chain(*self.client)
        return http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=context)

    def request(self, method, path, body=None, headers=None, timeout=10):
        """(status, headers, body)"""
        c = self.connect(timeout)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def push(self, body, headers=None, timeout=10):
        return self.request("POST", PUSH, body, {"Content-Type": "application/proto", **(headers or {})}, timeout)

    def state(self):
        return json.loads(self.request("GET", "/fake/state")[2])

    def profile(self, i=0):
        status, _, body = self.request("GET", f"/fake/profile?series={i}")
        assert status == 200, body
        return body

    def faults(self, *lines):
        """Replaces the faults, see tests/pyroscope/faults.h; none ends them."""
        status, _, body = self.request("POST", "/fake/faults", "\n".join(lines))
        assert status == 200, body

    def reset(self):
        self.request("POST", "/fake/reset", "")

    def series(self, **labels):
        """The series of the state with these labels among theirs."""
        return [s for s in self.state()["series"] if labels.items() <= s["labels"].items()]

    def newest(self, **labels):
        """The last profile of the one series with these labels, inflated."""
        [i] = [i for i, s in enumerate(self.state()["series"]) if labels.items() <= s["labels"].items()]
        return gzip.decompress(self.profile(i))


def certificates(folder, name="localhost"):
    """An authority, a server's and a client's certificate, made by openssl: ca.pem, {server,client}.{pem,key}."""
    folder = pathlib.Path(folder)
    run = lambda *a: subprocess.run(["openssl", *map(str, a)], check=True, capture_output=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-days", 2, "-subj", "/CN=authority", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    for who in ("server", "client"):
        (folder / f"{who}.ext").write_text(f"subjectAltName=DNS:{name}\n")
        run("req", *key, "-subj", f"/CN={who}", "-keyout", folder / f"{who}.key", "-out", folder / f"{who}.csr")
        run("x509", "-req", "-in", folder / f"{who}.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-days", 2,
            "-CAcreateserial", "-extfile", folder / f"{who}.ext", "-out", folder / f"{who}.pem")
    return folder
