#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time by route at a terminal and in recordings: a server whose routes have a known cost, each with a function of its own."""
import http.client

from hs import *  # noqa: F403
from join_servers import samples
from test_red import Agent

tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-routes-"))
HZ = 2999
ASKED = {"dear": 60, "cheap": 500, "fail": 50}
ROUTES = {"dear": ("/dear/*", "2xx"), "cheap": ("/cheap/*", "2xx"), "fail": ("/fail/*", "5xx")}
ONCE = ["ape", "bear", "cow", "dog", "eel", "fox", "gnu", "hen", "ibex", "jay", "kite", "lynx"]  # routes of their own
HERD = 20


def ask(port, kind, n):
    c = http.client.HTTPConnection("127.0.0.1", port)
    for i in range(n):
        c.request("GET", f"/{kind}/{i}")
        c.getresponse().read()
    c.close()


def ask_all(port):
    for kind in ASKED:
        ask(port, kind, 1)  # the process and its routes are known from here on
    time.sleep(0.5)
    threads = [threading.Thread(target=ask, args=(port, kind, n - 1)) for kind, n in ASKED.items()]
    [t.start() for t in threads]
    [t.join() for t in threads]


def ask_path(port, path):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as c:
        c.request("GET", path)
        c.getresponse().read()


def ask_each_once(port):
    """And one path by many, one after the other: it is learned from the first answer while others are worked on."""
    ask(port, "fail", 1)  # the process is known from here on
    time.sleep(0.5)
    for name in ONCE:
        ask_path(port, f"/dear/{name}")
    threads = [threading.Thread(target=ask_path, args=(port, "/dear/herd")) for _ in range(HERD)]
    for t in threads:
        t.start()
        time.sleep(0.01)
    [t.join() for t in threads]


class Served:
    """Runs the server below hotspan, and asks: what it says of itself, and what hotspan said of it. linger: how long what is sampled outlives the server."""

    def __init__(self, *args, ask=ask_all, linger=1.5):
        self.port = free_port()
        # The shell outlives the server: what that counted is told when it has long gone.
        command = ["sh", "-c", f"OTEL_SERVICE_NAME=shop {workload('routes')} {self.port}; sleep {linger}"]
        p = subprocess.Popen([HOTSPAN, *map(str, args), "-F", str(HZ), "--", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: p.poll() is not None or self.listens())
        ask(self.port)
        out, self.err = p.communicate("", timeout=60)
        assert p.returncode == 0, self.err
        self.clock = {words[0]: list(map(int, words[1:])) for line in out.splitlines() if (words := line.split()) and len(words) in (2, 3)}
        self.told = json.loads(next(line for line in out.splitlines() if line.startswith('{"version"')))
        self.rows = [r for r in self.told["routes"] if r["service"] == "shop"]

    def listens(self):
        import socket
        with socket.socket() as s:
            return not s.connect_ex(("127.0.0.1", self.port))

    def row(self, kind):
        route, status = ROUTES[kind]
        found = [r for r in self.rows if r["kind"] == "served" and r["route"] == route and r["status"] == status]
        assert len(found) == 1, (kind, self.rows)
        return found[0]

    def check(self):
        """Counts are those of client and server, CPU time is that of the threads' own clocks."""
        served = [r for r in self.rows if r["kind"] == "served"]
        assert len(served) == len(ROUTES), served
        for kind, n in ASKED.items():
            row, (count, spent) = self.row(kind), self.clock[kind]
            assert row["requests"] == n == count, (kind, row, n, count)
            assert abs(row["cpu_ns_per_request"] * n - row["cpu_ns"]) <= n, row
            print(f"  {kind}: {row['cpu_ns'] / 1e6:.1f} ms sampled, {spent / 1e6:.1f} ms by its clock, {100 * (row['cpu_ns'] / spent - 1):+.1f} %")
            assert abs(row["cpu_ns"] - spent) < 0.06 * spent + 10e6, (kind, row, spent)
        all_, (process,) = sum(r["cpu_ns"] for r in self.rows), self.clock["process"]
        rest = process - sum(self.clock[k][1] for k in ASKED)
        unattributed = next(r["cpu_ns"] for r in self.rows if r["kind"] == "unattributed")
        print(f"  all: {all_ / 1e6:.1f} ms sampled, {process / 1e6:.1f} ms by its clock; unattributed {unattributed / 1e6:.1f}, {rest / 1e6:.1f} ms")
        assert abs(all_ - process) < 0.05 * process, (all_, process)
        assert abs(unattributed - rest) < 0.1 * process, (unattributed, rest)
        assert self.row("fail")["route_error_percent"] == 100 and self.row("cheap")["route_error_percent"] == 0
        assert self.row("dear")["mean_ns"] > 20e6 and self.row("dear")["p50_at_most_ns"] >= 25e6
        assert abs(sum(r["service_cpu_percent"] for r in self.rows) - 100) < 0.1


def test_routes_tells_what_each_costs():
    s = Served("routes", "--json")
    s.check()
    assert s.told["cpu_ns_by_join"]["request"] > s.told["cpu_ns_by_join"]["none"] > 0, s.told["cpu_ns_by_join"]
    assert s.told["requests"] == sum(ASKED.values())


def test_a_recording_by_route():
    path = tmp / "x.pb.gz"
    s = Served("record", "--by", "route", "--json", "-o", path, "--symbol-cache", BUILD / "symbol-cache")
    s.check()
    folded = subprocess.run([HOTSPAN, "report", "-o", "-", path], capture_output=True, text=True, check=True).stdout
    by_route, all_ = collections.Counter(), 0
    wrong = []
    for line in folded.splitlines():
        stack, _, n = line.rpartition(" ")
        frames, n = stack.split(";"), int(n)
        if frames[0] != "shop":
            continue
        all_ += n
        kind = frames[1] if frames[1].startswith("GET /") else None
        by_route[kind] += n
        if {"dear", "cheap", "housekeeping"} & set(frames[2:]) - {"GET /dear/*": {"dear"}, "GET /cheap/*": {"cheap"}, "GET /fail/*": {"cheap"}}.get(kind, {"housekeeping", *(["dear", "cheap"] if not kind else [])}):
            wrong.append(line)
    print(f"  {by_route}, {len(wrong)} wrong")
    assert not wrong, wrong[:5]
    assert by_route["GET /dear/*"] > 0.8 * ASKED["dear"] * 0.020 * HZ and by_route["GET /cheap/*"] > 0.8 * ASKED["cheap"] * 0.001 * HZ, by_route
    # Windows of samples, and what the kernel counted on requests: two ways to the same sum.
    told = sum(r["cpu_ns"] for r in s.rows)
    assert abs(all_ * 1e9 / HZ - told) < 0.01 * told, (all_, told)
    dear = subprocess.run([HOTSPAN, "report", "--label", "http.route=/dear/*", "--label", "http.request.method=GET", "--label", "service_name=shop", "-o", "-", path],
                          capture_output=True, text=True, check=True).stdout
    assert ";dear " in dear and ";cheap " not in dear


def test_paths_that_are_asked_for_once_are_found_under_their_routes():
    path = tmp / "once.folded"
    s = Served("record", "--by", "route", "--json", "-o", path, "--symbol-cache", BUILD / "symbol-cache", ask=ask_each_once, linger=0)
    by_route, astray = collections.Counter(), []
    for line in path.read_text().splitlines():
        stack, _, n = line.rpartition(" ")
        frames = stack.split(";")
        if frames[0] != "shop":
            continue
        by_route[frames[1] if frames[1].startswith("GET /") or frames[1] == "GET (no route)" else None] += int(n)
        if "dear" in frames and not frames[1].startswith("GET /dear/"):
            astray.append(line)
    print(f"  {by_route}")
    assert not astray and not by_route["GET (no route)"], (astray, by_route)
    for name, requests in {**dict.fromkeys(ONCE, 1), "herd": HERD}.items():
        row = next(r for r in s.rows if r["kind"] == "served" and r["route"] == f"/dear/{name}")
        assert row["requests"] == requests, row
        # Windows of samples, and what the kernel counted on requests: the same samples.
        assert abs(by_route[f"GET /dear/{name}"] * 1e9 / HZ - row["cpu_ns"]) < 1.5e9 / HZ, (name, by_route, row)
        assert abs(row["cpu_ns"] / requests - 20e6) < 8e6, row
    all_, (process,) = sum(by_route.values()) * 1e9 / HZ, s.clock["process"]
    assert abs(all_ - process) < 0.05 * process and abs(sum(r["cpu_ns"] for r in s.rows) - all_) < 0.01 * all_, (all_, process, s.rows)


def test_profiles_that_are_pushed_have_them_too():
    port, folder = free_port(), tmp / "pushed"
    server = subprocess.Popen([workload("routes"), str(port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, "OTEL_SERVICE_NAME": "stall"})
    agent = Agent(f"frequency: {HZ}\nflush_interval: 60s\nreceivers: [{{name: p, type: file, path: {folder}}}]\n")
    ask_each_once(port)
    agent.end()
    server.communicate(b"")
    by_route = collections.Counter()
    for path in folder.glob("*stall*"):
        for labels, names, n in samples(path):
            by_route[labels.get("http.route", "none")] += n if "dear" in names else 0
    print(f"  {by_route}")
    assert not by_route["none"] and all(by_route[f"/dear/{name}"] for name in [*ONCE, "herd"]), by_route


def test_wrong_use_is_named():
    for args, words in ((("routes", "-a", "-p", "1"), "leave out -p"), (("routes", "-p", "1", "--", "true"), "exclude each other"),
                        (("record", "--by", "route", "--comm", "x"), "whole processes"), (("record", "--by", "rout"), "does not take 'rout'"),
                        (("top", "--by", "route"), "does not take 'route'")):
        p = subprocess.run([HOTSPAN, *args], capture_output=True, text=True)
        assert p.returncode == 2 and words in p.stderr, (args, p.returncode, p.stderr)


def test_a_table_for_people():
    port = free_port()
    server = subprocess.Popen([workload("routes"), str(port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, "OTEL_SERVICE_NAME": "kiosk"})
    p = subprocess.Popen([HOTSPAN, "routes", "-d", "1", "-p", str(server.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while p.poll() is None:
        try:
            ask(port, "cheap", 5)
        except OSError:
            pass
        time.sleep(0.02)
    out, err = p.communicate()
    server.communicate(b"")
    assert p.returncode == 0, err
    lines = out.splitlines()
    assert re.match(r"requests +\d+ served; of the CPU time [\d.]+ % on one request", lines[0]), out
    assert any(re.match(r" +[\d.]+ +[\d.]+ +[\d.]+ [mu]s +\d+ +[\d.]+ +0\.0 +5ms +\d+ms +[\d.]+ [mu]s +2xx  kiosk +GET /cheap/\*$", l) for l in lines), out
    assert any(re.search(r"kiosk +unattributed$", l) for l in lines), out


if __name__ == "__main__":
    run_tests(globals())
