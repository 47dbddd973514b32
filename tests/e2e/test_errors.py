#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input: one clear line that names what and the remedy, and the right exit status."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from hs import *  # noqa: F403


def refused(status, *words, argv=None, stdin=None, **kw):
    """Runs hotspan; it must exit so and say all the words on one line of stderr."""
    p = subprocess.run([str(HOTSPAN), *map(str, argv)], capture_output=True, text=True, timeout=60, **kw)
    lines = p.stderr.splitlines()
    print(f"  {p.returncode}: {lines[-1] if lines else ''}")
    assert p.returncode == status, f"exit {p.returncode}, wanted {status}: {p.stderr}"
    assert any(all(w in l for w in words) for l in lines), f"none of these says {words}: {lines}"
    return p


def test_unknown_option():
    refused(2, "--colour", argv=["record", "--colour"])
    refused(2, "record --help", argv=["record", "--colour"])


def test_unknown_command():
    refused(2, "recrod", "--help", argv=["recrod"])


def test_no_command_shows_the_usage_on_stderr():
    refused(2, "Usage:", argv=[])


def test_wrong_values():
    for argv, word in ((["-F", "0"], "-F"), (["-F", "99999"], "10000"), (["-F", "x"], "'x'"), (["-d", "soon"], "'soon'"),
                       (["-d", "0"], "-d"), (["-p", "12,x"], "'x'"), (["--by", "host"], "'host'"),
                       (["-o", "x.png"], "x.png"), (["--format", "png"], "png"), (["--kernel", "--user"], "exclude"),
                       (["-a", "-p", "1"], "-p"), (["--json", "-o", "-"], "standard output"), (["--path-map", "/build"], "/build"),
                       (["--path-map", "=/x"], "FROM=TO")):
        refused(2, word, "record --help", argv=["record", *argv])


def test_a_pid_that_does_not_exist():
    refused(1, "4194300", "ps", argv=["record", "-p", 4194300, "-d", 1])


def test_a_pid_that_just_ended():
    p = subprocess.Popen(["true"])
    p.wait()
    refused(1, str(p.pid), "ended", argv=["record", "-p", p.pid, "-d", 1])


def test_a_pid_that_ends_while_recording_ends_the_recording():
    p = subprocess.Popen([workload("spin"), "1"], stdout=subprocess.DEVNULL)
    begin = time.time()
    r = Recording("-F", 99, "-p", p.pid, "-d", 60)
    p.wait()
    r.wait()
    assert time.time() - begin < 10
    assert self_counts(r.stacks)["spin_half"] > 10


def test_a_command_that_does_not_exist():
    refused(1, "no-such-program", "PATH", argv=["record", "-o", "/dev/null", "--format", "folded", "--", "no-such-program"])


def test_the_commands_status_is_returned():
    for script, status in (("exit 7", 7), ("kill -9 $$", 137)):
        p = subprocess.run([HOTSPAN, "record", "-o", "/dev/null", "--format", "folded", "--", "sh", "-c", script],
                           capture_output=True, text=True)
        assert p.returncode == status, p


def test_missing_privileges():
    need("setpriv")
    if not os.access(HOTSPAN, os.X_OK):
        raise Skip("the build is not readable for others")
    with tempfile.TemporaryDirectory() as d:
        copy = pathlib.Path(d) / "hotspan"
        shutil.copy(HOTSPAN, copy)
        os.chmod(d, 0o755)
        p = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "record", "-d", "1"],
                           capture_output=True, text=True, cwd="/tmp")
        print("  " + p.stderr.strip())
        assert p.returncode == 3 and "root" in p.stderr and "sudo" in p.stderr and len(p.stderr.splitlines()) == 1, p


def test_without_cap_perfmon_it_names_perf_event_paranoid_or_root():
    need("setpriv")
    p = subprocess.run(["setpriv", "--bounding-set=-sys_admin,-perfmon", "--inh-caps=-sys_admin,-perfmon",
                        HOTSPAN, "record", "-d", "1"], capture_output=True, text=True, cwd="/tmp")
    print("  " + p.stderr.strip())
    assert p.returncode == 3 and len(p.stderr.splitlines()) == 1, p


def test_it_starts_without_cap_sys_resource_and_without_tracefs():
    need("setpriv"), need("unshare")
    with tempfile.TemporaryDirectory() as d:
        script = (f"umount -l /sys/kernel/tracing /sys/kernel/debug 2>/dev/null; ! ls /sys/kernel/tracing/events 2>/dev/null && "
                  f"ulimit -l 64 && exec setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource "
                  f"{HOTSPAN} record --json -d 1 -o {d}/x.folded")
        p = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
        assert p.returncode == 0, p


def test_no_btf():
    need("unshare")
    p = subprocess.run(["unshare", "-m", "sh", "-c",
                        f"mount -t tmpfs none /sys/kernel/btf && exec {HOTSPAN} record -d 1 -o /dev/null --format folded"],
                       capture_output=True, text=True)
    print("  " + p.stderr.strip())
    assert p.returncode == 3 and "BTF" in p.stderr and "CONFIG_DEBUG_INFO_BTF" in p.stderr, p


def test_a_full_disk_names_the_file_and_keeps_the_old_one():
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", d], check=True)
        try:
            old = pathlib.Path(d) / "x.html"
            old.write_text("the old one")
            p = refused(1, "x.html", "No space", "-o", argv=["record", "-d", "0.5", "-o", old])
            assert old.read_text() == "the old one"
            assert [f.name for f in pathlib.Path(d).iterdir()] == ["x.html"], "left-overs"
        finally:
            subprocess.run(["umount", d], check=True)


def test_dev_full():
    refused(1, "/dev/full", "No space", argv=["record", "-d", "0.3", "-o", "/dev/full", "--format", "html"])


def test_a_folder_that_does_not_exist():
    refused(1, "/nowhere/x.html", "folder", argv=["record", "-d", "0.3", "-o", "/nowhere/x.html"])


def test_an_existing_file_is_kept_as_old():
    with tempfile.TemporaryDirectory() as d:
        f = pathlib.Path(d) / "x.folded"
        f.write_text("before")
        subprocess.run([HOTSPAN, "record", "-d", "0.3", "-o", f], check=True, capture_output=True)
        assert (pathlib.Path(d) / "x.folded.old").read_text() == "before" and f.stat().st_size != 6


def test_under_sudo_the_command_and_the_file_belong_to_the_caller():
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o777)
        f = pathlib.Path(d) / "x.folded"
        env = dict(os.environ, SUDO_UID="65534", SUDO_GID="65534")
        p = subprocess.run([HOTSPAN, "record", "-o", f, "--", "id", "-u"], capture_output=True, text=True, env=env)
        assert p.stdout.strip() == "65534", p
        assert f.stat().st_uid == 65534 and f.stat().st_gid == 65534


def test_no_progress_line_and_no_colour_when_stderr_is_no_terminal():
    p = subprocess.run([HOTSPAN, "record", "-d", "2", "-o", "/dev/null", "--format", "folded"], capture_output=True)
    assert b"\r" not in p.stderr and b"\033" not in p.stderr


def hostile_map(make):
    """A JIT-like process (anonymous executable code) whose perf map is a trap; recording must end and say nothing false."""
    need("node")
    p = subprocess.Popen(["node", "-e", "function hot(n){let x=0;for(let i=0;i<n;i++)x+=i%7;return x};const e=Date.now()+4000;while(Date.now()<e)hot(1e6)"])
    path = pathlib.Path(f"/tmp/perf-{p.pid}.map")
    try:
        make(path)
        time.sleep(0.5)
        r = record("-F", 499, "-p", p.pid, "-d", 1, timeout=30)
        assert r.verdict["samples"] > 100
        return self_counts(r.stacks)
    finally:
        p.kill()
        p.wait()
        path.unlink(missing_ok=True)


def test_a_perf_map_that_is_a_fifo_does_not_block():
    hostile_map(os.mkfifo)


def test_a_perf_map_that_is_a_symlink_is_not_followed():
    with tempfile.NamedTemporaryFile("w", suffix=".map") as f:
        f.write("0 7fffffffffff followed_a_symlink\n")
        f.flush()
        names = hostile_map(lambda path: path.symlink_to(f.name))
        assert names["followed_a_symlink"] == 0


def test_a_perf_map_of_another_user_is_not_believed():
    def make(path):
        path.write_text("0 7fffffffffff planted_by_another_user\n")
        os.chown(path, 65534, 65534)
    assert hostile_map(make)["planted_by_another_user"] == 0


def test_a_corrupt_elf_is_sampled_without_names():
    """Its section headers are garbage, its code runs: names are lost, nothing else is."""
    with tempfile.TemporaryDirectory() as d:
        bad = pathlib.Path(d) / "corrupt"
        data = bytearray(pathlib.Path(workload("spin_static")).read_bytes())
        shoff = int.from_bytes(data[40:48], "little")
        data[shoff:] = os.urandom(len(data) - shoff)
        data[60:62] = b"\xff\xff"
        bad.write_bytes(data)
        bad.chmod(0o755)
        # A cache of its own: by its build id it is the program that other tests sampled.
        r = record("-F", 499, "--symbol-cache", f"{d}/cache", command=[bad, 1])
        assert r.verdict["command_status"] == 0 and r.verdict["samples"] > 300 and r.lost() == 0
        assert self_counts(r.stacks)["spin_half"] == 0


if __name__ == "__main__":
    run_tests(globals())
