"""The manifest for Kubernetes, by the published schemas and by rules written out here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import tyro
import yaml

from skill_runtime.cli.policies.options import PolicyServiceOptions, read_models

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "deploy" / "kubernetes" / "skill-service.yaml"

VERSIONS = ("1.29", "1.33", "1.37")
"""Versions of Kubernetes whose schemas the manifest keeps: the first, one between, the newest."""

Resource = dict[str, Any]


def resources() -> dict[str, Resource]:
    """Returns the resources by their kind."""
    loaded = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    return {resource["kind"]: resource for resource in loaded}


def pod() -> Resource:
    return resources()["StatefulSet"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", resources())
def test_a_resource_has_the_published_schema(kind: str, version: str) -> None:
    kubernetes_validate.validate(resources()[kind], version, strict=True)


def test_the_linter_finds_a_misspelt_field() -> None:
    resource = resources()["StatefulSet"]
    resource["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(resource, VERSIONS[-1], strict=True)


def test_pods_keep_their_names_and_the_service_divides_no_traffic() -> None:
    found = resources()
    assert found["Service"]["spec"]["clusterIP"] == "None"
    assert found["StatefulSet"]["spec"]["serviceName"] == found["Service"]["metadata"]["name"]


def test_a_rollout_waits_until_the_policies_of_a_pod_are_open() -> None:
    """The probes succeed before, since the supervisor binds the port first."""
    assert resources()["StatefulSet"]["spec"]["minReadySeconds"] == 10


def test_every_selector_finds_the_pods() -> None:
    found = resources()
    labels = found["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"] == labels
    assert found["StatefulSet"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels


def test_no_container_is_root_or_writes_to_its_image() -> None:
    security = pod()["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {security['runAsUser']}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for container in pod()["containers"] + pod()["initContainers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}
    assert pod()["automountServiceAccountToken"] is False


def test_the_probes_ask_the_port_that_is_served() -> None:
    container = pod()["containers"][0]
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["tcpSocket"]["port"] in names
    assert resources()["Service"]["spec"]["ports"][0]["targetPort"] in names
    assert resources()["NetworkPolicy"]["spec"]["ingress"] == [{"ports": [{"port": "policy"}]}]


def test_every_mounted_volume_exists_and_keys_come_from_secrets() -> None:
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    for container in pod()["containers"] + pod()["initContainers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
    assert "secret" in volumes["server-key"]
    assert "secret" in volumes["clients"]
    service = {mount["name"] for mount in pod()["containers"][0]["volumeMounts"]}
    assert "server-key" not in service  # only the copy that its user alone can read


def test_the_flags_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the working directory of the image has the models, too
    container = pod()["containers"][0]
    options = tyro.cli(PolicyServiceOptions, args=container["args"])
    assert options.service_only
    assert options.endpoint == f"tcp://0.0.0.0:{container['ports'][0]['containerPort']}"
    assert str(options.keys) in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert all(path.is_file() for _, path in read_models(options))
