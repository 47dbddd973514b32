#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recorded stacks against glibc's backtrace(), frame by frame: the process says itself where it is."""
from hs import *  # noqa: F403

DEPTHS = (5, 50, 450)
ALIASES = {"gsignal": "raise"}


def told(line):
    """The function of a frame as backtrace_symbols() writes it, path(function+0x12) [0x...]; None: it does not know."""
    m = re.fullmatch(r".+?\((?:(\w+)[+-]0x[0-9a-f]+|[+-]0x[0-9a-f]+)?\) \[0x[0-9a-f]+\]", line.strip())
    assert m, line
    return ALIASES.get(m[1], m[1])


def same_frames(got, want):
    return len(got) == len(want) and all(b is None or a == b for a, b in zip(got, want))


def start(mode, depth, binary):
    """The process, spinning, and its frames, root first."""
    p = subprocess.Popen([binary, mode, str(depth)], stdout=subprocess.PIPE, text=True)
    frames = []
    for line in p.stdout:
        if line == "spinning\n":
            return p, frames[::-1]
        frames.append(told(line))
    raise AssertionError(f"{binary} ended: {p.wait()}")


def check(mode, depth, binary, short=0):
    """short: of that many samples all but the innermost frames may be missing."""
    p, want = start(mode, depth, binary)
    try:
        r = record("-F", 499, "-p", p.pid, "-d", 1)
    finally:
        p.kill()
        p.wait()
    # bt_leaf() does not return: the call to it is the last instruction of its caller, whose name glibc then misses.
    assert want[-1] == "bt_leaf" and depth <= want.count("bt_down") <= depth + 1 and want.count(None) <= 4, want
    total = same = cut = 0
    for frames, n in r.stacks:
        got = [plain(f) for f in frames[1:] if not f.endswith("_[k]")]
        total += n
        same += n if same_frames(got, want) else 0
        cut += n if len(got) < len(want) and same_frames(got, want[len(want) - len(got):]) else 0
        if not same_frames(got, want):
            at = next((i for i, (a, b) in enumerate(zip(got, want)) if b and a != b), min(len(got), len(want)))
            print(f"    {n} samples of {len(got)} frames, not {len(want)}; from {at} on {got[at:at + 4]}, not {want[at:at + 4]}")
    print(f"  {mode}, {depth} deep: {same} of {total} samples are backtrace()'s {len(want)} frames", flush=True)
    assert total > 200 and same + cut == total and r.lost() == 0, (same, cut, total)
    assert cut == r.verdict["stacks"]["rest_short"] <= short and r.verdict["stacks"]["root"] == same, (cut, short, r.verdict["stacks"])


def test_plain():
    for depth in DEPTHS:
        check("plain", depth, workload("backtrace_O2"))


def test_without_optimisation():
    check("plain", 50, workload("backtrace_O0"))


def test_in_a_signals_handler():
    for depth in DEPTHS:
        check("signal", depth, workload("backtrace_O2"))


def test_on_an_alternate_stack():
    """The first samples bring the stack they are on, and not the one below it."""
    for depth in DEPTHS:
        check("alternate", depth, workload("backtrace_O2"), short=100)


if __name__ == "__main__":
    run_tests(globals())
