"""deploy/kuberay without a cluster: schemas, and what must hold between the resources."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from talweg.services.settings import Settings

from .compose_file import ROOT, SPECS
from .kuberay_fields import RayCluster, RayJob

FOLDER = ROOT / "deploy" / "kuberay"
SCHEMA = json.loads((ROOT / "tests" / "fixtures" / "kubernetes-1.37.json").read_text())
CLOSED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""What every container of ours says of itself."""

Resource = dict[str, Any]


def read(name: str) -> list[Resource]:
    """The resources of one file."""
    return list(YAML(typ="safe").load_all((FOLDER / name).read_text()))


KUSTOMIZATION = read("kustomization.yaml")[0]
RESOURCES = [resource for name in KUSTOMIZATION["resources"] for resource in read(name)]
JOB = read("sweep.yaml")[0]


def of(kind: str) -> dict[str, Resource]:
    """Name -> resource of a kind."""
    return {r["metadata"]["name"]: r for r in RESOURCES if r["kind"] == kind}


CLUSTER = of("RayCluster")["talweg"]["spec"]
POLICIES = of("NetworkPolicy")


class Pod(NamedTuple):
    """A pod that runs one of our containers, and the service of the compose file that it is."""

    service: str
    template: Resource

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def spec(self) -> Resource:
        spec: Resource = self.template["spec"]
        return spec

    @property
    def container(self) -> Resource:
        (container,) = self.spec["containers"]
        found: Resource = container
        return found


HEAD = Pod("ray-head", CLUSTER["headGroupSpec"]["template"])
WORKERS = {g["groupName"]: g for g in CLUSTER["workerGroupSpecs"]}
PODS = {
    "store": Pod("store", of("StatefulSet")["store"]["spec"]["template"]),
    "dashboard": Pod("dashboard", of("Deployment")["dashboard"]["spec"]["template"]),
    "head": HEAD,
    "cpu": Pod("ray-worker", WORKERS["cpu"]["template"]),
    "gpu": Pod("ray-worker-gpu", WORKERS["gpu"]["template"]),
}
every_pod = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)


def errors(kind: str, resource: object) -> list[str]:
    """What Kubernetes' schema of a kind (``apps.v1.Deployment``) finds wrong."""
    schema = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/io.k8s.api.{kind}"}
    found = jsonschema.Draft202012Validator(schema).iter_errors(resource)
    return [f"{error.json_path}: {error.message}" for error in found]


def definition(resource: Resource) -> str:
    """``networking.k8s.io/v1`` NetworkPolicy -> ``networking.v1.NetworkPolicy``."""
    group, _, version = resource["apiVersion"].rpartition("/")
    return f"{group.partition('.')[0] or 'core'}.{version}.{resource['kind']}"


PLAIN = [r for r in RESOURCES if r["apiVersion"] != "ray.io/v1"]


@pytest.mark.parametrize("resource", PLAIN, ids=lambda r: f"{r['kind']}-{r['metadata']['name']}")
def test_what_kubernetes_defines_follows_its_schema(resource: Resource) -> None:
    assert not errors(definition(resource), resource)


def test_what_kuberay_defines_follows_its_reference_and_kubernetes_within() -> None:
    cluster = RayCluster.model_validate(of("RayCluster")["talweg"]).spec
    RayJob.model_validate(JOB)
    templates = [cluster.headGroupSpec.template, *(g.template for g in cluster.workerGroupSpecs)]
    for template in templates:
        assert not errors("core.v1.PodTemplateSpec", template)
    scaler = cluster.autoscalerOptions
    assert not errors("core.v1.ResourceRequirements", scaler.resources)
    assert not errors("core.v1.SecurityContext", scaler.securityContext)


def test_the_schemas_find_a_wrong_name_and_a_wrong_type() -> None:
    template = json.loads(json.dumps(HEAD.template))
    template["spec"]["containers"][0] |= {
        "imagePolicy": "Always",
        "ports": [{"containerPort": "1"}],
    }
    assert len(errors("core.v1.PodTemplateSpec", template)) == 2
    job = {**JOB, "spec": {**JOB["spec"], "entrypoints": "talweg"}}
    with pytest.raises(ValidationError, match="entrypoints"):
        RayJob.model_validate(job)


def test_every_file_is_applied_but_the_sweep_which_is_started_by_hand() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    assert files - {"kustomization.yaml", "sweep.yaml"} == set(KUSTOMIZATION["resources"])
    assert set(of("Namespace")) == {KUSTOMIZATION["namespace"]} == {JOB["metadata"]["namespace"]}
    assert [image["name"] for image in KUSTOMIZATION["images"]] == ["talweg"]


@every_pod
def test_an_image_command_and_environment_is_that_of_the_compose_file(pod: Pod) -> None:
    spec = SPECS[pod.service]
    assert pod.container["image"] == spec["image"] == "talweg"
    assert pod.container.get("command", start(pod)) == spec["command"]
    # KubeRay says RAY_AUTH_MODE and RAY_AUTH_TOKEN itself where authOptions asks for it.
    theirs = {k: v for k, v in spec["environment"].items() if not k.startswith("RAY_AUTH_")}
    assert {variable["name"]: variable["value"] for variable in pod.container["env"]} == theirs
    known = {f"TALWEG_{name}".upper() for name in Settings.model_fields}
    assert {name for name in theirs if name.startswith("TALWEG_")} <= known


def start(pod: Pod) -> list[str]:
    """``ray start`` as KubeRay completes it; workers find the head by its service."""
    if pod.service != "ray-head":
        return ["ray", "start", "--address=ray-head:6379", "--block"]
    params = CLUSTER["headGroupSpec"]["rayStartParams"].items()
    return ["ray", "start", "--head", *(f"--{name}={value}" for name, value in params), "--block"]


@every_pod
def test_a_pod_is_asked_how_it_is_as_the_compose_file_does(pod: Pod) -> None:
    probe = pod.container["readinessProbe"]
    asked = SPECS[pod.service]["healthcheck"]["test"][1:]
    if "exec" in probe:
        assert probe["exec"]["command"] == asked
    else:
        port = named(pod.container, probe["httpGet"]["port"])
        assert f"127.0.0.1:{port}{probe['httpGet']['path']}" in asked[-1]
    assert "livenessProbe" in pod.container


def named(container: Resource, port: str) -> int:
    """The number of a container's port."""
    return next(int(p["containerPort"]) for p in container["ports"] if p["name"] == port)


def test_workers_with_gpus_differ_from_those_without_in_what_they_ask_for_alone() -> None:
    cpu, gpu = (json.loads(json.dumps(WORKERS[name]["template"])) for name in ("cpu", "gpu"))
    limits = gpu["spec"]["containers"][0].pop("resources")["limits"]
    assert limits["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in cpu["spec"]["containers"][0].pop("resources")["limits"]
    assert [t["key"] for t in gpu["spec"].pop("tolerations")] == ["nvidia.com/gpu"]
    assert cpu == gpu
    assert all(WORKERS[name]["rayStartParams"] == {} for name in WORKERS)


def test_the_version_of_ray_is_the_one_that_the_image_installs() -> None:
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned
    assert CLUSTER["rayVersion"] == pinned[1]


def test_the_cluster_grows_and_shrinks_and_asks_for_a_token() -> None:
    assert CLUSTER["enableInTreeAutoscaling"] is True
    assert CLUSTER["authOptions"] == {"mode": "token", "secretName": "ray-token"}
    for group in WORKERS.values():
        assert group["minReplicas"] <= group["replicas"] < group["maxReplicas"]


def test_a_sweep_is_a_command_of_the_documentation_sent_to_this_cluster() -> None:
    assert JOB["spec"]["clusterSelector"] == {"ray.io/cluster": "talweg"}
    assert shlex.split(JOB["spec"]["entrypoint"]) == [
        "talweg",
        "run",
        "descent",
        "--address",
        "auto",
    ]
    assert JOB["spec"]["entrypoint"] in (ROOT / "docs" / "containers.md").read_text()


def test_secrets_are_named_and_never_written_down() -> None:
    assert not of("Secret")
    for pod in PODS.values():
        assert all(set(variable) == {"name", "value"} for variable in pod.container["env"])
        files = [v["value"] for v in pod.container["env"] if v["name"].endswith("_FILE")]
        mounts = {m["mountPath"]: m for m in pod.container["volumeMounts"]}
        for file in files:
            volume = volumes(pod)[mounts[file]["name"]]
            assert volume["secret"]["secretName"] == mounts[file]["subPath"] == file[13:]
            assert mounts[file]["readOnly"] is True


def volumes(pod: Pod) -> Mapping[str, Resource]:
    """Name -> volume of a pod, those that a stateful set claims for it among them."""
    claims = of("StatefulSet")["store"]["spec"]["volumeClaimTemplates"]
    own = claims if pod is PODS["store"] else []
    return {v["name"]: v for v in pod.spec["volumes"]} | {c["metadata"]["name"]: c for c in own}


def test_who_may_only_read_has_no_token_to_write_with() -> None:
    assert "store-token" not in volumes(PODS["dashboard"])
    assert "store-read-token" in volumes(PODS["dashboard"])


@every_pod
def test_what_is_mounted_is_there_and_all_of_it_is_mounted(pod: Pod) -> None:
    mounted = {mount["name"] for mount in pod.container["volumeMounts"]}
    assert mounted == set(volumes(pod))
    for volume in pod.spec["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            assert claim["claimName"] in of("PersistentVolumeClaim")
    # Folders of the settings, the database and shared memory can be written.
    folders = {v["value"] for v in pod.container["env"] if v["name"].endswith("_FOLDER")}
    unused = {"/archive"} if pod.service.startswith("ray-worker") else set()
    paths = {m["mountPath"] for m in pod.container["volumeMounts"] if not m.get("readOnly")}
    assert folders - unused | {"/tmp", "/home/talweg"} <= paths
    assert ("/data" in paths) == (pod.service == "store")


def test_claims_are_one_nodes_at_a_time_so_that_no_network_file_system_is_needed() -> None:
    claims = [*of("PersistentVolumeClaim").values()]
    claims += of("StatefulSet")["store"]["spec"]["volumeClaimTemplates"]
    assert {c["metadata"]["name"] for c in claims} == {"data", "backups", "archive", "reports"}
    assert all(claim["spec"]["accessModes"] == ["ReadWriteOnce"] for claim in claims)
    assert of("StatefulSet")["store"]["spec"]["replicas"] == 1
    assert of("Deployment")["dashboard"]["spec"]["strategy"] == {"type": "Recreate"}


@every_pod
def test_nobody_is_root_and_a_containers_own_files_cannot_be_written(pod: Pod) -> None:
    user = re.search(r"useradd .*--uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert user
    context = pod.spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["fsGroup"] == int(user[1])
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod.container["securityContext"] == CLOSED
    assert pod.container["resources"]["requests"].keys() >= {"cpu", "memory"}
    assert "memory" in pod.container["resources"]["limits"]


@every_pod
def test_only_the_head_may_speak_with_kubernetes(pod: Pod) -> None:
    account = of("ServiceAccount")[pod.spec["serviceAccountName"]]
    allowed = pod is PODS["head"]
    assert account["automountServiceAccountToken"] is allowed
    assert pod.spec["automountServiceAccountToken"] is allowed
    assert pod.spec["enableServiceLinks"] is False


def test_services_lead_to_a_port_of_the_pods_that_they_select() -> None:
    assert set(of("Service")) == {"store", "dashboard"}
    for name, service in of("Service").items():
        (pod,) = (
            p for p in PODS.values() if selects({"matchLabels": service["spec"]["selector"]}, p)
        )
        assert pod is PODS[name]
        (port,) = service["spec"]["ports"]
        # By these names and numbers the others find it.
        assert port["port"] == named(pod.container, port["targetPort"])
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert "//store:8815" in SPECS["dashboard"]["command"][3]
    for kind in ("StatefulSet", "Deployment"):
        for resource in of(kind).values():
            labels = resource["spec"]["template"]["metadata"]["labels"]
            assert resource["spec"]["selector"]["matchLabels"].items() <= labels.items()


def selects(selector: Resource, pod: Pod) -> bool:
    """Whether a label selector of Kubernetes takes the pod."""
    labels = selector.get("matchLabels", {})
    within = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in within)
    return labels.items() <= pod.labels.items() and all(
        pod.labels.get(expression["key"]) in expression["values"] for expression in within
    )


def peers(policy: Resource, direction: str) -> Iterator[tuple[Resource, int | None]]:
    """(who, port) that a policy opens; who is {} for anybody, the port None for all."""
    end = "from" if direction == "ingress" else "to"
    for rule in policy["spec"].get(direction, []):
        for who in rule.get(end, [{}]):
            for port in rule.get("ports", [{}]):
                yield who, port.get("port")


def open_to(receiver: str, sender: str) -> set[int | None]:
    """Ports of one pod that another reaches: allowed by policies at both ends."""
    ends = ((receiver, "ingress", sender), (sender, "egress", receiver))
    ports = []
    for here, direction, there in ends:
        policies = [p for p in POLICIES.values() if selects(p["spec"]["podSelector"], PODS[here])]
        opened = {
            port
            for policy in policies
            for who, port in peers(policy, direction)
            if not who or ("podSelector" in who and selects(who["podSelector"], PODS[there]))
        }
        ports.append(opened)
    received, sent = ports
    both = received & sent
    return both | (received if None in sent else set()) | (sent if None in received else set())


def test_all_is_closed_before_anything_is_opened() -> None:
    nothing = POLICIES["nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in POLICIES.items():
        assert set(policy["spec"]) - {"podSelector", "policyTypes"} == (
            {kind.lower() for kind in policy["spec"]["policyTypes"]} if name != "nothing" else set()
        )


RAY = ("head", "cpu", "gpu")


@pytest.mark.parametrize("receiver", PODS)
@pytest.mark.parametrize("sender", PODS)
def test_pods_reach_each_other_where_they_must_and_nowhere_else(sender: str, receiver: str) -> None:
    found = open_to(receiver, sender)
    if receiver == "store" and sender != "store":
        assert found == {8815}
    elif sender in RAY and receiver in RAY:
        assert None in found
    else:
        assert not found


def test_from_outside_only_the_dashboard_is_reached_and_the_head_by_the_operator() -> None:
    opened = {
        (name, json.dumps(who), port)
        for name, policy in POLICIES.items()
        for who, port in peers(policy, "ingress")
        if "podSelector" not in who
    }
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuberay-operator"}}
    }
    assert opened == {("dashboard", "{}", 8501), ("ray-head", json.dumps(operator), 8265)}
    assert selects(POLICIES["ray-head"]["spec"]["podSelector"], PODS["head"])
    assert not selects(POLICIES["ray-head"]["spec"]["podSelector"], PODS["cpu"])
