#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent against the fake Pyroscope server: what arrives, how it lives, how it fails."""
import contextlib
import http.server
import socket

from hs import *  # noqa: F403
from pyroscope import Fake, certificates

CPUS = os.cpu_count()
HOST = socket.gethostname()


def config(url, interval="1s", hz=499, more="", receiver=""):
    return (f"frequency: {hz}\nflush_interval: {interval}\nshutdown_timeout: 5s\n{more}receivers:\n  - name: prod\n    type: pyroscope\n    url: {url}\n"
            + "".join(f"    {line}\n" for line in receiver.splitlines()))


SPIN = f"spin-{os.getpid()}"  # the whole host is sampled: another run's workloads too
children = []


def spin(seconds, service=SPIN):
    children.append(subprocess.Popen([workload("spin"), str(seconds)], stdout=subprocess.PIPE, text=True,
                                     env=dict(os.environ, OTEL_SERVICE_NAME=service)))
    return children[-1]


class Agent(Agent):
    """Workloads end with it."""

    def __exit__(self, *exc):
        super().__exit__(*exc)
        for p in children:
            p.kill()


def burnt(processes):
    """CPU ns by their own clocks, together."""
    return sum(sum(answers(p.communicate()[0]).values()) for p in processes)


def cpu_ns(fake, **labels):
    return sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(**labels))


def names(series):
    """{function: self ns}"""
    return {n["name"]: n["self"] for n in series["names"]}


def delivered(agent, result="delivered"):
    return agent.metrics()[f'hotspan_receiver_profiles_total{{receiver="prod",result="{result}"}}']


def failed(agent, cause):
    return agent.metrics()[f'hotspan_receiver_failed_tries_total{{receiver="prod",cause="{cause}"}}']


def test_sums_pushed_equal_the_cpu_burnt():
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent:
        busy = [spin(10) for _ in range(CPUS)]
        want = burnt(busy)
        assert agent.stop() == 0
        got, state = cpu_ns(fake, service_name=SPIN), fake.state()
        print(f"  {got / 1e9:.3f} CPU s pushed, {want / 1e9:.3f} burnt: {100 * got / want:.2f} %; {state['requests']}")
        assert abs(got / want - 1) < 0.01
        assert set(state["requests"]) == {"200"}, state["requests"]
        [series] = fake.series(service_name=SPIN)
        assert series["pushes"] >= 9, "one push each flush interval"
        assert not any("spin_half" in names(s) for s in fake.series(service_name="kernel")), "a process that execs is none of the kernel's"
        for name, share in (("spin_half", 0.5), ("spin_third", 0.3), ("spin_fifth", 0.2)):
            assert abs(names(series)[name] / got - share) < 0.02, (name, names(series)[name])


def test_labels_types_and_own_service():
    more = "labels: {env: prod, region: eu-1}\n"
    with Fake() as fake, Agent(config(fake.url, more=more, hz=999)) as agent:
        p = spin(2)
        burnt([p])
        assert agent.stop() == 0
        state = fake.state()
        for s in state["series"]:
            labels = dict(s["labels"])
            assert labels.pop("service_name"), s
            assert labels == {"__name__": "process_cpu", "env": "prod", "region": "eu-1", "instance": HOST}, "no label of a process or thread"
            assert set(s["totals"]) == {"samples:count", "cpu:nanoseconds"} and s["nameless"] == 0
        assert fake.series(service_name="hotspan"), "hotspan is a service like any other"
        assert not state["warnings"], "every frame has a name, no label became a series"
        assert all(a.startswith("hotspan/") for a in state["user_agents"])


def test_service_ladder():
    """The environment's name, else the executable's; children of one service are one series, never one per pid."""
    script = "for i in 1 2 3; do python3 -c 'sum(range(40000000))'; done"
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent:
        env = {k: v for k, v in os.environ.items() if k != "OTEL_SERVICE_NAME"}
        subprocess.run(["sh", "-c", script], env=dict(env, OTEL_SERVICE_NAME="my shop"))
        subprocess.run([workload("spin"), "1"], env=env, stdout=subprocess.DEVNULL)
        assert agent.stop() == 0
        assert len(fake.series(service_name="my shop")) == 1
        unit = re.search(r"([^/]+)\.service$", pathlib.Path("/proc/self/cgroup").read_text().strip())
        assert len(fake.series(service_name=unit[1] if unit else "w_spin")) == 1
        assert any("PyEval" in n or "python" in n for n in names(fake.series(service_name="my shop")[0]))


def test_sigterm_sends_what_is_left():
    with Fake() as fake, Agent(config(fake.url, interval="10m")) as agent:
        want = burnt([spin(3)])
        assert fake.state()["requests"] == {}
        assert agent.stop() == 0
        agent.wait_for("stopping", "5 s")
        agent.wait_for("stopped", "samples", "lost")
        assert abs(cpu_ns(fake, service_name=SPIN) / want - 1) < 0.05


def test_sigterm_ends_in_time_without_a_server():
    with Agent(config("http://127.0.0.1:9", interval="1s", more="")) as agent:
        agent.wait_for("receiver prod", "http://127.0.0.1:9", "wait", "next try in")
        begin = time.time()
        assert agent.stop() == 0
        assert time.time() - begin < 8
        agent.wait_for("could not be sent in time")


def test_sigterm_ends_in_time_when_naming_does_not():
    with Fake() as fake, Agent(config(fake.url, interval="10m").replace("shutdown_timeout: 5s", "shutdown_timeout: 1ms")) as agent:
        burnt([spin(1)])
        begin = time.time()
        assert agent.stop() == 1
        assert time.time() - begin < 2
        agent.wait_for("last interval is lost", "shutdown_timeout")


def test_a_cpu_budget_lowers_the_rate_and_totals_stay_true():
    percent, seconds = 0.2, 20
    with Fake() as fake, Agent(config(fake.url, hz=1999, more=f"max_cpu_percent: {percent}\n")) as agent:
        before = agent.metrics()
        busy = [spin(seconds) for _ in range(CPUS)]
        want = burnt(busy)
        m = agent.metrics()
        cost = sum(m[k] - before[k] for k in ("process_cpu_seconds_total", "hotspan_bpf_seconds_total"))
        allowed = percent / 100 * CPUS * (seconds + 30)
        assert agent.stop() == 0
        agent.wait_for("budget", "instead of 1999: max_cpu_percent is 0.2", "totals stay true")
        got = cpu_ns(fake, service_name=SPIN)
        print(f"  {m['hotspan_frequency_hertz']:.0f} Hz of 1999; cost {cost:.3f} CPU s, {allowed:.3f} allowed; {100 * got / want:.2f} % of the CPU burnt pushed")
        assert m["hotspan_frequency_hertz"] < 0.9 * 1999 and m["hotspan_frequency_wanted_hertz"] == 1999
        assert m['hotspan_budget_limited_seconds_total{by="max_cpu_percent"}'] > 5
        assert cost < allowed * 1.1
        assert abs(got / want - 1) < 0.03
        assert b"max_cpu_percent held the rate down, to " in fake.newest(service_name=SPIN)


def test_a_memory_budget_lowers_the_rate_and_sends_early():
    with Fake() as fake, Agent(config(fake.url, interval="10m", hz=499, more="max_memory_bytes: 16MiB\n")) as agent:
        spin(100)
        until(lambda: agent.metrics()["hotspan_frequency_hertz"] == 1, 30)
        agent.wait_for("budget", "instead of 499: max_memory_bytes is 16.0 MiB, and", "MiB are used")
        assert "1 Hz instead of 499: max_memory_bytes" in agent.get("/")[1]
        until(lambda: fake.series(service_name=SPIN), 30)
        agent.reload(config(fake.url, interval="10m", hz=499))
        until(lambda: agent.metrics()["hotspan_frequency_hertz"] == 499)
        assert "\nsampling at 499 Hz\n" in agent.get("/")[1]


KEPT = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_SYS_PTRACE": 19, "CAP_DAC_READ_SEARCH": 2, "CAP_CHECKPOINT_RESTORE": 40, "CAP_SYSLOG": 34}


def test_capabilities_not_needed_are_given_up():
    """And what is kept is enough: a program only another user may read, deleted while it runs, has its names."""
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent, tempfile.TemporaryDirectory() as folder:
        agent.wait_for("capabilities kept:", *KEPT)
        for task in pathlib.Path(f"/proc/{agent.process.pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
            for row in ("CapPrm", "CapEff", "CapBnd"):
                assert int(status[row], 16) == sum(1 << bit for bit in KEPT.values()), (row, status[row])
            assert status["CapAmb"] == status["CapInh"] == "0" * 16 and status["NoNewPrivs"] == "1"
        program = pathlib.Path(folder) / "w_spin"
        shutil.copy(workload("spin"), program)
        os.chmod(folder, 0o711)
        os.chown(program, 65534, 65534)
        program.chmod(0o500)
        theirs = f"theirs-{os.getpid()}"
        children.append(subprocess.Popen([program, "3"], user=65534, group=65534, extra_groups=[], stdout=subprocess.DEVNULL,
                                         env={"OTEL_SERVICE_NAME": theirs}))
        time.sleep(0.3)
        program.unlink()
        children[-1].wait()
        assert agent.stop() == 0
        [series] = fake.series(service_name=theirs)
        assert {"spin_half", "main"} <= set(names(series)), names(series)


RULES = """relabel_configs:
  - {action: drop, source_labels: [__meta_process_comm], regex: w_sle.*}
  - {source_labels: [__container_id__], regex: '(.{6}).*', target_label: container}
  - {source_labels: [__meta_kubernetes_pod_uid], target_label: pod_uid}
  - {source_labels: [__meta_container_runtime, __meta_process_uid], separator: '/', regex: '(.+/.+)', target_label: ran_by}
  - {source_labels: [__meta_process_username], target_label: user}
  - {source_labels: [__meta_process_exe], regex: '.*/(.*)', target_label: program}
  - {source_labels: [__meta_process_exe], regex: '((.|.)+)+[?!]', target_label: never} # takes too many steps
  - {action: keep, source_labels: [service_name], regex: '%s.*'}
"""


@contextlib.contextmanager
def cgroup(path):
    """A cgroup of that name, which is all it takes to look like a container's."""
    mount = next((f[1] for f in (line.split() for line in open("/proc/mounts")) if f[2] == "cgroup2"), None)
    if not mount:
        raise Skip("no cgroup2 file system is mounted")
    folder = pathlib.Path(mount) / path
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        for f in [folder, *folder.parents]:
            if f == pathlib.Path(mount):
                break
            f.rmdir()


def test_relabelling_makes_the_series_and_leaves_processes_out():
    ident = "4a2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
    pod = "0f3a7c1e_5b2d_4e6f_8a9b_1c2d3e4f5a6b"
    name = f"relabelled-{os.getpid()}"
    with Fake() as fake, Agent(config(fake.url, hz=999, more=RULES % name)) as agent, \
            cgroup(f"kubepods.slice/kubepods-pod{pod}.slice/cri-containerd-{ident}.scope") as folder:
        join = lambda: (folder / "cgroup.procs").write_text("0")
        env = dict(os.environ, OTEL_SERVICE_NAME=name)
        inside = subprocess.Popen([workload("spin"), "2"], env=env, preexec_fn=join, stdout=subprocess.PIPE, text=True)
        outside = spin(2, name + "-out")
        want = burnt([inside]), burnt([outside])
        spin(1, "unwanted")
        until(lambda: agent.metrics()["hotspan_samples_left_out_total"] > 500)
        given_up = lambda reason: agent.metrics()[f'hotspan_relabel_given_up_total{{reason="{reason}"}}']
        before = given_up("match_too_long")
        assert before > 0 and given_up("too_large") == 0, before
        agent.reload(config(fake.url, hz=999, more=(RULES % "unwanted").replace("target_label: program", "target_label: prog")))
        agent.wait_for("reloaded")
        burnt([spin(1, "unwanted")])
        assert given_up("match_too_long") > before # the new rules' on top of the old ones'
        assert agent.stop() == 0
        [a] = fake.series(service_name=name)
        assert a["labels"] == {"__name__": "process_cpu", "instance": HOST, "service_name": name, "container": ident[:6], "pod_uid": pod.replace("_", "-"),
                               "ran_by": "containerd/0", "program": "w_spin"}, a["labels"]  # whose names of users nobody knows
        assert abs(a["totals"]["cpu:nanoseconds"] / want[0] - 1) < 0.05
        [b] = fake.series(service_name=name + "-out")
        assert "container" not in b["labels"] and b["labels"]["program"] == "w_spin" and b["labels"]["user"] == "root", b["labels"]
        [c] = fake.series(service_name="unwanted")
        assert c["labels"]["prog"] == "w_spin", c["labels"]
        assert {s["labels"]["service_name"] for s in fake.state()["series"]} == {name, name + "-out", "unwanted"}


def in_series(fake, function):
    """{service: ns with that function on top}"""
    found = {}
    for s in fake.state()["series"]:
        found[s["labels"]["service_name"]] = found.get(s["labels"]["service_name"], 0) + names(s).get(function, 0)
    return {k: v for k, v in found.items() if v}


def test_what_is_left_out_costs_no_tables():
    with Fake() as fake, Agent(config(fake.url, hz=999, more="relabel_configs:\n  - {action: keep, source_labels: [service_name], regex: nobody}\n")) as agent:
        burnt([spin(2)])
        m = agent.metrics()
        assert m["hotspan_samples_left_out_total"] > 1000, m
        assert m["hotspan_unwind_tables"] == m["hotspan_unwind_processes"] == 0, m
        assert agent.stop() == 0


def test_samples_that_the_ring_has_no_room_for_are_under_their_own_name_or_lost():
    """The agent stands still while short processes fill the ring: of the last ones not even a stack fits."""
    prefix = f"full-{os.getpid()}"
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
    wrong = [x for x in of if not x[0].endswith("-" + x[1][-1])]  # another run's on this host have their own prefix
    print(f"  {full:.0f} samples lost, {m['hotspan_process_events_lost_total']:.0f} events of processes, {cut:.0f} samples cut; {right / 1e9:.2f} CPU s under their names")
    assert full > 0 and cut > 0 and right > 1e9, (full, cut, right)
    # Before samples kept who they are without their stack it was 15 %.
    assert sum(ns for _, _, ns in wrong) < 0.01 * right, wrong


def test_processes_gone_in_a_moment_have_their_own_labels():
    """1,000 exec a second and a reload each second: what a process said is on its samples, and on nobody else's."""
    prefix = f"gone-{os.getpid()}"
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
            print(f"  service_{n}: {right / 1e9:.3f} CPU s under its name, {burnt_by[f'service_{n}'] / 1e9:.3f} burnt; elsewhere {sum(got.values()) - right} ns")
            assert set(got) == {f"{prefix}-{n}"}, got
            assert abs(right / burnt_by[f"service_{n}"] - 1) < 0.2
            [series] = fake.series(service_name=f"{prefix}-{n}")
            assert series["labels"]["said"] == f"{prefix}-{n}" and series["labels"]["uid"] == "65534", series["labels"]


SHARES = """max_cpu_percent: 0
relabel_configs:
  - {action: drop, source_labels: [service_name], regex: '%(name)s-unwanted'}
  - {action: drop, source_labels: [__meta_process_exe], regex: '.*/(da|ba)?sh'}
  - {source_labels: [service_name], regex: '%(name)s-slow', target_label: __frequency__, replacement: '37'}
"""


PODS = """relabel_configs:
  - {action: labelmap, regex: __meta_kubernetes_pod_label_(app)}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
kubernetes: %s/pods
"""


def test_pods_are_named_once_kubernetes_lists_them():
    ident, uid = "5b2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6", "1f3a7c1e-5b2d-4e6f-8a9b-1c2d3e4f5a6b"
    items = []

    class Kubelet(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"kind": "PodList", "items": items}).encode())

        def log_message(self, *args):
            pass

    kubelet = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
    threading.Thread(target=kubelet.serve_forever, daemon=True).start()
    more = PODS % f"http://127.0.0.1:{kubelet.server_port}"
    env = {k: v for k, v in os.environ.items() if k != "OTEL_SERVICE_NAME"}
    with Fake() as fake, Agent(config(fake.url, hz=499, more=more), env={"NODE_NAME": "node-7"}) as agent, cgroup(f"kubepods/burstable/pod{uid}/{ident}") as folder:
        p = subprocess.Popen([workload("spin"), "60"], env=env, preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"), stdout=subprocess.DEVNULL)
        try:
            until(lambda: fake.series(service_name=ident[:12]))
            items.append({"metadata": {"name": "web-0", "namespace": "shop", "uid": uid, "labels": {"app": "web", "tier": "front"}},
                          "status": {"containerStatuses": [{"name": "srv", "containerID": f"containerd://{ident}"}]}})
            until(lambda: fake.series(service_name="shop/srv"), 20)
        finally:
            p.kill()
            p.wait()
        assert agent.metrics()["hotspan_kubernetes_pods"] == 1
        [series] = fake.series(service_name="shop/srv")
        assert series["labels"]["app"] == "web" and series["labels"]["pod"] == "web-0" and "tier" not in series["labels"], series["labels"]
        assert series["labels"]["instance"] == "node-7"
        assert agent.stop() == 0
    kubelet.shutdown()


def ticks(agent, state):
    return agent.metrics()[f'hotspan_ticks_total{{state="{state}"}}']


def test_targets_are_sampled_at_their_own_rate_or_not_at_all():
    """Told to the kernel at the first sample; a program that comes after in the same process is another one."""
    name = f"share-{os.getpid()}"
    with Fake() as fake, Agent(config(fake.url, hz=999, more=SHARES % {"name": name})) as agent:
        want = burnt([spin(4, name + "-slow")])
        thinned = ticks(agent, "thinned")
        burnt([spin(2, name + "-unwanted")])
        left_out = ticks(agent, "left_out")
        judged = agent.metrics()["hotspan_samples_left_out_total"] - left_out
        loop = "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done"
        then = subprocess.Popen(["sh", "-c", f"{loop}; {workload('spin')} 1; {loop}; exec {workload('spin')} 1"], stdout=subprocess.PIPE, text=True,
                                env=dict(os.environ, OTEL_SERVICE_NAME=name + "-then"))
        out = then.communicate()[0]
        after_shell = ticks(agent, "left_out") - left_out
        agent.reload(config(fake.url, hz=999, more="max_cpu_percent: 0\n"))
        agent.wait_for("reloaded")
        again = burnt([spin(1, name + "-unwanted")])
        assert agent.stop() == 0
        got = cpu_ns(fake, service_name=name + "-slow")
        print(f"  slow: {got / want:.3f} of what was burnt, {thinned:.0f} ticks thinned; {left_out:.0f} left out in the kernel, {judged:.0f} here, "
              f"{after_shell:.0f} of the shell")
        assert abs(got / want - 1) < 0.1 and thinned > 0.85 * 4 * 999
        assert left_out > 0.85 * 2 * 999 and judged < 0.15 * 2 * 999 and after_shell > 200
        true = sum(int(v) for v in re.findall(r"spin_\w+ (\d+)", out))
        assert abs(cpu_ns(fake, service_name=name + "-then") / true - 1) < 0.05, "a wanted program after an unwanted one"
        assert abs(cpu_ns(fake, service_name=name + "-unwanted") / again - 1) < 0.1, "wanted since the reload"


def test_reload():
    with Fake() as one, Fake() as two, Agent(config(one.url, hz=99)) as agent:
        p = spin(100)
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
        assert not any(v for k, v in m.items() if k.startswith("hotspan_samples_lost_total") and "timer_late" not in k)
        p.kill()
        assert agent.stop() == 0


def test_a_changed_rate_keeps_cpu_time_true():
    with Fake() as fake, Agent(config(fake.url, hz=99)) as agent:
        p = spin(6)
        for hz in (999, 199, 499, 99, 999):
            time.sleep(1)
            agent.reload(config(fake.url, hz=hz))
        want = burnt([p])
        assert agent.stop() == 0
        got = cpu_ns(fake, service_name=SPIN)
        print(f"  {got / 1e9:.3f} of {want / 1e9:.3f} CPU s over five rates")
        assert abs(got / want - 1) < 0.02


def test_a_server_that_comes_up_late():
    with Fake() as fake:
        fake.stop()
        with Agent(config(fake.url)) as agent:
            p = spin(2)
            agent.wait_for("receiver prod", "onnect", "wait", "next try in")
            want = burnt([p])
            fake.start()
            agent.wait_for("receiver prod", "delivering again", seconds=30)
            until(lambda: abs(cpu_ns(fake, service_name=SPIN) / want - 1) < 0.05)
            assert failed(agent, "connect") >= 1
            assert not any(delivered(agent, why) for why in ("refused", "too_many_tries", "queue_full", "too_old", "unanswered"))


def fault(agent, fake, line, *words, cause, **recovery):
    """Sets a fault, waits for its line and its counter, ends it, and waits until profiles arrive again."""
    n, before = len(agent.lines), failed(agent, cause)
    fake.faults(line)
    print("  " + agent.wait_for(*words, after=n, seconds=30))
    until(lambda: failed(agent, cause) > before)
    fake.faults()
    done = delivered(agent)
    until(lambda: delivered(agent) > done, seconds=40)


def test_faults_have_their_class_their_line_and_an_end():
    with Fake() as fake, Agent(config(fake.url, receiver="timeout: 2s")) as agent:
        p = spin(1000)
        until(lambda: delivered(agent) > 0)
        fault(agent, fake, "status=429 retry_after=2 count=3", "HTTP 429", "next try in", cause="throttled")
        fault(agent, fake, "status=503", "HTTP 503", "next try in", cause="server")
        fault(agent, fake, "status=400 message=not today", "HTTP 400", "not today", "dropped", cause="refused")
        fault(agent, fake, "cut=stored", "next try in", cause="silence")
        fault(agent, fake, "stall=1", "never answered", "not sent again", cause="silence")
        assert delivered(agent, "unanswered") >= 1
        fault(agent, fake, "status=307 location=http://127.0.0.1:9/", "HTTP 307", cause="moved")
        rss = agent.metrics()["process_resident_memory_bytes"]
        assert rss < 64 << 20, rss
        p.kill()
        assert agent.stop() == 0


def test_a_refused_series_does_not_take_the_others_down():
    with Fake() as fake:
        fake.faults("status=400 service=bad message=this one not")
        with Agent(config(fake.url)) as agent:
            p = [spin(3, "bad-service"), spin(3, "good-service")]
            want = burnt(p) / 2
            assert agent.stop() == 0
            agent.wait_for("profile of bad-service", "HTTP 400", "this one not", "dropped")
            assert abs(cpu_ns(fake, service_name="good-service") / want - 1) < 0.1
            assert not fake.series(service_name="bad-service")


def test_an_undecodable_answer_is_given_up_in_the_end():
    with Fake() as fake:
        fake.faults("status=500 service=bad")
        with Agent(config(fake.url, receiver="max_tries: 2")) as agent:
            p = [spin(2, "bad-service"), spin(2, "good-service")]
            burnt(p)
            agent.wait_for("profile of bad-service", "HTTP 500", "tried too often", seconds=30)
            assert delivered(agent) > 0 and delivered(agent, "too_many_tries") > 0


def test_a_token_file_that_changes():
    with tempfile.NamedTemporaryFile("w", suffix=".token") as token, Fake() as fake:
        token.write("old\n")
        token.flush()
        fake.faults("authorization=Bearer new")
        with Agent(config(fake.url, receiver=f"bearer_token_file: {token.name}")) as agent:
            p = spin(1000)
            agent.wait_for("HTTP 401", "next try in")
            token.seek(0)
            token.write("new\n")
            token.flush()
            until(lambda: delivered(agent) > 0, seconds=30)
            p.kill()


def test_tls_with_a_client_certificate_and_a_wrong_authority():
    with tempfile.TemporaryDirectory() as d:
        good, other = certificates(pathlib.Path(d)), pathlib.Path(d) / "other"
        other.mkdir()
        certificates(other)
        tls = ("--tls-cert", good / "server.pem", "--tls-key", good / "server.key", "--tls-client-ca", good / "ca.pem")
        with Fake(*tls, ca=str(good / "ca.pem"), client=(str(good / "client.pem"), str(good / "client.key"))) as fake:
            part = f"cert_file: {good}/client.pem, key_file: {good}/client.key"
            with Agent(config(fake.url, receiver=f"tls_config: {{ca_file: {other}/ca.pem, {part}}}")) as agent:
                p = spin(1000)
                agent.wait_for("receiver prod", "certificate", "next try in")
                assert failed(agent, "tls") >= 1
                agent.reload(config(fake.url, receiver=f"tls_config: {{ca_file: {good}/ca.pem, {part}}}"))
                until(lambda: delivered(agent) > 0, seconds=30)
                p.kill()


def test_a_name_that_does_not_exist():
    with Agent(config("http://no-such-host.invalid:4040")) as agent:
        agent.wait_for("receiver prod", "no-such-host.invalid", "resolve", "next try in")
        assert agent.get("/healthz") == (200, "ok\n"), "the network's trouble is not ours"


def test_a_proxy_is_asked_for_a_host_we_cannot_resolve():
    seen = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        more = f"proxy_url: http://127.0.0.1:{server.server_port}\nbasic_auth: {{username: me, password: secret}}"
        with Agent(config("http://pyroscope.invalid:4040/prefix/", receiver=more)) as agent:
            burnt([spin(1)])
            until(lambda: delivered(agent) > 0)
            assert set(seen) == {("http://pyroscope.invalid:4040/prefix/push.v1.PusherService/Push", "Basic bWU6c2VjcmV0")}, seen
        server.shutdown()


def test_pages():
    with Fake() as fake, Agent(config(fake.url)) as agent:
        p = spin(3)
        assert agent.get("/readyz") == (200, "ready\n")
        assert agent.get("/healthz") == (200, "ok\n")
        assert agent.get("/")[0] == 200 and "/metrics" in agent.get("/")[1]
        assert agent.get("/nothing")[0] == 404
        burnt([p])
        time.sleep(1.5)
        m, state = agent.metrics(), fake.state()
        assert delivered(agent) == state["requests"]["200"]
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


def test_json_log_lines():
    with Agent(config("http://127.0.0.1:9"), "--log-format", "json") as agent:
        agent.wait_for("next try in")
        agent.stop()
        lines = [json.loads(l) for l in agent.lines]
        assert all(set(l) == {"time", "level", "msg"} for l in lines)
        assert {l["level"] for l in lines} == {"info", "warn"}


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


def test_the_units_capabilities_are_enough():
    unit = pathlib.Path(__file__).resolve().parents[2] / "packaging/hotspan.service"
    for takes_away in ("PrivateTmp", "ProtectKernelLogs", "ProtectKernelTunables", "ProtectProc", "PrivateUsers", "PrivatePIDs"):
        assert f"\n{takes_away}=" not in unit.read_text(), f"{takes_away} would cost names"
    keep = re.search(r"^CapabilityBoundingSet=(.*)", unit.read_text(), re.M)[1].split()
    if int(pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text()) <= 2:  # above, Debian's kernels ask for it
        keep.remove("CAP_SYS_ADMIN")
    caps = ",".join("+" + c.removeprefix("CAP_").lower() for c in keep)
    with Fake() as fake, Agent(config(fake.url), argv=["setpriv", "--bounding-set", f"-all,{caps}", "--inh-caps", f"-all,{caps}", "--no-new-privs"]) as agent:
        effective = re.search(r"^CapEff:\s*(\w+)", pathlib.Path(f"/proc/{agent.process.pid}/status").read_text(), re.M)[1]
        assert bin(int(effective, 16)).count("1") == len(keep)
        other = subprocess.Popen(["setpriv", "--reuid", "65534", "--clear-groups", workload("spin"), "2"], stdout=subprocess.PIPE, text=True,
                                 env=dict(os.environ, OTEL_SERVICE_NAME="another users"))
        want = burnt([other])
        assert agent.stop() == 0
        assert abs(cpu_ns(fake, service_name="another users") / want - 1) < 0.1
        assert any(n.startswith(("do_", "__x64", "entry_")) for s in fake.state()["series"] for n in names(s)), "kernel names"


run_tests(globals())
