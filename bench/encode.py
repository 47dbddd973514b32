# SPDX-License-Identifier: Apache-2.0
"""encode - a window of some ten thousand real stacks as bytes on the wire: what ours costs, beside google/pprof's own
encoder on the same file."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from agent import Mixed

HERE = pathlib.Path(__file__).parent
HZ, SECONDS = 999, 12


def record(build, path):
    load = Mixed()
    try:
        subprocess.run([build / "hotspan", "record", "-a", "-F", str(HZ), "-d", str(SECONDS), "--by", "none", "-o", path], check=True, capture_output=True)
    finally:
        load.stop()


def json_lines(argv, **env):
    out = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=True, env=dict(os.environ, **env)).stdout
    return [json.loads(line) for line in out.splitlines()]


def go(window, tmp):
    if not shutil.which("go"):
        return
    src = pathlib.Path(shutil.copytree(HERE / "goencode", tmp / "goencode"))
    built = subprocess.run(["go", "build", "-o", src / "goencode", "."], cwd=src, capture_output=True, env=dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local"))
    if built.returncode == 0:
        yield from json_lines([src / "goencode", window])


def rows(build):
    with tempfile.TemporaryDirectory() as folder:
        tmp = pathlib.Path(folder)
        record(build, tmp / "window.pb.gz")
        ours = json_lines([build / "bench/bench_pprof", "window"], HOTSPAN_BENCH_WINDOW=str(tmp / "window.pb.gz"))
        yield from ours
        for row in go(tmp / "window.pb.gz", tmp):
            row["bytes_per_sample"] = round(row.pop("bytes") / ours[0]["samples"], 3)
            yield row
