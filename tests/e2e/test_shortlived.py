#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processes that are gone before anyone could look at them; each burns a known CPU time."""
from hs import *  # noqa: F403


def storm(count, ms, parallel, need_percent):
    r = record("-F", 999, "-a", command=[workload("storm"), count, ms, parallel])
    burnt = answers(r.command_output)["storm_child"] / 1e9
    named = total_counts(r.stacks)["storm_child"] / 999
    late = r.verdict["lost"]["timer_late"] / 999
    # The timer's own misses hit whatever runs; the storm's part is not ours to lose.
    percent = 100 * named / burnt
    print(f"  {count} processes of {ms} ms: {named:.2f} CPU s named of {burnt:.2f} burnt = {percent:.2f} %,"
          f" timer late {late:.2f} s; {r.verdict['stacks']['unknown_process']} of unknown process")
    assert r.lost() == 0, r.verdict
    of_child = sum(n for f, n in r.stacks if f[0] == "w_storm")
    assert percent + 100 * late / burnt >= need_percent, f"{percent:.2f} % named, {need_percent} wanted"
    return of_child


def test_processes_of_50_ms_arrive_with_names():
    storm(200, 50, 2, 98)


def test_processes_of_300_ms_arrive_with_names():
    storm(40, 300, 2, 99.5)


def test_a_storm_of_forks_loses_nothing():
    r = record("-F", 499, "-a", command=["sh", "-c", "i=0; while [ $i -lt 3000 ]; do /bin/true; i=$((i+1)); done"])
    assert r.lost() == 0, r.verdict
    # A frame may lie in a stripped library, never nowhere.
    nowhere = sum(n for f, n in r.stacks if any("[unknown+" in x for x in f))
    assert nowhere == 0 and r.verdict["samples"] > 300, f"{nowhere} samples with a frame in no image"


def vforks(seconds):
    """(% of frames named, samples in the child's function, the verdict) of 1,000 vfork and exec a second."""
    r = record("-F", 999, command=[workload("vforks"), 1000, seconds], timeout=seconds + 120)
    assert answers(r.command_output)["vfork_child"] == 1000 * seconds
    return r.verdict["frames_named_percent"], total_counts(r.stacks)["vfork_child"], r.verdict


def test_a_thousand_vforks_a_second_have_names():
    percent, burnt, v = vforks(5)
    print(f"  {percent:.2f} % of frames named, {burnt} of {v['samples']} samples in the children's function")
    assert percent >= 99 and sum(v["lost"][k] for k in ("ring_full", "window_full", "malformed")) == 0, v
    assert burnt > 0.5 * 0.3 * 999 * 5, burnt


if __name__ == "__main__":
    run_tests(globals())
