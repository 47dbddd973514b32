#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent and a Pyroscope server that is late, away, wrong, closed to it or out of reach."""
import http.server

from pushing import *  # noqa: F403
from pyroscope import Fake, certificates


def test_a_server_that_comes_up_late():
    with Fake() as fake:
        fake.stop()
        with Agent(config(fake.url)) as agent:
            p = spin(2)
            agent.wait_for("receiver prod", "onnect", "wait", "next try in")
            want = burnt([p])
            fake.start()
            agent.wait_for("receiver prod", "delivering again", seconds=30)
            until(lambda: all_there(fake, SPIN, want))
            assert failed(agent, "connect") >= 1
            assert not any(delivered(agent, why) for why in ("refused", "too_many_tries", "queue_full", "too_old", "unanswered"))


def fault(agent, fake, line, *words, cause, **recovery):
    """Sets a fault, waits for its line and its counter, ends it, and waits until profiles arrive again."""
    n, before = len(agent.lines), failed(agent, cause)
    fake.faults(line)
    print("  " + agent.wait_for(*words, after=n, seconds=30))
    until(lambda: failed(agent, cause) > before)
    fake.faults()
    done = delivered(agent)
    until(lambda: delivered(agent) > done, seconds=40)


def test_faults_have_their_class_their_line_and_an_end():
    with Fake() as fake, Agent(config(fake.url, receiver="timeout: 2s")) as agent:
        p = spin(1000)
        until(lambda: delivered(agent) > 0)
        fault(agent, fake, "status=429 retry_after=2 count=3", "HTTP 429", "next try in", cause="throttled")
        fault(agent, fake, "status=503", "HTTP 503", "next try in", cause="server")
        fault(agent, fake, "status=400 message=not today", "HTTP 400", "not today", "dropped", cause="refused")
        fault(agent, fake, "cut=stored", "next try in", cause="silence")
        fault(agent, fake, "stall=1", "never answered", "not sent again", cause="silence")
        assert delivered(agent, "unanswered") >= 1
        fault(agent, fake, "status=307 location=http://127.0.0.1:9/", "HTTP 307", cause="moved")
        rss = agent.metrics()["process_resident_memory_bytes"]
        assert rss < 64 << 20, rss
        p.kill()
        assert agent.stop() == 0


def test_a_refused_series_does_not_take_the_others_down():
    with Fake() as fake:
        fake.faults("status=400 service=bad message=this one not")
        with Agent(config(fake.url)) as agent:
            bad, good = spin(3, own("bad")), spin(3, own("good"))
            want = burnt([good])
            bad.wait()
            assert agent.stop() == 0
            agent.wait_for("profile of " + own("bad"), "HTTP 400", "this one not", "dropped")
            assert all_there(fake, own("good"), want)
            assert not fake.series(service_name=own("bad"))


def test_an_undecodable_answer_is_given_up_in_the_end():
    with Fake() as fake:
        fake.faults("status=500 service=bad")
        with Agent(config(fake.url, receiver="max_tries: 2")) as agent:
            burnt([spin(2, own("bad")), spin(2, own("good"))])
            agent.wait_for("profile of " + own("bad"), "HTTP 500", "tried too often", seconds=30)
            assert delivered(agent) > 0 and delivered(agent, "too_many_tries") > 0


def test_a_token_file_that_changes():
    with tempfile.NamedTemporaryFile("w", suffix=".token") as token, Fake() as fake:
        token.write("old\n")
        token.flush()
        fake.faults("authorization=Bearer new")
        with Agent(config(fake.url, receiver=f"bearer_token_file: {token.name}")) as agent:
            p = spin(1000)
            agent.wait_for("HTTP 401", "next try in")
            token.seek(0)
            token.write("new\n")
            token.flush()
            until(lambda: delivered(agent) > 0, seconds=30)
            p.kill()


def test_tls_with_a_client_certificate_and_a_wrong_authority():
    with tempfile.TemporaryDirectory() as d:
        good, other = certificates(pathlib.Path(d)), pathlib.Path(d) / "other"
        other.mkdir()
        certificates(other)
        tls = ("--tls-cert", good / "server.pem", "--tls-key", good / "server.key", "--tls-client-ca", good / "ca.pem")
        with Fake(*tls, ca=str(good / "ca.pem"), client=(str(good / "client.pem"), str(good / "client.key"))) as fake:
            part = f"cert_file: {good}/client.pem, key_file: {good}/client.key"
            with Agent(config(fake.url, receiver=f"tls_config: {{ca_file: {other}/ca.pem, {part}}}")) as agent:
                p = spin(1000)
                agent.wait_for("receiver prod", "certificate", "next try in")
                assert failed(agent, "tls") >= 1
                agent.reload(config(fake.url, receiver=f"tls_config: {{ca_file: {good}/ca.pem, {part}}}"))
                until(lambda: delivered(agent) > 0, seconds=30)
                p.kill()


def test_a_name_that_does_not_exist():
    with Agent(config("http://no-such-host.invalid:4040")) as agent:
        agent.wait_for("receiver prod", "no-such-host.invalid", "resolve", "next try in")
        assert agent.get("/healthz") == (200, "ok\n"), "the network's trouble is not ours"


def test_a_proxy_is_asked_for_a_host_we_cannot_resolve():
    seen = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        more = f"proxy_url: http://127.0.0.1:{server.server_port}\nbasic_auth: {{username: me, password: secret}}"
        with Agent(config("http://pyroscope.invalid:4040/prefix/", receiver=more)) as agent:
            burnt([spin(1)])
            until(lambda: delivered(agent) > 0)
            assert set(seen) == {("http://pyroscope.invalid:4040/prefix/push.v1.PusherService/Push", "Basic bWU6c2VjcmV0")}, seen
        server.shutdown()


def test_sigterm_ends_in_time_without_a_server():
    with Agent(config("http://127.0.0.1:9", interval="1s", more="")) as agent:
        agent.wait_for("receiver prod", "http://127.0.0.1:9", "wait", "next try in")
        begin = time.time()
        assert agent.stop() == 0
        assert time.time() - begin < 8
        agent.wait_for("could not be sent in time")


def test_json_log_lines():
    with Agent(config("http://127.0.0.1:9"), "--log-format", "json") as agent:
        agent.wait_for("next try in")
        agent.stop()
        lines = [json.loads(l) for l in agent.lines]
        assert all(set(l) == {"time", "level", "msg"} for l in lines)
        assert {l["level"] for l in lines} == {"info", "warn"}


run_tests(globals())
