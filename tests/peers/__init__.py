# SPDX-License-Identifier: Apache-2.0
"""peers - programs of others that tests talk to, made once below the build directory: Python's in an environment of their
own, Go's compiled."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from hs import BUILD, Skip, need

HERE = pathlib.Path(__file__).parent
# Shared by the presets.
ROOT = BUILD.parent / "peers"


def place(name, *sources):
    """(The folder of what these files make, another one to make it in.)"""
    folder = ROOT / f"{name}-{hashlib.sha256(b''.join(s.read_bytes() for s in sources)).hexdigest()[:12]}"
    return folder, folder.with_name(folder.name + f".{os.getpid()}")


def environment(name):
    """The Python of requirements-NAME.txt's packages."""
    wanted = HERE / f"requirements-{name}.txt"
    folder, making = place(name, wanted)
    python = folder / "bin/python"
    if python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for argv in ([sys.executable, "-m", "venv", making], [making / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]):
        p = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
        if p.returncode:
            shutil.rmtree(making, ignore_errors=True)
            raise Skip(f"the packages of {wanted.name} cannot be had: " + (p.stderr or p.stdout).strip().splitlines()[-1])
    put(making, folder)
    return python


def put(making, folder):
    try:
        making.rename(folder)
    except OSError:  # another test was as quick
        shutil.rmtree(making)


def go_program(name):
    """The program of the Go module in the folder NAME."""
    sources = sorted((HERE / name).iterdir())
    folder, making = place(name, *sources)
    if (folder / name).exists():
        return folder / name
    go = need("go")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / name, making / "src")
    p = subprocess.run([go, "build", "-ldflags=-s -w", "-o", making / name, "."], cwd=making / "src", capture_output=True, text=True,
                       env=dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local"))
    if p.returncode:
        shutil.rmtree(making)
        raise Skip(f"{name} cannot be built here: " + p.stderr.strip().splitlines()[-1])
    put(making, folder)
    return folder / name
