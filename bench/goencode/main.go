// SPDX-License-Identifier: Apache-2.0

// goencode FILE: reads a pprof file and times google/pprof's own encoder on it, as the JSON lines of bench.h: the fastest
// of rounds that last a second together.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/google/pprof/profile"
)

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

func measure(name string, p *profile.Profile, write func(io.Writer) error) {
	var before, after runtime.MemStats
	best, rounds, bytes := time.Hour, 0, 0
	for begin := time.Now(); rounds < 3 || time.Since(begin) < time.Second; rounds++ {
		var c counter
		runtime.ReadMemStats(&before)
		t := time.Now()
		if err := write(&c); err != nil {
			log.Fatal(err)
		}
		best = min(best, time.Since(t))
		runtime.ReadMemStats(&after)
		bytes = c.n
	}
	fmt.Printf("{\"bench\":%q,\"unit\":\"stack\",\"ns\":%.2f,\"rounds\":%d,\"allocs_per_round\":%d,\"bytes\":%d}\n", name,
		float64(best.Nanoseconds())/float64(len(p.Sample)), rounds, after.Mallocs-before.Mallocs, bytes)
}

func main() {
	f, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	p, err := profile.Parse(f)
	if err != nil {
		log.Fatal(err)
	}
	measure("window_pprof_go", p, p.WriteUncompressed)
	measure("window_pprof_gzip_go", p, p.Write)
}
