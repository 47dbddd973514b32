#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Profiles as OTLP, decoded by OpenTelemetry's own package in both layouts: the same samples, stacks, names, lines, labels
and values as in the pprof file they were made of, over tables as the specification wants them."""
import collections

import peers
from hs import *  # noqa: F403

HERE = pathlib.Path(__file__).parent
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-otlp-"))
DUMP, MAKE = BUILD / "tests/unit/pprof_dump", BUILD / "tests/unit/otlp_make"
NAMES = {"comm": "thread.name", "pid": "process.pid", "tid": "thread.id"}
LAYOUTS = {"1.10": "otlp", "1.9": "otlp-1.9"}


def fixture(*argv):
    path = tmp / f"{'-'.join(argv)}.pb"
    path.write_bytes(subprocess.run([DUMP, "--fixture", "raw", *argv], capture_output=True, check=True).stdout)
    return path


def recording():
    path = tmp / "recording.pb.gz"
    if not path.exists():
        subprocess.run([HOTSPAN, "record", "-F", "499", "-o", path, "--by", "thread", "--", workload("spin"), "1"], check=True, capture_output=True)
    return path


def dump(path):
    """A name may hold a line's end: lines begin with these words."""
    text = subprocess.run([DUMP, path], capture_output=True, check=True).stdout.decode(errors="replace")
    return re.split(r"\n(?=(?:sample|mapping|type|period|time|comment) )", text.rstrip("\n"))


def labels(text):
    found = {}
    for part in filter(None, text.split("; ")):
        key, value = part.split("=", 1)
        number = re.fullmatch(r"(-?\d+) (\S*)", value)
        found[NAMES.get(key, key)] = (int(number[1]), number[2]) if number else (value, "")
    return frozenset(found.items())


def expected(path):
    """({(labels, stack): count}, the lines that are not samples)."""
    samples, rest = collections.Counter(), []
    for line in dump(path):
        m = re.fullmatch(r"sample \[(-?\d+)[^\]]*\] \{(.*?)\} ?(.*)", line, re.S)
        if m:
            samples[labels(m[2]), m[3]] += int(m[1])
        else:
            rest.append(line)
    return samples, rest


def requests(layout, limit, *paths):
    """(requests of at most so many bytes, how many samples fit in none)."""
    p = subprocess.run([MAKE, layout, str(limit), *paths], capture_output=True, check=True)
    found, left = [], p.stdout
    while left:
        end = 4 + int.from_bytes(left[:4], "little")
        found.append(left[4:end])
        left = left[end:]
    return found, int(p.stderr.split()[-1])


def decode(layout, raw):
    out = subprocess.run([peers.environment(LAYOUTS[layout]), HERE.parent / "peers/otlp_decode.py"], input=raw, capture_output=True, check=True).stdout
    return json.loads(out)


def decoded(layout, *paths):
    [raw], dropped = requests(layout, 0, *paths)
    assert not dropped
    return decode(layout, raw), raw


def counts(profiles):
    found = collections.Counter()
    for s in (s for p in profiles for s in p["samples"]):
        assert len(s["values"]) == 1 and s["link"] == 0
        found[frozenset((k, (v, unit)) for k, (v, unit) in s["attributes"].items()), s["stack"]] += s["values"][0]
    return found


def compare(layout, *paths):
    got, raw = decoded(layout, *paths)
    assert not got["complaints"], got["complaints"][:5]
    assert len(got["resources"]) == len(paths)
    for i, (path, r) in enumerate(zip(paths, got["resources"])):
        assert r["resource"] == {"service.name": str(i), "host.name": "größe"} and r["scope"] == ["hotspan", "0"], r["resource"]
        [p] = r["profiles"]
        samples, rest = expected(path)
        theirs = counts([p])
        assert theirs == samples, (list((samples - theirs).items())[:2], list((theirs - samples).items())[:2])
        assert p["type"] == ["samples", "count"] and p["period_type"] == ["cpu", "nanoseconds"] and len(p["id"]) == 32
        assert f"period cpu nanoseconds {p['period']}" in rest
        assert any(line.startswith(f"time {p['time']} {p['duration']} ") for line in rest), rest
        assert [f"comment {c}" for c in p["attributes"].get("pprof.profile.comment", [[]])[0]] == [line for line in rest if line.startswith("comment ")]
    return got, raw


def test_random_profiles():
    for layout in LAYOUTS:
        for argv in (("1", "1"), ("300", "20"), ("50", "500")):
            got, raw = compare(layout, fixture(*argv))
            print(f"  {layout}: {argv[0]} stacks of {argv[1]}: {len(raw)} bytes, {got['sizes']}")


def test_names_that_are_no_text():
    for layout in LAYOUTS:
        compare(layout, fixture("200", "10", "hostile"))


def test_a_recording_with_kinds_and_build_ids():
    got, _ = compare("1.10", recording())
    samples = got["resources"][0]["profiles"][0]["samples"]
    kinds = {k for s in samples for k in s["kinds"]}
    assert "native" in kinds and kinds <= {"native", "kernel", None}, kinds
    note = re.search(r"Build ID: (\w+)", subprocess.run(["readelf", "-n", workload("spin")], capture_output=True, text=True).stdout)[1]
    assert any(m[3] == note for s in samples for m in s["mappings"]), note
    assert any("thread.name" in s["attributes"] and isinstance(s["attributes"]["process.pid"][0], int) for s in samples)


def test_many_profiles_share_one_dictionary():
    one, _ = compare("1.10", fixture("300", "20"))
    three, _ = compare("1.10", fixture("300", "20"), fixture("300", "20"), recording())
    assert three["sizes"]["stack_table"] < 2 * one["sizes"]["stack_table"] + 500


def test_parts_add_up_to_the_whole():
    """Each a request by itself: within the bound, nothing twice, nothing that is not referred to."""
    for layout in LAYOUTS:
        paths = fixture("300", "20"), fixture("50", "500"), recording()
        [whole], _ = requests(layout, 0, *paths)
        for limit in (len(whole), len(whole) // 2, 30000):
            parts, dropped = requests(layout, limit, *paths)
            assert not dropped and all(len(p) <= limit for p in parts), (dropped, limit, max(map(len, parts)))
            got = [decode(layout, p) for p in parts]
            assert not any(g["complaints"] for g in got), [c for g in got for c in g["complaints"]][:3]
            resources = [r for g in got for r in g["resources"]]
            print(f"  {layout}, {limit} bytes: {len(parts)} requests of up to {max(map(len, parts))} bytes, {len(resources)} profiles")
            for i, path in enumerate(paths):
                profiles = [p for r in resources if r["resource"]["service.name"] == str(i) for p in r["profiles"]]
                assert counts(profiles) == expected(path)[0], path
                assert len({p["id"] for p in profiles}) == len(profiles) and all(p["samples"] for p in profiles)
                assert all(p["period"] and p["period_type"] == ["cpu", "nanoseconds"] and p["attributes"] == profiles[0]["attributes"] for p in profiles)
            assert len(parts) > len(whole) // limit and len(parts) < 4 * len(whole) // limit + 2


def test_what_fits_into_no_request_is_dropped_alone():
    paths = fixture("20", "500"), fixture("60", "20")
    parts, dropped = requests("1.10", 8000, *paths)
    assert dropped == 20, dropped
    assert counts([p for raw in parts for r in decode("1.10", raw)["resources"] for p in r["profiles"]]) == expected(paths[1])[0]


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        shutil.rmtree(tmp)
