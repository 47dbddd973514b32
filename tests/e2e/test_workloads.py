#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Workloads that know their own answer: which function burnt how much, by the thread's own clock."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from hs import *  # noqa: F403


def spin_shares(binary, seconds=3, points=3):
    r = record("-F", 999, command=[binary, seconds])
    assert_shares(self_counts(r.stacks), answers(r.command_output), points)
    burnt = sum(answers(r.command_output).values()) / 1e9
    sampled = sum(self_counts(r.stacks)[n] for n in answers(r.command_output)) / 999
    assert abs(sampled - burnt) < 0.03 * burnt, f"{sampled:.2f} CPU s sampled of {burnt:.2f}"
    assert r.lost() == 0, r.verdict
    return r


def test_shares_of_a_known_program_are_right_within_2_points_over_10_s():
    r = spin_shares(workload("spin"), 10, 2)
    assert r.verdict["command_status"] == 0
    # With frame pointers each sample of a spin function has main above it.
    spinning = [(f, n) for f, n in r.stacks if plain(f[-1]).startswith("spin_")]
    with_main = sum(n for f, n in spinning if "main" in map(plain, f))
    assert with_main >= 0.99 * sum(n for _, n in spinning)


def test_a_fixed_address_program():
    spin_shares(workload("spin_nopie"))


def test_a_static_program():
    spin_shares(workload("spin_static"))


def test_a_program_without_a_build_id():
    spin_shares(workload("spin_nobuildid"))


def test_a_musl_program():
    spin_shares(workload("spin_musl"))


def test_a_program_deleted_while_it_runs():
    with tempfile.TemporaryDirectory() as d:
        copy = pathlib.Path(d) / "spin_then_gone"
        shutil.copy(workload("spin"), copy)
        p = subprocess.Popen([copy, "4"], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        copy.unlink()
        r = record("-F", 999, "-p", p.pid, "-d", 2)
        assert_shares(self_counts(r.stacks), answers(p.communicate()[0]), 4)


def test_recursion_100_deep_has_100_frames():
    r = record("-F", 499, command=[workload("recurse"), 100, 1])
    deep = [sum(plain(x) == "recurse_down" for x in f) for f, n in r.stacks if plain(f[-1]) == "recurse_leaf"]
    assert deep and max(deep) == min(deep) == 100, sorted(set(deep))


def test_recursion_deeper_than_a_sample_keeps_both_its_ends():
    r = record("-F", 499, command=[workload("recurse"), 3000, 1])
    whole = sum(n for f, n in r.stacks if plain(f[-1]) == "recurse_leaf" and len(f) == 1025 and f[1] == "_start" and "main" in f[:8])
    assert max(sum(not x.endswith("_[k]") for x in f[1:]) for f, n in r.stacks) == 1024
    assert whole > 300 and abs(whole - r.verdict["stacks"]["middle"]) < 20, (whole, r.verdict["stacks"])
    # The first samples' stacks came to user space, which keeps 32 KiB of each aside.
    assert r.verdict["stacks"]["rest_short"] < 100, r.verdict["stacks"]


def test_recursion_deeper_than_a_walk_is_cut_and_says_so():
    r = record("-F", 499, command=[workload("recurse"), 9000, 1])
    assert r.verdict["stacks"]["depth"] > 300, r.verdict["stacks"]


def test_threads_are_kept_apart_by_thread():
    r = record("-F", 999, "--by", "thread", command=[workload("threads"), 4])
    assert_shares(self_counts(r.stacks), answers(r.command_output), 3)
    comms = {f[0] for f, n in r.stacks if plain(f[-1]).startswith("thread_")}
    assert comms == {f"worker-{i}" for i in range(4)}, comms


def test_no_pc_is_ever_resolved_in_the_predecessors_image():
    r = record("-F", 1999, command=[workload("execloop_a"), 600])
    right = wrong = 0
    for frames, n in r.stacks:
        for which, other in (("a", "b"), ("b", "a")):
            if frames[0] == f"w_execloop_{which}":
                right += n * (f"execloop_in_{which}" in map(plain, frames))
                wrong += n * (f"execloop_in_{other}" in map(plain, frames))
    print(f"  {right} right, {wrong} wrong")
    assert right > 2000 and wrong == 0


def test_libraries_loaded_in_turns_at_the_same_address():
    r = record("-F", 999, command=[workload("churn"), 3])
    assert_shares(self_counts(r.stacks), answers(r.command_output), 3)


def test_only_the_asked_pid_and_its_children():
    bystander = subprocess.Popen([workload("spin"), "6"], stdout=subprocess.DEVNULL)
    r = record("-F", 499, command=["sh", "-c", f"{workload('recurse')} 5 1; {workload('threads')} 1"])
    bystander.kill()
    bystander.wait()
    counts = self_counts(r.stacks)
    assert counts["recurse_leaf"] > 300 and counts["thread_four"] > 100
    assert counts["spin_half"] == 0


def test_comm_filter():
    other = subprocess.Popen([workload("recurse"), "3", "6"], stdout=subprocess.DEVNULL)
    r = record("-F", 499, "-a", "--comm", "w_spin", command=[workload("spin"), 1])
    other.kill()
    other.wait()
    assert {f[0] for f, _ in r.stacks} == {"w_spin"}, {f[0] for f, _ in r.stacks}


def test_cgroup_filter_and_label():
    root = next((l.split()[1] for l in open("/proc/mounts") if l.split()[2] == "cgroup2"), None)
    if not root:
        raise Skip("no cgroup2 file system is mounted")
    group = pathlib.Path(root) / "hotspan-test"
    group.mkdir(exist_ok=True)
    try:
        outside = subprocess.Popen([workload("recurse"), "3", "6"], stdout=subprocess.DEVNULL)
        inside = subprocess.Popen([workload("spin"), "3"], stdout=subprocess.DEVNULL,
                                  preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
        r = record("-F", 499, "-d", 1, "--cgroup", "hotspan-test", folded=True)
        assert {f[0] for f, _ in r.stacks} == {"w_spin"}, {f[0] for f, _ in r.stacks}
    finally:
        outside.kill(), inside.kill()
        outside.wait(), inside.wait()
        group.rmdir()


def test_kernel_only_and_user_only():
    burn = ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=64k count=150000 2>/dev/null"]
    r = record("-F", 499, "--kernel", command=burn)
    assert r.verdict["stacks"]["not_asked"] == r.verdict["samples"]
    r = record("-F", 499, "--user", command=burn)
    assert not any(x.endswith("_[k]") for f, _ in r.stacks for x in f)


def test_ctrl_c_ends_it_and_the_profile_is_written():
    r = Recording("-F", 99, "-a")
    time.sleep(2)
    r.process.send_signal(signal.SIGINT)
    r.wait()
    assert r.process.returncode == 0 and 1.5e9 < r.verdict["wall_ns"] < 10e9


if __name__ == "__main__":
    run_tests(globals())
