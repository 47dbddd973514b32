# SPDX-License-Identifier: Apache-2.0
"""A receiver of OTLP, profiles, traces and metrics: grpcio's server and an HTTP one, with OpenTelemetry's own messages.

otlp_server.py FOLDER [CERTIFICATE KEY]: says "GRPC-PORT HTTP-PORT"; keeps each request it takes as FOLDER/NNNN.pb, of traces as
NNNN.traces, of metrics as NNNN.metrics. What
it answers is in the file FOLDER/answers, a line each, the first to the next request, which takes it away:
	grpc STATUS [message]    grpc-retry SECONDS STATUS [message]    partial N [message]    http STATUS [message]"""
import gzip
import http.server
import io
import pathlib
import sys
import threading
from concurrent import futures

import grpc
import zstandard
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_service
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2 as profiles
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2_grpc as profiles_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_service

# By path: how its files end, its request, its answer, what of it is rejected.
SIGNALS = {"/v1development/profiles": ("pb", profiles.ExportProfilesServiceRequest, profiles.ExportProfilesServiceResponse, "rejected_profiles"),
           "/v1/traces": ("traces", traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse, "rejected_spans"),
           "/v1/metrics": ("metrics", metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse, "rejected_data_points")}

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()
kept = 0


def next_answer():
    path = folder / "answers"
    with lock:
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("\n".join(lines[1:]))
    return lines[0].split(None, 2) if lines else []


def keep(path, raw, note):
    global kept
    with lock:
        (folder / f"{kept:04}.how").write_text(note)
        (folder / "being-written").write_bytes(raw)
        (folder / "being-written").rename(folder / f"{kept:04}.{SIGNALS[path][0]}")
        kept += 1


def response(path, answer):
    _, _, message, rejected = SIGNALS[path]
    r = message()
    if answer and answer[0] == "partial":
        setattr(r.partial_success, rejected, int(answer[1]))
        r.partial_success.error_message = answer[2] if len(answer) > 2 else ""
    return r


class Grpc(profiles_service.ProfilesServiceServicer, traces_service.TraceServiceServicer, metrics_service.MetricsServiceServicer):
    def Export(self, request, context):
        path = next(p for p, s in SIGNALS.items() if isinstance(request, s[1]))
        answer = next_answer()
        said = dict(context.invocation_metadata())
        if answer and answer[0] == "grpc-retry":
            seconds, (code, *text) = float(answer[1]), answer[2].split(None, 1)
            info = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))
            detail = any_pb2.Any()
            detail.Pack(info)
            status = status_pb2.Status(code=getattr(grpc.StatusCode, code).value[0], message=" ".join(text), details=[detail])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(getattr(grpc.StatusCode, code), " ".join(text))
        if answer and answer[0] == "grpc":
            context.abort(getattr(grpc.StatusCode, answer[1]), answer[2] if len(answer) > 2 else "")
        keep(path, request.SerializeToString(), f"grpc {said.get('user-agent', '')} authorization={said.get('authorization', '')}")
        return response(path, answer)


class Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/x-protobuf"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers.get("Content-Encoding", "identity")
        answer = next_answer()
        if self.path not in SIGNALS or self.headers["Content-Type"] != "application/x-protobuf":
            return self.answer(415 if self.path in SIGNALS else 404, b"no", "text/plain")
        if answer and answer[0] == "http":
            return self.answer(int(answer[1]), status_pb2.Status(message=answer[2] if len(answer) > 2 else "").SerializeToString())
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "zstd":
            body = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
        SIGNALS[self.path][1].FromString(body)
        keep(self.path, body, f"http {encoding} {self.headers.get('User-Agent', '')} authorization={self.headers.get('Authorization', '')}")
        self.answer(200, response(self.path, answer).SerializeToString())

    def log_message(self, *args):
        pass


server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 4 << 20)])
profiles_service.add_ProfilesServiceServicer_to_server(Grpc(), server)
traces_service.add_TraceServiceServicer_to_server(Grpc(), server)
metrics_service.add_MetricsServiceServicer_to_server(Grpc(), server)
if len(sys.argv) > 3:
    key, certificate = pathlib.Path(sys.argv[3]).read_bytes(), pathlib.Path(sys.argv[2]).read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
print(port, web.server_port, flush=True)
web.serve_forever()
