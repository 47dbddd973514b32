#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jitdumps of real writers (Node, Python 3.13) beside a second reader, written plainly, and beside perf inject."""
import random
import struct

from hs import *  # noqa: F403

DUMP = BUILD / "tests/unit/jit_dump"
PROGRAM = """
function inner(a, n) { let s = 0; for (let i = 0; i < n; i++) s += a[i % 16] * i; return s; }
function outer(k) {
  const a = [];
  for (let i = 0; i < 16; i++) a.push(i + k);
  return inner(a, 20000);
}
let t = 0;
const end = Date.now() + 1500;
while (Date.now() < end) t += outer(t & 7);
"""
SHIFT = 64  # of V8's lines


def records(path):
    data = path.read_bytes()
    assert struct.unpack_from("<II", data) == (0x4A695444, 1)
    at = struct.unpack_from("<I", data, 8)[0]
    while at + 16 <= len(data):
        kind, size, _ = struct.unpack_from("<IIQ", data, at)
        yield kind, data[at + 16:at + size]
        at += size


def entries(body):
    """(offset, line, file) of each; None: these are not all lines."""
    start, n = struct.unpack_from("<QQ", body)
    at, out, last = 16, [], None
    for _ in range(n):
        addr, line, _ = struct.unpack_from("<QII", body, at)
        end = body.index(b"\0", at + 16)
        last = body[at + 16:end] if body[at + 16:end] != b"\xff" else last
        at = end + 1
        out.append((addr - start, line, last))
    sane = all(0 <= o < 1 << 32 and f and min(f) >= 32 and 127 not in f for o, _, f in out)
    return start, sorted(out, key=lambda e: e[0]) if sane else None


def read(path):
    """[(start, size, name, lines)] in the order loaded."""
    out, debug = [], (None, None)
    for kind, body in records(path):
        if kind == 2:
            debug = entries(body)
        if kind == 0:
            start, size = struct.unpack_from("<QQ", body, 16)
            name = body[40:body.index(b"\0", 40)].decode(errors="surrogateescape")
            lines = debug[1] if debug[0] == start else None
            if lines and lines[-1][0] > size + SHIFT:
                lines = None
            out.append((start, size, name, lines or []))
            debug = (None, None)
    return out


def answer(loads, addr, shift):
    for start, size, name, lines in reversed(loads):
        if start <= addr < start + size:
            line = [(f.decode(), n) for o, n, f in lines if o <= addr - start + shift]
            return name, *(line[-1] if line else ("", 0))
    return "", "", 0


def ours(path, addrs):
    p = subprocess.run([DUMP, path], input="\n".join(f"{a:x}" for a in addrs) + "\n", capture_output=True, text=True,
                       errors="surrogateescape")
    assert p.returncode == 0, p.stderr
    print(f"  {path.name}: {p.stderr.strip()}")
    rows = [line.split("\t") for line in p.stdout.splitlines()]
    return [(name, file, int(line)) for name, file, line in rows]


def compare(path, shift):
    loads = read(path)
    rng = random.Random(1)
    addrs = [start + rng.randrange(size) for start, size, _, _ in rng.choices(loads, k=4000)]
    wrong = [(hex(a), got, want) for a, got, want in zip(addrs, ours(path, addrs), (answer(loads, a, shift) for a in addrs))
             if got != want]
    assert not wrong, (path, len(wrong), wrong[:3])
    return loads


def run_node(d, *argv):
    (d / "app.js").write_text(PROGRAM)
    p = subprocess.run([*argv, need("node"), "--perf-prof", "--no-logfile-per-isolate", "--logfile=/dev/null", "app.js"],
                       cwd=d, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return next(d.glob("jit-*.dump"))


def test_node():
    with tempfile.TemporaryDirectory() as t:
        loads = compare(run_node(pathlib.Path(t)), SHIFT)
        assert any("outer" in name for _, _, name, _ in loads) and sum(bool(lines) for *_, lines in loads) > 3


def test_perf_inject_names_the_same():
    need("perf")
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        path = run_node(d, "perf", "record", "-q", "-B", "-N", "-k", "mono", "-e", "cpu-clock", "-F", "499", "-o", d / "data", "--")
        p = subprocess.run(["perf", "inject", "-j", "-i", d / "data", "-o", d / "injected"], capture_output=True, text=True)
        if "build-id.c" in p.stderr:  # perf 6.1 dies of records that ask for build ids elsewhere (proc/sideband.c)
            print("  perf cannot read what it recorded: passed over")
            return
        assert p.returncode == 0, p.stderr
        text = subprocess.run(["perf", "script", "-i", d / "injected", "-F", "ip,sym,dso"], capture_output=True, text=True).stdout
        rows = {(int(m[1], 16), m[2]) for m in re.finditer(r"^\s*([0-9a-f]+) (.*) \(.*/jitted-.*\)$", text, re.M)}
        assert len(rows) >= 5, text[-500:]
        wrong = [(hex(a), name, got[0]) for (a, name), got in zip(rows, ours(path, [a for a, _ in rows])) if got[0] != name]
        assert not wrong, wrong[:3]
        print(f"  {len(rows)} addresses of samples")


def test_python():
    """Since 3.13, which Debian 12 has not."""
    candidates = [shutil.which(f"python3.{n}") for n in (13, 14, 15)]
    python = next((p for p in candidates if p and not subprocess.run([p, "-c", ""], capture_output=True).returncode), None)
    if not python:
        print("  no Python that writes jitdumps: passed over")
        return
    p = subprocess.run([python, "-X", "perf_jit", "-c", "import os, json\njson.dumps({'a': 1})\nprint(os.getpid())"],
                       capture_output=True, text=True, check=True)
    path = pathlib.Path(f"/tmp/jit-{p.stdout.strip()}.dump")
    try:
        assert any(name.startswith("py::dumps") for _, _, name, _ in compare(path, 0))
    finally:
        path.unlink()


if __name__ == "__main__":
    run_tests(globals())
