# SPDX-License-Identifier: Apache-2.0
"""nginx - a server whose access log is an oracle, and bytes sent to it as they are."""
import socket

from hs import *  # noqa: F403

NGINX = """daemon off; worker_processes 2; error_log %(dir)s/error.log; pid %(dir)s/pid;
events { worker_connections 512; }
http { log_format log escape=json '{"method":"$request_method","uri":"$uri","status":$status,"bytes":$body_bytes_sent,"length":"$content_length","ms":$request_time}';
access_log %(dir)s/access.log log buffer=64k flush=1s;
client_body_temp_path %(dir)s; proxy_temp_path %(dir)s; fastcgi_temp_path %(dir)s; uwsgi_temp_path %(dir)s; scgi_temp_path %(dir)s;
keepalive_requests 1000000;
server { listen 127.0.0.1:%(port)d; listen unix:%(dir)s/socket; root %(dir)s/files; client_max_body_size 100m; large_client_header_buffers 4 64k;
location /ok { return 200 "fine"; } location /missing { return 404; } location /broken { return 500; } location /gone { return 204; }
location /same { return 304; } location /elsewhere { return 301 /ok; } location /take { proxy_pass http://127.0.0.1:%(port)d/ok; } %(more)s } }
"""


class Nginx:
    def __init__(self, folder, more=""):
        self.folder, self.more = folder, more

    def __enter__(self):
        self.dir = tempfile.mkdtemp(dir=self.folder)
        os.chmod(self.folder, 0o755)
        os.chmod(self.dir, 0o777)
        self.port = free_port()
        files = pathlib.Path(self.dir) / "files"
        files.mkdir()
        (files / "large").write_bytes(os.urandom(3 << 20))
        conf = pathlib.Path(self.dir) / "conf"
        conf.write_text(NGINX % {"dir": self.dir, "port": self.port, "more": self.more})
        self.process = subprocess.Popen([need("nginx"), "-c", conf, "-p", self.dir], stderr=subprocess.DEVNULL)
        until(lambda: not socket.socket().connect_ex(("127.0.0.1", self.port)) and len(self.workers()) == 2)
        return self

    def workers(self):
        return subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()

    def targets(self):
        """Configuration of an agent that looks at this nginx, and at no other that a test beside this one runs."""
        return f"targets: {json.dumps({'include': [{'pid': int(pid)} for pid in self.workers()]})}\n"

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def log(self):
        self.__exit__()  # flushes
        return [json.loads(line) for line in (pathlib.Path(self.dir) / "access.log").read_text().splitlines()]


def read_all(s, seconds=5):
    s.settimeout(seconds)
    data = b""
    try:
        while chunk := s.recv(1 << 16):
            data += chunk
    except TimeoutError:
        pass
    return data


def raw(port, *pieces, pause=0.0, path=None):
    """Bytes as they are, in as many writes; what comes until the server closes."""
    s = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    s.connect(path or ("127.0.0.1", port))
    if not path:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        s.sendall(piece)
        time.sleep(pause)
    data = read_all(s)
    s.close()
    return data
