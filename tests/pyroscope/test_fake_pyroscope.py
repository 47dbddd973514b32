#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fake server holds the rules of a real one: bytes made by hand here, the answers those observed."""
import gzip
import hashlib
import http.client
import json
import subprocess
import tempfile
import time

from hs import *  # noqa: F403
from pyroscope import FAKE, PUSH, Fake, certificates

NOW = time.time_ns()
VECTOR = bytes.fromhex(
    "0a0408011002120a0a0201021204b6c6b90e1a0a08012803380140014801220a0801100122040801100c220a0802100122040802101e2a08"
    "08011006180620052a08080210041804200532003203637075320b6e616e6f7365636f6e647332092f62696e2f64656d6f32046d61696e32"
    "0664656d6f2e6332046c656166488080a8b1e39fe7cb175080acc7f0375a04080110026092c2e804")


# protobuf, by hand
def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def num(field, n):
    return varint(field << 3) + varint(n)


def sub(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(field, numbers):
    return sub(field, b"".join(map(varint, numbers)))


STRINGS = ["", "cpu", "nanoseconds", "main", "leaf", "span_id", "route", "/a", "/b", "0123456789abcdef"]


def sample(locations=(2, 1), values=(10,), labels=()):
    """labels: (key, str, num) of string indices."""
    return packed(1, locations) + packed(2, values) + b"".join(sub(3, num(1, k) + num(2, s) + num(3, n)) for k, s, n in labels)


def location(i, functions, address=0x1000):
    return num(1, i) + num(3, address) + b"".join(sub(4, num(1, f)) for f in functions)


def pprof(samples=None, strings=None, types=((1, 2),), locations=None, functions=((1, 3), (2, 4)), period=(1, 2), when=None, extra=b""):
    """Locations 1 main and 2 leaf, one sample of 10 unless said."""
    out = b"".join(sub(1, num(1, t) + num(2, u)) for t, u in types)
    out += b"".join(sub(2, s) for s in (samples if samples is not None else [sample()]))
    out += b"".join(sub(4, l) for l in (locations or [location(1, [1]), location(2, [2])]))
    out += b"".join(sub(5, num(1, i) + num(2, n)) for i, n in functions)
    out += b"".join(sub(6, s) for s in (STRINGS if strings is None else strings))
    out += num(9, NOW if when is None else when) + num(10, 15 * 10**9)
    if period:
        out += sub(11, num(1, period[0]) + num(2, period[1])) + num(12, 10)
    return out + extra


def series(profile=None, labels=None, ident="id-1"):
    labels = [("__name__", "process_cpu"), ("service_name", "demo")] if labels is None else labels
    return sub(1, b"".join(sub(1, sub(1, n) + sub(2, v)) for n, v in labels)
               + sub(2, sub(1, pprof() if profile is None else profile) + sub(2, ident)))


def with_labels(*more):
    return series(labels=[("__name__", "process_cpu"), ("service_name", "demo"), *more])


def names(row):
    return {n["name"]: [n["self"], n["total"]] for n in row["names"]}


def answers(fake, rows, kind):
    """rows: what, body, headers, status, code."""
    for what, body, headers, status, code in rows:
        got, _, text = fake.push(body, headers)
        said = json.loads(text)["code"] if text.startswith(b"{") else ""
        print(f"  {what}: {got} {said}")
        assert (got, said) == (status, code), f"{kind}: {what}: {got} {text}"


def test_headers_are_held_to_connect():
    with Fake() as f:
        answers(f, [
            ("plain", series(), {}, 200, ""),
            ("gzip", gzip.compress(series()), {"Content-Encoding": "gzip"}, 200, ""),
            ("identity", series(), {"Content-Encoding": "identity"}, 200, ""),
            ("version 1", series(), {"Connect-Protocol-Version": "1"}, 200, ""),
            ("version 2", series(), {"Connect-Protocol-Version": "2"}, 400, "invalid_argument"),
            ("zstd", series(), {"Content-Encoding": "zstd"}, 501, "unimplemented"),
            ("a body that is no gzip", series(), {"Content-Encoding": "gzip"}, 400, "invalid_argument"),
            ("x-protobuf", series(), {"Content-Type": "application/x-protobuf"}, 415, ""),
            ("json", b"{}", {"Content-Type": "application/json"}, 415, ""),
            ("no message", b"\xff\xff\xff", {}, 400, "invalid_argument"),
            ("nothing", b"", {}, 400, "invalid_argument")], "headers")
        status, headers, body = f.push(series())
        assert (status, headers["Content-Type"], body) == (200, "application/proto", b"")
        status, headers, body = f.push(gzip.compress(series()), {"Content-Encoding": "gzip", "Accept-Encoding": "identity"})
        assert headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == b""
        assert f.push(series(), {"Content-Type": "text/plain"})[1]["Accept-Post"]
        for method in ("GET", "PUT"):
            assert f.request(method, PUSH, headers={"Content-Length": "0"})[0] == 405
        assert f.request("POST", "/push.v1.PusherService/Pull", b"")[0] == 404
        assert f.request("GET", "/ready")[0] == 200


def test_label_rules():
    many = [(f"l{i}", "v") for i in range(28)]
    with Fake() as f:
        answers(f, [
            ("no service_name", series(labels=[("__name__", "process_cpu")]), {}, 200, ""),
            ("empty service_name", series(labels=[("__name__", "process_cpu"), ("service_name", "")]), {}, 400, "invalid_argument"),
            ("no __name__", series(labels=[("service_name", "x")]), {}, 400, "invalid_argument"),
            ("empty __name__", series(labels=[("__name__", ""), ("service_name", "x")]), {}, 400, "invalid_argument"),
            ("empty name", with_labels(("", "x")), {}, 400, "invalid_argument"),
            ("a name twice", with_labels(("a", "x"), ("a", "x")), {}, 400, "invalid_argument"),
            ("name no UTF-8", with_labels((b"a\xff", "x")), {}, 400, "invalid_argument"),
            ("value no UTF-8", with_labels(("a", b"\xc0\x80")), {}, 400, "invalid_argument"),
            ("30 names", with_labels(*many), {}, 200, ""),
            ("31 names", with_labels(*many, ("z", "v")), {}, 400, "invalid_argument"),
            ("name 1024", with_labels(("n" * 1024, "v")), {}, 200, ""),
            ("name 1025", with_labels(("n" * 1025, "v")), {}, 400, "invalid_argument"),
            ("value 2048", with_labels(("n", "v" * 2048)), {}, 200, ""),
            ("value 2049", with_labels(("n", "v" * 2049)), {}, 400, "invalid_argument"),
            ("odd names", with_labels(("a-b", "v"), ("c.d", "v"), ("e f", "v"), ("1g", "v"), ("é", "ü")), {}, 200, ""),
            ("the server's own", with_labels(("__type__", "v")), {}, 200, "")], "labels")
        assert f.series(service_name="unknown_service")
        assert f.state()["warnings"]["label of the server's own"] == 1
        f.reset()
        f.push(with_labels(("__delta__", "false"), ("__session_id__", "1")))
        assert f.state()["series"][0]["labels"] == {"__name__": "process_cpu", "service_name": "demo"}


def test_pprof_rules():
    bad, unknown = "invalid_argument", "unknown"
    minute = 60 * 10**9
    zipped = gzip.compress(pprof())
    pad = lambda n: sub(100, b"x" * n)
    with Fake() as f:
        answers(f, [(what, series(p), {}, status, code) for what, p, status, code in [
            ("gzip", zipped, 200, ""),
            ("two gzip members", gzip.compress(pprof()[:40]) + gzip.compress(pprof()[40:]), 200, ""),
            ("gzip cut", zipped[:-9], 500, unknown),
            ("gzip damaged", zipped[:20] + b"\0\0\0" + zipped[23:], 500, unknown),
            ("empty", b"", 500, unknown),
            ("no protobuf", b"\x0a\xff\xff", 500, unknown),
            ("no sample type", pprof(types=(), samples=[]), 400, bad),
            ("dash in a type", pprof(strings=["", "c-u", *STRINGS[2:]]), 400, bad),
            ("string 0", pprof(strings=["x", *STRINGS[1:]]), 400, bad),
            ("no strings", pprof(strings=[]), 400, bad),
            ("string no UTF-8", pprof(strings=[*STRINGS, b"\xed\xa0\x80"]), 400, bad),
            ("type out of range", pprof(types=((99, 2),)), 400, bad),
            ("function name out of range", pprof(functions=((1, 3), (2, 77))), 400, bad),
            ("label out of range", pprof([sample(labels=[(77, 1, 0)])]), 400, bad),
            ("negative index", pprof(functions=((1, -1),)), 400, bad),
            ("mapping file out of range", pprof(extra=sub(3, num(1, 1) + num(5, 50))), 400, bad),
            ("location 0", pprof(locations=[location(0, [1])]), 400, bad),
            ("function 0", pprof(functions=((0, 3),)), 400, bad),
            ("two values for one type", pprof([sample(values=(1, 2))]), 400, bad),
            ("59 min old", pprof(when=NOW - 59 * minute), 200, ""),
            ("61 min old", pprof(when=NOW - 61 * minute), 400, bad),
            ("9 min ahead", pprof(when=NOW + 9 * minute), 200, ""),
            ("11 min ahead", pprof(when=NOW + 11 * minute), 400, bad),
            ("no time", pprof(when=0), 200, ""),
            ("16000 samples", pprof([sample()] * 16000), 200, ""),
            ("16001 samples", pprof([sample()] * 16001), 400, bad),
            ("100 labels of a sample", pprof([sample(labels=[(6, 0, 1)] * 100)]), 200, ""),
            ("101 labels of a sample", pprof([sample(labels=[(6, 0, 1)] * 101)]), 400, bad),
            ("2.5 MiB", pprof(extra=pad(5 << 19)), 429, "resource_exhausted"),
            ("2.5 MiB in gzip", gzip.compress(pprof(extra=pad(5 << 19))), 429, "resource_exhausted"),
            ("5 MiB", pprof(extra=pad(5 << 20)), 400, bad),
            ("location that does not exist", pprof([sample(locations=(9, 1))]), 200, ""),
            ("1500 frames", pprof([sample(locations=[2] * 1500)]), 200, ""),
            ("zeros without a period type", pprof([sample(values=(0,))], period=None), 500, unknown),
            ("negative without a period type", pprof([sample(values=(-1,))], period=None), 500, unknown),
            ("zeros", pprof([sample(values=(0,))]), 200, "")]], "pprof")


def test_the_vector():
    request = series(VECTOR, ident="734fd599-6865-419e-9475-932762d8f469")
    assert (len(VECTOR), len(request)) == (152, 246)
    assert hashlib.sha256(request).hexdigest() == "f13cd8a49712903f57805ce940903977103a10afc7eba756287cb441bc34bec1"
    with Fake() as f:
        assert f.push(request)[0] == 400, "it is older than an hour"
    with Fake("--any-time") as f:
        assert f.push(request)[0] == 200
        s, = f.state()["series"]
        assert s["types"] == {"process_cpu:cpu:nanoseconds:cpu:nanoseconds": {
            "total": 30303030, "sent": 30303030, "names": [{"name": "leaf", "self": 30303030, "total": 30303030},
                                                           {"name": "main", "self": 0, "total": 30303030}]}}
        assert s["totals"] == {"cpu:nanoseconds": 30303030} and s["names"][0]["name"] == "leaf" and s["nameless"] == 0
        assert s["ids"] == ["734fd599-6865-419e-9475-932762d8f469"] and s["min_time_nanos"] == 1700000000 * 10**9
        assert s["duration_nanos"] == 15 * 10**9 and f.profile() == VECTOR
        assert f.state()["warnings"] == {}


def test_what_a_server_changes_silently():
    kind = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
    with Fake() as f:
        f.push(series(pprof([sample(labels=[(6, 7, 0)]), sample(values=(5,), labels=[(6, 8, 0)]),
                             sample(values=(2,), labels=[(6, 8, 0), (5, 9, 0), (3, 0, 7)])])))
        assert {s["labels"].get("route"): s["types"][kind]["total"] for s in f.state()["series"]} == {"/a": 10, "/b": 7}
        assert f.state()["warnings"] == {"numeric label": 1}, "span_id makes no series"
        assert f.push(with_labels(*[(f"l{i}", "v") for i in range(28)]))[0] == 200
        full = [("__name__", "process_cpu"), ("service_name", "demo"), *[(f"l{i}", "v") for i in range(28)]]
        assert f.push(series(pprof([sample(labels=[(6, 7, 0)])]), full))[0] == 400, "the promoted label is the 31st"

        f.reset()
        f.push(series(pprof([sample(), sample(values=(0,)), sample(values=(-3,))])))
        f.push(series(pprof([sample(locations=(2, 1)), sample(locations=(3, 1)), sample(locations=(4,)), sample(locations=(5,))],
                            locations=[location(1, [1]), location(2, [2]), location(3, []), location(4, []), location(5, [], 0)])))
        s, = f.state()["series"]
        assert s["pushes"] == 2 and s["samples"] == 4
        assert (s["types"][kind]["total"], s["types"][kind]["sent"], s["nameless"]) == (30, 40, 2)
        assert names(s) == {"main": [10, 30], "leaf": [20, 20]}
        assert f.state()["warnings"] == {"sample without a value": 2, "location without a line": 2, "sample at no address": 1}

        f.reset()
        f.push(series(pprof([sample(locations=[2] * 700 + [1] * 1000)])))
        s, = f.state()["series"]
        assert names(s) == {"main": [10, 10]} and f.state()["warnings"] == {"stack cut": 1}


def test_two_types_inlined_frames_and_recursion():
    with Fake() as f:
        f.push(series(pprof([sample(locations=(2, 1, 2), values=(1, 10))], types=((1, 2), (3, 2)),
                            locations=[location(1, [1]), location(2, [2, 1])])))
        s, = f.state()["series"]
        assert [names(t) for t in s["types"].values()] == [{"leaf": [1, 1], "main": [0, 1]}, {"leaf": [10, 10], "main": [0, 10]}]
        assert names(s)["leaf"] == [10, 10] and s["totals"] == {"cpu:nanoseconds": 1, "main:nanoseconds": 10}


def test_what_our_encoder_writes_is_taken():
    for args in (("300", "20"), ("200", "8", "hostile"), ("0", "1")):
        profile = subprocess.run([BUILD / "tests" / "unit" / "pprof_dump", "--fixture", "gzip", *args], capture_output=True, check=True).stdout
        with Fake("--any-time") as f:
            status, _, body = f.push(series(profile))
            assert status == 200, f"{args}: {body}"
            known = {"numeric label"} | ({"function without a name"} if "hostile" in args else set())
            assert set(f.state()["warnings"]) <= known, f.state()["warnings"]
            types = [t for s in f.state()["series"] for t in s["types"].values()]
            assert all(t["total"] == t["sent"] > 0 for t in types) and bool(types) == (args[0] != "0")


def test_one_bad_series_does_not_keep_the_others_out():
    other = [("__name__", "process_cpu"), ("service_name", "other")]
    with Fake() as f:
        status, _, body = f.push(series() + series(pprof(types=()), other) + series(b"", other) + with_labels(("x", "y")))
        assert status == 400 and "sample type" in json.loads(body)["message"], "the first error is the answer"
        assert len(f.state()["series"]) == 2


def test_a_client_is_asked_who_it_is():
    with Fake("--tenant-required", "--basic", "user:pass word") as f:
        right = {"Authorization": "Basic dXNlcjpwYXNzIHdvcmQ=", "X-Scope-OrgID": "team-1"}
        answers(f, [
            ("nobody", series(), {}, 401, "unauthenticated"),
            ("wrong password", series(), {**right, "Authorization": "Basic dXNlcjp4"}, 401, "unauthenticated"),
            ("wrong tenant", series(), {**right, "X-Scope-OrgID": "a/b"}, 401, "unauthenticated"),
            ("right", series(), {**right, "User-Agent": "me/1"}, 200, "")], "credentials")
        st = f.state()
        assert st["tenants"]["team-1"] == 2 and st["user_agents"]["me/1"] == 1 and st["authorizations"][right["Authorization"]] == 2


def test_faults_that_are_answers():
    with Fake() as f:
        f.faults("status=429 retry_after=2 count=2", "status=503 count=1 message=not today")
        got = [f.push(series()) for _ in range(4)]
        assert [g[0] for g in got] == [429, 429, 503, 200]
        assert [g[1]["Retry-After"] for g in got] == ["2", "2", None, None]
        assert json.loads(got[2][2]) == {"code": "unavailable", "message": "not today"}
        assert f.series()[0]["pushes"] == 1
        f.faults("status=500 store=1")
        assert f.push(series())[0] == 500 and f.series()[0]["pushes"] == 2
        f.faults("status=307 location=http://127.0.0.1:1/x")
        assert f.push(series())[:2][0] == 307 and f.push(series())[1]["Location"] == "http://127.0.0.1:1/x"
        f.faults("authorization=Bearer a b")
        assert f.push(series())[0] == 401 and f.push(series(), {"Authorization": "Bearer a b"})[0] == 200
        f.faults("status=400 service=web")
        web = series(labels=[("__name__", "process_cpu"), ("service_name", "my-web")])
        assert [f.push(b)[0] for b in (series(), web, web + series(), series())] == [200, 400, 400, 200]
        assert f.series()[0]["pushes"] == 6 and not f.series(service_name="my-web")
        f.faults("rate=1000")
        assert [f.push(series(pprof(extra=sub(100, b"x" * (3 << 19)))))[0] for _ in range(2)] == [200, 429]
        assert f.request("POST", "/fake/faults", "statuss=1")[0] == 400
        f.faults()
        assert f.push(series())[0] == 200
        assert [r["status"] for r in f.state()["log"]][:4] == [429, 429, 503, 200] and f.state()["requests"]["429"] == 3


def broken(f, *fault, timeout=5, body=None):
    """A push under this fault must end without an answer; returns how, and whether it was stored."""
    f.reset()
    f.faults(*fault)
    try:
        f.push(body or series(), timeout=timeout)
    except (http.client.HTTPException, OSError) as e:
        f.faults()
        return type(e).__name__, bool(f.state()["series"])
    raise AssertionError(f"{fault}: there was an answer")


def test_faults_that_are_no_answer():
    with Fake() as f:
        for fault, stored in (("cut=body", False), ("cut=stored", True), ("cut=head", True), ("cut=answer", True), ("garbage=1", True),
                              ("stall=1", True)):
            how = broken(f, fault, timeout=1)
            print(f"  {fault}: {how}")
            assert how[1] == stored, fault
        assert broken(f, "cut=body", body=series() + sub(15, b"x" * (32 << 20)))[1] is False
        f.faults("delay=600 count=1")
        begin = time.monotonic()
        assert f.push(series())[0] == 200 and time.monotonic() - begin > 0.6
        f.faults("stall=1")
        try:
            f.push(series(), timeout=0.2)
        except OSError:
            pass
        f.stop()  # a stalled answer does not hold it up


def test_tls_and_client_certificates():
    need("openssl")
    with tempfile.TemporaryDirectory() as d:
        d = certificates(d)
        server = ("--tls-cert", d / "server.pem", "--tls-key", d / "server.key")
        with Fake(*server, ca=d / "ca.pem") as f:
            assert f.push(series())[0] == 200
            f.ca = None
            try:
                f.push(series())
                raise AssertionError("an unknown authority was trusted")
            except OSError as e:
                assert "CERTIFICATE_VERIFY_FAILED" in str(e)
            f.ca = d / "ca.pem"
        with Fake(*server, "--tls-client-ca", d / "ca.pem", ca=d / "ca.pem") as f:
            try:
                f.push(series())
                raise AssertionError("a client without a certificate was served")
            except (OSError, http.client.HTTPException) as e:
                print(f"  {e}")
            f.client = (d / "client.pem", d / "client.key")
            assert f.push(series())[0] == 200 and f.state()["pushes"] == 1


def test_wrong_options():
    for argv in (["--colour"], ["--port", "x"], ["--tls-cert", "/nonexistent"], ["extra"]):
        p = subprocess.run([FAKE, *argv], capture_output=True, text=True, timeout=10)
        assert p.returncode == 2 and "Usage" in p.stderr


run_tests(dict(globals()))
