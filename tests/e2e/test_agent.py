#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent against the fake Pyroscope server: is the CPU time that arrives what was burnt, at any rate, under whose name, at what cost."""
from pushing import *  # noqa: F403
from pyroscope import Fake


def test_sums_pushed_equal_the_cpu_burnt():
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent:
        stolen = stolen_ns()
        busy = [spin(7, share=1) for _ in range(CPUS)]
        want = burnt(busy)
        stolen = stolen_ns() - stolen
        assert agent.stop() == 0
        got, state = cpu_ns(fake, service_name=SPIN), fake.state()
        print(f"  {got / 1e9:.3f} CPU s pushed, {want / 1e9:.3f} burnt: {100 * got / want:.2f} %; {state['requests']}")
        assert abs(got / want - 1) < 0.01 + stolen / want
        assert set(state["requests"]) == {"200"}, state["requests"]
        [series] = fake.series(service_name=SPIN)
        assert series["pushes"] >= 6, "one push each flush interval"
        assert not any("spin_half" in names(s) for s in fake.series(service_name="kernel")), "a process that execs is none of the kernel's"
        for name, share in (("spin_half", 0.5), ("spin_third", 0.3), ("spin_fifth", 0.2)):
            assert abs(names(series)[name] / got - share) < 0.02, (name, names(series)[name])


def test_a_cpu_budget_lowers_the_rate_and_totals_stay_true():
    """A sixth of what this rate costs on this host. The cost of a second is known behind it, that of a window when it was sent."""
    def cost():
        m = agent.metrics()
        return m["process_cpu_seconds_total"] + m["hotspan_bpf_seconds_total"]

    with Fake() as fake, Agent(config(fake.url, hz=4999)) as agent:
        busy, stolen = [spin(20, share=1) for _ in range(CPUS)], stolen_ns()
        time.sleep(2)  # names are known then
        before, begin = cost(), time.time()
        time.sleep(3)
        percent = round(100 * (cost() - before) / (time.time() - begin) / CPUS / 6, 2)
        before, begin = cost(), time.time()
        agent.reload(config(fake.url, hz=4999, more=f"max_cpu_percent: {percent}\n"))
        want = burnt(busy)
        m, spent = agent.metrics(), cost() - before
        allowed = percent / 100 * CPUS * (time.time() - begin + 30 + 2 * 6)
        stolen, hz = stolen_ns() - stolen, m["hotspan_frequency_hertz"]
        assert agent.stop() == 0
        agent.wait_for("budget", f"instead of 4999: max_cpu_percent is {percent:g}", "totals stay true")
        got = cpu_ns(fake, service_name=SPIN)
        print(f"  {hz:.0f} Hz of 4999; cost {spent:.3f} CPU s, {allowed:.3f} of {percent:g} % allowed; {100 * got / want:.2f} % of the CPU burnt pushed")
        assert hz < 0.9 * 4999 and m["hotspan_frequency_wanted_hertz"] == 4999
        assert m['hotspan_budget_limited_seconds_total{by="max_cpu_percent"}'] > 3
        assert spent < allowed * 1.1  # what is stolen while the programs run is in it
        assert abs(got / want - 1) < 0.03 + stolen / want + CPUS * 1e9 / hz / want
        assert b"max_cpu_percent held the rate down, to " in fake.newest(service_name=SPIN)


def in_series(fake, function):
    """{service: ns with that function on top}"""
    found = {}
    for s in fake.state()["series"]:
        found[s["labels"]["service_name"]] = found.get(s["labels"]["service_name"], 0) + names(s).get(function, 0)
    return {k: v for k, v in found.items() if v}


def test_samples_that_the_ring_has_no_room_for_are_under_their_own_name_or_lost():
    """The agent stands still while short processes fill the ring: of the last ones not even a stack fits. What has ended before its
    environment was read has the next name of the ladder, its program's."""
    prefix = own("full")
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent:
        load = subprocess.Popen([workload("services"), "600", "6", "3000"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, PREFIX=prefix))
        for _ in range(5):
            time.sleep(0.7)
            agent.process.send_signal(signal.SIGSTOP)
            time.sleep(0.35)
            agent.process.send_signal(signal.SIGCONT)
        load.wait()
        time.sleep(0.5)
        m = agent.metrics()
        assert agent.stop() == 0
        full, cut = m['hotspan_samples_lost_total{reason="ring_full"}'], m['hotspan_user_stacks_total{end="no_tables"}']
        of = [(s["labels"]["service_name"], n["name"], n["self"]) for s in fake.state()["series"] for n in s["names"]
              if re.fullmatch(r"service_\d", n["name"])]
    right = sum(ns for service, function, ns in of if service == f"{prefix}-{function[-1]}")
    unread = sum(ns for service, _, ns in of if service == "w_services")
    wrong = [x for x in of if x[0] != "w_services" and not x[0].endswith("-" + x[1][-1])]  # another run's on this host have their own prefix
    print(f"  {full:.0f} samples lost, {m['hotspan_process_events_lost_total']:.0f} events of processes, {cut:.0f} samples cut; {right / 1e9:.2f} CPU s under their names")
    assert full > 0 and cut > 0 and right > 1e9, (full, cut, right)
    assert not wrong and unread < right / 100, (wrong, unread)


def fill_rings(agent):
    """Stops the agent until more processes have begun and ended than its rings have room for: what comes then it does not hear of."""
    agent.process.send_signal(signal.SIGSTOP)
    subprocess.run([workload("services"), "3000", "1", "20"], stdout=subprocess.DEVNULL, env=dict(os.environ, PREFIX=own("fill")), check=True)


def test_an_exec_that_was_not_heard_of_takes_nothing_of_the_former_name():
    """Of a process that was sampled before, and of one that was not."""
    name = lambda which, when: f"{own(which)}-{when}"
    with Fake() as fake, Agent(config(fake.url, hz=999, more="max_cpu_percent: 0\n")) as agent, tempfile.TemporaryDirectory() as d:
        go = f"{d}/go"
        started = {}
        for which, wait in (("busy", ":"), ("calm", "sleep 0.1")):
            script = f"while [ ! -e {go} ]; do {wait}; done; OTEL_SERVICE_NAME={name(which, 'then')} exec {workload('spin')} 2"
            started[which] = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, env=dict(os.environ, OTEL_SERVICE_NAME=name(which, "first")))
        until(lambda: fake.series(service_name=name("busy", "first")))
        fill_rings(agent)
        pathlib.Path(go).touch()
        until(lambda: all("spin" in pathlib.Path(f"/proc/{p.pid}/comm").read_text() for p in started.values()))
        agent.process.send_signal(signal.SIGCONT)
        want = {which: burnt([p]) for which, p in started.items()}
        unheard = agent.metrics()["hotspan_process_events_lost_total"]
        assert agent.stop() == 0
        assert unheard > 0
        for which, ns in want.items():
            got = {s["labels"]["service_name"]: sum(v for k, v in names(s).items() if k.startswith("spin_"))
                   for s in fake.state()["series"] if s["labels"]["service_name"].startswith(own(which))}
            print(f"  {which}: {({k: round(v / 1e9, 2) for k, v in got.items()})}, {ns / 1e9:.2f} CPU s burnt, {unheard:.0f} events lost")
            assert got[name(which, "then")] > 0.6 * ns and not got.get(name(which, "first")), got


def test_processes_gone_in_a_moment_have_their_own_labels():
    """1,000 exec a second and a reload each second: what a process said is on its samples, and on nobody else's."""
    prefix = own("gone")
    more = "max_cpu_percent: 0\nrelabel_configs:\n  - {source_labels: [__meta_otel_service_name], target_label: said}\n  - {source_labels: [__meta_process_uid], target_label: uid}\n"
    with Fake() as fake, Agent(config(fake.url, hz=999, more=more)) as agent:
        load = subprocess.Popen(["setpriv", "--reuid", "65534", "--clear-groups", workload("services"), "1000", "8", "300"],
                                stdout=subprocess.PIPE, text=True, env=dict(os.environ, PREFIX=prefix))
        while load.poll() is None:
            time.sleep(1)
            agent.reload()
        burnt_by = answers(load.communicate()[0])
        agent.reload()
        assert agent.stop() == 0
        for n in range(4):
            got = in_series(fake, f"service_{n}")
            right = got.get(f"{prefix}-{n}", 0)
            print(f"  service_{n}: {right / 1e9:.3f} CPU s under its name, {burnt_by[f'service_{n}'] / 1e9:.3f} burnt; under other names {sum(got.values()) - right} ns")
            assert right and all(service.endswith(f"-{n}") for service in got), got  # another run's on this host have their own prefix
            assert -0.2 < right / burnt_by[f"service_{n}"] - 1 < 0.3  # some 770 samples; its own clock leaves interrupts out
            [series] = fake.series(service_name=f"{prefix}-{n}")
            assert series["labels"]["said"] == f"{prefix}-{n}" and series["labels"]["uid"] == "65534", series["labels"]


SHARES = """max_cpu_percent: 0
relabel_configs:
  - {action: drop, source_labels: [service_name], regex: '%(name)s-unwanted'}
  - {action: drop, source_labels: [__meta_process_exe], regex: '.*/(da|ba)?sh'}
  - {source_labels: [service_name], regex: '%(name)s-slow', target_label: __frequency__, replacement: '37'}
"""


def ticks(agent, state):
    return agent.metrics()[f'hotspan_ticks_total{{state="{state}"}}']


def test_targets_are_sampled_at_their_own_rate_or_not_at_all():
    """Told to the kernel at the first sample; a program that comes after in the same process is another one."""
    name = own("share")
    with Fake() as fake, Agent(config(fake.url, hz=999, more=SHARES % {"name": name})) as agent:
        want = burnt([spin(4, name + "-slow", share=1)])
        thinned = ticks(agent, "thinned")
        burnt([spin(2, name + "-unwanted", share=1)])
        left_out = ticks(agent, "left_out")
        judged = agent.metrics()["hotspan_samples_left_out_total"] - left_out
        loop = "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done"
        then = subprocess.Popen(["sh", "-c", f"{loop}; {workload('spin')} 1; {loop}; exec {workload('spin')} 1"], stdout=subprocess.PIPE, text=True,
                                env=dict(os.environ, OTEL_SERVICE_NAME=name + "-then"))
        out = then.communicate()[0]
        after_shell = ticks(agent, "left_out") - left_out
        agent.reload(config(fake.url, hz=999, more="max_cpu_percent: 0\n"))
        agent.wait_for("reloaded")
        again = burnt([spin(1, name + "-unwanted", share=1)])
        assert agent.stop() == 0
        got = cpu_ns(fake, service_name=name + "-slow")
        print(f"  slow: {got / want:.3f} of what was burnt, {thinned:.0f} ticks thinned; {left_out:.0f} left out in the kernel, {judged:.0f} here, "
              f"{after_shell:.0f} of the shell")
        assert abs(got / want - 1) < 0.1 and thinned > 0.85 * 4 * 999
        assert left_out > 0.85 * 2 * 999 and judged < 0.15 * 2 * 999 and after_shell > 200
        true = sum(int(v) for v in re.findall(r"spin_\w+ (\d+)", out))
        assert abs(cpu_ns(fake, service_name=name + "-then") / true - 1) < 0.05, "a wanted program after an unwanted one"
        assert abs(cpu_ns(fake, service_name=name + "-unwanted") / again - 1) < 0.1, "wanted since the reload"


def test_a_changed_rate_keeps_cpu_time_true():
    with Fake() as fake, Agent(config(fake.url, hz=99)) as agent:
        p, stolen = spin(6, share=1), stolen_ns()
        for hz in (999, 199, 499, 99, 999):
            time.sleep(1)
            agent.reload(config(fake.url, hz=hz))
        want = burnt([p])
        stolen = stolen_ns() - stolen
        assert agent.stop() == 0
        got = cpu_ns(fake, service_name=SPIN)
        print(f"  {got / 1e9:.3f} of {want / 1e9:.3f} CPU s over five rates")
        assert abs(got / want - 1) < 0.02 + stolen / want


run_tests(globals())
