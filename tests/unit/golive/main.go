// SPDX-License-Identifier: Apache-2.0

// golive keeps every kind of Go stack busy: deep ones, calls of C and back, switches to the scheduler's
// stack, the vDSO, the collector, signals. It ends when its standard input does.
package main

/*
#include <stdlib.h>
#include <stdint.h>
extern void goBack(int);
static uint64_t spin(int n) { volatile uint64_t x = 1; for (int i = 0; i < n; i++) x = x * 31 + 7; return x; }
static int cmp(const void *a, const void *b) { goBack(2000); return *(const int *)a - *(const int *)b; }
static void sorted(void) { int v[8] = { 5, 3, 8, 1, 9, 2, 7, 4 }; qsort(v, 8, sizeof(*v), cmp); }
*/
import "C"

import (
	"io"
	"os"
	"os/signal"
	"sort"
	"syscall"
	"time"
)

var sink int
var bytes []byte
var chans = make(chan int)

//export goBack
func goBack(n C.int) {
	for i := 0; i < int(n); i++ {
		sink += i * i
	}
}

func deep(n int) int {
	var pad [64]int
	if n == 0 {
		return spin(20000)
	}
	pad[n%64] = deep(n - 1)
	return pad[n%64] + n
}

func spin(n int) int {
	x := 1
	for i := 0; i < n; i++ {
		x = x*31 + i
	}
	return x
}

func forever(f func()) {
	for {
		f()
	}
}

func main() {
	go forever(func() { sink += deep(60) })
	go forever(func() { sink += int(time.Now().UnixNano()) })
	go forever(func() { bytes = make([]byte, 4096) })
	go forever(func() { C.spin(20000) })
	go forever(func() { C.sorted() })
	go forever(func() { chans <- 1 })
	go forever(func() { sink += <-chans })
	go forever(func() {
		v := []int{3, 1, 2, 9, 4}
		sort.Slice(v, func(a, b int) bool { spin(500); return v[a] < v[b] })
	})
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	go forever(func() { <-c })
	go forever(func() { syscall.Kill(os.Getpid(), syscall.SIGUSR1); time.Sleep(time.Millisecond) })
	io.Copy(io.Discard, os.Stdin)
}
