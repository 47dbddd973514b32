#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hotspan top: its numbers against a program's own clocks, its text, and its screen in a real terminal (tmux)."""
import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from hs import *  # noqa: F403


def top(*args, timeout=60, **kw):
    p = subprocess.run([str(HOTSPAN), "top", *map(str, args)], capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, **kw)
    assert p.returncode == 0, p
    return p.stdout


def spin(seconds):
    return subprocess.Popen([workload("spin"), str(seconds)], stdout=subprocess.PIPE, text=True)


def end(p):
    p.kill()
    p.communicate()


def test_json_has_the_shares_a_program_knows_of_itself():
    p = spin(4)
    lines = top("--json", "-n", 3, "-r", 100, "-F", 999, "-p", p.pid).splitlines()
    want = answers(p.communicate()[0])
    assert len(lines) == 3
    objects = [json.loads(l) for l in lines]
    for o in objects:
        assert 0.2e9 < o["interval_ns"] < 2.5e9 and o["frequency_hz"] == 999, o  # from refresh to refresh
        assert o["average"] == "decaying" and o["samples"] > 0
        assert set(o["lost"]) >= {"ring_full", "timer_late"}
    last = objects[-1]
    assert 2.2e9 < last["span_ns"] < 3e9, "1 + 7/8 + 49/64 seconds"
    got = collections.Counter({f["name"]: f["self_cpu_ns"] for f in last["functions"]})
    assert_shares(got, want, 4)
    (row,) = [r for r in last["processes"] if r["pid"] == p.pid]
    assert row["comm"] == "w_spin" and row["top_function"] == "spin_half"
    main = next(f for f in last["functions"] if f["name"] == "main")
    assert main["total_percent"] > 95 and main["self_percent"] < 5
    assert abs(row["cpu_ns"] - last["cpu_ns"]) < 1e6, "it was the only one"


def test_text_has_facts_functions_and_processes():
    p = spin(30)
    try:
        out = top("-b", "-n", 2, "-i", "0.5", "-w", "5s", "--filter", "spin_", "-r", 3).decode()
    finally:
        end(p)
    assert out.count("hotspan top ") == 2
    for word in ("busy", "idle", "samples in", "complete", "names", "own cost", "lost", "average: last 5 s", "filter 'spin_'"):
        assert word in out, word
    page = out.split("hotspan top ")[-1]
    functions, processes = page.split("CPU %")
    assert re.search(r"^ +[\d.]+ +[\d.]+ +[\d.]+  w_spin +spin_half$", functions, re.M), page
    assert re.search(rf"^ +[\d.]+ +[\d.]+ +{p.pid}  w_spin ", processes, re.M), page
    assert not any(l != l.rstrip() for l in out.splitlines())


def test_threads_apart():
    p = subprocess.Popen([workload("threads"), "20"], stdout=subprocess.DEVNULL)
    try:
        o = json.loads(top("--json", "-n", 1, "-F", 499, "--by", "thread", "-p", p.pid))
    finally:
        p.kill()
        p.wait()
    tids = {r["tid"] for r in o["processes"]}
    assert len(tids) > 1 and 0 not in tids and {r["pid"] for r in o["processes"]} == {p.pid}, o["processes"]


def test_it_ends_with_its_target_and_shows_what_was_left():
    p = spin(0.7)
    objects = [json.loads(l) for l in top("--json", "-F", 499, "-i", 10, "-p", p.pid).splitlines()]
    end(p)
    assert len(objects) == 1 and objects[0]["samples"] > 100


def test_wrong_values():
    for argv, word in ((["-i", "0.01"], "100ms"), (["-w", "1h"], "64 intervals"), (["-w", "0.5"], "shorter"), (["-s", "size"], "'size'"),
                       (["--by", "none"], "thread"), (["-n", "0"], "-n"), (["x"], "'x'"), (["--kernel", "--user"], "exclude")):
        p = subprocess.run([HOTSPAN, "top", *argv], capture_output=True, text=True)
        assert p.returncode == 2 and word in p.stderr and "top --help" in p.stderr, p


def test_a_full_disk_fails():
    with open("/dev/full", "w") as full:
        p = subprocess.run([HOTSPAN, "top", "--once"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "No space" in p.stderr, p


PROMPT = r"^[$#]\s*\Z"


class Terminal:
    """A shell in tmux, its own server: what a user types and sees."""

    def __init__(self, columns=80, lines=24, env=()):
        need("tmux")
        self.dir = tempfile.TemporaryDirectory(prefix="hotspan-tmux-")
        self.env = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color", **dict(env))
        self.env.pop("TMUX", None)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines, "sh")

    def tmux(self, *args):
        p = subprocess.run(["tmux", "-S", f"{self.dir.name}/socket", *map(str, args)], capture_output=True, text=True, env=self.env)
        assert p.returncode == 0, p
        return p.stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def run(self, line):
        self.type(line)
        self.keys("Enter")

    def screen(self, *args):
        return self.tmux("capture-pane", "-p", *args)

    def see(self, pattern, seconds=15):
        """Waits until the pattern is on the screen; the screen."""
        until = time.time() + seconds
        while True:
            screen = self.screen()
            if re.search(pattern, screen, re.M):
                return screen
            assert time.time() < until, f"{pattern!r} never came:\n{screen}"
            time.sleep(0.1)

    def child(self):
        """The pid of what the shell runs."""
        (shell,) = self.tmux("list-panes", "-F", "#{pane_pid}").split()
        return int(pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def close(self):
        self.tmux("kill-server")


def in_terminal(test, **kw):
    """test(terminal, spin's process) while spin runs."""
    t = Terminal(**kw)
    p = spin(60)
    try:
        t.see(PROMPT)
        test(t, p)
    finally:
        t.close()
        end(p)


def test_the_screen_shows_filters_selects_and_gives_the_terminal_back():
    def test(t, p):
        t.run("echo before; stty -g >a")
        t.run(f"{HOTSPAN} top -F 499; echo status $?; stty -g | diff a - && echo same")
        screen = t.see(r"w_spin +spin_half")
        lines = screen.splitlines()
        assert len(lines) == 24 and "busy" in lines[0] and "samples" in lines[1] and "own cost" in lines[2]
        assert "Functions by self" in lines[3] and "self %" in lines[4] and "q quit" in lines[23]
        assert "before" not in screen
        t.type("t")
        t.see(r"^Functions by total")
        t.type("/SPIN_F")
        screen = t.see(r"filter: SPIN_F_ +matched [\d.]+ %")
        assert "spin_fifth" in screen and "spin_half" not in screen
        t.keys("Escape")
        t.see(r"spin_half")
        t.keys("Tab")
        t.type("/w_spin")
        t.keys("Enter")
        t.see(rf"^Processes by CPU[^\n]*filter: w_spin  [^#]* {p.pid}  w_spin")
        t.type("p")
        t.see(r"^Processes by pid")
        t.type("c")  # whoever else runs: the first by CPU is a w_spin
        t.see(r"^Processes by CPU")
        t.keys("End", "Home", "Enter")
        t.see(r"^Functions by total.* in w_spin \d+, [\d.]+ % of all")
        t.keys("Escape", "Escape")
        t.see(r"^Processes by CPU")
        t.type("?")
        t.see(r"any key goes back")
        t.type("x")
        t.see(r"^Processes")
        t.type("q")
        screen = t.see(r"^same")
        assert "before" in screen and "status 0" in screen and "spin_half" not in screen
        assert t.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}").split() == ["1", "0"]
    in_terminal(test)


def test_the_screen_follows_the_size_of_the_terminal():
    def test(t, p):
        t.run(f"{HOTSPAN} top -F 499 -p {p.pid}")
        t.see(r"spin_half")
        for columns, lines in ((120, 40), (50, 12), (10, 3), (80, 24)):
            t.tmux("resize-window", "-x", columns, "-y", lines)
            time.sleep(0.5)
            screen = t.screen().splitlines()
            assert max(map(len, screen)) <= columns and (lines < 8 or screen[lines - 1].startswith("q quit")), screen
            assert lines < 8 or any("spin_half"[:3] in l for l in screen), screen
        t.keys("C-c")
        t.see(PROMPT)
    in_terminal(test)


def test_pause_rate_and_hiding():
    def test(t, p):
        t.run(f"{HOTSPAN} top -w 2 -p {p.pid}")
        t.see(r"spin_half")
        t.type("++p")
        t.see(r"at 499 Hz")
        time.sleep(3.2)  # a window that lies behind the change
        cpu = float(re.search(rf"^ *([\d.]+) +[\d.]+ +{p.pid}  w_spin", t.screen(), re.M)[1])
        assert cpu < 110, f"{cpu} % of a CPU for one thread: the rate changed, its samples' worth did not"
        t.type("fu")
        t.see(r"no user functions")
        assert "spin_half" not in t.screen()
        t.type("k")
        t.see(r"no kernel functions")
        t.type("k ")
        t.see(r"PAUSED")
        rows = t.screen()
        time.sleep(2.2)
        assert t.screen() == rows
        t.type(" q")
        t.see(PROMPT)
    in_terminal(test)


def test_sigterm_and_a_stop_give_the_terminal_back():
    def test(t, p):
        t.run("stty -g >a")
        t.run(f"{HOTSPAN} top; echo status $?; stty -g | diff a - && echo same")
        t.see(r"spin_half")
        t.keys("C-z")
        t.see(r"^same")  # all of the line has run: what is typed from here on stands on one of its own
        t.run("fg")
        t.see(r"spin_half")
        os.kill(t.child(), signal.SIGTERM)
        assert "spin_half" not in t.see(r"^same")
    in_terminal(test)


def test_the_target_ends_and_the_screen_stays():
    t = Terminal()
    p = spin(2)
    try:
        t.run(f"{HOTSPAN} top -p {p.pid}")
        t.see(r"the process has ended")
        assert "spin_half" in t.screen()
        t.type("q")
        t.see(PROMPT)
    finally:
        t.close()
        end(p)


def test_no_color():
    def test(t, p):
        t.run(f"{HOTSPAN} top -F 499")
        t.see(r"spin_half")
        coloured = re.search(r"\x1b\[[\d;]*3[0-7]", t.screen("-e"))
        assert bool(coloured) == ("NO_COLOR" not in t.env), t.screen("-e")
    in_terminal(test, env={"NO_COLOR": "1"})
    in_terminal(test)


HOSTILE = b"\x1b]0;pwn\x07\x9b2J\xff"


def test_a_hostile_name_never_reaches_the_terminal():
    code = f"open('/proc/self/comm','wb').write({HOSTILE!r})\nwhile True: pass"
    p = subprocess.Popen(["python3", "-c", code])
    t = Terminal()
    try:
        time.sleep(0.3)
        raw = pathlib.Path(t.dir.name) / "raw"
        t.tmux("pipe-pane", f"cat >{raw}")
        t.run(f"{HOTSPAN} top -p {p.pid}")
        t.type("p")
        t.see(rf"{p.pid}  \?\]0;pwn\?\?2J\?")
        t.type("q")
        t.see(PROMPT)
        sent = raw.read_bytes()
        assert len(sent) > 300 and b"\x1b]0;" not in sent
        assert not re.search("[\x80-\x9f]", sent.decode()), "a C1 control, or no UTF-8"
        text = top("--once", "-p", p.pid)
        assert b"\x1b" not in text and b"?]0;pwn??2J?" in text
        assert json.loads(top("--once", "--json", "-p", p.pid))["processes"][0]["comm"].startswith("\x1b]0;pwn\x07")
    finally:
        t.close()
        p.kill()
        p.wait()


def test_an_unknown_terminal_type_says_what_to_do():
    t = Terminal(env={"TERMINFO": "/nowhere"})
    try:
        t.run(f"TERM=no-such-terminal {HOTSPAN} top; echo status $?")
        t.see(r"^status 1")
        assert "use --batch" in t.screen("-J")
    finally:
        t.close()


if __name__ == "__main__":
    run_tests(globals())
