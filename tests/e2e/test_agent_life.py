#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent from its start to its end: pages, signals, reloads, what systemd hears, what it refuses to start with."""
import socket

from pushing import *  # noqa: F403
from pyroscope import Fake


def test_sigterm_sends_what_is_left():
    with Fake() as fake, Agent(config(fake.url, interval="10m")) as agent:
        want = burnt([spin(3)])
        assert fake.state()["requests"] == {}
        assert agent.stop() == 0
        agent.wait_for("stopping", "5 s")
        agent.wait_for("stopped", "samples", "lost")
        assert all_there(fake, SPIN, want)


def test_sigterm_ends_in_time_when_naming_does_not():
    with Fake() as fake, Agent(config(fake.url, interval="10m").replace("shutdown_timeout: 5s", "shutdown_timeout: 1ms")) as agent:
        burnt([spin(1)])
        begin = time.time()
        assert agent.stop() == 1
        assert time.time() - begin < 2
        agent.wait_for("last interval is lost", "shutdown_timeout")


def test_a_memory_budget_lowers_the_rate_and_sends_early():
    with Fake() as fake, Agent(config(fake.url, interval="10m", hz=499, more="max_cpu_percent: 0\nmax_memory_bytes: 16MiB\n")) as agent:
        spin(100)
        until(lambda: agent.metrics()["hotspan_frequency_hertz"] == 1, 30)
        agent.wait_for("budget", "instead of 499: max_memory_bytes is 16.0 MiB, and", "MiB are used")
        assert "1 Hz instead of 499: max_memory_bytes" in agent.get("/")[1]
        until(lambda: fake.series(service_name=SPIN), 30)
        agent.reload(config(fake.url, interval="10m", hz=499, more="max_cpu_percent: 0\n"))
        until(lambda: agent.metrics()["hotspan_frequency_hertz"] == 499)
        assert "\nsampling at 499 Hz\n" in agent.get("/")[1]


def test_reload():
    with Fake() as one, Fake() as two, Agent(config(one.url, hz=99)) as agent:
        p = spin(100, share=1)
        until(lambda: one.series(service_name=SPIN))
        agent.reload(config(two.url, hz=997, more="labels: {env: new}\n"))
        agent.wait_for("reloaded: 997 Hz")
        until(lambda: two.series(service_name=SPIN, env="new"))
        assert agent.metrics()["hotspan_frequency_hertz"] == 997
        time.sleep(1.5)
        before, begin = agent.metrics()["hotspan_samples_total"], time.time()
        time.sleep(2)
        rate = (agent.metrics()["hotspan_samples_total"] - before) / (time.time() - begin)
        assert rate > 0.9 * 997, f"{rate:.0f} samples a second at 997 Hz"
        n = len(agent.lines)
        agent.reload("frequency: many\n")
        agent.wait_for("reload failed", str(agent.path), ":1: frequency: 'many'", "old configuration stays", after=n)
        agent.reload(config(two.url, hz=99, more="user_stacks: false\n"))
        agent.wait_for("user_stacks changes with a restart only", "old value stays", after=n)
        agent.wait_for("reloaded: 99 Hz", after=n)
        m = agent.metrics()
        assert m['hotspan_config_reloads_total{result="ok"}'] == 2 and m['hotspan_config_reloads_total{result="failed"}'] == 1
        lost = {k: v for k, v in m.items() if v and k.startswith("hotspan_samples_lost_total") and "timer_late" not in k}
        assert not lost, lost
        p.kill()
        assert agent.stop() == 0


def test_pages():
    with Fake() as fake, Agent(config(fake.url)) as agent:
        p = spin(3)
        assert agent.get("/readyz") == (200, "ready\n")
        assert agent.get("/healthz") == (200, "ok\n")
        assert agent.get("/")[0] == 200 and "/metrics" in agent.get("/")[1]
        assert agent.get("/nothing")[0] == 404
        burnt([p])
        time.sleep(1.5)

        def between_two_pushes():
            m, state = agent.metrics(), fake.state()
            return delivered(agent) == state["requests"]["200"] and (m, state)

        m, state = until(between_two_pushes)
        total = sum(s["totals"]["samples:count"] for s in state["series"])
        assert total <= m["hotspan_samples_total"] <= total + 3 * CPUS * 499
        assert m["hotspan_windows_total"] >= 3 and m["hotspan_cpus"] == CPUS
        assert 0 < m["process_cpu_seconds_total"] < 3 and 0 < m["hotspan_bpf_seconds_total"] < 1
        assert m["hotspan_frames_named_total"] <= m["hotspan_frames_total"]
        p = subprocess.run(["sh", "-c", f"printf 'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n' | timeout 2 python3 -c \""
                            f"import socket,sys; s=socket.create_connection(('127.0.0.1',{agent.address.rsplit(':')[-1]})); s.send(sys.stdin.buffer.read()); print(s.recv(100))\""],
                           capture_output=True, text=True)
        assert "405" in p.stdout, p


def test_systemd_hears_of_every_step():
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(f"{d}/notify")
        s.settimeout(20)
        hear = lambda: s.recv(200).decode()
        env = dict(os.environ, NOTIFY_SOCKET=f"{d}/notify", WATCHDOG_USEC="2000000")
        env.pop("WATCHDOG_PID", None)
        with Agent("receivers: []\n", env=env) as agent:
            assert hear() == "READY=1"
            assert hear() == "WATCHDOG=1" and hear() == "WATCHDOG=1"
            agent.reload()
            said = [hear() for _ in range(2)]
            while "READY=1" not in said:
                said.append(hear())
            said = [w for w in said if w != "WATCHDOG=1"]
            assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", said[0]) and said[1] == "READY=1", said
            assert agent.stop() == 0
            said = hear()
            while said == "WATCHDOG=1":
                said = hear()
            assert said == "STOPPING=1"


def refused(status, *words, argv):
    p = subprocess.run([str(HOTSPAN), *map(str, argv)], capture_output=True, text=True, timeout=30)
    print(f"  {p.returncode}: {p.stderr.strip()}")
    assert p.returncode == status and len(p.stderr.splitlines()) == 1 and all(w in p.stderr for w in words), (p.returncode, p.stderr)


def test_what_cannot_start_says_why():
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f, socket.create_server(("127.0.0.1", 0)) as s:
        f.write("freqency: 99\n")
        f.flush()
        for argv in (["agent", "-c", f.name], ["agent", "--check", "-c", f.name], ["config", "--effective", "-c", f.name]):
            refused(2, f"{f.name}:1:", "freqency", "did you mean 'frequency'", argv=argv)
        refused(2, "/nonexistent", argv=["agent", "-c", "/nonexistent"])
        refused(2, "--frequency", "'x'", argv=["agent", "--frequency", "x"])
        refused(2, "no option", "-c", argv=["agent", "x.yaml"])
        port = s.getsockname()[1]
        refused(1, f"127.0.0.1:{port}", "in use", "another port", argv=["agent", "--listen", f"127.0.0.1:{port}"])
        refused(1, "'here'", "127.0.0.1:9464", argv=["agent", "--listen", "here"])
        refused(2, "which view", argv=["config"])


run_tests(globals())
