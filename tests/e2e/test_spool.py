#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent with a spool: a server that is away, slow, flapping, failing or full of whims, an agent that is killed at any
moment, a disk that is full, a token that has expired, a configuration that changes. What arrives is held against the CPU burnt and against the intervals, which follow each other without
a gap; each profile has an id, so what arrives twice is seen."""
import random

from hs import *  # noqa: F403
from pushing import LIGHT, is_whole, spin
from pyroscope import Fake


def config(url, spool, more="", interval="1s", second=""):
    return (f"frequency: 199\nflush_interval: {interval}\nshutdown_timeout: 5s\nmax_cpu_percent: 0\nreceivers:\n  - name: prod\n    url: {url}\n    spool: {spool}\n"
            + "".join(f"    {line}\n" for line in more.splitlines()) + second)


def spin_until(end, service):
    """Until a time of the clock, whatever else the host does."""
    code = f"while [ $(date +%s) -lt {end:.0f} ]; do OTEL_SERVICE_NAME={service} {workload('spin')} 1 {LIGHT}; done"
    return subprocess.Popen(["sh", "-c", code], stdout=subprocess.PIPE, text=True)


def burnt(p):
    return sum(int(line.split()[1]) for line in p.communicate()[0].splitlines())


def metric(agent, name, **labels):
    return agent.metrics()[f"{name}{{" + ",".join(f'{k}="{v}"' for k, v in {"receiver": "prod", **labels}.items()) + "}"]


def memory(agent):
    m = agent.metrics()
    return m["process_resident_memory_bytes"] - m["hotspan_symbol_table_bytes"]


def stored(fake, service):
    return [r for r in fake.state()["log"] if r["stored"] and r["service"] == service]


def dropped(agent):
    return sum(v for k, v in agent.metrics().items() if k.startswith('hotspan_receiver_profiles_total{receiver="prod"') and "delivered" not in k)


def cpu_ns(fake, service):
    return sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(service_name=service))


def all_there(fake, service, want):
    print(f"  {100 * cpu_ns(fake, service) / want:.2f} % of the CPU burnt")
    return is_whole(cpu_ns(fake, service), want, 199)


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


def outage(seconds, interval=1):
    """A server that is not there for half of the time and answers 503 for the rest of it, then all is well."""
    name, port = f"outage-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d:
        # Beside compilers 5 s may be too short for what is left at the end.
        with Agent(config(f"http://127.0.0.1:{port}", d, interval=f"{interval}s").replace("shutdown_timeout: 5s", "shutdown_timeout: 20s")) as agent:
            p = spin_until(time.time() + seconds, name)
            time.sleep(seconds / 4)
            before = memory(agent)
            time.sleep(seconds / 4)
            with Fake(port=port) as fake:
                fake.faults("status=503")
                want = burnt(p)
                assert metric(agent, "hotspan_receiver_profiles_total", result="delivered") == 0
                r = {"waited": len(in_spool(d)), "disk_bytes": metric(agent, "hotspan_receiver_spool_bytes"), "memory_bytes": memory(agent) - before}
                fake.faults()
                agent.reload()  # the server is back: no need to wait for the next try
                until(lambda: not old_ones(d, 5 * interval), seconds=60 + seconds)
                r["dropped"] = dropped(agent)
                assert agent.stop() == 0
                rows = stored(fake, name)
                between, r["ordered"] = gaps(rows)
                r |= {"share": cpu_ns(fake, name) / want, "right": all_there(fake, name, want), "intervals": len(rows), "twice": twice(rows), "gap_ms": max(between) / 1e6, "left": len(in_spool(d))}
    print(f"  {r['waited']} profiles, {r['disk_bytes'] / 2**20:.1f} MiB on disk, RSS, symbol tables aside, grew by {r['memory_bytes'] / 2**20:.2f} MiB; {100 * r['share']:.2f} % of the CPU burnt; "
          f"{r['intervals']} intervals, {r['twice']} twice, largest gap {r['gap_ms']:.0f} ms")
    return r


def test_an_outage_costs_nothing_and_little_memory():
    r = outage(16)
    assert r["waited"] > 20 and r["memory_bytes"] < 8 << 20
    assert r["right"] and not r["twice"] and r["gap_ms"] < 50 and not r["dropped"] and not r["left"], r
    assert r["ordered"], "they come in their order"


def test_more_answers_than_tries_lose_nothing():
    """The server is away, but something before it answers: that says nothing of a profile, however often."""
    name = f"answers-{os.getpid()}"
    with tempfile.TemporaryDirectory() as d, Fake() as fake, Agent(config(fake.url, d, more="max_tries: 1")) as agent:
        p = spin(6, name)
        for fault, cause in (("status=503", "server"), ("status=500", "server"), ("status=429", "throttled")):
            fake.faults(fault)
            before = metric(agent, "hotspan_receiver_failed_tries_total", cause=cause)
            # A reload lets it try at once; by itself it would wait for up to 30 s.
            until(lambda: agent.reload() or time.sleep(0.2) or metric(agent, "hotspan_receiver_failed_tries_total", cause=cause) > before + 4, seconds=30)
        fake.faults()
        agent.reload()
        want = burnt(p)
        until(lambda: not old_ones(d, 3))
        assert dropped(agent) == 0
        assert agent.stop() == 0
        rows = stored(fake, name)
        between, ordered = gaps(rows)
        print(f"  {len(rows)} intervals, largest gap {max(between) / 1e6:.0f} ms")
        assert all_there(fake, name, want) and max(between) < 50e6 and not twice(rows) and ordered


def test_an_expired_token_costs_nothing():
    name = f"expired-{os.getpid()}"
    with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile("w", suffix=".token") as token, Fake() as fake:
        token.write("first\n")
        token.flush()
        fake.faults("authorization=Bearer first")
        with Agent(config(fake.url, d, more=f"bearer_token_file: {token.name}")) as agent:
            p = spin(5, name)
            until(lambda: stored(fake, name))
            fake.faults("authorization=Bearer second")
            agent.wait_for("HTTP 401", "wait")
            want = burnt(p)
            token.seek(0)
            token.write("second\n")
            token.flush()
            agent.reload()  # no need to wait for the next try: that one reads the file again by itself, test_agent_faults.py says
            until(lambda: not old_ones(d, 3), seconds=60)
            assert dropped(agent) == 0
            assert agent.stop() == 0
        rows = stored(fake, name)
        between, ordered = gaps(rows)
        assert all_there(fake, name, want) and max(between) < 50e6 and not twice(rows) and ordered


def test_a_flapping_and_a_slow_server_lose_nothing():
    name = f"flapping-{os.getpid()}"
    with tempfile.TemporaryDirectory() as d, Fake() as fake, Agent(config(fake.url, d)) as agent:
        p = spin(10, name)
        for i in range(12):
            fake.faults(("status=503", "", "status=500", "", "cut=body", "delay=900")[i % 6])
            time.sleep(0.6)
        fake.faults("delay=1500")
        time.sleep(3.5)
        fake.faults()
        agent.reload()
        want = burnt(p)
        until(lambda: not old_ones(d, 3), seconds=60)
        assert dropped(agent) == 0
        assert agent.stop() == 0
        rows = stored(fake, name)
        between, ordered = gaps(rows)
        print(f"  {len(rows)} intervals, {twice(rows)} twice, largest gap {max(between) / 1e6:.0f} ms")
        assert all_there(fake, name, want) and max(between) < 50e6 and not twice(rows) and ordered


def test_a_reload_that_fails_changes_nothing():
    name = f"reload-{os.getpid()}"
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        with Agent(config(fake.url, d)) as agent:
            p = spin(5, name)
            bad = "  - name: other\n    url: http://127.0.0.1:9\n  - name: bad\n    url: http://127.0.0.1:9\n    spool: /nonexistent/spool\n"
            agent.reload(config("http://127.0.0.1:9", d, interval="300s", second=bad))
            agent.wait_for("reload failed", "/nonexistent/spool/bad", "old configuration stays in force")
            assert not [k for k in agent.metrics() if 'receiver="other"' in k]
            want = burnt(p)
            agent.reload(config(fake.url, f"{d}/elsewhere"))
            agent.wait_for("receivers[prod].spool changes with a restart only")
            until(lambda: not old_ones(d, 3))
            assert agent.stop() == 0
        rows = stored(fake, name)
        assert len(rows) >= 5 and all_there(fake, name, want) and max(gaps(rows)[0]) < 50e6


def test_a_receiver_taken_out_keeps_its_spool():
    """With a request under way, again and again; each time it comes back before that has ended, or after."""
    name = f"out-{os.getpid()}"
    with tempfile.TemporaryDirectory() as d, Fake() as fake, Agent(config(fake.url, d)) as agent:
        p = spin(4, name)
        fake.faults("status=503 delay=600")
        want = burnt(p)
        time.sleep(1.5)  # its last interval is on disk
        without = "frequency: 199\nflush_interval: 1s\nmax_cpu_percent: 0\nreceivers: []\n"
        for pause in (0.05, 0.2, 1.2, 0.1, 0.4):
            agent.reload(without)
            time.sleep(pause)
            agent.reload(config(fake.url, d))
            time.sleep(0.3)
        assert not [line for line in agent.lines if "reload failed" in line], agent.lines
        fake.faults()
        agent.reload()
        until(lambda: not old_ones(d, 3))
        assert agent.stop() == 0
        rows = stored(fake, name)
        assert all_there(fake, name, want) and not twice(rows)


def test_a_restart_finds_what_was_left():
    name, port = f"left-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d:
        with Agent(config(f"http://127.0.0.1:{port}", d)) as agent:
            want = burnt(spin(3, name))
            begin = time.time()
            assert agent.stop() == 0
            assert time.time() - begin < 2.5, "what is on disk is not waited for"
        left = len(in_spool(d))
        agent.wait_for("stopped:", f"{left} profiles stay in a spool")
        assert left >= 3
        with Fake(port=port) as fake, Agent(config(fake.url, d)) as agent:
            until(lambda: is_whole(cpu_ns(fake, name), want, 199))
            assert metric(agent, "hotspan_receiver_spool_total", what="found") == left
            assert agent.stop() == 0
            assert not twice(stored(fake, name))


def test_two_agents_do_not_share_a_spool():
    with tempfile.TemporaryDirectory() as d, Agent(config("http://127.0.0.1:9", d)) as agent:
        p = subprocess.run([HOTSPAN, "agent", "-c", agent.path], capture_output=True, text=True, timeout=20)
        assert p.returncode == 1 and f"{d}/prod is in use by another agent, process {agent.process.pid}" in p.stderr, p.stderr


WHIMS = [[], ["status=503 count=2"], ["status=429 retry_after=1 count=1"], ["cut=stored count=1"], ["cut=body count=2"], ["delay=700"], ["status=500 count=1"]]


def kill_often(fake, folder, n):
    """Kills the agent n times while the server has its whims; of each run its end, and how many profiles it had made."""
    r, ends = random.Random(7), []
    for _ in range(n):
        with Agent(config(fake.url, folder)) as agent:
            time.sleep(r.uniform(0.8, 2.5))
            fake.faults(*r.choice(WHIMS))
            time.sleep(r.uniform(0.2, 1.5))
            made = agent.metrics()["hotspan_profiles_total"]
            ends.append((time.time_ns(), made))
            agent.process.kill()
            agent.process.wait()
    fake.faults()
    return ends


def lost_at_kills(rows, ends):
    """(profiles made that did not arrive, s between the end of a run and that of its last interval)"""
    lost, late, begun = 0, 0, 0
    for ended, made in ends:
        mine = [r for r in rows if begun < r["time_nanos"] < ended]
        lost += max(0, made - len({r["id"] for r in mine}))
        if mine:
            late = max(late, (ended - max(r["time_nanos"] + r["duration_nanos"] for r in mine)) / 1e9)
        begun = ended
    return lost, late


def kills(n):
    """What is lost of each run is its open interval, and the one being encoded; how long these are is the host's affair."""
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        p = spin(100000, f"killed-{os.getpid()}")
        try:
            ends = kill_often(fake, d, n)
        finally:
            p.kill()
            p.wait()
        with Agent(config(fake.url, d)) as agent:
            until(lambda: not old_ones(d, 3), seconds=60)
            found, maybe = (metric(agent, "hotspan_receiver_spool_total", what=w) for w in ("found", "maybe_twice"))
            assert agent.stop() == 0
        rows = [r for r in fake.state()["log"] if r["stored"]]
        lost, late = lost_at_kills(rows, ends)
        r = {"kills": n, "made": int(sum(m for _, m in ends)), "lost": int(lost), "twice": twice(rows), "late_s": late, "left": len(in_spool(d))}
    print(f"  {n} kills: of {r['made']} profiles made {r['lost']} lost, {r['twice']} twice; open or being encoded at a kill "
          f"at most {late:.2f} s; the last run found {found:.0f}, {maybe:.0f} perhaps sent")
    return r


def test_kills_lose_the_open_interval_and_the_one_being_encoded():
    r = kills(10)
    assert r["made"] > 20 and not r["lost"], r
    assert r["twice"] <= 8 * r["kills"], "no more than were on their way"
    assert not r["left"]


def test_answers_of_every_kind_lose_nothing():
    name = f"whims-{os.getpid()}"
    steps = ["status=503 count=3", "status=429 retry_after=1 count=2", "cut=body count=2", "status=401 count=2", "delay=1500 count=3", "status=500 count=1", "cut=head count=1"]
    with tempfile.TemporaryDirectory() as d, Fake() as fake, Agent(config(fake.url, d)) as agent:
        p = spin(2 * len(steps), name)
        for step in steps:
            fake.faults(step)
            time.sleep(2)
        fake.faults()
        want = burnt(p)
        until(lambda: not old_ones(d, 4))
        assert agent.stop() == 0
        rows = stored(fake, name)
        unique = {r["id"]: r for r in rows}.values()
        between, _ = gaps(list(unique))
        once = cpu_ns(fake, name) * len(unique) / len(rows)
        print(f"  {len(unique)} intervals, {twice(rows)} of them twice; largest gap {max(between) / 1e6:.0f} ms; {100 * once / want:.2f} % of the CPU burnt")
        assert max(between) < 50e6 and twice(rows) <= 8
        assert is_whole(once, want, 199)


def test_a_full_disk_is_told_and_costs_nothing_while_memory_lasts():
    name, port = f"full-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", d], capture_output=True).returncode:
            raise Skip("no file system can be mounted here")
        try:
            with Agent(config(f"http://127.0.0.1:{port}", d)) as agent:
                want = burnt(spin(6, name))
                agent.wait_for("spool", "No space left on device", "waits in memory")
                assert metric(agent, "hotspan_receiver_spool_total", what="not_written") > 0
                with Fake(port=port) as fake:
                    until(lambda: is_whole(cpu_ns(fake, name), want, 199))
                    assert agent.stop() == 0
        finally:
            subprocess.run(["umount", d])


def test_what_neither_disk_nor_memory_holds_is_counted():
    port = free_port()
    with tempfile.TemporaryDirectory() as d:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", d], capture_output=True).returncode:
            raise Skip("no file system can be mounted here")
        try:
            with Agent(config(f"http://127.0.0.1:{port}", d, more="queue_bytes: 64KiB")) as agent:
                until(lambda: metric(agent, "hotspan_receiver_profiles_total", result="queue_full") > 5, seconds=90)
                with Fake(port=port):
                    agent.reload()
                    agent.wait_for("the queue is full, the oldest is dropped")
                    until(lambda: not old_ones(d, 3))
                    m = agent.metrics()
                    ours = {k: v for k, v in m.items() if k.startswith('hotspan_receiver_profiles_total{receiver="prod"')}
                    made = m["hotspan_profiles_total"]
                    assert made - sum(ours.values()) - m['hotspan_receiver_queue_profiles{receiver="prod"}'] == 0, m
                    assert agent.stop() == 0
        finally:
            subprocess.run(["umount", d])


def test_a_dead_receiver_does_not_delay_the_other():
    name, port = f"other-{os.getpid()}", free_port()
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        second = f"  - name: alive\n    url: {fake.url}\n"
        with Agent(config(f"http://127.0.0.1:{port}", d, second=second)) as agent:
            want = burnt(spin(6, name))
            assert agent.stop() == 0
            rows = stored(fake, name)
            steps = [(b["at_ms"] - a["at_ms"]) * 1e6 for a, b in zip(rows, rows[1:])]
            print(f"  {len(rows)} pushes, between {min(steps) / 1e9:.2f} and {max(steps) / 1e9:.2f} s apart")
            assert len(rows) >= 6 and max(steps[:-1] or steps) < 1.6e9
            assert all_there(fake, name, want)


if __name__ == "__main__":
    run_tests(globals())
