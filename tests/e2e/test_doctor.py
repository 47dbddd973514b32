#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hotspan doctor: what it says, text and JSON, agrees with what hotspan record then does."""
import ctypes
import errno
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

from hs import *  # noqa: F403

# What nothing works without. Everything else may be limited on some host.
BLOCKERS = {"btf", "lockdown", "user_ns", "cap_bpf", "cap_perfmon", "bpf", "ring", "event", "records", "program", "start",
            "proc", "cpus"}
STATES = ("ok", "limited", "missing")


def run(args, before=(), **kw):
    """hotspan with args behind a command that takes something away, in a folder anybody may write to."""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o777)
        copy = pathlib.Path(d) / "hotspan"
        shutil.copy(HOTSPAN, copy)
        copy.chmod(0o755)
        return subprocess.run([*before, copy, *args], capture_output=True, text=True, timeout=60, cwd=d, **kw)


def examine(*before, record_status=None, **kw):
    """{id: finding} and the whole report of one situation, after it was compared with the text and with record."""
    p = run(["doctor", "--json"], before, **kw)
    report = json.loads(p.stdout)
    checks = {c["id"]: c for c in report["checks"]}
    print(f"  {p.returncode}: {report['verdict']}")
    assert not p.stderr, p.stderr
    assert p.returncode == (3 if report["overall"] == "missing" else 0), p
    assert len(checks) == len(report["checks"])
    for c in checks.values():
        assert set(c) == {"group", "id", "title", "state", "found", "means", "remedy"} and c["state"] in STATES
        assert c["found"] and c["means"] and bool(c["remedy"]) == (c["state"] != "ok"), c
        assert c["state"] != "missing" or c["id"] in BLOCKERS, c
    assert report["overall"] == max((c["state"] for c in checks.values()), key=STATES.index)
    text = run(["doctor"], before, **kw)
    same_as_text(report, text)
    record = run(["record", "-d", "1", "-o", "x.folded"], before, **kw)
    assert text.returncode == p.returncode
    assert record.returncode == (p.returncode if record_status is None else record_status), (record, report["verdict"])
    return checks, report


def same_as_text(report, p):
    """Every line of the text is the JSON's, wrapped to 100 columns; the last words are the verdict."""
    assert "\033" not in p.stdout and not p.stderr
    assert all(len(l) <= 100 for l in p.stdout.splitlines()), max(p.stdout.splitlines(), key=len)
    words = " ".join(p.stdout.split())
    for c in report["checks"]:
        if c["id"] == "memory":  # it changes from one run to the next
            continue
        remedy = f" -> {c['remedy']}" if c["remedy"] else ""
        assert f"{c['state']} {c['title']} {c['found']}: {c['means']}{remedy}" in words, c
    assert words.endswith(report["verdict"])


def missing(checks):
    return {i for i, c in checks.items() if c["state"] == "missing"}


def test_as_root_nothing_is_missing():
    checks, report = examine()
    assert all(checks[i]["state"] == "ok" for i in BLOCKERS), missing(checks)
    assert report["verdict"].startswith("hotspan can profile this host")
    assert os.uname().release in checks["release"]["found"]
    assert checks["paranoid"]["found"] == pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text().strip()
    assert f"{os.cpu_count()} online" in checks["cpus"]["found"]


def test_the_hooks_that_see_requests_are_those_that_are_used():
    checks, _ = examine()
    p = subprocess.run([HOTSPAN, "trace", "--hooks", "sockets", "-d", "1ms"], capture_output=True, text=True)
    assert checks["http_hooks"]["found"].startswith("at sockets") == (p.returncode == 0), (checks["http_hooks"], p)
    assert checks["http_programs"]["state"] == "ok" and "TLS" in checks["http_unseen"]["found"]
    checks, _ = examine(*without(["sys_admin", "perfmon"]))
    assert checks["http_programs"]["state"] == "limited" and "CAP_PERFMON" in checks["http_programs"]["remedy"], checks["http_programs"]


def test_an_ordinary_user_is_told_which_capabilities_and_how():
    need("setpriv")
    checks, report = examine("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert missing(checks) == {"cap_bpf", "cap_perfmon", "bpf", "ring", "event", "records", "program", "start"}
    for i in ("cap_bpf", "cap_perfmon", "program", "start"):
        assert "sudo" in checks[i]["remedy"] and "CAP_BPF CAP_PERFMON" in checks[i]["remedy"], checks[i]
    assert checks["bpf_loop"]["state"] == "ok", "BTF is for everybody"
    assert report["verdict"].startswith("hotspan cannot profile this host, because of CAP_BPF, CAP_PERFMON (not held): use sudo")


def without(caps, *more):
    """setpriv that takes away these capabilities of root."""
    return ["setpriv", "--bounding-set=" + ",".join("-" + c for c in caps), "--inh-caps=-all", *more]


def test_root_without_one_capability():
    need("setpriv")
    for caps, gone in ((["sys_admin", "perfmon"], {"cap_perfmon"}), (["sys_admin", "bpf"], {"cap_bpf"}),
                       (["bpf", "perfmon"], set()), (["sys_admin"], set())):
        checks, report = examine(*without(caps))
        assert missing(checks) & {"cap_bpf", "cap_perfmon"} == gone, missing(checks)
        assert all(checks[i]["state"] == "ok" for i in BLOCKERS) == (not gone)
        for i in gone:
            assert "CapabilityBoundingSet=" in checks[i]["remedy"] and checks[i]["title"] in report["verdict"]


def test_two_capabilities_suffice_and_the_others_cost_names():
    need("setpriv")
    checks, _ = examine("setpriv", "--bounding-set=-all,+bpf,+perfmon", "--inh-caps=-all")
    limited = {i for i, c in checks.items() if c["state"] == "limited"}
    assert {"cap_sys_ptrace", "cap_dac_read_search", "cap_checkpoint_restore"} <= limited, limited
    assert not missing(checks)


def test_capabilities_of_a_user_namespace():
    need("unshare")
    if run(["--version"], ["unshare", "-Ur"]).returncode:
        return print("  user namespaces are not to be had here (a chroot): the unit test has to do")
    checks, report = examine("unshare", "-Ur")
    assert "user_ns" in missing(checks) and "user namespace" in report["verdict"]


def test_a_pid_namespace_costs_names():
    need("unshare")
    checks, report = examine("unshare", "-pf", "--mount-proc")
    assert checks["pid_ns"]["state"] == "limited" and "pid namespace" in report["verdict"]


def test_no_btf():
    need("unshare")
    checks, report = examine("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"')
    assert "btf" in missing(checks) and "CONFIG_DEBUG_INFO_BTF" in report["verdict"]


def test_no_cgroup2_and_hidden_processes():
    need("unshare")
    script = ('umount -a -t cgroup2 && mount -o remount,hidepid=2 /proc && '
              'exec setpriv --bounding-set=-sys_ptrace --inh-caps=-all "$0" "$@"')
    checks, _ = examine("unshare", "-mpf", "--mount-proc", "sh", "-c", script)
    assert checks["cgroup2"]["state"] == "limited" and checks["proc"]["state"] == "limited", (checks["cgroup2"], checks["proc"])
    assert "hidepid" in checks["proc"]["found"]


def refuse(*calls):
    """Runs in the child: a seccomp filter that answers EPERM to these system calls."""
    code = [(0x20, 0, 0, 0)]  # load the call's number
    code += [(0x15, len(calls) - i, 0, nr) for i, nr in enumerate(calls)]
    code += [(0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x00050000 | errno.EPERM)]
    filters = b"".join(struct.pack("HBBI", *c) for c in code)
    libc = ctypes.CDLL(None, use_errno=True)
    keep = ctypes.create_string_buffer(filters)
    prog = struct.pack("HxxxxxxP", len(code), ctypes.addressof(keep))

    def install(keep=keep):
        assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, prog, 0, 0) == 0  # NO_NEW_PRIVS, SECCOMP
    return install


def test_a_seccomp_filter_that_refuses():
    for calls, gone in (((321,), {"bpf", "ring", "program", "start"}), ((298,), {"event", "records", "start"})):
        checks, _ = examine(preexec_fn=refuse(*calls))
        assert missing(checks) == gone, missing(checks)
        assert checks["seccomp"]["state"] == "limited" and all("seccomp" in checks[i]["remedy"] for i in gone)


def test_a_seccomp_filter_that_does_not_matter():
    checks, _ = examine(preexec_fn=refuse(169))  # reboot
    assert checks["seccomp"]["state"] == "ok" and "a filter" in checks["seccomp"]["found"]


def test_few_descriptors():
    checks, report = examine("sh", "-c", 'ulimit -n 8; exec "$0" "$@"', record_status=1)  # no privilege and no feature is missing
    assert checks["nofile"]["state"] == "limited" and checks["nofile"]["found"] == "8"
    assert "Too many open files" in report["verdict"] and "ulimit -n" in report["verdict"]


def on_a_terminal(**env):
    need("script")
    return subprocess.run(["script", "-qec", f"{HOTSPAN} doctor", "/dev/null"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm", **env}).stdout


def test_colours_only_on_a_terminal_and_not_with_no_color():
    assert "\033[32mok" in on_a_terminal(NO_COLOR="")
    assert "\033" not in on_a_terminal(NO_COLOR="1")
    assert "\033" not in on_a_terminal(NO_COLOR="", TERM="dumb")


def test_usage():
    for args in (["doctor", "--jsn"], ["doctor", "now"], ["doctor", "--json=1"]):
        p = run(args)
        assert p.returncode == 2 and "doctor --help" in p.stderr and not p.stdout, p
    p = run(["doctor", "--help"])
    assert p.returncode == 0 and "--json" in p.stdout and "3 something is missing" in p.stdout
    assert "doctor" in run(["--help"]).stdout


def test_a_full_disk_is_a_failure():
    with open("/dev/full", "w") as full:
        p = subprocess.run([HOTSPAN, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "No space" in p.stderr, p


def test_record_points_here_when_something_is_missing():
    p = run(["record", "-d", "1"], without(["sys_admin", "bpf"]))
    assert p.returncode == 3 and "hotspan doctor" in p.stderr and len(p.stderr.splitlines()) == 1, p
    p = run(["record", "-d", "1", "-p", "4194300"])
    assert p.returncode == 1 and "doctor" not in p.stderr, p


if __name__ == "__main__":
    run_tests(globals())
