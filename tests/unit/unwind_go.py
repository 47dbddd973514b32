#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Go binaries made here, in every way Go links: rows of the pclntab equal .debug_frame's and lead
running stacks to their roots; stripping changes nothing."""
import struct

from hs import *  # noqa: F403

PROGRAM = """package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
%s)

func main() {
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() { defer wg.Done(); fmt.Fprintf(os.Stderr, "%%x", sha256.Sum256([]byte("x"))) }()
	}
	wg.Wait()
%s}
"""
CGO = ('	"unsafe"\n)\n\n// #include <stdlib.h>\n// static void *get(void) { return malloc(1); }\nimport "C"\n\nimport (\n', "	C.free(unsafe.Pointer(C.get()))\n")
HERE = pathlib.Path(__file__).resolve().parent
ORACLE = BUILD / "tests/unit/go_oracle"
LIVE = BUILD / "tests/unit/go_live"
scratch = tempfile.TemporaryDirectory(prefix="hotspan-go-")
tmp = pathlib.Path(scratch.name)


def build(name, cgo=False, mode="exe", ldflags=""):
    out, src = tmp / name, tmp / f"src-{name}"
    src.mkdir()
    (src / "go.mod").write_text("module x\n")
    (src / "main.go").write_text(PROGRAM % (CGO if cgo else ("", "")))
    return go_build(src, out, cgo, f"-buildmode={mode}", "-ldflags", ldflags)


def go_build(src, out, cgo, *flags):
    env = dict(os.environ, CGO_ENABLED=str(int(cgo)), GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod -p=2",
               GOCACHE=os.environ.get("GOCACHE", str(tmp / "cache")))
    p = subprocess.run([need("go"), "build", "-o", out, *flags, "."], cwd=src, capture_output=True, text=True, env=env)
    assert p.returncode == 0, p.stderr
    return out


def rows(path):
    p = subprocess.run([HOTSPAN, "unwind", path], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout


def without_sections(path):
    """The file as if it had no section headers: the table is found by its magic."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, 0x28, 0)
    struct.pack_into("<HH", data, 0x3C, 0, 0)
    bare = path.with_suffix(".bare")
    bare.write_bytes(data)
    return bare


def test_every_way_to_link():
    external = "-linkmode=external"
    for name, cgo, mode, link in (("static", False, "exe", ""), ("pie", False, "pie", ""), ("cgo", True, "exe", ""),
                                  ("external", True, "exe", external), ("cgopie", True, "pie", external)):
        if cgo and not shutil.which("gcc"):
            continue
        whole = build(name, cgo, mode, link)
        p = subprocess.run([ORACLE, whole], capture_output=True, text=True)
        print("  " + p.stdout.strip().replace("\n", "\n  "))
        assert p.returncode == 0, p.stdout
        stripped = build(name + "-s", cgo, mode, f"-s -w {link}")
        sizes = subprocess.run([HOTSPAN, "unwind", "-s", stripped], capture_output=True, text=True).stdout
        facts = dict(line.split(None, 1) for line in sizes.splitlines())
        assert int(facts["Go"].split()[0]) > 1000 and "damaged" not in sizes, sizes
        if link:
            assert int(facts["functions"]) > 10, sizes  # C's, of .eh_frame
        assert rows(without_sections(stripped)) == rows(stripped), name


def test_running_stacks_reach_their_roots():
    if not shutil.which("gcc"):
        raise Skip("no C compiler for cgo")
    src = tmp / "golive"
    shutil.copytree(HERE / "golive", src)
    for mode in ("exe", "pie"):
        live = go_build(src, tmp / f"live-{mode}", True, f"-buildmode={mode}", "-ldflags", "-s -w")
        with subprocess.Popen([live], stdin=subprocess.PIPE) as p:
            time.sleep(0.5)
            walked = subprocess.run([LIVE, str(p.pid), "150"], capture_output=True, text=True)
            p.kill()
        print(f"  {mode}: {walked.stdout.strip()}")
        assert walked.returncode == 0, walked.stdout
        assert int(re.search(r"(\d+) switches", walked.stdout)[1]) > 20, walked.stdout


def test_a_damaged_table_is_said_to_be_damaged():
    whole = build("damaged")
    data = bytearray(whole.read_bytes())
    at = data.index(struct.pack("<IHBB", 0xFFFFFFF1, 0, 1, 8))
    data[at + 7] = 3
    whole.write_bytes(data)
    p = subprocess.run([HOTSPAN, "unwind", "-s", whole], capture_output=True, text=True)
    assert "pclntab is damaged" in p.stdout, (p.stdout, p.stderr)  # its .debug_frame stands in


if __name__ == "__main__":
    run_tests(globals())
