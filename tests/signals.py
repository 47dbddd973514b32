# SPDX-License-Identifier: Apache-2.0
"""signals - random spans and metrics, as tests/unit/signals_make.c reads them."""
import os
import random
import urllib.parse

# Bytes off a wire: text, what has to be escaped somewhere, what is no UTF-8.
PIECES = [b"a", b"/items", b"GET", b"\xc3\xa4", b"\xf0\x9f\x94\xa5", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\"", b"\\", b"\n", b"\t", b"%", b"=", b",", b" ", b"{x}", b"\x01"]
KINDS = ["counter", "up-down", "gauge", "histogram"]


def as_text(raw):
    """What the agent makes of bytes: one U+FFFD for each that begins no sequence of UTF-8."""
    out = ""
    while raw:
        for n in (1, 2, 3, 4):
            try:
                out += raw[:n].decode()
                raw = raw[n:]
                break
            except UnicodeDecodeError:
                continue
        else:
            out += "\ufffd"
            raw = raw[1:]
    return out


def quoted(raw):
    return "." + urllib.parse.quote_from_bytes(raw, safe="")


class Signals:
    """resources: [{key: text}]; spans, points: as otlp_signals.py has them, with the index of their resource; input: for signals_make."""

    def __init__(self, seed, spans=200, families=6, series=40, hostile=True):
        self.r = random.Random(seed)
        self.hostile, self.lines = hostile, []
        self.resources = [{"service.name": f"svc-{i}", "service.instance.id": f"host:{i}", "host.name": "höst"} for i in range(self.r.randint(1, 5))]
        self.resources[0]["service.namespace"] = "shop"
        self.time = 1_700_000_000_000_000_000
        self.lines.append(f"time {self.time}")
        self.spans, self.families = [], []
        per = [spans // len(self.resources)] * len(self.resources)
        for i, resource in enumerate(self.resources):
            self.lines.append(" ".join(["resource", *(quoted(x.encode()) for pair in sorted(resource.items()) for x in pair)]))
            for _ in range(per[i]):
                self.span(i)
        for i in range(families):
            self.family(i, series)

    @property
    def input(self):
        return "\n".join(self.lines).encode() + b"\n"

    def bytes(self, most=6):
        return b"".join(self.r.choice(PIECES if self.hostile else PIECES[:3]) for _ in range(self.r.randint(0, most)))

    def id(self, n):
        return self.r.randbytes(n - 1).hex() + "01"

    def attributes(self, keys):
        found = []
        for key in keys:
            kind = self.r.choice(["t", "i", "d", "b"])
            raw = self.bytes()
            number = self.r.choice([0, -1, 7, 2**63 - 1, -2**63])
            real = self.r.choice([0.0, -0.5, 1e300, 0.1])
            truth = self.r.randint(0, 1)
            text = {"t": quoted(raw), "i": str(number), "d": repr(real), "b": str(truth)}[kind]
            self.lines.append(f"attribute {quoted(key.encode())} {kind}{text}")
            found.append([key, {"t": ["string_value", as_text(raw)], "i": ["int_value", number], "d": ["double_value", real], "b": ["bool_value", bool(truth)]}[kind]])
        return found

    def span(self, resource):
        r = self.r
        s = {"trace": self.id(16), "span": self.id(8), "parent": r.choice(["", self.id(8)]), "flags": r.choice([0, 1, 3, 0x101, 0x301]), "kind": r.randint(1, 5),
             "status": r.choice([0, 0, 1, 2]), "start": r.randint(1, 2**62), "dropped": r.choice([0, 0, 3, 300])}
        end = s["start"] + r.choice([0, 1, 10**9, -5])
        state, name, message = self.bytes(), self.bytes(), self.bytes()
        self.lines.append(f"span {s['trace']} {s['span']} {s['parent'] or '0' * 16} {s['flags'] | r.choice([0, 0xfffffc00])} {s['kind']} {s['status']} {s['start']} {end} "
                          f"{s['dropped']} {quoted(state)} {quoted(name)} {quoted(message)}")
        s.update(end=max(end, s["start"]), state=as_text(state), name=as_text(name), message=as_text(message) if s["status"] == 2 else "")
        s["attributes"] = self.attributes(r.sample(["http.route", "url.path", "a", "größe", "http.request.method"], r.randint(0, 5)))
        self.spans.append((resource, s))

    def family(self, i, series):
        r = self.r
        kind, whole = r.choice(KINDS), r.randint(0, 1)
        bounds = sorted({round(r.uniform(0, 10), r.randint(1, 6)) for _ in range(r.randint(0, 14))}) if kind == "histogram" else []
        f = {"name": f"made.family{i}.{r.choice(['time', 'size', 'calls'])}", "unit": r.choice(["s", "By", "1", "{request}", ""]), "help": f"Made {i}: \"quoted\", back\\slashed.",
             "kind": kind, "whole": whole, "points": []}
        self.lines.append(" ".join(["family", *(quoted(f[k].encode()) for k in ("name", "unit", "help")), str(KINDS.index(kind)), str(whole), *map(repr, bounds)]))
        for resource in range(len(self.resources)):
            for n in range(r.randint(0, series)):
                self.point(f, resource, n, bounds)
        self.families.append(f)

    def point(self, f, resource, n, bounds):
        r = self.r
        p = {"resource": resource, "start": r.randint(1, self.time), "time": self.time}
        if f["kind"] == "histogram":
            p.update(sum=r.choice([0.0, r.uniform(0, 1e6)]), counts=[r.choice([0, r.randint(0, 2**40)]) for _ in range(len(bounds) + 1)], bounds=bounds, exemplars=[])
            self.lines.append(f"point {resource} {p['start']} {p['sum']!r} {' '.join(map(str, p['counts']))}")
            for _ in range(r.choice([0, 0, 1, 3])):
                x = [r.randint(1, 2**62), r.uniform(0, 10), self.id(16), self.id(8)]
                p["exemplars"].append(x)
                self.lines.append(f"exemplar {x[0]} {x[1]!r} {x[2]} {x[3]}")
        else:
            least = 0 if f["kind"] == "counter" else -10
            value = r.choice([0, r.randint(least, 2**53)]) if f["whole"] else r.choice([0.0, r.uniform(least, 1e9)])
            p["value"] = ["as_int" if f["whole"] else "as_double", value]
            self.lines.append(f"point {resource} {p['start']} {value!r}")
            if f["kind"] == "gauge":
                p["start"] = 0
        self.lines.append(f"attribute .number i{n}")
        p["attributes"] = [["number", ["int_value", n]]] + self.attributes(r.sample(["http.route", "url.scheme", "größe"], r.randint(0, 3)))
        f["points"].append(p)


def spans_of(decoded):
    """[(resource, span)] in their order."""
    return [(dict((k, v[1]) for k, v in res["resource"]), s) for req in decoded["requests"] for res in req["resources"] for s in res["items"]]


def points_of(decoded):
    """{(name, unit, help, kind, monotonic): [(resource, point)]}"""
    found = {}
    for req in decoded["requests"]:
        for res in req["resources"]:
            resource = dict((k, v[1]) for k, v in res["resource"])
            for m in res["items"]:
                found.setdefault((m["name"], m["unit"], m["help"], m["kind"], m["monotonic"]), []).extend((resource, p) for p in m["points"])
    return found


def compare_spans(signals, decoded):
    assert not decoded["complaints"], decoded["complaints"][:3]
    got, want = spans_of(decoded), [(signals.resources[i], s) for i, s in signals.spans]
    assert len(got) == len(want), (len(got), len(want))
    for g, w in zip(got, want):
        assert g == w, (g, w)


def compare_metrics(signals, decoded):
    assert not decoded["complaints"], decoded["complaints"][:3]
    kinds = {"counter": "sum", "up-down": "sum", "gauge": "gauge", "histogram": "histogram"}
    want = {(f["name"], f["unit"], f["help"], kinds[f["kind"]], f["kind"] == "counter"):
            [(signals.resources[p["resource"]], {k: v for k, v in p.items() if k != "resource"}) for p in f["points"]] for f in signals.families if f["points"]}
    got = points_of(decoded)
    assert got.keys() == want.keys(), (got.keys(), want.keys())
    for name in want:
        assert got[name] == want[name], (name, [x for x in zip(got[name], want[name]) if x[0] != x[1]][:1])
