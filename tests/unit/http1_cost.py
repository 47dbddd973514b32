#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP/1 parser's instructions for a head, counted by interpreting what the kernel is given: no clock, no noise.

Counted with all that tests/bpf/http1_drive.h does around it, some 160 instructions; a conditional jump is two of x86's.
"""
import os
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bpf"))
import count  # noqa: E402

STREAMS = ROOT / "tests/fuzz/corpus/http1"
BUDGET = {"request-wrk": 620, "request-curl": 1180, "request-service": 2150, "request-browser": 1650, "response-nginx": 1400,
          "response-node": 1950}
WINDOW, DRIVE = 512, 16384  # bytes; of struct drive, or more

obj = count.Object(pathlib.Path(os.environ["HOTSPAN_BUILD"]) / "gen/bpf/http1_run.bpf.o")
bad = 0
for name, most in BUDGET.items():
    stream = (STREAMS / name).read_bytes()
    machine = count.Machine(obj, struct.pack("<IIII", len(stream), WINDOW, 0, 0) + stream + bytes(DRIVE))
    machine.call(obj.entry("http1_run"), [0])
    n, events = machine.count, struct.unpack_from("<I", machine.memory, count.MAPS + 16 + 4096 + 4)[0]
    print(f"{name}: {len(stream)} bytes, {n} instructions of {most}, {events} events")
    bad += n > most or n < most * 0.8 or not events
sys.exit(bool(bad))
