# SPDX-License-Identifier: Apache-2.0
"""An ExportProfilesServiceRequest on standard input, decoded by OpenTelemetry's own package, as JSON on standard output;
stacks as tests/unit/pprof_dump.c writes them. What the specification forbids is in "complaints".
otlp_decode.py brief: of a stack its leaf only, for requests of megabytes."""
import functools
import json
import sys

from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2

request = profiles_service_pb2.ExportProfilesServiceRequest.FromString(sys.stdin.buffer.read())
d = request.dictionary
complaints, used = [], {}
BRIEF = sys.argv[1:] == ["brief"]
TABLES = ["mapping_table", "location_table", "function_table", "link_table", "string_table", "attribute_table", "stack_table"]


def at(table, i):
    rows = getattr(d, table)
    if not 0 <= i < len(rows):
        complaints.append(f"{table}[{i}] of {len(rows)}")
        return rows[0]
    used.setdefault(table, set()).add(i)
    return rows[i]


def text(i):
    return at("string_table", i)


def any_value(v):
    kind = v.WhichOneof("value")
    return [any_value(x) for x in v.array_value.values] if kind == "array_value" else getattr(v, kind) if kind else None


def attributes(indices):
    found = {}
    for i in indices:
        a = at("attribute_table", i)
        key = text(a.key_strindex)
        if key in found or not key:
            complaints.append(f"attribute {key!r} twice, or without a name")
        found[key] = [any_value(a.value), text(a.unit_strindex)]
    return found


def line(x):
    f = at("function_table", x.function_index)
    return f"({text(f.name_strindex)}|{text(f.system_name_strindex)}|{text(f.filename_strindex)}:{x.line}:{x.column}:{f.start_line})"


@functools.cache
def location(i):
    l = at("location_table", i)
    m = at("mapping_table", l.mapping_index)
    return {"frame": f"[{text(m.filename_strindex)} {l.address:#x} " + " ".join(["false", *map(line, l.lines)]) + "]",
            "kind": attributes(l.attribute_indices).get("profile.frame.type", [None])[0],
            "mapping": [m.memory_start, m.memory_limit, m.file_offset, attributes(m.attribute_indices).get("process.executable.build_id.gnu", [""])[0]]}


def link(i):
    l = at("link_table", i)
    return [l.trace_id.hex(), l.span_id.hex()] if i else 0


def sample(s):
    stack = [location(i) for i in at("stack_table", s.stack_index).location_indices][:1 if BRIEF else None]
    return {"stack": " ".join(l["frame"] for l in stack), "kinds": [l["kind"] for l in stack], "mappings": [l["mapping"] for l in stack],
            "attributes": attributes(s.attribute_indices), "values": list(s.values), "link": link(s.link_index)}


def profile(p):
    return {"type": [text(p.sample_type.type_strindex), text(p.sample_type.unit_strindex)], "period_type": [text(p.period_type.type_strindex), text(p.period_type.unit_strindex)],
            "period": p.period, "time": p.time_unix_nano, "duration": p.duration_nano, "id": p.profile_id.hex(), "attributes": attributes(p.attribute_indices),
            "samples": [sample(s) for s in p.samples]}


out = [{"resource": {a.key: any_value(a.value) for a in r.resource.attributes}, "scope": [s.scope.name, s.scope.version], "profiles": [profile(p) for p in s.profiles]}
       for r in request.resource_profiles for s in r.scope_profiles]
for table in TABLES:
    rows = [x if table == "string_table" else x.SerializeToString(deterministic=True) for x in getattr(d, table)]
    if not rows or (table != "link_table" and rows[0]) or (table == "link_table" and (any(d.link_table[0].trace_id) or len(d.link_table[0].trace_id) != 16)):
        complaints.append(f"{table} does not begin with its zero value")
    if len(set(rows)) != len(rows):
        complaints.append(f"{table} has entries twice")
    orphans = set(range(1, len(rows))) - used.get(table, set())
    if orphans:
        complaints.append(f"{table}: nothing refers to {len(orphans)} entries, {sorted(orphans)[0]} the first")
json.dump({"resources": out, "complaints": complaints, "sizes": {t: len(getattr(d, t)) for t in TABLES}}, sys.stdout)
