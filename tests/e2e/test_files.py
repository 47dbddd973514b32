#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receivers that are directories: what `go tool pprof` reads there is what was sampled and what a server got; bounds; full disks."""
import contextlib
import subprocess

from hs import *  # noqa: F403
from pushing import spin
from pyroscope import Fake

NAME = f"files-{os.getpid()}"
SHAPE = r"\d{8}T\d{6}Z-[A-Za-z0-9._-]+\.pb\.gz"


def config(folder, more="", hz=499, second="", interval="1s"):
    return (f"frequency: {hz}\nflush_interval: {interval}\nshutdown_timeout: 5s\nmax_cpu_percent: 0\nlabels: {{env: test}}\n"
            f"receivers:\n  - {{name: disk, type: file, path: {folder}{', ' if more else ''}{more}}}\n{second}")


def profiles(folder, service="*"):
    return sorted(pathlib.Path(folder).glob(f"*Z-{service}.pb.gz"))


def pprof(files, index, *options):
    """What Go's pprof makes of them all."""
    p = subprocess.run([need("go"), "tool", "pprof", "-symbolize=none", "-top", f"-sample_index={index}", *options, *map(str, files)],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout


def total(files, index):
    found = re.search(r"of ([0-9.]+)(?:ns)? total", pprof(files, index, *(["-unit=ns"] if index == "cpu" else []), "-nodecount=1", "-nodefraction=0"))
    return float(found[1])


def metric(agent, name, **labels):
    return agent.metrics()[f"{name}{{" + ",".join(f'{k}="{v}"' for k, v in {"receiver": "disk", **labels}.items()) + "}"]


def test_what_is_written_is_what_was_sampled_and_pushed():
    with tempfile.TemporaryDirectory() as d, Fake() as fake:
        folder = pathlib.Path(d) / "profiles"
        second = f"  - {{name: prod, url: '{fake.url}'}}\n"
        with Agent(config(folder, second=second)) as agent:
            for p in [spin(3, NAME), spin(3, NAME + "-b")]:
                p.communicate()
            assert agent.stop() == 0
            told = int(re.search(r"stopped: (\d+) samples", agent.wait_for("stopped:"))[1])
        files, state = profiles(folder), fake.state()
        assert folder.stat().st_mode & 0o777 == 0o700 and all(f.stat().st_mode & 0o777 == 0o600 for f in files)
        assert all(re.fullmatch(SHAPE, f.name) for f in files) and {f.name for f in folder.iterdir()} == {f.name for f in files} | {"lock"}
        got, pushed = total(files, "samples"), sum(s["totals"]["samples:count"] for s in state["series"])
        print(f"  {len(files)} files, {state['requests']} pushes; {got:.0f} samples in files, {pushed} pushed, {told} told")
        assert got == pushed == told and len(files) == state["requests"]["200"]
        cpu = total(profiles(folder, NAME), "cpu")
        assert abs(cpu / sum(s["totals"]["cpu:nanoseconds"] for s in fake.series(service_name=NAME)) - 1) < 1e-6
        comments = subprocess.run([need("go"), "tool", "pprof", "-comments", str(profiles(folder, NAME)[-1])], capture_output=True, text=True).stdout
        assert f'labels: {{"__name__": "process_cpu", "env": "test", "instance": ' in comments and f'"service_name": "{NAME}"' in comments, comments
        assert "spin_half" in pprof(profiles(folder, NAME), "cpu")


def test_bounds_hold_and_change_with_a_reload():
    with tempfile.TemporaryDirectory() as d:
        with Agent(config(d + "/p", "max_files: 12")) as agent:
            p = spin(100, NAME)
            until(lambda: metric(agent, "hotspan_receiver_files_removed_total") >= 10)
            most = 0
            for _ in range(100):
                most = max(most, len(profiles(d + "/p")))
                time.sleep(0.02)
            assert most == 12 and metric(agent, "hotspan_receiver_files") == 12
            newest = profiles(d + "/p")[-1].name[:16]
            assert abs(time.time() - time.mktime(time.strptime(newest + " UTC", "%Y%m%dT%H%M%SZ %Z")) + time.timezone) < 10
            agent.reload(config(d + "/p", "max_files: 3"))
            agent.wait_for("reloaded")
            until(lambda: len(profiles(d + "/p")) == 3)
            agent.reload(config(d + "/q", "max_files: 5"))
            until(lambda: len(profiles(d + "/q")) == 5)
            delivered = metric(agent, "hotspan_receiver_profiles_total", result="delivered")
            assert delivered >= 5 and metric(agent, "hotspan_receiver_profiles_total", result="queue_full") == 0
            p.kill()
            assert agent.stop() == 0


@contextlib.contextmanager
def small_disk(folder, size):
    folder.mkdir(mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], capture_output=True).returncode:
        raise Skip("no tmpfs can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder])


def test_a_full_disk_is_named_and_counted_and_others_get_theirs():
    with tempfile.TemporaryDirectory() as d, small_disk(pathlib.Path(d) / "p", "256k") as folder, Fake() as fake:
        waste = folder / "waste"
        waste.write_bytes(bytes(240 << 10))
        second = f"  - {{name: prod, url: '{fake.url}'}}\n"
        with Agent(config(folder, "queue_bytes: 64KiB", second=second)) as agent:
            p = spin(100, NAME)
            print("  " + agent.wait_for("receiver disk", str(folder), "No space left on device", "wait, next try in"))
            agent.wait_for("receiver disk: profile of", "the queue is full, the oldest profile is dropped")
            assert metric(agent, "hotspan_receiver_failed_tries_total", cause="disk_full") >= 1
            assert metric(agent, "hotspan_receiver_profiles_total", result="queue_full") >= 1
            assert metric(agent, "hotspan_receiver_queue_bytes") <= 64 << 10
            pushes = lambda: fake.state()["requests"].get("200", 0)
            before = pushes()
            until(lambda: pushes() > before + 3)
            done = metric(agent, "hotspan_receiver_profiles_total", result="delivered")
            waste.unlink()
            agent.wait_for("receiver disk: writing again", seconds=40)
            until(lambda: metric(agent, "hotspan_receiver_profiles_total", result="delivered") > done)
            assert not [f for f in folder.iterdir() if f.name.endswith(".part") and time.time() - f.stat().st_mtime > 1]
            p.kill()
            assert agent.stop() == 0
        total(profiles(folder), "samples")  # all of them can be read


def test_a_directory_that_cannot_be_had_is_named():
    with tempfile.TemporaryDirectory() as d:
        link = pathlib.Path(d) / "link"
        link.symlink_to(d)
        path = pathlib.Path(d) / "hotspan.yaml"
        for where, word in ((link, "name a directory"), (f"{d}/no/where", "make that first")):
            path.write_text(config(where) + "listen: off\n")
            p = subprocess.run([HOTSPAN, "agent", "-c", path], capture_output=True, text=True, timeout=30)
            assert p.returncode == 1 and str(where) in p.stderr and word in p.stderr, p.stderr
        with Agent(config(d + "/p")) as one:
            path.write_text(config(d + "/p") + "listen: off\n")
            p = subprocess.run([HOTSPAN, "agent", "-c", path], capture_output=True, text=True, timeout=30)
            assert p.returncode == 1 and f"in use by another agent, process {one.process.pid}" in p.stderr, p.stderr
            assert one.stop() == 0


run_tests(globals())
