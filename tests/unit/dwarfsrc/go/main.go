// SPDX-License-Identifier: Apache-2.0
// Goroutines, closures, interfaces, generics: chains of Go.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
)

type shape interface{ area() float64 }
type circle struct{ r float64 }
type square struct{ side float64 }

func (c circle) area() float64  { return c.r * c.r * 3 }
func (s *square) area() float64 { return s.side * s.side }

func step(x uint64) uint64  { return x*6364136223846793005 + 1 }
func twice(x uint64) uint64 { return step(step(x)) >> 7 }

func mapped[T, U any](in []T, f func(T) U) []U {
	out := make([]U, 0, len(in))
	for _, x := range in {
		out = append(out, f(x))
	}
	return out
}

func words(text string) map[string]int {
	seen := map[string]int{}
	for _, w := range strings.Fields(text) {
		seen[strings.ToLower(w)]++
	}
	return seen
}

func main() {
	var wg sync.WaitGroup
	sums := make([]uint64, 8)
	for i := range sums {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := uint64(0); k < 1000; k++ {
				sums[i] += twice(k + uint64(i))
			}
		}()
	}
	wg.Wait()
	sort.Slice(sums, func(a, b int) bool { return sums[a] < sums[b] })
	areas := mapped([]shape{circle{2}, &square{3}}, func(s shape) float64 { return s.area() })
	fmt.Println(sums, areas, words(strings.Join(os.Args, " ")))
}
