# SPDX-License-Identifier: Apache-2.0
"""Prometheus' own readers of a page: promtool of Debian's package, unpacked below the build directory (the package itself would start a server), and
the Python client."""
import json
import os
import pathlib
import shutil
import subprocess

import peers
from hs import Skip

HERE = pathlib.Path(__file__).parent


def promtool():
    folder = peers.ROOT / "promtool"
    program = folder / "usr/bin/promtool"
    if shutil.which("promtool"):
        return shutil.which("promtool")
    if program.exists():
        return program
    making = folder.with_name(f"promtool.{os.getpid()}")
    making.mkdir(parents=True)
    try:
        for argv in (["apt-get", "-q", "download", "prometheus"], ["sh", "-c", "dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb usr/bin/prometheus"]):
            p = subprocess.run(argv, cwd=making, capture_output=True, text=True)
            if p.returncode:
                raise Skip("promtool cannot be had: " + (p.stderr or p.stdout).strip().splitlines()[-1])
        making.rename(folder)
    except FileNotFoundError as e:
        raise Skip(f"promtool cannot be had: {e}")
    except OSError:  # another test was as quick
        pass
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return program


def complaints(page):
    """What `promtool check metrics` has to say; "" is clean."""
    p = subprocess.run([promtool(), "check", "metrics"], input=page, capture_output=True, timeout=60)
    return (p.stdout + p.stderr).decode() if p.returncode or p.stdout or p.stderr else ""


def families(page):
    """{name: (type, help, {(sample's name, labels): text of the value})}; no series may be there twice."""
    decoded = json.loads(subprocess.run([peers.environment("prometheus"), HERE / "prometheus_decode.py"], input=page, capture_output=True, check=True).stdout)
    found = {}
    for name, kind, text, samples in decoded:
        assert name not in found, f"{name} is there twice"
        rows = {(s[0], frozenset(s[1].items())): s[2] for s in samples}
        assert len(rows) == len(samples), f"a series of {name} is there twice"
        found[name] = (kind, text, rows)
    return found
