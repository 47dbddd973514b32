# SPDX-License-Identifier: Apache-2.0
"""symbols - 1,000 addresses of a large C++ library (libjvm with openjdk-17-dbg, else libstdc++ with its -dbg) to functions,
lines and inlined calls: `hotspan addr2line` cold and with its cache beside llvm-symbolizer, binutils' addr2line and
eu-addr2line; the sampled addresses of libjvm to functions and lines by `perf script` and by hotspan; and a profile of that
library named by record, cold and with the cache."""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time

LIBRARIES = ["/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"]
ADDRESSES, PATIENCE = 1000, 120


def debug_file(path):
    m = re.search(r"Build ID: (\w\w)(\w+)", subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout)
    found = pathlib.Path(f"/usr/lib/debug/.build-id/{m[1]}/{m[2]}.debug") if m else None
    return found if found and found.exists() else None


def addresses(path):
    text = subprocess.run(["nm", "-S", "--defined-only", path], capture_output=True, text=True).stdout
    functions = [(int(m[1], 16), int(m[2], 16)) for m in re.finditer(r"^(\w+) (\w+) [tTwW] ", text, re.M)]
    r = random.Random(1)
    return "".join(f"{a + r.randrange(size):#x}\n" for a, size in r.choices(functions, weights=[s for _, s in functions], k=ADDRESSES))


class Watch:
    """The most anonymous memory any process had whose command line says so, in bytes."""

    def __init__(self, word):
        self.word, self.peak, self.stop = word.encode(), 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stop:
            for p in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    if self.word in (p / "cmdline").read_bytes():
                        m = re.search(r"RssAnon:\s+(\d+)", (p / "status").read_text())
                        self.peak = max(self.peak, int(m[1]) * 1024 if m else 0)
                except OSError:
                    pass
            time.sleep(0.02)

    def end(self):
        self.stop = True
        self.thread.join()
        return self.peak


def timed(argv, text):
    """(seconds, peak RSS of it and its children, lines of output, ended in time)."""
    begin = time.time()
    p = subprocess.Popen(["/usr/bin/time", "-f", "%M", *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = p.communicate(text, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, 9)
        p.communicate()
        return time.time() - begin, 0, 0, False
    return time.time() - begin, int(err.split()[-1]) * 1024, out.count("\n"), p.returncode == 0


def tools(hotspan, library, debug, cache):
    yield "hotspan addr2line, cold", [hotspan, "addr2line", "--symbol-cache", cache, "-fie", library]
    yield "hotspan addr2line, with its cache", [hotspan, "addr2line", "--symbol-cache", cache, "-fie", library]
    for tool in (["llvm-symbolizer-16", "-fi", "--no-demangle", "--output-style=GNU", "-e"], ["addr2line", "-fie"], ["eu-addr2line", "-fie"]):
        if shutil.which(tool[0]):
            yield tool[0], [*tool, debug]


def side_by_side(hotspan, library, debug, cache):
    text = addresses(debug)
    for name, argv in tools(hotspan, library, debug, cache):
        watch = Watch("--symcache-helper")
        seconds, rss, lines, ended = timed(argv, text)
        row = {"bench": "symbols", "tool": name, "file": f"{os.path.basename(library)}, debug file {debug.stat().st_size / 2**20:.0f} MiB",
               "seconds": round(seconds, 3), "rss_bytes": rss, "lines": lines, "helper_anon_bytes": watch.end()}
        yield row if ended else {**row, "given_up": True}


THREADS = ["GC Thread#0", "GC Thread#1", "C2 CompilerThre", "C1 CompilerThre"]  # C++ alone: a Java thread's stack holds generated code
JAVA = """class Spin { public static void main(String[] a) { Object[] keep = new Object[4000000]; for (int round = 0; round < 200; round++)
for (int i = 0; i < keep.length; i += 3) keep[i] = new Object[] { keep[(i + round) % keep.length], Integer.valueOf(i) }; } }"""


def load_segments(path):
    text = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True).stdout
    return [tuple(int(x, 16) for x in m) for m in re.findall(r"^  LOAD +(\w+) (\w+) \w+ (\w+) ", text, re.M)]


def sampled(data, library):
    """Where in the library perf's samples fell, in the addresses of its file: a list with as many as there are samples."""
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,dso", "--show-mmap-events"], capture_output=True, text=True).stdout
    mapped = [tuple(int(x, 16) for x in m) for m in re.findall(rf"\[(\w+)\((\w+)\) @ (\w+) .*r-xp {re.escape(library)}$", text, re.M)]
    offsets = [int(m, 16) - start + at for m in re.findall(rf"^ +(\w+) \({re.escape(library)}\)$", text, re.M)
               for start, size, at in mapped if start <= int(m, 16) < start + size]
    return [o - at + addr for o in offsets for at, addr, size in load_segments(library) if at <= o < at + size]


def beside_perf(hotspan, cache):
    """perf starts one addr2line for the library and asks it for the function and line of every sample, one after the other."""
    library = LIBRARIES[0]
    if not shutil.which("perf") or not shutil.which("java") or not debug_file(library):
        return
    with tempfile.TemporaryDirectory() as d:
        (pathlib.Path(d) / "Spin.java").write_text(JAVA)
        # --buildid-mmap: while another profiler has the kernel report build ids, Linux 6.18 marks perf's mappings as having one too,
        # and perf 6.1, which did not ask, takes the inode for its length and aborts.
        subprocess.run(["perf", "record", "-q", "--buildid-mmap", "-e", "cpu-clock:u", "-F", "199", "-o", f"{d}/perf.data", "--",
                        "timeout", "-s", "INT", "4", "java", "-XX:+UseParallelGC", "-Xmx1g", f"{d}/Spin.java"], capture_output=True)
        at = sampled(f"{d}/perf.data", library)
        if not at:
            return
        text = "".join(f"{a:#x}\n" for a in at)
        file = f"libjvm.so, {len(at)} samples at {len(set(at))} addresses"
        asked = {"hotspan addr2line -f, cold": [hotspan, "addr2line", "--symbol-cache", cache, "-fe", library],
                 "hotspan addr2line -f, with its cache": [hotspan, "addr2line", "--symbol-cache", cache, "-fe", library],
                 "perf script -F ip,sym,srcline": ["perf", "script", "-i", f"{d}/perf.data", "-F", "ip,sym,srcline", "--dsos", os.path.basename(library)]}
        took = {}
        for name, argv in asked.items():
            seconds, rss, lines, ended = timed(argv, text)
            took[name] = seconds
            row = {"bench": "symbols_perf", "tool": name, "file": file, "seconds": round(seconds, 3), "rss_bytes": rss, "lines": lines,
                   "us_per_sample": round(1e6 * seconds / len(at), 1), "ratio": round(seconds / took["hotspan addr2line -f, cold"], 2)}
            yield row if ended else {**row, "given_up": True}


def profile(hotspan, cache):
    """20,000 samples of libjvm's own threads, named with lines and inlined calls."""
    if not shutil.which("java") or not debug_file(LIBRARIES[0]):
        return
    with tempfile.TemporaryDirectory() as d:
        (pathlib.Path(d) / "Spin.java").write_text(JAVA)
        for name in ("cold", "with the cache"):
            text = subprocess.run([hotspan, "record", "-F", "4999", *(f for t in THREADS for f in ("--comm", t)), "--symbol-cache", cache, "--json", "-o", f"{d}/x.pb.gz",
                                   "--", "java", "-XX:+UseParallelGC", "-Xmx1g", f"{d}/Spin.java"], capture_output=True, text=True).stdout
            v = json.loads(next(line for line in text.splitlines() if line.startswith('{"version"')))
            yield {"bench": "symbols_profile", "tool": f"hotspan record, {name}", "file": "libjvm's garbage collector and compilers", "seconds": round(v["naming_ns"] / 1e9, 3),
                   "samples": v["samples"], "named_percent": v["frames_named_percent"], "lines_percent": v["frames_with_lines_percent"], "rss_bytes": v["rss_bytes"], "lines": 0}


def rows(hotspan):
    library = next((p for p in LIBRARIES if os.path.exists(p) and debug_file(p)), None)
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as second, tempfile.TemporaryDirectory() as third:
        if library:
            yield from side_by_side(hotspan, library, debug_file(library), cache)
        yield from beside_perf(hotspan, second)
        yield from profile(hotspan, third)


def table(rows):
    out = ["| tool | on | seconds | peak RSS MiB | of the helper, anonymous | more |", "|---|---|---|---|---|---|"]
    for r in rows:
        if not r["bench"].startswith("symbols"):
            continue
        more = (f"{r['samples']} samples, {r['named_percent']:.1f} % of frames named, {r['lines_percent']:.1f} % with their line" if "samples" in r else
                "given up" if "given_up" in r else f"{r['lines']} lines of output")
        if "ratio" in r:
            more += f", {r['us_per_sample']:.0f} us a sample, {r['ratio']:.2f} times hotspan's cold"
        helper = f"{r['helper_anon_bytes'] / 2**20:.0f}" if r.get("helper_anon_bytes") else "-"
        out.append(f"| {r['tool']} | {r['file']} | {'> ' if 'given_up' in r else ''}{r['seconds']:.2f} | {r['rss_bytes'] / 2**20:.0f} | {helper} | {more} |")
    return "\n".join(out)
