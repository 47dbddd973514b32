#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`hotspan unwind` beside readelf: the same rows; one address; what it says of files without any."""
import bisect
import re

from hs import *  # noqa: F403

LIBC = pathlib.Path("/lib/x86_64-linux-gnu/libc.so.6")


def unwind(*argv):
    p = subprocess.run([HOTSPAN, "unwind", *map(str, argv)], capture_output=True, text=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def our_rows(path):
    """[(start, cfa, rbp, ra)] of the whole table; rbp and ra are empty where a row has none."""
    status, out, err = unwind(path)
    assert status == 0 and not err, (status, err)
    return [(int(w[0], 16), *(w[1:] + ["", ""])[:3]) for w in map(str.split, out.splitlines()[1:])]


def readelf_rows(path):
    """[(start, end, {column: rule})] of every FDE, as readelf interprets it."""
    text = subprocess.run([need("readelf"), "-W", "--debug-dump=frames-interp", path], capture_output=True, text=True).stdout
    end, columns, rows = 0, [], []
    for line in text.splitlines():
        fde = re.search(r" FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)", line)
        words = re.sub(r" \(r\w+\)", "", line).split()  # "r5 (rdi)": a register under both its names
        if fde:
            end, columns = int(fde[2], 16), []
            rows.append((int(fde[1], 16), end, None))  # without rows of its own it is its CIE's
        elif " CIE " in line:
            end = 0
        elif end and words[:1] == ["LOC"]:
            columns = words[1:]
        elif end and columns and words and re.fullmatch("[0-9a-f]{16}", words[0]):
            rows[-1] = (rows[-1][0], min(rows[-1][1], int(words[0], 16)), rows[-1][2])
            rows.append((int(words[0], 16), end, dict(zip(columns, words[1:]))))
    return [r for r in rows if r[2] and r[0] < r[1]]


def same(ours, theirs):
    cfa, rbp, ra = ours
    if theirs["ra"] == "u":
        return cfa == "stop"
    if cfa == "-":  # longjmp and setcontext half way: the caller's rsp is not the CFA
        return "rsp" in theirs
    if cfa.startswith("signal"):
        return theirs["CFA"] == "exp" and theirs["ra"] == "exp"
    if theirs["CFA"] == "exp":
        ok = cfa.startswith(("plt", "*("))
    else:
        ok = cfa == theirs["CFA"]
    saved = theirs.get("rbp", "u")
    ok = ok and (rbp.startswith("*(rbp") if saved == "exp" else rbp == saved.replace("s", "u"))
    return ok and ra == theirs["ra"].replace("r5", "rdi")


def check_against_readelf(path):
    ours, theirs = our_rows(path), readelf_rows(path)
    starts = [r[0] for r in ours]
    assert len(theirs) > 20, len(theirs)
    wrong = []
    for start, end, rule in theirs:
        for pc in {start, end - 1}:
            row = ours[bisect.bisect_right(starts, pc) - 1]
            if not same(row[1:], rule):
                wrong.append((hex(pc), row[1:], rule))
    print(f"  {path}: {len(ours)} rows, {len(theirs)} of readelf, {len(wrong)} differ")
    assert not wrong, wrong[:5]


def test_rows_are_readelfs():
    for path in (LIBC, pathlib.Path("/bin/true"), pathlib.Path(workload("spin")), HOTSPAN):
        if path.exists():
            check_against_readelf(path)


def test_one_address():
    rows = our_rows(HOTSPAN)
    at = next(i for i, r in enumerate(rows) if r[1].startswith("rsp") and rows[i + 1][0] > r[0] + 1)
    for address in (hex(rows[at][0] + 1), f"{rows[at][0] + 1:x}"):
        status, out, err = unwind(HOTSPAN, address)
        assert status == 0 and len(out.splitlines()) == 2 and not err, (out, err)
        assert int(out.splitlines()[1].split()[0], 16) == rows[at][0], out
    status, out, err = unwind(HOTSPAN, "0x1")
    assert status == 1 and "0x1" in err and not out, (status, out, err)


def test_stats():
    status, out, err = unwind("--stats", HOTSPAN)
    facts = dict(line.split(None, 1) for line in out.splitlines())
    assert status == 0 and not err and int(facts["rows"]) == sum(1 for r in our_rows(HOTSPAN)) - 1, (out, err)
    assert {"functions", "rules", "bytes", "time"} <= set(facts), out


def test_files_without_rows_and_wrong_usage():
    with tempfile.TemporaryDirectory() as tmp:
        text = pathlib.Path(tmp) / "x.txt"
        text.write_text("no ELF\n")
        for argv, status, word in (([text], 1, "ELF"), (["/nonexistent"], 1, "No such file"), (["/"], 1, "/"), ([], 2, "FILE"),
                                   ([HOTSPAN, "x"], 2, "hexadecimal"), ([HOTSPAN, "1", "2"], 2, "too many"), (["--colour"], 2, "--colour")):
            got, out, err = unwind(*argv)
            assert got == status and word in err and len(err.splitlines()) == 1 and not out, (argv, got, out, err)


if __name__ == "__main__":
    run_tests(globals())
