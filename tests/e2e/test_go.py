#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Go program without symbols: its functions, lines and inlined calls come from its pclntab."""
from hs import *  # noqa: F403

PROGRAM = """package main

import "fmt"

type acc struct{ n uint64 }

func (a *acc) add(x uint64) { a.n = a.n*31 + x }

func mix(a *acc, x uint64) { a.add(x ^ 0x55) }

//go:noinline
func spin(n uint64) uint64 {
	var a acc
	for i := uint64(0); i < n; i++ {
		mix(&a, i)
	}
	return a.n
}

func main() {
	for t := uint64(0); ; t += spin(1 << 24) {
		if t == 42 {
			fmt.Println(t)
		}
	}
}
"""


def build(d):
    (d / "go.mod").write_text("module x\n")
    (d / "main.go").write_text(PROGRAM)
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod -p=2",
               GOCACHE=os.environ.get("GOCACHE", str(d / "cache")))
    p = subprocess.run([need("go"), "build", "-o", d / "spin", "-ldflags=-s -w", "."], cwd=d, capture_output=True, text=True, env=env)
    assert p.returncode == 0, p.stderr
    return d / "spin"


def test_a_stripped_program_has_its_inlined_calls():
    with tempfile.TemporaryDirectory() as t:
        d = pathlib.Path(t)
        p = subprocess.Popen([build(d)])
        try:
            r = record("-p", p.pid, "-d", 3)
            pprof = record("-p", p.pid, "-d", 2, folded=False)
            text = subprocess.run([need("go"), "tool", "pprof", "-lines", "-traces", pprof.path], capture_output=True, text=True).stdout
        finally:
            p.kill()
            p.wait()
    chain = ["runtime.goexit", "runtime.main", "main.main", "main.spin"]
    user = sum(n for f, n in r.stacks if f[1:5] == chain)
    inlined = sum(n for f, n in r.stacks if f[1:7] == [*chain, "main.mix_[i]", "main.(*acc).add_[i]"])
    print(f"  {sum(n for _, n in r.stacks)} samples, {user} in spin, {inlined} in what it inlined")
    assert user > 0.9 * r.verdict["samples"] > 20, r.stacks[:3]
    assert inlined > 0.2 * user, r.stacks[:6]
    line = PROGRAM[:PROGRAM.index("func (a *acc)")].count("\n") + 1
    assert re.search(rf"main\.\(\*acc\)\.add .*main\.go:{line} \(inline\)", text), text[:800]


if __name__ == "__main__":
    run_tests(globals())
