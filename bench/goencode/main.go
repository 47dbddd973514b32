// SPDX-License-Identifier: Apache-2.0

// goencode FOLDER: what bench_window.c and bench_send.c measure, in Go: google/pprof's own encoder on the same window, sent by net/http;
// OpenTelemetry's own marshaller, sent by net/http and by grpc-go. JSON lines as bench.h has them; ns is of the fastest round, of
// those that last a second together, CPU time of them all.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/google/pprof/profile"
)

type service struct {
	name string
	p    *profile.Profile
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// The window of window_file.h.
func read(folder string) (services []service) {
	for _, path := range must(filepath.Glob(folder + "/*-*.pb.gz")) {
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".pb.gz"), "-")
		f := must(os.Open(path))
		services = append(services, service{name, must(profile.Parse(f))})
		f.Close()
	}
	return services
}

func whole(services []service) *profile.Profile {
	var parts []*profile.Profile
	for _, s := range services {
		parts = append(parts, s.p)
	}
	return must(profile.Merge(parts))
}

// Stacks and samples.
func size(services ...service) (stacks, samples int64) {
	for _, s := range services {
		stacks += int64(len(s.p.Sample))
		for _, row := range s.p.Sample {
			samples += row.Value[0]
		}
	}
	return stacks, samples
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// round: does it once and says how many bytes came of it.
func measure(name string, services []service, round func() int64) {
	var before, after runtime.MemStats
	var spent time.Duration
	var bytes int64
	stacks, samples := size(services...)
	best, rounds := time.Hour, 0
	round()
	for begin := time.Now(); rounds < 3 || time.Since(begin) < time.Second; rounds++ {
		runtime.ReadMemStats(&before)
		used, t := cpu(), time.Now()
		bytes = round()
		best = min(best, time.Since(t))
		spent += cpu() - used
		runtime.ReadMemStats(&after)
	}
	fmt.Printf("{\"bench\":%q,\"unit\":\"stack\",\"ns\":%.2f,\"rounds\":%d,\"allocs_per_round\":%d,\"cpu_ns\":%.3f,\"bytes_per_sample\":%.3f}\n", name,
		float64(best.Nanoseconds())/float64(stacks), rounds, after.Mallocs-before.Mallocs,
		float64(spent.Nanoseconds())/float64(rounds)/float64(stacks), float64(bytes)/float64(samples))
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func encode(name string, p *profile.Profile, write func(io.Writer) error) {
	measure(name, []service{{"", p}}, func() int64 {
		var c counter
		if err := write(&c); err != nil {
			log.Fatal(err)
		}
		return c.n
	})
}

func main() {
	services := read(os.Args[1])
	p := whole(services)
	encode("window_pprof_go", p, p.WriteUncompressed)
	encode("window_pprof_gzip_go", p, p.Write)
	send(services)
}
