#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The chart as Helm's own package renders it: Kubernetes' schemas accept it, the agent accepts its configuration, and
packaging/kubernetes.yaml is what its defaults give."""
from hs import *  # noqa: F403
from peers import environment

HERE = pathlib.Path(__file__).parent
PACKAGING = HERE.parent.parent / "packaging"
VERSIONS = ["1.31", "1.37"]  # of Kubernetes
tmp = pathlib.Path(tempfile.mkdtemp(prefix="hotspan-chart-"))
FULL = """
image: {repository: registry/hotspan, tag: "1", pullSecrets: [{name: pull}]}
config:
  frequency: 49
  labels: {cluster: blue}
  trace: {enabled: true, routes: ["/users/{id}"]}
  prometheus: {listen: "[::]:9400"}
  receivers:
    - {name: a, url: "http://127.0.0.1:4040", tenant: t, bearer_token_file: /secrets/token}
    - {name: b, type: otlp, url: "http://127.0.0.1:4317", protocol: grpc, spool: /var/lib/hotspan}
  relabel_configs:
    - {action: drop, source_labels: [__meta_process_comm], regex: 'sh|"bash"'}
rbac: {create: false}
priorityClassName: system-node-critical
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
extraCapabilities: [SYS_RESOURCE]
extraEnv: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
extraVolumes: [{name: token, secret: {secretName: pyroscope}}]
extraVolumeMounts: [{name: token, mountPath: /secrets, readOnly: true}]
podLabels: {team: base}
"""


def gohelm():
    go = need("go")
    version = re.search(r"go1\.(\d+)", subprocess.run([go, "version"], capture_output=True, text=True).stdout)
    if int(version[1]) < 24:
        raise Skip(f"Go 1.{version[1]} is too old for helm.sh/helm/v3")
    if not (tmp / "gohelm").exists():
        shutil.copytree(HERE / "gohelm", tmp / "src")
        p = subprocess.run([go, "build", "-o", tmp / "gohelm", "."], cwd=tmp / "src", capture_output=True, text=True, env=dict(os.environ, GOFLAGS="-mod=mod '-gcflags=all=-N -l'", GOTOOLCHAIN="local"))  # compiling takes longer than all that it renders
        if p.returncode:
            raise Skip("helm.sh/helm/v3 cannot be built here: " + p.stderr.strip().splitlines()[-1])
    return tmp / "gohelm"


def rendered(values=None):
    argv = [gohelm(), PACKAGING / "helm", "hotspan", "monitoring"]
    if values:
        (tmp / "values.yaml").write_text(values)
        argv.append(tmp / "values.yaml")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def complaints(text, version):
    """Of Kubernetes' schemas, strictly: a field that is not theirs is one."""
    said = []
    for i, document in enumerate(text.split("---\n")[1:]):
        path = tmp / f"{i}.yaml"
        path.write_text(document)
        p = subprocess.run([environment("kubernetes"), "-m", "kubernetes_validate", "-k", version, "--strict", "--quiet", path], capture_output=True, text=True)
        said += [(p.stdout + p.stderr).strip()] if p.returncode else []
    return said


def configuration(text):
    block = re.search(r"^  hotspan\.yaml: \|\n((?:    .*\n|\n)+)", text, re.M)[1]
    return re.sub(r"^    ", "", block, flags=re.M)


def check(text):
    for version in VERSIONS:
        assert not complaints(text, version), (version, complaints(text, version))
    (tmp / "hotspan.yaml").write_text(configuration(text))
    p = subprocess.run([HOTSPAN, "agent", "-c", tmp / "hotspan.yaml", "--check"], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr


def test_the_defaults_are_what_lies_in_the_tree():
    text = rendered()
    check(text)
    plain = (PACKAGING / "kubernetes.yaml").read_text().split("---\n", 1)[1]
    assert text == "---\n" + plain, "packaging/kubernetes.yaml is not what the chart gives: put this there\n" + text


def test_every_value_finds_its_place():
    text = rendered(FULL)
    check(text)
    assert "ClusterRole" not in text and "automountServiceAccountToken: false" in text
    for wanted in ("registry/hotspan:1", "name: pull", "- SYS_RESOURCE", "system-node-critical", "proxy:3128", "secretName: pyroscope", "mountPath: /secrets", "team: base", "cluster: blue", "{name: services, containerPort: 9400}"):
        assert wanted in text, wanted


def test_no_more_rights_than_needed():
    text = rendered()
    caps = re.search(r"capabilities:\n.*\n +add:.*\n((?: +- [A-Z_]+\n)+)", text)[1].replace("-", "").split()
    unit = re.search(r"^CapabilityBoundingSet=(.*)", (PACKAGING / "hotspan.service").read_text(), re.M)[1].split()
    assert {"CAP_" + c for c in caps} == set(unit) - {"CAP_SYS_ADMIN"}, (caps, unit)
    for wanted in ("privileged: false", "allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true", "drop: [ALL]", "verbs: [list]"):
        assert wanted in text, wanted
    assert "containerPort: 9400" not in text
    assert "hostNetwork" not in text and "hostIPC" not in text


def test_the_schemas_see_a_mistake():
    assert len(complaints(rendered().replace("hostPID:", "hostPIDs:").replace("verbs: [list]", "verbs: list"), VERSIONS[0])) == 2


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        shutil.rmtree(tmp)
