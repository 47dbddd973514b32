# SPDX-License-Identifier: Apache-2.0
"""A receiver of OTLP profiles: grpcio's server and an HTTP one, with OpenTelemetry's own messages.

otlp_server.py FOLDER [CERTIFICATE KEY]: says "GRPC-PORT HTTP-PORT"; keeps each request it takes as FOLDER/NNNN.pb. What
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
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2 as messages
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2_grpc as service

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()
kept = 0


def next_answer():
    path = folder / "answers"
    with lock:
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("\n".join(lines[1:]))
    return lines[0].split(None, 2) if lines else []


def keep(raw, note):
    global kept
    with lock:
        (folder / f"{kept:04}.how").write_text(note)
        (folder / "being-written").write_bytes(raw)
        (folder / "being-written").rename(folder / f"{kept:04}.pb")
        kept += 1


def response(answer):
    r = messages.ExportProfilesServiceResponse()
    if answer and answer[0] == "partial":
        r.partial_success.rejected_profiles = int(answer[1])
        r.partial_success.error_message = answer[2] if len(answer) > 2 else ""
    return r


class Profiles(service.ProfilesServiceServicer):
    def Export(self, request, context):
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
        keep(request.SerializeToString(), f"grpc {said.get('user-agent', '')} authorization={said.get('authorization', '')}")
        return response(answer)


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
        if self.path != "/v1development/profiles" or self.headers["Content-Type"] != "application/x-protobuf":
            return self.answer(404 if self.path != "/v1development/profiles" else 415, b"no", "text/plain")
        if answer and answer[0] == "http":
            return self.answer(int(answer[1]), status_pb2.Status(message=answer[2] if len(answer) > 2 else "").SerializeToString())
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "zstd":
            body = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
        messages.ExportProfilesServiceRequest.FromString(body)
        keep(body, f"http {encoding} {self.headers.get('User-Agent', '')} authorization={self.headers.get('Authorization', '')}")
        self.answer(200, response(answer).SerializeToString())

    def log_message(self, *args):
        pass


server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 4 << 20)])
service.add_ProfilesServiceServicer_to_server(Profiles(), server)
if len(sys.argv) > 3:
    key, certificate = pathlib.Path(sys.argv[3]).read_bytes(), pathlib.Path(sys.argv[2]).read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
print(port, web.server_port, flush=True)
web.serve_forever()
