#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of prometheus.listen: what it says, and that Prometheus' own tools can read it."""
import http.client
import socket

from hs import *  # noqa: F403
from peers.prometheus import complaints, families


def ask(address, path):
    c = http.client.HTTPConnection(address, timeout=10)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.getheader("Content-Type"), r.read()
    finally:
        c.close()


def agent_with(labels="{env: prod}", **keys):
    return Agent(f"labels: {labels}\nlisten: 127.0.0.1:0\nprometheus: {{listen: 127.0.0.1:0}}\n", **keys)


def page_address(agent):
    return re.search(r"on http://(\S+?)/metrics", agent.wait_for("what is measured of services"))[1]


def test_the_agent_tells_of_itself_until_there_is_more():
    with agent_with() as agent:
        status, kind, page = ask(page_address(agent), "/metrics")
        assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
        [(name, (_, _, rows))] = families(page).items()
        [((_, labels), value)] = rows.items()
        labels = dict(labels)
        assert name == "target_info" and value == "1", page
        assert labels["job"] == labels["service_name"] == "hotspan" and labels["env"] == "prod"
        assert labels["instance"] == f"{socket.gethostname()}:{agent.process.pid}" and labels["host_name"] == socket.gethostname()
        assert ask(page_address(agent), "/")[0] == 404
        agent.reload("labels: {env: test}\nlisten: 127.0.0.1:0\nprometheus: {listen: 127.0.0.1:0}\n")
        agent.wait_for("reloaded")
        assert b'env="test"' in ask(page_address(agent), "/metrics")[2]
        assert agent.stop() == 0


def test_promtool_finds_nothing_to_say_of_it():
    with agent_with(labels='{text: "a \\"quoted\\" \\\\ text"}') as agent:
        page = ask(page_address(agent), "/metrics")[2]
        assert not complaints(page), complaints(page)


def test_an_address_that_cannot_be_had_is_named():
    with socket.create_server(("127.0.0.1", 0)) as s:
        where = f"127.0.0.1:{s.getsockname()[1]}"
        p = subprocess.run([HOTSPAN, "agent", "--listen", "off", "--prometheus-listen", where], capture_output=True, text=True, timeout=30)
        assert p.returncode == 1 and f"prometheus.listen: cannot listen on {where}" in p.stderr, p.stderr


if __name__ == "__main__":
    run_tests(globals())
