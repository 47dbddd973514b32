#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`targets`: what is left out is in no profile and costs nothing, what is wanted is met when it executes its program."""
import subprocess

from hs import *  # noqa: F403
from pyroscope import Fake

NAME = f"targets-{os.getpid()}"


def config(url, targets):
    return (f"frequency: 999\nflush_interval: 1s\nshutdown_timeout: 5s\nmax_cpu_percent: 0\nreceivers: [{{name: prod, url: '{url}'}}]\n"
            f"targets: {json.dumps(targets)}\n")


def start(service, seconds=2, program=None, **kw):
    return subprocess.Popen([program or workload("spin"), str(seconds)], stdout=subprocess.PIPE, text=True,
                            env=dict(os.environ, OTEL_SERVICE_NAME=f"{NAME}-{service}"), **kw)


def burnt(p):
    return sum(answers(p.communicate()[0]).values())


def cpu_ns(fake, service):
    return sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(service_name=f"{NAME}-{service}"))


def services(fake):
    return {s["labels"]["service_name"].removeprefix(NAME + "-") for s in fake.state()["series"]}


def left_out(agent):
    """(in the kernel, here)"""
    m = agent.metrics()
    kernel = m['hotspan_ticks_total{state="left_out"}']
    return kernel, m["hotspan_samples_left_out_total"] - kernel


def test_what_is_excluded_is_in_no_profile_and_costs_no_samples():
    """Nothing else is left out, so what the agent counts as left out is that process's."""
    with Fake() as fake, Agent(config(fake.url, {"exclude": [{"service": NAME + "-un*"}]})) as agent:
        time.sleep(1)
        unwanted = burnt(start("unwanted"))
        kernel, here = left_out(agent)
        want = burnt(start("wanted"))
        assert agent.stop() == 0
        print(f"  unwanted: {kernel:.0f} ticks left out in the kernel, {here:.0f} samples here; wanted: {100 * cpu_ns(fake, 'wanted') / want:.1f} %")
        assert 0.95 * unwanted / 1e9 * 999 < kernel + here < 1.1 * unwanted / 1e9 * 999 + 20
        assert 1 <= here < 100, "the first of its program, and those under way until the kernel knew"
        assert "wanted" in services(fake) and "unwanted" not in services(fake)
        assert abs(cpu_ns(fake, "wanted") / want - 1) < 0.05


def test_what_is_included_is_met_when_it_executes():
    """Processes of five samples each: were the first one missed, a fifth of their time would be."""
    with Fake() as fake, Agent(config(fake.url, {"include": [{"service": NAME + "-[01]"}]})) as agent:
        load = subprocess.run([workload("services"), "100", "5", "5000"], capture_output=True, text=True, env=dict(os.environ, PREFIX=NAME))
        assert agent.stop() == 0
        want = answers(load.stdout)
        for n in "01":
            [series] = fake.series(service_name=f"{NAME}-{n}")
            got = sum(f["self"] for f in series["names"] if f["name"] == f"service_{n}")
            print(f"  service {n}: {100 * got / want[f'service_{n}']:.1f} % of what its processes burnt")
            assert abs(got / want[f"service_{n}"] - 1) < 0.15
        assert services(fake) == {"0", "1"}


def test_every_key_and_a_reload():
    ident = "9c2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
    with Fake() as fake, tempfile.TemporaryDirectory() as folder, cgroup(f"hotspan-{os.getpid()}/{ident}") as box:
        copy = pathlib.Path(folder) / "w_other"
        shutil.copy(workload("spin"), copy)
        plain = start("plain", 100)
        exclude = [{"service": "hotspan"}, {"executable": "w_oth*"}, {"executable": f"{folder}/nothing"}, {"user": "nobody", "service": NAME + "*"},
                   {"cgroup": box.parent.name, "container": ident[:12] + "*"}, {"pid": plain.pid}, {"pod_label": {"app": "*"}}]
        with Agent(config(fake.url, {"include": [{"service": NAME + "-*"}], "exclude": exclude})) as agent:
            ps = [start("copy", program=copy), start("user", user="nobody"),
                  start("cgroup", preexec_fn=lambda: (box / "cgroup.procs").write_text("0")), start("none")]
            [burnt(p) for p in ps]
            time.sleep(1.5)
            assert services(fake) == {"none"}, services(fake)
            agent.reload(config(fake.url, {"include": [{"pid": plain.pid}]}))
            agent.wait_for("reloaded")
            until(lambda: cpu_ns(fake, "plain"))
            n = len(agent.lines)
            agent.reload(config(fake.url, {"exclude": [{"servce": "a"}]}))
            agent.wait_for("reload failed", "targets.exclude[0]", "did you mean 'service'?", after=n)
            burnt(start("none-2"))
            assert agent.stop() == 0
            assert services(fake) == {"none", "plain"}
        plain.kill()
        plain.wait()


run_tests(globals())
