#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose profiles the agent pushes: services, labels, targets, pods, other users' processes."""
import http.server

from pushing import *  # noqa: F403
from pyroscope import Fake


def test_labels_types_and_own_service():
    more = "labels: {env: prod, region: eu-1}\n"
    with Fake() as fake, Agent(config(fake.url, more=more, hz=999)) as agent:
        p = spin(2)
        burnt([p])
        assert agent.stop() == 0
        state = fake.state()
        for s in state["series"]:
            labels = dict(s["labels"])
            assert labels.pop("service_name"), s
            assert labels == {"__name__": "process_cpu", "env": "prod", "region": "eu-1", "instance": HOST}, "no label of a process or thread"
            assert set(s["totals"]) == {"samples:count", "cpu:nanoseconds"} and s["nameless"] == 0
        assert fake.series(service_name="hotspan"), "hotspan is a service like any other"
        assert not state["warnings"], "every frame has a name, no label became a series"
        assert all(a.startswith("hotspan/") for a in state["user_agents"])


def test_service_ladder():
    """The environment's name, else the executable's; children of one service are one series, never one per pid."""
    script = "for i in 1 2 3; do python3 -c 'sum(range(40000000))'; done"
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent:
        env = {k: v for k, v in os.environ.items() if k != "OTEL_SERVICE_NAME"}
        subprocess.run(["sh", "-c", script], env=dict(env, OTEL_SERVICE_NAME=own("my shop")))
        subprocess.run([workload("spin"), "1"], env=env, stdout=subprocess.DEVNULL)
        assert agent.stop() == 0
        assert len(fake.series(service_name=own("my shop"))) == 1
        unit = re.search(r"([^/]+)\.service$", pathlib.Path("/proc/self/cgroup").read_text().strip())
        assert len(fake.series(service_name=unit[1] if unit else "w_spin")) == 1
        assert any("PyEval" in n or "python" in n for n in names(fake.series(service_name=own("my shop"))[0]))


KEPT = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_SYS_PTRACE": 19, "CAP_DAC_READ_SEARCH": 2, "CAP_CHECKPOINT_RESTORE": 40, "CAP_SYSLOG": 34}


def test_capabilities_not_needed_are_given_up():
    """And what is kept is enough: a program only another user may read, deleted while it runs, has its names."""
    with Fake() as fake, Agent(config(fake.url, hz=999)) as agent, tempfile.TemporaryDirectory() as folder:
        agent.wait_for("capabilities kept:", *KEPT)
        for task in pathlib.Path(f"/proc/{agent.process.pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
            for row in ("CapPrm", "CapEff", "CapBnd"):
                assert int(status[row], 16) == sum(1 << bit for bit in KEPT.values()), (row, status[row])
            assert status["CapAmb"] == status["CapInh"] == "0" * 16 and status["NoNewPrivs"] == "1"
        program = pathlib.Path(folder) / "w_spin"
        shutil.copy(workload("spin"), program)
        os.chmod(folder, 0o711)
        os.chown(program, 65534, 65534)
        program.chmod(0o500)
        theirs = own("theirs")
        children.append(subprocess.Popen([program, "3"], user=65534, group=65534, extra_groups=[], stdout=subprocess.DEVNULL,
                                         env={"OTEL_SERVICE_NAME": theirs}))
        time.sleep(0.3)
        program.unlink()
        children[-1].wait()
        assert agent.stop() == 0
        [series] = fake.series(service_name=theirs)
        assert {"spin_half", "main"} <= set(names(series)), names(series)


RULES = """relabel_configs:
  - {action: drop, source_labels: [__meta_process_comm], regex: w_sle.*}
  - {source_labels: [__container_id__], regex: '(.{6}).*', target_label: container}
  - {source_labels: [__meta_kubernetes_pod_uid], target_label: pod_uid}
  - {source_labels: [__meta_container_runtime, __meta_process_uid], separator: '/', regex: '(.+/.+)', target_label: ran_by}
  - {source_labels: [__meta_process_username], target_label: user}
  - {source_labels: [__meta_process_exe], regex: '.*/(.*)', target_label: program}
  - {source_labels: [__meta_process_exe], regex: '((.|.)+)+[?!]', target_label: never} # takes too many steps
  - {action: keep, source_labels: [service_name], regex: '%s.*'}
"""


def test_relabelling_makes_the_series_and_leaves_processes_out():
    ident = "4a2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
    pod = "0f3a7c1e_5b2d_4e6f_8a9b_1c2d3e4f5a6b"
    name, unwanted = own("relabelled"), own("unwanted")
    with Fake() as fake, Agent(config(fake.url, hz=999, more=RULES % name)) as agent, \
            cgroup(f"kubepods.slice/kubepods-pod{pod}.slice/cri-containerd-{ident}.scope") as folder:
        join = lambda: (folder / "cgroup.procs").write_text("0")
        env = dict(os.environ, OTEL_SERVICE_NAME=name)
        inside = subprocess.Popen([workload("spin"), "2"], env=env, preexec_fn=join, stdout=subprocess.PIPE, text=True)
        outside = spin(2, name + "-out")
        want = burnt([inside])
        outside.wait()
        spin(1, unwanted, share=1)
        until(lambda: agent.metrics()["hotspan_samples_left_out_total"] > 500)
        given_up = lambda reason: agent.metrics()[f'hotspan_relabel_given_up_total{{reason="{reason}"}}']
        before = given_up("match_too_long")
        assert before > 0 and given_up("too_large") == 0, before
        agent.reload(config(fake.url, hz=999, more=(RULES % unwanted).replace("target_label: program", "target_label: prog")))
        agent.wait_for("reloaded")
        burnt([spin(1, unwanted)])
        assert given_up("match_too_long") > before # the new rules' on top of the old ones'
        assert agent.stop() == 0
        [a] = fake.series(service_name=name)
        assert a["labels"] == {"__name__": "process_cpu", "instance": HOST, "service_name": name, "container": ident[:6], "pod_uid": pod.replace("_", "-"),
                               "ran_by": "containerd/0", "program": "w_spin"}, a["labels"]  # whose names of users nobody knows
        assert all_there(fake, name, want, 999)
        [b] = fake.series(service_name=name + "-out")
        assert "container" not in b["labels"] and b["labels"]["program"] == "w_spin" and b["labels"]["user"] == "root", b["labels"]
        [c] = fake.series(service_name=unwanted)
        assert c["labels"]["prog"] == "w_spin", c["labels"]
        assert {s["labels"]["service_name"] for s in fake.state()["series"]} == {name, name + "-out", unwanted}


def test_what_is_left_out_costs_no_tables():
    with Fake() as fake, Agent(config(fake.url, hz=999, more="relabel_configs:\n  - {action: keep, source_labels: [service_name], regex: nobody}\n")) as agent:
        burnt([spin(2, share=1)])
        m = agent.metrics()
        assert m["hotspan_samples_left_out_total"] > 1000, m
        assert m["hotspan_unwind_tables"] == m["hotspan_unwind_processes"] == 0, m
        assert agent.stop() == 0


PODS = """relabel_configs:
  - {action: labelmap, regex: __meta_kubernetes_pod_label_(app)}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
kubernetes: %s/pods
"""


def test_pods_are_named_once_kubernetes_lists_them():
    ident, uid = "5b2f0d7bb1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6", "1f3a7c1e-5b2d-4e6f-8a9b-1c2d3e4f5a6b"
    items = []

    class Kubelet(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"kind": "PodList", "items": items}).encode())

        def log_message(self, *args):
            pass

    kubelet = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
    threading.Thread(target=kubelet.serve_forever, daemon=True).start()
    more = PODS % f"http://127.0.0.1:{kubelet.server_port}"
    env = {k: v for k, v in os.environ.items() if k != "OTEL_SERVICE_NAME"}
    with Fake() as fake, Agent(config(fake.url, hz=499, more=more), env={"NODE_NAME": "node-7"}) as agent, cgroup(f"kubepods/burstable/pod{uid}/{ident}") as folder:
        p = subprocess.Popen([workload("spin"), "60", str(LIGHT)], env=env, preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"), stdout=subprocess.DEVNULL)
        try:
            until(lambda: fake.series(service_name=ident[:12]))
            items.append({"metadata": {"name": "web-0", "namespace": "shop", "uid": uid, "labels": {"app": "web", "tier": "front"}},
                          "status": {"containerStatuses": [{"name": "srv", "containerID": f"containerd://{ident}"}]}})
            until(lambda: fake.series(service_name="shop/srv"), 20)
        finally:
            p.kill()
            p.wait()
        assert agent.metrics()["hotspan_kubernetes_pods"] == 1
        [series] = fake.series(service_name="shop/srv")
        assert series["labels"]["app"] == "web" and series["labels"]["pod"] == "web-0" and "tier" not in series["labels"], series["labels"]
        assert series["labels"]["instance"] == "node-7"
        assert agent.stop() == 0
    kubelet.shutdown()


def test_the_units_capabilities_are_enough():
    unit = pathlib.Path(__file__).resolve().parents[2] / "packaging/hotspan.service"
    for takes_away in ("PrivateTmp", "ProtectKernelLogs", "ProtectKernelTunables", "ProtectProc", "PrivateUsers", "PrivatePIDs"):
        assert f"\n{takes_away}=" not in unit.read_text(), f"{takes_away} would cost names"
    keep = re.search(r"^CapabilityBoundingSet=(.*)", unit.read_text(), re.M)[1].split()
    if int(pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text()) <= 2:  # above, Debian's kernels ask for it
        keep.remove("CAP_SYS_ADMIN")
    caps = ",".join("+" + c.removeprefix("CAP_").lower() for c in keep)
    with Fake() as fake, Agent(config(fake.url), argv=["setpriv", "--bounding-set", f"-all,{caps}", "--inh-caps", f"-all,{caps}", "--no-new-privs"]) as agent:
        effective = re.search(r"^CapEff:\s*(\w+)", pathlib.Path(f"/proc/{agent.process.pid}/status").read_text(), re.M)[1]
        assert bin(int(effective, 16)).count("1") == len(keep)
        other = subprocess.Popen(["setpriv", "--reuid", "65534", "--clear-groups", workload("spin"), "2"], stdout=subprocess.PIPE, text=True,
                                 env=dict(os.environ, OTEL_SERVICE_NAME=own("another user")))
        want = burnt([other])
        assert agent.stop() == 0
        assert all_there(fake, own("another user"), want)
        assert any(n.startswith(("do_", "__x64", "entry_")) for s in fake.state()["series"] for n in names(s)), "kernel names"


run_tests(globals())
