# SPDX-License-Identifier: Apache-2.0
"""pushing - what the tests of the agent with the fake Pyroscope server share: a configuration, a load, and what arrived of it."""
import socket

from hs import *  # noqa: F403

CPUS = os.cpu_count()
HOST = socket.gethostname()


def config(url, interval="1s", hz=499, more="", receiver=""):
    """No budget, unless more has one: beside compilers the rate would go down, and with it what can be expected of sums."""
    more += "" if "max_cpu_percent" in more else "max_cpu_percent: 0\n"
    return (f"frequency: {hz}\nflush_interval: {interval}\nshutdown_timeout: 5s\n{more}receivers:\n  - name: prod\n    type: pyroscope\n    url: {url}\n"
            + "".join(f"    {line}\n" for line in receiver.splitlines()))


def own(name):
    """The whole host is sampled, another run's workloads too: a service's name of this run alone."""
    return f"{name}-{os.getpid()}"


SPIN = own("spin")
children = []


LIGHT = 0.25  # of a CPU: what waits for servers runs beside others


def spin(seconds, service=SPIN, share=LIGHT):
    """Busy for this share of so many seconds."""
    children.append(subprocess.Popen([workload("spin"), str(seconds), str(share)], stdout=subprocess.PIPE, text=True,
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


def stolen_ns():
    """What a hypervisor took from this host's CPUs so far: samples count it, which come by the wall's clock; a process's own does not."""
    return int(pathlib.Path("/proc/stat").read_text().split()[8]) * 1e9 / os.sysconf("SC_CLK_TCK")


def cpu_ns(fake, **labels):
    return sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(**labels))


def is_whole(got, want, hz=499):
    """Is no interval missing? Where others want the CPUs too, what was sampled scatters about what was burnt, and is more: a
    process's own clock leaves interrupts out, those of other samplers too, which run beside this one."""
    scatter = (want / 1e9 * hz) ** -0.5
    return -0.02 - 2 * scatter < got / want - 1 < 0.12 + 2 * scatter


def all_there(fake, service, want, hz=499):
    got = cpu_ns(fake, service_name=service)
    print(f"  {100 * got / want:.2f} % of the CPU burnt by {service}")
    return is_whole(got, want, hz)


def names(series):
    """{function: self ns}"""
    return {n["name"]: n["self"] for n in series["names"]}


def delivered(agent, result="delivered"):
    return agent.metrics()[f'hotspan_receiver_profiles_total{{receiver="prod",result="{result}"}}']


def failed(agent, cause):
    return agent.metrics()[f'hotspan_receiver_failed_tries_total{{receiver="prod",cause="{cause}"}}']
