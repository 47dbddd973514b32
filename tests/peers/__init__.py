# SPDX-License-Identifier: Apache-2.0
"""peers - programs of others that tests talk to, in a Python environment of their own, made once below the build directory."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from hs import BUILD, Skip

HERE = pathlib.Path(__file__).parent
# Shared by the presets.
ROOT = BUILD.parent / "peers"


def environment(name):
    """The Python of requirements-NAME.txt's packages."""
    wanted = HERE / f"requirements-{name}.txt"
    folder = ROOT / f"{name}-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin/python"
    if python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    making = folder.with_name(folder.name + f".{os.getpid()}")
    for argv in ([sys.executable, "-m", "venv", making], [making / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]):
        p = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
        if p.returncode:
            shutil.rmtree(making, ignore_errors=True)
            raise Skip(f"the packages of {wanted.name} cannot be had: " + (p.stderr or p.stdout).strip().splitlines()[-1])
    try:
        making.rename(folder)
    except OSError:  # another test was as quick
        shutil.rmtree(making)
    return python
