#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent with a spool: a server that is away, slow, failing or full of whims, an agent that is killed at any moment, a
disk that is full. What arrives is held against the CPU burnt and against the intervals, which follow each other without
a gap; each profile has an id, so what arrives twice is seen."""
import random
import socket

from hs import *  # noqa: F403
from pyroscope import Fake

SCALE = float(os.environ.get("HOTSPAN_SPOOL_SCALE", "1"))  # of outages and kills: the soak's is larger


def config(url, spool, more="", interval="1s", second=""):
    return (f"frequency: 199\nflush_interval: {interval}\nshutdown_timeout: 5s\nmax_cpu_percent: 0\nreceivers:\n  - name: prod\n    url: {url}\n    spool: {spool}\n"
            + "".join(f"    {line}\n" for line in more.splitlines()) + second)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def spin(seconds, service):
    return subprocess.Popen([workload("spin"), str(seconds)], stdout=subprocess.PIPE, text=True, env=dict(os.environ, OTEL_SERVICE_NAME=service))


def burnt(p):
    return sum(answers(p.communicate()[0]).values())


def metric(agent, name, **labels):
    return agent.metrics()[f"{name}{{" + ",".join(f'{k}="{v}"' for k, v in {"receiver": "prod", **labels}.items()) + "}"]


def memory(agent):
    m = agent.metrics()
    return m["process_resident_memory_bytes"] - m["hotspan_symbol_table_bytes"]


def stored(fake, service):
    return [r for r in fake.state()["log"] if r["stored"] and r["service"] == service]


def cpu_ns(fake, service):
    return sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(service_name=service))


def in_spool(spool):
    return [p for p in pathlib.Path(spool).glob("prod/*") if p.suffix in (".parcel", ".sent")]


def old_ones(spool, seconds):
    """Those that have waited for so long."""
    found = []
    for p in in_spool(spool):
        try:
            found += [p] if p.stat().st_mtime < time.time() - seconds else []
        except FileNotFoundError:  # just sent
            pass
    return found


def twice(rows):
    ids = [r["id"] for r in rows]
    return len(ids) - len(set(ids))


def gaps(rows):
    """ns between intervals that follow each other, and whether they came in their order."""
    times = [(r["time_nanos"], r["time_nanos"] + r["duration_nanos"]) for r in rows]
    ordered = sorted(times)
    return [b[0] - a[1] for a, b in zip(ordered, ordered[1:])], times == ordered


def test_an_outage_costs_nothing_and_little_memory():
    name, port = f"outage-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d:
        spool = pathlib.Path(d)
        with Agent(config(f"http://127.0.0.1:{port}", spool)) as agent:
            p = spin(20 * SCALE, name)
            time.sleep(10)
            before = memory(agent)
            want = burnt(p)
            until(lambda: metric(agent, "hotspan_receiver_spool_profiles") > 15)
            grown = memory(agent) - before
            waited = len(in_spool(spool))
            print(f"  {waited} profiles on disk, RSS, symbol tables aside, grew by {grown / 2**20:.2f} MiB")
            assert grown < 3 << 20 and metric(agent, "hotspan_receiver_profiles_total", result="delivered") == 0
            with Fake(port=port) as fake:
                until(lambda: not old_ones(spool, 5))
                assert agent.stop() == 0
                rows = stored(fake, name)
                between, ordered = gaps(rows)
                got = cpu_ns(fake, name)
                print(f"  {100 * got / want:.2f} % of the CPU burnt; {len(rows)} intervals, {twice(rows)} twice, largest gap {max(between) / 1e6:.0f} ms")
                assert abs(got / want - 1) < 0.02 and not twice(rows) and max(between) < 50e6
                assert ordered, "they come in their order"
        assert not in_spool(spool)


def test_a_restart_finds_what_was_left():
    name, port = f"left-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d:
        with Agent(config(f"http://127.0.0.1:{port}", d)) as agent:
            want = burnt(spin(3, name))
            assert agent.stop() == 0
        left = len(in_spool(d))
        assert left >= 3
        with Fake(port=port) as fake, Agent(config(fake.url, d)) as agent:
            until(lambda: abs(cpu_ns(fake, name) / want - 1) < 0.03)
            assert metric(agent, "hotspan_receiver_spool_total", what="found") == left
            assert agent.stop() == 0
            assert not twice(stored(fake, name))


def test_two_agents_do_not_share_a_spool():
    with tempfile.TemporaryDirectory() as d, Agent(config("http://127.0.0.1:9", d)) as agent:
        p = subprocess.run([HOTSPAN, "agent", "-c", agent.path], capture_output=True, text=True, timeout=20)
        assert p.returncode == 1 and f"{d}/prod is in use by another agent, process {agent.process.pid}" in p.stderr, p.stderr


def kills(fake, folder, name, seconds, whims):
    """Kills the agent now and then while the server has its whims; (kills, when each run ended)."""
    r, ends, n = random.Random(7), [], 0
    end = time.time() + seconds
    while time.time() < end:
        with Agent(config(fake.url, folder)) as agent:
            time.sleep(r.uniform(0.8, 4))
            fake.faults(*r.choice(whims))
            time.sleep(r.uniform(0.2, 1.5))
            ends.append((agent.process.pid, time.time_ns()))
            agent.process.kill()
            agent.process.wait()
            n += 1
    return n, ends


def test_kills_lose_the_open_interval_and_the_one_being_encoded():
    """Each run's intervals follow each other without a gap, and the last begins at most two before its end."""
    name = f"killed-{os.getpid()}"
    whims = [[], ["status=503 count=2"], ["status=429 retry_after=1 count=1"], ["cut=stored count=1"], ["cut=body count=2"], ["delay=700"], ["status=500 count=1"]]
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        p = spin(1000, name)
        try:
            n, ends = kills(fake, d, name, 40 * SCALE, whims)
        finally:
            p.kill()
            p.wait()
        fake.faults()
        with Agent(config(fake.url, d)) as agent:
            until(lambda: not old_ones(d, 3))
            found, maybe = (metric(agent, "hotspan_receiver_spool_total", what=w) for w in ("found", "maybe_twice"))
            assert agent.stop() == 0
        rows = stored(fake, name)
        unique = {row["id"]: row for row in rows}.values()
        intervals = sorted((row["time_nanos"], row["time_nanos"] + row["duration_nanos"]) for row in unique)
        lost = []
        for (_, ended), begun in zip(ends, [0] + [e for _, e in ends]):
            mine = [i for i in intervals if begun < i[0] < ended]
            between = [b[0] - a[1] for a, b in zip(mine, mine[1:])]
            assert not between or max(between) < 50e6, f"an interval is missing: {max(between) / 1e6:.0f} ms"
            lost.append((ended - mine[-1][1]) / 1e9 if mine else (ended - begun) / 1e9 if begun else 0)
        print(f"  {n} kills: {len(unique)} intervals stored, {twice(rows)} twice; at most {max(lost):.2f} s lost at a kill; the last run found {found:.0f}, {maybe:.0f} perhaps sent")
        assert max(lost) < 2.7, lost
        assert twice(rows) <= 8 * n, "no more than were on their way"
        assert not in_spool(d)


def test_answers_of_every_kind_lose_nothing():
    name = f"whims-{os.getpid()}"
    steps = ["status=503 count=3", "status=429 retry_after=1 count=2", "cut=body count=2", "status=401 count=2", "delay=1500 count=3", "status=500 count=1", "cut=head count=1"]
    with tempfile.TemporaryDirectory() as d, Fake() as fake, Agent(config(fake.url, d)) as agent:
        p = spin(3 * len(steps), name)
        for step in steps:
            fake.faults(step)
            time.sleep(3)
        fake.faults()
        want = burnt(p)
        until(lambda: not old_ones(d, 4))
        assert agent.stop() == 0
        rows = stored(fake, name)
        unique = {r["id"]: r for r in rows}.values()
        between, _ = gaps(list(unique))
        print(f"  {len(unique)} intervals, {twice(rows)} of them twice; largest gap {max(between) / 1e6:.0f} ms")
        assert max(between) < 50e6 and twice(rows) <= 8
        assert abs((cpu_ns(fake, name) / want - 1)) < 0.02 + 0.08 * twice(rows)


def test_a_full_disk_is_told_and_costs_nothing_while_memory_lasts():
    name, port = f"full-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", d], capture_output=True).returncode:
            raise Skip("no file system can be mounted here")
        try:
            with Agent(config(f"http://127.0.0.1:{port}", d)) as agent:
                want = burnt(spin(6, name))
                agent.wait_for("spool", "No space left on device", "wait in memory")
                assert metric(agent, "hotspan_receiver_spool_total", what="not_written") > 0
                with Fake(port=port) as fake:
                    until(lambda: abs(cpu_ns(fake, name) / want - 1) < 0.03)
                    assert agent.stop() == 0
        finally:
            subprocess.run(["umount", d])


def test_a_dead_receiver_does_not_delay_the_other():
    name, port = f"other-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        second = f"  - name: alive\n    url: {fake.url}\n"
        with Agent(config(f"http://127.0.0.1:{port}", d, second=second)) as agent:
            want = burnt(spin(8, name))
            assert agent.stop() == 0
            rows = stored(fake, name)
            steps = [(b["at_ms"] - a["at_ms"]) * 1e6 for a, b in zip(rows, rows[1:])]
            print(f"  {len(rows)} pushes, between {min(steps) / 1e9:.2f} and {max(steps) / 1e9:.2f} s apart")
            assert len(rows) >= 8 and max(steps[:-1] or steps) < 1.6e9
            assert abs(cpu_ns(fake, name) / want - 1) < 0.02


if __name__ == "__main__":
    run_tests(globals())
