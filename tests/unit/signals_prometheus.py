#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random metrics as a Prometheus page: promtool finds nothing to say about it, and Prometheus' own client reads what went in."""
import signals
from hs import *  # noqa: F403
from peers.prometheus import complaints, families

MAKE = BUILD / "tests/unit/signals_make"
WORDS = {"s": "_seconds", "By": "_bytes"}


def page_of(made):
    return subprocess.run([MAKE, "prometheus"], input=made.input, capture_output=True, check=True).stdout


def text_of(value):
    kind, v = value
    return {"string_value": str, "int_value": str, "bool_value": lambda b: str(b).lower(), "double_value": lambda d: repr(d)}[kind](v)


def name_of(f):
    name = f["name"].replace(".", "_") + WORDS.get(f["unit"], "")
    return name + ("_total" if f["kind"] == "counter" else "_ratio" if f["kind"] == "gauge" and f["unit"] == "1" else "")


def identity(resource):
    space = resource.get("service.namespace")
    return {"job": f"{space}/{resource['service.name']}" if space else resource["service.name"], "instance": resource["service.instance.id"],
            "service_name": resource["service.name"], **({"service_namespace": space} if space else {})}


def expected(made, f):
    """{(name, labels): number}, doubles among the labels left as they are."""
    rows = {}
    for p in f["points"]:
        labels = dict(identity(made.resources[p["resource"]]), **{re.sub(r"[^a-zA-Z0-9]", "_", k): v for k, v in ((k.encode().decode("latin-1"), text_of(v)) for k, v in p["attributes"])})
        name = name_of(f)
        if f["kind"] != "histogram":
            rows[name, frozenset(labels.items())] = p["value"][1]
            continue
        sums = [sum(p["counts"][:i + 1]) for i in range(len(p["counts"]))]
        for le, n in zip([*p["bounds"], float("inf")], sums):
            rows[name + "_bucket", frozenset(dict(labels, le="+Inf" if le == float("inf") else f"{le:g}" if float(f"{le:g}") == le else repr(le)).items())] = n
        rows[name + "_count", frozenset(labels.items())] = sums[-1]
        rows[name + "_sum", frozenset(labels.items())] = p["sum"]
    return rows


def numbers_as_numbers(rows):
    """Labels that are numbers compare as such: 1e+300 and 1e300 are one."""
    def plain(v):
        try:
            return repr(float(v)) if re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?", v) else v
        except ValueError:
            return v
    return {(name, frozenset((k, plain(v)) for k, v in labels)): float(n) for (name, labels), n in rows.items()}


def test_the_page_holds_what_went_in():
    for seed in range(12):
        made = signals.Signals(seed, spans=0)
        found = families(page_of(made))
        kind, _, rows = found.pop("target_info")
        assert kind == "gauge" and len(rows) == len(made.resources)
        for resource in made.resources:
            info = dict(identity(resource), host_name=resource["host.name"])
            assert rows["target_info", frozenset(info.items())] == "1", rows
        for f in made.families:
            if not f["points"]:
                continue
            # The client takes _total off counters' names.
            kind, text, rows = found.pop(re.sub("_total$", "", name_of(f)) if f["kind"] == "counter" else name_of(f))
            assert kind == {"up-down": "gauge"}.get(f["kind"], f["kind"]) and text == f["help"], (kind, text)
            got, want = numbers_as_numbers(rows), numbers_as_numbers(expected(made, f))
            assert got == want, (list(got.items() - want.items())[:2], list(want.items() - got.items())[:2])
        assert not found, found.keys()


def test_promtool_is_content():
    for seed in range(12):
        page = page_of(signals.Signals(seed, spans=0))
        assert not complaints(page), complaints(page)
    assert "help" in complaints(b"# TYPE a_total counter\na_total 1\n"), "it does complain"


if __name__ == "__main__":
    run_tests(globals())
