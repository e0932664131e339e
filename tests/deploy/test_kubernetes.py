"""The manifests agree with Kubernetes' schemas, and with the project's own tables."""

import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi
import pytest
import yaml

from ops.broker.offsets import subscribed_topics
from ops.broker.topics import as_users, grants
from ops.database_users import names as database_users
from ops.environment import kind_of_settings, load, load_to_serve, readable_by_everyone
from ops.server import GRACE_SECONDS
from services.registry import ISSUER, NAMES, SERVICES
from services.settings import Settings
from shared.settings import FOLDER, PREFIX
from tests.ops.command import run
from tests.secured import Certificates
from tests.systems import PROJECT

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is missing"),
]
KUBERNETES = PROJECT / "deploy" / "kubernetes"
OVERLAYS = ("small", "city")
SCHEMES = {"small": "http", "city": "https"}
CLUSTER = "carrel"
NAME = "app.kubernetes.io/name"
MESSAGE_SECONDS = 9
"""Time in which a listener finishes its message (shared/supervision.py)."""
OWN_KINDS = {"Certificate", "Kafka", "KafkaNodePool", "ScaledObject", "TriggerAuthentication"}
"""Kinds of operators, whose schemas are not those of Kubernetes."""

Manifest = dict[str, Any]


@cache
def rendered(overlay: str) -> str:
    """Return the manifests of an overlay as text."""
    command = ["kubectl", "kustomize", str(KUBERNETES / "overlays" / overlay)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def manifests(overlay: str, kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by name."""
    return {
        one["metadata"]["name"]: one
        for one in yaml.safe_load_all(rendered(overlay))
        if one["kind"] == kind
    }


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Yield the name and the pod of each workload."""
    for kind in ("StatefulSet", "Job"):
        for name, one in manifests(overlay, kind).items():
            yield name, one["spec"]["template"]
    for name, one in manifests(overlay, "CronJob").items():
        yield name, one["spec"]["jobTemplate"]["spec"]["template"]


def process(overlay: str, service: str) -> tuple[Manifest, Manifest]:
    """Return the pod of a service, and its only container."""
    [pod] = [pod for _, pod in pods(overlay) if pod["metadata"]["labels"][NAME] == service]
    [container] = pod["spec"]["containers"]
    return pod, container


def settings_of_all(overlay: str) -> dict[str, str]:
    [found] = manifests(overlay, "ConfigMap").values()
    data: dict[str, str] = found["data"]
    return data


def served(overlay: str) -> list[str]:
    return [pod["metadata"]["labels"][NAME] for _, pod in pods(overlay)]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_accepts_each_manifest(overlay: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(rendered(overlay))
    validate = str(PROJECT / ".venv" / "deploy" / "bin" / "kubernetes-validate")
    command = [validate, "--strict", "--quiet", str(tmp_path / "all.yaml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    unknown = set(re.findall(r"schema for kind (\w+)", ran.stdout + ran.stderr))
    assert unknown <= OWN_KINDS
    assert set(served(overlay)) == {*NAMES, "operator", *(["sip2"] if overlay == "city" else [])}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_pod_is_restricted(overlay: str) -> None:
    [namespace] = manifests(overlay, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    uid = re.search(r"--uid (\d+)", (PROJECT / "Dockerfile").read_text())
    assert uid
    for name, pod in pods(overlay):
        spec = pod["spec"]
        [container] = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == int(uid[1])
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["image"].startswith("registry.example/carrel:")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_and_probes_are_those_of_the_processes(overlay: str) -> None:
    data = settings_of_all(overlay)
    for service in NAMES:
        pod, container = process(overlay, service)
        assert container["args"] == [service]
        ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        assert ports == {
            "http": data["CARREL_PORT"],
            "operations": data["CARREL_OPERATIONS_PORT"],
        }
        for probe, path in {
            "startupProbe": "/health/live",
            "livenessProbe": "/health/live",
            "readinessProbe": "/health/ready",
        }.items():
            assert container[probe]["httpGet"] == {"path": path, "port": "operations"}
        drain = float(data["CARREL_DRAIN_SECONDS"])
        grace = pod["spec"]["terminationGracePeriodSeconds"]
        assert grace > drain + GRACE_SECONDS + MESSAGE_SECONDS
        # The pod has left the Service before the process takes no more requests.
        probe = container["readinessProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] + 2 <= drain
        [port] = manifests(overlay, "Service")[f"carrel-{service}"]["spec"]["ports"]
        address = f"{SCHEMES[overlay]}://carrel-{service}:{port['port']}"
        assert data[f"CARREL_{service.upper()}_URL"] == address


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_selector_selects_the_pods_of_one_workload(overlay: str) -> None:
    for name, one in manifests(overlay, "StatefulSet").items():
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"] == labels
        assert one["spec"]["serviceName"] == name
        assert manifests(overlay, "Service")[name]["spec"]["selector"] == labels
        budget = manifests(overlay, "PodDisruptionBudget")[name]["spec"]
        assert budget["selector"]["matchLabels"] == labels
        assert budget["maxUnavailable"] == 1
        spread = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [each["labelSelector"]["matchLabels"] for each in spread] == [labels, labels]
        # Else a drained node counts as an empty one, and the pods that it had find no place.
        assert {each["nodeTaintsPolicy"] for each in spread} == {"Honor"}


def given_files(
    pod: Manifest, secrets: Mapping[str, Mapping[str, str]], folder: Path
) -> dict[str, str]:
    """Write the files of a pod's volume of secrets; return where they are by name of the secret."""
    [volume] = [one for one in pod["spec"]["volumes"] if one["name"] == "secrets"]
    assert volume["projected"]["defaultMode"] & 0o007 == 0
    for source in volume["projected"]["sources"]:
        secret = source["secret"]
        content = secrets.get(secret["name"])
        if content is None:
            assert secret.get("optional"), f"{secret['name']} is made by nobody"
            continue
        everything = [{"key": key, "path": key} for key in content]
        for item in secret.get("items", everything):
            file = folder / item["path"]
            file.write_text(content[item["key"]])
            file.chmod(0o440)
    return {file.name: str(file) for file in folder.iterdir()}


@cache
def made_secrets() -> dict[str, dict[str, str]]:
    """Return the secrets that operators make, by the commands of the project, and Strimzi's."""
    made = run(["init", "--format", "kubernetes", "-"], dict(os.environ))
    assert made.code == 0, made.err
    secrets = {one["metadata"]["name"]: one["stringData"] for one in yaml.safe_load_all(made.out)}
    secrets["carrel-databases"] = {
        f"{name.upper()}_MONGO_URL": f"mongodb://{user}:password@db.example/?replicaSet=rs0"
        for name, user in database_users(Settings()).items()
    }
    for user in as_users(grants(), CLUSTER):
        secrets[user["metadata"]["name"]] = {"password": "of-strimzi"}
    authority = Path(certifi.where()).read_text()
    return {**secrets, f"{CLUSTER}-cluster-ca-cert": {"ca.crt": authority}}


def issued_secrets(overlay: str, folder: Path) -> dict[str, dict[str, str]]:
    """Return the secrets that cert-manager makes of the certificates of an overlay."""
    certificates = Certificates(folder)
    authority = certificates.authority.read_text()
    secrets = {}
    for one in manifests(overlay, "Certificate").values():
        [host] = one["spec"]["dnsNames"]
        own = certificates.of(host).read_text()
        secret = {"ca.crt": authority, "tls.crt": own, "tls.key": own}
        secrets[one["spec"]["secretName"]] = secret
    return secrets


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", [*NAMES, "operator"])
def test_a_process_gets_its_settings(
    overlay: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real settings are read from the manifests' variables and files, and are whole."""
    service = "gateway" if name == "operator" else name
    pod = next(pod for _, pod in pods(overlay) if pod["metadata"]["labels"][NAME] == name)
    [container] = pod["spec"]["containers"]
    [source] = container["envFrom"]
    assert source["configMapRef"]["name"] in manifests(overlay, "ConfigMap")
    data = settings_of_all(overlay)
    [mount] = [one for one in container["volumeMounts"] if one["name"] == "secrets"]
    assert data[FOLDER] == mount["mountPath"]
    issued = issued_secrets(overlay, tmp_path / "issued")
    (mounted := tmp_path / "mounted").mkdir()
    given_files(pod, made_secrets() | issued, mounted)
    environment = {**data, **{one["name"]: one["value"] for one in container["env"]}}
    for variable in [variable for variable in os.environ if variable.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value.replace(data[FOLDER], str(mounted)))
    settings = (load if name == "operator" else load_to_serve)(kind_of_settings(service))
    assert not readable_by_everyone(type(settings))
    for variable, value in made_secrets()[f"{CLUSTER}-{name}"].items():
        field = variable.removeprefix(PREFIX).lower()
        if isinstance(getattr(settings, field, None), str):
            assert getattr(settings, field) == value, "of another process"
    assert f"carrel_{name}:" in settings.mongo_url
    assert settings.kafka_username == name
    assert settings.kafka_password.get_secret_value() == "of-strimzi"
    assert settings.urls_of("events") == (f"{SCHEMES[overlay]}://carrel-events:8080",)
    assert (settings.tls_server() is not None) == (overlay == "city")
    if issued:
        assert issued[f"carrel-{name}-tls"]["tls.key"] == Path(settings.tls_key_file).read_text()
    assert settings.replication == 3
    [kafka] = manifests(overlay, "Kafka").values()
    [listener] = kafka["spec"]["kafka"]["listeners"]
    assert settings.kafka == f"{CLUSTER}-kafka-bootstrap:{listener['port']}"


def test_each_certificate_has_the_name_by_which_a_service_is_called() -> None:
    named = {
        name: one["spec"]["dnsNames"] for name, one in manifests("city", "Certificate").items()
    }
    data = settings_of_all("city")
    for service in NAMES:
        host = urlsplit(data[f"CARREL_{service.upper()}_URL"]).hostname
        assert named[f"{CLUSTER}-{service}"] == [host]
    [ingress] = manifests("city", "Ingress").values()
    proxy = {
        name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()
    }
    assert proxy["backend-protocol"] == "HTTPS"
    assert [proxy["proxy-ssl-name"]] == named["carrel-gateway"]
    assert proxy["proxy-ssl-secret"] == "carrel/carrel-gateway-tls"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_in_the_settings_of_all(overlay: str) -> None:
    secret = {
        f"{PREFIX}{name.upper()}"
        for service in NAMES
        for name, field in kind_of_settings(service).model_fields.items()
        if not field.repr or name == "kafka_password"
    }
    assert not secret & set(settings_of_all(overlay))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_declared_callers_reach_a_service(overlay: str) -> None:
    policies = manifests(overlay, "NetworkPolicy")
    closed = policies["carrel-nothing-else"]["spec"]
    assert set(closed) == {"podSelector", "policyTypes"}
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    data = settings_of_all(overlay)
    for owner in NAMES:
        spec = policies[f"carrel-to-{owner}"]["spec"]
        assert spec["podSelector"]["matchLabels"] == {NAME: owner}
        [rule] = spec["ingress"]
        assert [str(port["port"]) for port in rule["ports"]] == [data["CARREL_PORT"]]
        allowed: set[str] = set()
        for peer in rule["from"]:
            selector = peer.get("podSelector", {})
            allowed |= {*selector.get("matchLabels", {}).values()}
            for expression in selector.get("matchExpressions", ()):
                allowed |= {*expression["values"]}
        callers = {one.name for one in SERVICES if one.calls.get(owner)}
        if owner == ISSUER.service:  # all log in there, and fetch its keys
            callers |= {*NAMES}
        if owner == "gateway":  # its synthetic patron
            callers = {"gateway"}
        elif "gateway" in callers:
            callers |= {"sip2"}  # a gateway, too
        assert allowed == callers, owner
    [rule] = policies["carrel-operations"]["spec"]["ingress"]
    assert [str(port["port"]) for port in rule["ports"]] == [data["CARREL_OPERATIONS_PORT"]]
    out = policies["carrel-egress"]["spec"]["egress"]
    ports = {str(port["port"]) for rule in out for port in rule["ports"]}
    kafka = data["CARREL_KAFKA"].rpartition(":")[2]
    assert ports == {"53", "27017", kafka, data["CARREL_PORT"]}
    outside = policies["carrel-providers-egress"]["spec"]
    [selected] = outside["podSelector"]["matchExpressions"]
    assert {*selected["values"]} == {"accounts", "circulation"}  # both ask others by HTTPS
    assert [rule["ports"] for rule in outside["egress"]] == [[{"port": 443, "protocol": "TCP"}]]


def test_scalers_stay_within_the_partitions() -> None:
    partitions = int(settings_of_all("city")["CARREL_PARTITIONS"])
    scaled = {}
    for one in manifests("city", "ScaledObject").values():
        spec = one["spec"]
        assert 2 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= partitions
        lag = spec["triggers"][0]
        scaled[spec["scaleTargetRef"]["name"]] = lag["metadata"]["consumerGroup"]
        assert lag["metadata"]["bootstrapServers"] == settings_of_all("city")["CARREL_KAFKA"]
        assert lag["authenticationRef"]["name"] in manifests("city", "TriggerAuthentication")
    [gateway] = manifests("city", "HorizontalPodAutoscaler").values()
    assert 2 <= gateway["spec"]["minReplicas"] <= gateway["spec"]["maxReplicas"] <= partitions
    scaled[gateway["spec"]["scaleTargetRef"]["name"]] = "gateway"
    assert scaled == {f"carrel-{service}": service for service in subscribed_topics()}
    for name, one in manifests("city", "StatefulSet").items():
        if name in scaled:
            assert "replicas" not in one["spec"], "a roll-out would undo what the scaler set"
    for one in manifests("small", "StatefulSet").values():
        assert one["spec"]["replicas"] == 2


def replicas_for(scaler: Manifest, lag: int, partitions: int) -> int:
    """Return the replicas that KEDA's Kafka scaler and Kubernetes' autoscaler ask for.

    The scaler counts no lag above the threshold of each partition, unless idle consumers are
    allowed; the autoscaler gives each replica the threshold, and stays within the bounds.
    """
    [metadata] = [t["metadata"] for t in scaler["triggers"] if t["type"] == "kafka"]
    threshold = int(metadata["lagThreshold"])
    if metadata["allowIdleConsumers"] == "false":
        lag = min(lag, partitions * threshold)
    wanted = math.ceil(lag / threshold)
    return int(min(max(wanted, scaler["minReplicaCount"]), scaler["maxReplicaCount"]))


def test_scalers_follow_the_lag_of_a_morning() -> None:
    """Lag grows to that of an hour without consumers, and falls again."""
    partitions = int(settings_of_all("city")["CARREL_PARTITIONS"])
    for one in manifests("city", "ScaledObject").values():
        spec = one["spec"]
        least, most = spec["minReplicaCount"], spec["maxReplicaCount"]
        threshold = int(spec["triggers"][0]["metadata"]["lagThreshold"])
        rising = [0, 1, least * threshold, least * threshold + 1, most * threshold, 10**7]
        up = [replicas_for(spec, lag, partitions) for lag in rising]
        assert up == [least, least, least, least + 1, most, most]
        assert [replicas_for(spec, lag, partitions) for lag in reversed(rising)] == up[::-1]
        assert all(replicas_for(spec, lag, 1) == least for lag in rising)  # more would be idle


def test_a_roll_out_has_the_order_of_an_update() -> None:
    script = (KUBERNETES / "roll-out.sh").read_text()
    [order] = re.findall(r'^services="(.*)"$', script, re.MULTILINE)
    page = (PROJECT / "docs" / "install.md").read_text()
    [documented] = re.findall(r"in this order, .*?\*\*([\w,\s]+)\*\*", page)
    assert order.split() == [*re.findall(r"\w+", documented), "sip2"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_roll_out_leaves_out_what_an_overlay_does_not_have(overlay: str, tmp_path: Path) -> None:
    """`kubectl apply` fails for a service without manifests, and so would an operator's update."""
    (rendered_file := tmp_path / "all.yaml").write_text(rendered(overlay))
    script = (KUBERNETES / "roll-out.sh").read_text()
    [condition] = re.findall(r"^\t(grep .*) \|\| continue", script, re.MULTILINE)
    applied = [
        service
        for service in (*NAMES, "sip2")
        if not subprocess.run(  # the line of the script
            ["/bin/sh", "-c", condition],
            env={**os.environ, "service": service, "rendered": str(rendered_file)},
            check=False,
        ).returncode
    ]
    assert set(applied) == set(served(overlay)) - {"operator"}
