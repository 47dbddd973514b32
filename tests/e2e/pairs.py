# SPDX-License-Identifier: Apache-2.0
"""pairs - who calls whom, as hotspan and as perf tell it: {(function, caller): stacks it is in}.

perf copies 64 KiB of stack with each sample and unwinds by libunwind: slow, and independent of us. Compared are
pairs of the stacks that perf itself completed. What keeps it from that, in perf 6.1:
- It keeps the mappings that a process had before exec(), and takes the lowest one of a file's for where that file is: in
  one process of two, by chance, a library's stacks end at once or lead astray. mend() mends it: all are complete.
- It stops reading where a BPF program comes or goes, told by an event of its own that its file does not know. mend() again.
- In Debian it is built without a reader of .debug_frame, the only CFI that Go writes. A Go program's callers are compared
  with the kernel's walk by frame pointer (--call-graph fp), which Go keeps. A leaf may have no frame yet, and then its
  caller is missed: what is above the leaf is compared.
- musl's libc has no CFI: perf ends at once in it, and comes no further up than to main()'s caller."""
import bisect
import collections
import math
import mmap
import os
import re
import struct
import subprocess

from hs import *  # noqa: F403

DWARF, FP = "dwarf,65528", "fp"
# glibc's, then those of musl and of Go.
ROOTS = {"_start", "clone", "__clone", "clone3", "__clone3", "libc_start_main_stage2",
         "runtime.goexit", "runtime.mstart", "runtime.mcall", "runtime.morestack"}
FORK, KSYMBOL, BPF_EVENT = 7, 17, 18 # kinds of perf's records
NOBODY = 0x7FFFFFFF


def name_of(name):
    """A function without its parameters and versions, as both tools write it."""
    name = re.sub(r" ?\[clone .*|\[go\.shape.*|@@?.*$|\.(cold|part|isra|constprop|lto_priv|localalias|abi0).*$", "", name.strip())
    # Not what a name of Rust's, "<T as Trait>::f", begins with, nor Go's "pkg.(*T).f".
    return re.sub(r"(?<=.)(<|\((?!\*)).*", "", name)


def output_of(*argv, check=False):
    p = subprocess.run(argv, capture_output=True, text=True)
    assert not check or p.returncode == 0, p.stderr[-1000:]
    return p.stdout


class Functions:
    """Of some files: one name for all that a function has (libc's have three or four, and each tool its own taste), and
    where the functions begin that have none, by .eh_frame_hdr. Such frames are "[file+address]" of ours, "[file@offset]" of perf's."""

    def __init__(self, files):
        self.same, self.starts, self.segments = {}, {}, {}
        for file in files:
            self.add_names(file)
            self.add_starts(file)

    def add_names(self, file):
        m = re.search(r"Build ID: (..)(\w+)", output_of("readelf", "-n", file))
        for symbols in (["-D", file], [file], [f"/usr/lib/debug/.build-id/{m[1]}/{m[2]}.debug"] if m else []):
            at = collections.defaultdict(set)
            for line in output_of("nm", "-C", "--defined-only", *symbols).splitlines():
                symbol = re.match(r"(\w+) [tTiW] (.+)", line)
                if symbol:
                    at[symbol[1]].add(name_of(symbol[2]))
            for names in at.values():
                first = min(self.same.get(n, n) for n in names)
                self.same.update(dict.fromkeys(names, first))

    def add_starts(self, file):
        m = re.search(r"\.eh_frame_hdr +PROGBITS +(\w+) (\w+) (\w+)", output_of("readelf", "-SW", file))
        if not m:
            return
        address, offset, size = (int(x, 16) for x in m.groups())
        with open(file, "rb") as f:
            f.seek(offset)
            table = f.read(size)
        # Version 1, pointers of 4 bytes: how many, then pairs {function, its FDE} from the section's address on.
        assert table[:4] == b"\x01\x1b\x03\x3b", file
        self.starts[os.path.basename(file)] = [address + start for start, _ in struct.iter_unpack("<ii", table[12:])]
        self.segments[os.path.basename(file)] = [[int(x, 16) for x in m] for m in re.findall(r"LOAD +(\w+) (\w+) \w+ (\w+)", output_of("readelf", "-lW", file))]

    def of(self, frame):
        m = re.match(r"\[(.+?)([+@])0x([0-9a-f]+)\]$", frame)
        if not m:
            return self.same.get(name_of(frame), name_of(frame))
        at = int(m[3], 16)
        if m[2] == "@":
            at += next((address - offset for offset, address, size in self.segments.get(m[1], []) if offset <= at < offset + size), 0)
        starts = self.starts.get(m[1], [])
        i = bisect.bisect_right(starts, at)
        return f"[{m[1]}+{starts[i - 1]:#x}]" if i else f"[{m[1]}]"


def pairs_in(stacks, functions, how):
    """stacks: [(frames leaf first, how many)]."""
    pairs = collections.Counter()
    for frames, n in stacks:
        above = [functions.of(f) for f in frames[how == FP:]]
        for pair in set(zip(above, above[1:])):
            pairs[pair] += n
    return pairs


def user_frames(stacks):
    return [([plain(f) for f in frames[:0:-1] if not re.search(r"_\[[ki]\]$", f)], n) for frames, n in stacks]


def perf_record(data, how):
    """What to put before a command. Of all CPUs: its clock for a process begins with that process, and would find short
    ones at the same places each time. No build ids, neither of files nor of mappings: with another reader of them on the
    host the kernel marks perf's mappings as having one, and perf stops unless it asked for it."""
    return [need("perf"), "record", "-q", "-a", "-B", "-N", "--buildid-mmap", "-m", "8192", "-e", "cpu-clock", "-F", "199", "--call-graph", how, "-o", data, "--"]


def mend(data):
    """What perf recorded, made such that perf can read it: processes are no longer their parents' children. Records begin with
    {u32 kind; u16 misc; u16 bytes}, a fork's goes on with {u32 pid, parent's pid, tid, parent's tid}; last
    come the event's id, where 0 is none in particular, and the CPU. Returns {pid: its parent}."""
    parents = {}
    with open(data, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        at, size = struct.unpack_from("<QQ", m, 40)
        end = at + size
        while at < end:
            kind, _, size = struct.unpack_from("<IHH", m, at)
            pid, parent = struct.unpack_from("<II", m, at + 8)
            if kind == FORK and pid != parent:
                parents[pid] = parent
                struct.pack_into("<I4xI", m, at + 12, NOBODY, NOBODY)
            elif kind in (KSYMBOL, BPF_EVENT):
                struct.pack_into("<Q", m, at + size - 16, 0)
            at += size
    return parents


def is_below(pid, root, parents):
    for _ in range(16):
        pid = parents.get(pid)
        if pid == root:
            return True
    return False


def perf_stacks(data, comms, perf_pid):
    """Of these programs, started below perf: ([frames of user space, leaf first], the files they lie in)."""
    parents = mend(data)
    stacks, files = [], set()
    for block in output_of("perf", "script", "-i", data, "--no-inline", "-F", "comm,pid,ip,sym,dso", check=True).split("\n\n"):
        who, *lines = block.strip("\n").split("\n")
        comm, _, pid = who.strip().rpartition(" ")
        found = [m for m in (re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)$", line) for line in lines) if m and not m[1].startswith("ffffffff")]
        if comm.strip() in comms and found and is_below(int(pid), perf_pid, parents):
            files.update(m[3] for m in found)
            stacks.append([m[2] if m[2] != "[unknown]" else f"[{os.path.basename(m[3])}@0x{m[1]}]" for m in found])
    return stacks, files


def is_complete(frames):
    names = [name_of(f) for f in frames[-2:]]
    # A stripped program's _start has no name.
    return len(names) > 1 and (names[1] in ROOTS or names[0] == "__libc_start_main")


def totals_of(pairs):
    totals = collections.Counter()
    for (function, _), n in pairs.items():
        totals[function] += n
    return totals


def disagreements(ours, theirs):
    """How many pairs were judged, and what is wrong. A function's callers have the same shares in both: within 6 standard errors
    and a point, for each function that perf saw at least 20 times. Shares of stacks as such would not do: which stacks perf
    completes is not left to chance."""
    totals = [totals_of(p) for p in (ours, theirs)]
    judged, wrong = 0, []
    for function, caller in set(ours) | set(theirs):
        n, m = (t[function] for t in totals)
        if m < 20:
            continue
        judged += 1
        if n < m / 3: # we sample more often
            wrong.append(f"{function}: {m} of perf's stacks, {n} of ours")
            continue
        a, b = ours[function, caller] / n, theirs[function, caller] / m
        p = (ours[function, caller] + theirs[function, caller]) / (n + m)
        bound = 0.01 + 6 * math.sqrt(p * (1 - p) * (1 / n + 1 / m))
        if abs(a - b) > bound:
            wrong.append(f"{function} ({n} of our stacks, {m} of perf's) is called by {caller} in {100 * a:.1f} % of ours, {100 * b:.1f} % of perf's, bound {100 * bound:.1f}")
    return judged, wrong


def with_wrong_share(ours, theirs):
    """Half of what calls the function that perf saw most has gone over to another caller, as where a frame is missed."""
    function, _ = totals_of(theirs).most_common(1)[0]
    wrong = collections.Counter(ours)
    for pair in [p for p in ours if p[0] == function]:
        wrong[pair] -= ours[pair] // 2
        wrong[function, "a caller's caller"] += ours[pair] // 2
    return wrong


def agree(stacks, data, how, perf_pid):
    """How many pairs agree, and how many stacks perf completed, of how many; all judged must agree, and the check
    must see a share that is wrong."""
    theirs, files = perf_stacks(data, {f[0] for f, _ in stacks} - {"hotspan"}, perf_pid) # a child of it before its exec
    functions = Functions(f for f in files if os.path.exists(f))
    done = [(frames, 1) for frames in theirs if is_complete(frames)]
    ours, perfs = pairs_in(user_frames(stacks), functions, how), pairs_in(done, functions, how)
    judged, wrong = disagreements(ours, perfs)
    assert not wrong, "\n".join(sorted(set(wrong))[:20])
    if judged:
        assert disagreements(with_wrong_share(ours, perfs), perfs)[1], "half the calls under another caller were not noticed"
    return judged, len(done), len(theirs)
