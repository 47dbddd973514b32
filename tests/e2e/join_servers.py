# SPDX-License-Identifier: Apache-2.0
"""join_servers - servers that know what each of their routes used: C, python, Go; who asks them, and their account.

Each serves /dear (20 ms of CPU time), /cheap (1 ms), /asleep (waits 5 ms) and /mixed (4 ms around a request of its own for
/cheap), each by functions of its own: WORK names those that only one route calls.
"""
from hs import *  # noqa: F403

ROUTES = ["dear", "cheap", "asleep", "mixed"]

PYTHON = """
import bz2, ctypes, hashlib, http.client, http.server, io, select, socketserver, sys, threading, time, zlib
libc = ctypes.PyDLL(None)
sys.setswitchinterval(0.0005)  # routes are worked on at once
spent = {r: [0, 0, 0] for r in ("dear", "cheap", "asleep", "mixed")}
local, data = threading.local(), bytes(range(256)) * 16
def until(ms, work):
    end = time.thread_time_ns() + ms * 1000000
    while time.thread_time_ns() < end: work()
WORK = {"dear": lambda: hashlib.pbkdf2_hmac("sha256", b"x", b"y", 100), "cheap": lambda: zlib.compress(data, 1), "mixed": lambda: bz2.compress(data)}
def dear(): until(20, WORK["dear"])
def cheap(): until(1, WORK["cheap"])
def asleep(): time.sleep(0.005)
def mixed():
    until(2, WORK["mixed"])
    if not hasattr(local, "backend"): local.backend = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    local.backend.request("GET", "/cheap")
    local.backend.getresponse().read()
    until(2, WORK["mixed"])
# Its clock is read at both sides of the calls that our hooks are in, which keep the lock of the interpreter; but behind
# them it may be handed on, and got back at a price.
class Wire(io.RawIOBase):
    def __init__(self, handler): self.handler, self.socket = handler, handler.connection
    def readable(self): return True
    def writable(self): return True
    def readinto(self, into):
        select.select([self.socket], [], [])
        begin = time.thread_time_ns()
        n = libc.recv(self.socket.fileno(), (ctypes.c_char * len(into)).from_buffer(into), len(into), 0)
        self.handler.begin = begin, time.thread_time_ns()
        return max(n, 0)
    def write(self, b):
        self.handler.end = time.thread_time_ns()
        return libc.send(self.socket.fileno(), bytes(b), len(b), 0)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def setup(self):
        super().setup()
        self.wfile, self.rfile = Wire(self), io.BufferedReader(Wire(self))
    def do_GET(self):
        route = self.path[1:]
        globals()[route]()
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"!")
        spent[route][1] += time.thread_time_ns() - self.begin[0]
        spent[route][0] += self.end - self.begin[1]
        spent[route][2] += 1
        if route in WORK: until(0.2, WORK[route])
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64
threading.Thread(target=Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever, daemon=True).start()
for _ in sys.stdin:
    print(*(x for r in spent for x in (r, *spent[r])), flush=True)
"""

# An event loop: while /asleep waits others are worked on; and behind their responses too.
LOOP = """
import asyncio, bz2, hashlib, sys, threading, time, zlib
data = bytes(range(256)) * 16
WORK = {"dear": lambda: hashlib.pbkdf2_hmac("sha256", b"x", b"y", 100), "cheap": lambda: zlib.compress(data, 1), "asleep": lambda: bz2.compress(data)}
def until(ms, work):
    end = time.thread_time_ns() + ms * 1000000
    while time.thread_time_ns() < end: work()
async def serve(reader, writer):
    while line := await reader.readline():
        if line.strip():
            route = line.split()[1][1:].decode() if line.startswith(b"GET") else route
            continue
        until({"dear": 5, "cheap": 1, "asleep": 0.3}[route], WORK[route])
        if route == "asleep":
            await asyncio.sleep(0.005)
            until(0.3, WORK[route])
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\n!")
        until(0.3, WORK[route])
async def main():
    await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await asyncio.Event().wait()
asyncio.run(main())
"""

GO = """package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var names = []string{"dear", "cheap", "asleep", "mixed"}
var spent, before, asked [4]atomic.Int64
var sink atomic.Uint64

func threadNs() int64 {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func turn(x uint64) uint64 {
	for i := 0; i < 100000; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func workOfDear(ns int64) {
	for begin := threadNs(); threadNs()-begin < ns; {
		sink.Store(turn(1))
	}
}

//go:noinline
func workOfCheap(ns int64) {
	for begin := threadNs(); threadNs()-begin < ns; {
		sink.Store(turn(2))
	}
}

//go:noinline
func workOfMixed(ns int64) {
	for begin := threadNs(); threadNs()-begin < ns; {
		sink.Store(turn(3))
	}
}

func mixed(backend *net.Conn, buf []byte) {
	workOfMixed(2e6)
	if *backend == nil {
		*backend, _ = net.Dial("tcp", "127.0.0.1:"+os.Args[1])
	}
	(*backend).Write([]byte("GET /cheap HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"))
	(*backend).Read(buf)
	workOfMixed(2e6)
}

var answer = []byte("HTTP/1.1 200 OK\\r\\nContent-Length: 1\\r\\n\\r\\n!")

// The goroutine is bound to a thread while it works on a request: that one's clock is its own then.
func serve(c net.Conn) {
	var backend net.Conn
	head, other := make([]byte, 4096), make([]byte, 4096)
	defer c.Close()
	for {
		runtime.LockOSThread()
		n, err := c.Read(head)
		if err != nil {
			return
		}
		begin, which := threadNs(), 1
		for i, name := range names {
			if bytes.HasPrefix(head[5:n], []byte(name)) {
				which = i
			}
		}
		switch which {
		case 0:
			workOfDear(20e6)
		case 1:
			workOfCheap(1e6)
		case 2:
			time.Sleep(5 * time.Millisecond)
		case 3:
			mixed(&backend, other)
		}
		before[which].Add(threadNs() - begin)
		c.Write(answer)
		spent[which].Add(threadNs() - begin) // for a processor it may have to wait
		asked[which].Add(1)
		if tail := []func(int64){workOfDear, workOfCheap, nil, workOfMixed}[which]; tail != nil {
			tail(2e5)
		}
		runtime.UnlockOSThread()
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			if c, err := l.Accept(); err == nil {
				go serve(c)
			}
		}
	}()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		for i, name := range names {
			fmt.Print(name, " ", before[i].Load(), " ", spent[i].Load(), " ", asked[i].Load(), " ")
		}
		fmt.Println()
	}
}
"""

C = {"serve_dear": "dear", "serve_cheap": "cheap", "serve_asleep": "asleep", "serve_mixed": "mixed"}
WORK = {"c": C, "relay": {**C, "work_of_reader": "none"},
        "python": {"PKCS5_PBKDF2_HMAC": "dear", "deflate": "cheap", "BZ2_bzCompress": "mixed"},
        "loop": {"PKCS5_PBKDF2_HMAC": "dear", "deflate": "cheap", "BZ2_bzCompress": "asleep"},
        "go": {"main.workOfDear": "dear", "main.workOfCheap": "cheap", "main.workOfMixed": "mixed"}}


def build_go(folder):
    (folder / "go.mod").write_text("module join\ngo 1.20\n")
    (folder / "main.go").write_text(GO)
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-mod=mod -p=2", GOCACHE=os.environ.get("GOCACHE", str(BUILD / "go-cache")))
    p = subprocess.run([need("go"), "build", "-o", folder / "join", "."], cwd=folder, capture_output=True, text=True, env=env)
    assert p.returncode == 0, p.stderr
    return str(folder / "join")


class Server:
    """kind: c, relay, python, loop or go."""

    def __init__(self, kind, folder):
        self.kind, self.port, self.service = kind, free_port(), f"join-{kind}-{os.getpid()}"
        commands = {"c": lambda: [workload("join"), "serve"], "relay": lambda: [workload("join"), "relay"],
                    "python": lambda: [sys.executable, "-c", PYTHON], "loop": lambda: [sys.executable, "-c", LOOP], "go": lambda: [build_go(folder)]}
        self.process = subprocess.Popen([*commands[kind](), str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OTEL_SERVICE_NAME": self.service})
        import socket
        until(lambda: not socket.socket().connect_ex(("127.0.0.1", self.port)))

    def account(self):
        """{route: (seconds at least, at most, requests)}"""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        found = [words[i:i + len(words) // 4] for i in range(0, len(words), len(words) // 4)]
        return {w[0]: (int(w[1]) / 1e9, int(w[-2]) / 1e9, int(w[-1])) for w in found}

    def cpu(self):
        """Seconds of the process, by its own clock."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def ask(self, route, seconds, at_once=1):
        return subprocess.Popen([workload("join"), "ask", str(self.port), f"/{route}", str(int(seconds)), str(at_once)])

    def warm(self):
        for route in ROUTES[:3] if self.kind == "loop" else ROUTES:
            assert self.ask(route, 0).wait(60) == 0

    def end(self):
        self.process.kill()
        self.process.wait()


# ---- profiles ----

def fields(b):
    """(number, value) of a message; bytes or an integer."""
    at = 0

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            n |= (b[at] & 127) << shift
            shift += 7
            at += 1
            if b[at - 1] < 128:
                return n

    while at < len(b):
        key = varint()
        if key & 7 == 2:
            size = varint()
            yield key >> 3, b[at:at + size]
            at += size
        else:
            assert key & 7 == 0, key
            yield key >> 3, varint()


def packed(values):
    """Of a repeated integer: one by one, or in one piece."""
    for v in values:
        if isinstance(v, int):
            yield v
            continue
        n = shift = 0
        for byte in v:
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                yield n
                n = shift = 0


def samples(path):
    """(labels, names of functions, number of samples) of a profile."""
    import gzip
    parts = collections.defaultdict(list)
    for number, value in fields(gzip.decompress(pathlib.Path(path).read_bytes())):
        parts[number].append(value)
    text = [v.decode(errors="replace") for v in parts[6]]
    functions = {f[1]: text[f.get(2, 0)] for f in (dict(fields(v)) for v in parts[5])}
    locations = {}
    for v in parts[4]:
        rows = list(fields(v))
        lines = [dict(fields(x)) for n, x in rows if n == 4]
        locations[dict(rows)[1]] = [functions[l[1]] for l in lines if 1 in l]
    for v in parts[2]:
        rows = list(fields(v))
        labels = [dict(fields(x)) for n, x in rows if n == 3]
        value = list(packed(x for n, x in rows if n == 2))
        ids = packed(x for n, x in rows if n == 1)
        yield ({text[l[1]]: text[l[2]] for l in labels if 2 in l}, [f for i in ids for f in locations[i]], value[0])
