// SPDX-License-Identifier: Apache-2.0

// goserver PORT: net/http. What test_http_servers.py says a server does.
// goserver get URL N WORKERS: a client, so many requests; prints how many were answered with 200.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

func echo(w http.ResponseWriter) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
	io.Copy(c, rw)
}

func answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	ask := strings.Split(r.URL.Path+"//", "/")
	how := ask[1]
	n, _ := strconv.Atoi(ask[2])
	status := 200
	if how == "status" {
		status = n
	}
	if r.Header.Get("Upgrade") != "" {
		fmt.Println(r.Method, r.URL.Path, 101)
		echo(w)
		return
	}
	path := r.URL.Path
	if r.RequestURI == "*" {
		path = "*"
	}
	fmt.Println(r.Method, path, status)
	w.WriteHeader(status)
	if how == "chunks" {
		for i := 0; i < n; i++ {
			w.Write([]byte("four"))
			w.(http.Flusher).Flush()
		}
		return
	}
	w.Write(bytes.Repeat([]byte("x"), max(len(body), 2)))
}

func serve(port string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	server := http.Server{Handler: http.HandlerFunc(answer), DisableGeneralOptionsHandler: true}
	server.Serve(l)
}

func get(url string, n, workers int) {
	var done, good atomic.Int64
	var all sync.WaitGroup
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	for i := 0; i < workers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := done.Add(1); j <= int64(n); j = done.Add(1) {
				r, err := client.Get(url + "/" + strconv.FormatInt(j, 10))
				if err != nil {
					continue
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode == 200 {
					good.Add(1)
				}
			}
		}()
	}
	all.Wait()
	fmt.Println(good.Load())
}

func main() {
	if os.Args[1] != "get" {
		serve(os.Args[1])
		return
	}
	n, _ := strconv.Atoi(os.Args[3])
	workers, _ := strconv.Atoi(os.Args[4])
	get(os.Args[2], n, workers)
}
