#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Go program made here: its stacks reach their root, and its callers are those the kernel finds by frame pointer."""
from loads import *  # noqa: F403

PROGRAM = """package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"sync"
)

type row struct {
	Values []float64
	Counts map[string]int
}

func work(seed int) int {
	r := row{Counts: map[string]int{}}
	for i := 0; i < 200; i++ {
		r.Values = append(r.Values, float64((seed*7919+i*104729)%100003)/3)
		r.Counts[fmt.Sprint(i*seed%977)] = i
	}
	sort.Float64s(r.Values)
	b, _ := json.Marshal(r)
	var back row
	if json.Unmarshal(b, &back) != nil {
		return 0
	}
	return len(b) + len(back.Counts)
}

func main() {
	for {
		var wg sync.WaitGroup
		for g := 1; g < 4; g++ {
			wg.Add(1)
			go func(g int) { defer wg.Done(); work(g) }(g)
		}
		wg.Wait()
	}
}
"""


def build(d):
    """With symbols: perf knows no other names."""
    (d / "go.mod").write_text("module x\n")
    (d / "main.go").write_text(PROGRAM)
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod -p=2",
               GOCACHE=os.environ.get("GOCACHE", str(d / "cache")))
    p = subprocess.run([need("go"), "build", "-o", d / "gowork", "-ldflags=-w", "."], cwd=d, capture_output=True, text=True, env=env)
    assert p.returncode == 0, p.stderr


def test_go():
    judge("Go", Load(["@/gowork"], build, loop=False), how=FP)


if __name__ == "__main__":
    run_tests(globals())
