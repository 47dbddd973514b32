# SPDX-License-Identifier: Apache-2.0
"""loads - programs that keep a CPU busy, and the judgement on their stacks: how many reach their root, and do the
callers agree with perf's (pairs.py)."""
import contextlib
import os
import pathlib
import subprocess
import tempfile

from hs import *  # noqa: F403
from pairs import *  # noqa: F403

SECONDS = 2.5
GATE = 99.5    # % of user stacks that reach their root
ENOUGH = 40    # stacks that perf completes
COMPLETED = 90 # % of its own stacks that it has to, or something is wrong with it


class Load:
    """A command and the folder it works in; "@/" in its arguments stands for that. By default in a loop."""

    def __init__(self, argv, setup=None, loop=True):
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-load-")
        if setup:
            setup(pathlib.Path(self.dir.name))
        self.argv = [a.replace("@/", self.dir.name + "/") for a in argv]
        if loop:
            self.argv = ["/bin/sh", "-c", 'while :; do "$@" >/dev/null 2>&1 </dev/null; done', "sh", *self.argv]


@contextlib.contextmanager
def running(load):
    p = subprocess.Popen(load.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield p
    finally:
        os.killpg(p.pid, 9)
        p.wait()


def complete(r):
    """(% of user stacks that reach their root, {why: %} of the others)."""
    cuts = {k: v for k, v in r.verdict["stacks"].items()}
    whole = sum(cuts.pop(k, 0) for k in ("root", "middle", "exiting", "in_exec"))
    for k in ("no_user", "not_asked"):
        cuts.pop(k, None)
    total = whole + sum(cuts.values())
    assert total > 300, f"only {total} user stacks: {r.err[-500:]}"
    return 100 * whole / total, {k: round(100 * v / total, 2) for k, v in cuts.items() if v}


def judge(name, load, gate=GATE, how=DWARF, completed=COMPLETED):
    """how: perf's way of unwinding, to compare with; None: no comparison. Both record the load from its begin to its end:
    what it calls changes in time."""
    for _ in range(3 if how else 1):
        with tempfile.TemporaryDirectory() as d:
            data = f"{d}/perf.data"
            r = Recording("-F", 997, prefix=perf_record(data, how) if how else (), command=["timeout", SECONDS, *load.argv]).wait()
            percent, why = complete(r)
            frames = [len(f) - 1 for f, n in r.stacks for _ in range(n)]
            print(f"  {name}: {r.verdict['samples']} samples, {sum(frames) / len(frames):.0f} frames on average, "
                  f"{percent:.2f} % of user stacks whole, others {why}", flush=True)
            assert percent >= gate, f"{name}: {percent:.2f} % of user stacks reach their root, others {why}"
            if not how:
                return r
            pairs, done, total = agree(r.stacks, data, how, r.process.pid)
            print(f"    {pairs} pairs agree with the {done} of {total} stacks that perf completed", flush=True)
            if pairs and done >= ENOUGH and 100 * done >= completed * total:
                return r
    raise AssertionError(f"{name}: too little of perf's to compare with")


def source(name, text):
    def write(d):
        (d / name).write_text(text)
    return write
