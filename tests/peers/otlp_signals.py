# SPDX-License-Identifier: Apache-2.0
"""otlp_signals.py traces|metrics: requests on standard input, each behind its length (32 bits, little-endian), decoded by
OpenTelemetry's own package, as JSON: [{items, bytes, resources: [{resource, scope, items: [...]}]}]. What the specification
forbids is in "complaints"."""
import json
import sys

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

complaints = []


def expect(true, what):
    if not true:
        complaints.append(what)


def any_value(v):
    kind = v.WhichOneof("value")
    return [kind, getattr(v, kind) if kind else None]


def attributes(pairs):
    expect(len({a.key for a in pairs}) == len(pairs), "an attribute twice")
    return [[a.key, any_value(a.value)] for a in pairs]


def span(s):
    expect(len(s.trace_id) == 16 and any(s.trace_id) and len(s.span_id) == 8 and any(s.span_id), "ids")
    expect(len(s.parent_span_id) in (0, 8) and s.flags >> 10 == 0 and s.end_time_unix_nano >= s.start_time_unix_nano, "parent, flags, times")
    return {"trace": s.trace_id.hex(), "span": s.span_id.hex(), "parent": s.parent_span_id.hex(), "flags": s.flags, "kind": s.kind,
            "status": s.status.code if s.HasField("status") else 0, "message": s.status.message, "start": s.start_time_unix_nano, "end": s.end_time_unix_nano,
            "dropped": s.dropped_attributes_count, "state": s.trace_state, "name": s.name, "attributes": attributes(s.attributes)}


def point(p, cumulative):
    expect(p.time_unix_nano and bool(p.start_time_unix_nano) == cumulative, "times of a point")
    return {"start": p.start_time_unix_nano, "time": p.time_unix_nano, "attributes": attributes(p.attributes)}


def number(p, cumulative):
    kind = p.WhichOneof("value")
    return dict(point(p, cumulative), value=[kind, getattr(p, kind)])


def histogram(p):
    expect(len(p.bucket_counts) == len(p.explicit_bounds) + 1 and p.count == sum(p.bucket_counts) and p.HasField("sum"), "buckets")
    return dict(point(p, True), sum=p.sum, counts=list(p.bucket_counts), bounds=list(p.explicit_bounds),
                exemplars=[[x.time_unix_nano, x.as_double, x.trace_id.hex(), x.span_id.hex()] for x in p.exemplars])


def metric(m):
    kind = m.WhichOneof("data")
    data = getattr(m, kind)
    expect(kind == "gauge" or data.aggregation_temporality == 2, "temporality")
    expect(data.data_points, "a metric without points")
    return {"name": m.name, "unit": m.unit, "help": m.description, "kind": kind, "monotonic": kind == "sum" and data.is_monotonic,
            "points": [histogram(p) if kind == "histogram" else number(p, kind == "sum") for p in data.data_points]}


def request(raw, message, resources, scopes, items, decode):
    r = message.FromString(raw)
    found = []
    for res in getattr(r, resources):
        for s in getattr(res, scopes):
            expect(res.schema_url == s.schema_url and s.schema_url.startswith("https://opentelemetry.io/schemas/"), "schema")
            expect(len(getattr(s, items)), "an empty scope")
            found.append({"resource": attributes(res.resource.attributes), "scope": [s.scope.name, s.scope.version], "items": [decode(i) for i in getattr(s, items)]})
    expect(found, "an empty request")
    return {"bytes": len(raw), "resources": found}


KINDS = {"traces": (trace_service_pb2.ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans", span),
         "metrics": (metrics_service_pb2.ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics", metric)}
data, requests = sys.stdin.buffer.read(), []
while data:
    n = int.from_bytes(data[:4], "little")
    requests.append(request(data[4:4 + n], *KINDS[sys.argv[1]]))
    data = data[4 + n:]
json.dump({"requests": requests, "complaints": complaints}, sys.stdout)
