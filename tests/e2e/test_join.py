#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The join of requests and CPU: a route's CPU time is what its server's threads say of it, and no sample is on a wrong route.

The stack proves each sample: every route's work has functions of its own (join_servers.py)."""
import contextlib
import urllib.request

from join_servers import *  # noqa: F403
from test_red import Agent as RedAgent

HZ = 4999
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-join-"))


class Agent(RedAgent):
    """With a directory of profiles and its own page."""

    def __init__(self, cpu, hz):
        self.own, self.folder = free_port(), pathlib.Path(tempfile.mkdtemp(dir=tmp))
        super().__init__(f"frequency: {hz}\nflush_interval: 3s\nreceivers: [{{name: p, type: file, path: {self.folder}/p}}]\n", trace=f"cpu: {cpu}", listen=f"127.0.0.1:{self.own}")
        os.setpriority(os.PRIO_PROCESS, self.process.pid, -15)  # the CPUs are all taken: samples are to arrive all the same

    def routes(self, service):
        """{route: seconds}"""
        found = collections.Counter()
        for labels, n in self.series("hotspan_http_server_cpu_time_seconds_total").items():
            l = dict(labels)
            if l["service_name"] == service:
                found[l.get("http_route", "?")[1:]] += n
        return found

    def beside(self, service):
        """{reason: seconds}"""
        return {dict(l)["reason"]: n for l, n in self.series("hotspan_http_server_cpu_unattributed_seconds_total").items() if dict(l)["service_name"] == service}

    def told(self, name):
        """{label's value: number} of its own page."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.own}/metrics", timeout=10).read().decode()
        return {m[1]: float(m[2]) for m in re.finditer(rf'^{name}{{\w+="(\w+)"}} (\S+)$', text, re.M)}


class Account:
    """What a server and the agent say of the time between two moments at which nothing was asked."""

    def __init__(self, agent, server):
        self.agent, self.server = agent, server
        self.begin = self.now()

    def now(self):
        s = self.server
        return s.account() if s.kind != "loop" else {}, self.agent.routes(s.service), self.agent.beside(s.service), s.cpu()

    def end(self):
        end = self.now()
        self.routes = {r: (end[1][r] - self.begin[1][r], *(now - then for now, then in zip(end[0][r], self.begin[0][r]))) for r in end[0]}
        self.beside = {r: end[2][r] - self.begin[2].get(r, 0) for r in end[2]}
        self.cpu = end[3] - self.begin[3]
        self.attributed = sum(end[1].values()) - sum(self.begin[1].values())
        self.sum = self.attributed + sum(self.beside.values())
        for r, (got, least, most, n) in ((r, v) for r, v in self.routes.items() if v[3]):
            between = f"{least:.4f} to " if least < most else ""
            print(f"  {self.server.kind} /{r}: {got:.4f} s, {between}{most:.4f} s by its threads' clocks ({100 * (got / most - 1):+.2f} %), {n} requests")
        print(f"  {self.server.kind}: with {', '.join(f'{v:.3f} s {k}' for k, v in self.beside.items())} {self.sum:.4f} s, {self.cpu:.4f} s by the process's clock ({100 * (self.sum / self.cpu - 1):+.2f} %)")

    def check_routes(self, share, hz):
        """A share, or what chance allows so few samples; or what passes between the hooks and the server's own clock, on a slow CPU."""
        way = 30e-6 if self.server.kind == "go" else 15e-6
        for r, (got, least, most, n) in self.routes.items():
            chance = 3.5 * (most / hz) ** 0.5 if hz else 0
            assert n >= 5 and max(got - most, least - got) <= max(share * most, chance, way * n), (self.server.kind, r, got, least, most, n)

    def check_sum(self, share, hz):
        chance = 3.5 * ((self.sum if hz == HZ else sum(self.beside.values())) / hz) ** 0.5
        assert abs(self.sum - self.cpu) <= share * self.cpu + chance, (self.server.kind, self.sum, self.cpu)


class Proof:
    """Samples of a server by what their stack says: of the route they are on, of another, of none."""

    def __init__(self, agent, server):
        self.right = self.wrong = self.silent = self.beside = 0
        work, bad = WORK[server.kind], collections.Counter()
        for path in agent.folder.glob(f"p/*{server.service}*"):
            for labels, names, n in samples(path):
                said = {work[f] for f in names if f in work}
                route = labels.get("http.route", "")[1:]
                if not route:
                    self.beside += n
                elif said == {route}:
                    self.right += n
                elif not said:
                    self.silent += n
                else:
                    self.wrong += n
                    bad[route, tuple(names)] += n
        print(f"  {server.kind}: {self.right} samples on the route that their stack proves, {self.wrong} on another, {self.silent} without proof, {self.beside} on none")
        for what, n in bad.most_common(3):
            print("  wrong:", n, what)


def measure(cpu, hz, seconds, servers, groups=(ROUTES,), at_once=1):
    """(accounts, proofs); each group is asked at once for so long, one after the other."""
    with contextlib.ExitStack() as stack:
        [stack.callback(s.end) for s in servers]
        agent = Agent(cpu, hz)
        stack.callback(agent.process.kill)
        accounts = ask(agent, servers, seconds, groups, at_once)
        agent.end()
    return accounts, [Proof(agent, s) for s in servers]


def ask(agent, servers, seconds, groups, at_once):
    for _ in range(2):  # from the second on processes and routes are known
        [s.warm() for s in servers]
        time.sleep(1.2)
    accounts = [Account(agent, s) for s in servers]
    for asked in groups:
        for p in [s.ask(r, seconds, at_once) for s in servers for r in asked]:
            assert p.wait(seconds + 30) == 0
    time.sleep(1.2)
    [a.end() for a in accounts]
    lost, told = agent.told("hotspan_samples_lost_total"), agent.told("hotspan_trace_cpu_seconds_total")
    print(f"  lost: {lost}; all: {told}")
    assert told["request"] >= 0.99 * sum(a.attributed for a in accounts) and sum(told.values()) >= 0.99 * sum(a.sum for a in accounts)
    return accounts


def sampled(seconds):
    """(samples on the right route, on a wrong one)"""
    accounts, proofs = measure("sampled", HZ, seconds, [Server(k, tmp) for k in kinds()])
    for a in accounts:
        a.check_routes(0.03, HZ)
        a.check_sum(0.01, HZ)
    right, wrong = sum(p.right for p in proofs), sum(p.wrong for p in proofs)
    assert sum(p.silent for p in proofs) < 0.1 * right
    return right, wrong


def kinds():
    return ["c", "python", *(["go"] if shutil.which("go") else [])]


def test_by_samples():
    right, wrong = sampled(9)
    assert wrong == 0 and right >= 20000, (right, wrong)


def test_exactly():
    """Goroutines move between threads: theirs is by samples in any case."""
    accounts, _ = measure("exact", 999, 3, [Server(k, tmp) for k in kinds()])
    for a in accounts:
        a.check_routes(0.01, 999 if a.server.kind == "go" else 0)
        a.check_sum(0.01, 999)


def test_nothing_is_guessed():
    """Requests that other threads answer, several in one buffer, an event loop: time is no request's rather than a wrong one's."""
    loop, relay = Server("loop", tmp), Server("relay", tmp)
    (of_loop, of_relay), (proof, handed) = measure("sampled", HZ, 2, [loop, relay], [["dear"], ["cheap", "asleep"]])
    assert proof.wrong == 0 and proof.right > 100 and of_loop.beside["several"] > 0.1 * of_loop.cpu
    assert handed.wrong <= 0.005 * handed.beside and of_relay.attributed < 0.005 * of_relay.cpu and of_relay.beside["handed_over"] > 0
    for a in (of_loop, of_relay):
        a.check_sum(0.01, HZ)
    (a,), (proof,) = measure("sampled", HZ, 2, [Server("c", tmp)], [["dear,/cheap,/mixed"]], 3)
    assert proof.wrong == 0 and proof.right > 50 and a.beside["several"] > 0.1 * a.cpu


def test_without_go():
    """What the tests above leave out then is named."""
    need("go")


if __name__ == "__main__":
    run_tests(globals())
