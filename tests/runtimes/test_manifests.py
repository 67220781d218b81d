"""The manifests, against the schemas that Kubernetes publishes, and the options they are made from."""

import json
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from kubernetes_validate.utils import all_versions  # type: ignore[import-untyped]

from openenv.errors import ConfigurationError
from openenv.runtimes.manifests import (
    Identity,
    KubernetesOptions,
    deployment_manifest,
    object_name,
    owner_label,
    service_manifest,
)
from openenv.runtimes.owner import Owner

OWNER = Owner(4711, "then", "a.machine.example pid:[4026531836]")
IDENTITY = Identity("mine", "games", "1f2e3d4c" * 4, OWNER, "00ff")
FULL: dict[str, Any] = {
    "image": "registry.example:5000/games/my_env-env@sha256:" + "0" * 64,
    "replicas": 3,
    "port": 9000,
    "env_vars": {"LEVEL": "4"},
    "secret_vars": {"OPENENV_TOKEN": "my-env/token"},
    "pull": "always",
    "pull_secrets": ["registry"],
    "node_selector": {"kubernetes.io/arch": "amd64"},
    "run_as_user": 1000,
    "writable": ["/tmp", "/home/openenv"],
    "service_type": "NodePort",
}
BARE: dict[str, Any] = {
    "image": "x", "cpus": None, "memory": None, "cpu_request": None, "memory_request": None, "writable": [],
}  # fmt: skip
# Some of the last twelve, and the newest: reading the schemas of one takes a while.
VERSIONS = all_versions()[-12::3] + all_versions()[-1:]


def options(**changed: Any) -> KubernetesOptions:
    return KubernetesOptions(**{"image": "my_env-env:latest", **changed})


def container(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod(**changed)["containers"][0]
    return found


def pod(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = deployment_manifest(options(**changed), IDENTITY)["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("given", [{"image": "my_env-env:latest"}, FULL, BARE], ids=["default", "full", "bare"])
def test_manifests_fit_the_published_schemas(version: str, given: dict[str, Any]) -> None:
    made = KubernetesOptions(**given)
    for manifest in (deployment_manifest(made, IDENTITY), service_manifest(made, IDENTITY)):
        kubernetes_validate.validate(json.loads(json.dumps(manifest)), version, strict=True)


def test_the_schemas_see() -> None:
    manifest = deployment_manifest(options(), IDENTITY)
    manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilites"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="capabilites"):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


def test_a_pod_may_do_as_little_as_the_strictest_standard_asks() -> None:
    assert pod()["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert pod()["automountServiceAccountToken"] is False


def test_only_the_folders_that_were_named_can_be_written_to() -> None:
    given = pod(writable=["/tmp", "/home/openenv"])
    mounts = {mount["mountPath"]: mount["name"] for mount in given["containers"][0]["volumeMounts"]}
    assert list(mounts) == ["/tmp", "/home/openenv"]
    assert given["volumes"] == [{"name": name, "emptyDir": {}} for name in mounts.values()]
    assert container(read_only_root=False)["securityContext"]["readOnlyRootFilesystem"] is False


def test_a_secret_is_named_and_its_value_is_nowhere() -> None:
    given = container(env_vars={"LEVEL": "4"}, secret_vars={"OPENENV_TOKEN": "my-env/token"})
    reference = {"secretKeyRef": {"name": "my-env", "key": "token"}}
    assert given["env"] == [{"name": "LEVEL", "value": "4"}, {"name": "OPENENV_TOKEN", "valueFrom": reference}]


def test_limits_and_requests_are_quantities() -> None:
    given = container(cpus=1.5, memory="1.5g", cpu_request=0.05, memory_request=1 << 28)["resources"]
    assert given["limits"] == {"cpu": "1500m", "memory": str(3 << 29)}
    assert given["requests"] == {"cpu": "50m", "memory": str(1 << 28)}


def test_a_slow_start_is_bounded_by_the_start_timeout_alone() -> None:
    probes = container(start_timeout_s=90.5)
    assert (probes["startupProbe"]["periodSeconds"], probes["startupProbe"]["failureThreshold"]) == (1, 91)
    asked = {"path": "/health", "port": "http"}
    assert [probes[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")] == [asked] * 3


def test_a_session_over_http_stays_in_its_pod_when_there_are_many() -> None:
    assert "sessionAffinity" not in service_manifest(options(), IDENTITY)["spec"]
    assert service_manifest(options(replicas=2), IDENTITY)["spec"]["sessionAffinity"] == "ClientIP"


def test_the_service_selects_the_pods_of_its_own_run_alone() -> None:
    deployment, service = deployment_manifest(options(), IDENTITY), service_manifest(options(), IDENTITY)
    mine = {"openenv.run": IDENTITY.run}
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == mine
    assert mine.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_everything_says_whose_it_is() -> None:
    for manifest in (deployment_manifest(options(), IDENTITY), service_manifest(options(), IDENTITY)):
        assert manifest["metadata"]["labels"] == {
            "app.kubernetes.io/managed-by": "openenv-runtime",
            "app.kubernetes.io/name": "mine",
            "openenv.owner": "a.machine.example-4711",
            "openenv.run": IDENTITY.run,
        }
        assert Owner.parse(manifest["metadata"]["annotations"]["openenv.owner"]) == OWNER
        assert manifest["metadata"]["annotations"]["openenv.machine"] == "00ff"


def test_what_belongs_to_no_process_does_not_say_so() -> None:
    metadata = service_manifest(options(), Identity("mine", "games", "production"))["metadata"]
    assert "annotations" not in metadata
    assert "openenv.owner" not in metadata["labels"]


@pytest.mark.parametrize(
    ("host", "label"),
    [("-my machine.", "my-4711"), ("", "4711"), ("x" * 300, "x" * 40 + "-4711"), ("дом", "4711")],
)
def test_an_owner_is_a_valid_label_whatever_the_machine_is_called(host: str, label: str) -> None:
    assert owner_label(Owner(4711, "then", host)) == label


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("my_env-env:latest", "openenv-my-env-env-1f2e3d4c"),
        ("host:5000/Games/x@sha256:ab", "openenv-x-1f2e3d4c"),
        ("a" * 200, "openenv-" + "a" * 46 + "-1f2e3d4c"),
        ("___", "openenv-1f2e3d4c"),
    ],
)
def test_a_name_is_made_of_the_images(image: str, name: str) -> None:
    assert object_name(image, IDENTITY.run) == name
    assert len(name) <= 63


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"image": "no image"}, "image is 'no image'; it must be the name of an image"),
        ({"name": "My_Env"}, "name is 'My_Env', which is no DNS label; it has at most 63 small letters, digits and -"),
        ({"name": "4x"}, "must begin with a letter"),
        ({"name": "x-"}, "not end in -"),
        ({"name": "x" * 64}, "at most 63"),
        ({"name": ""}, "name is ''"),
        ({"namespace": "a.b"}, "namespace is 'a.b', which is no DNS label"),
        ({"replicas": 0}, "replicas is 0; it must be a number of pods, 1 or more"),
        ({"replicas": True}, "replicas is True"),
        ({"port": 65536}, "port is 65536"),
        ({"pull": "IfNotPresent"}, "pull is 'IfNotPresent'; it must be one of missing, always, never"),
        ({"service_type": "Ingress"}, "service_type is 'Ingress'; it must be one of ClusterIP, NodePort, LoadBalancer"),
        ({"run_as_user": 0}, "run_as_user is 0; it must be the number of a user other than root"),
        ({"stop_timeout_s": 1.5}, "stop_timeout_s is 1.5"),
        ({"writable": ["tmp"]}, "writable is 'tmp'; it must be folders"),
        ({"writable": ["/"]}, "writable is '/'"),
        ({"memory": "two"}, "memory is 'two'"),
        ({"cpus": 0}, "cpus is 0"),
        ({"cpus": 0.05}, "cpu_request is 0.1, more than cpus, which is 0.05"),
        ({"memory": "128m"}, "memory_request is '256m', more than memory, which is '128m'"),
        ({"env_vars": {"1X": "y"}}, "env_vars has the name '1X'"),
        ({"secret_vars": {"1X": "a/b"}}, "secret_vars has '1X'"),
        ({"env_vars": {"X": "y"}, "secret_vars": {"X": "a/b"}}, "X is in both env_vars and secret_vars"),
        ({"url": "https://x"}, "url is 'https://x'; it must be an http:// address"),
        ({"url": "http://{nam}"}, "url is 'http://{nam}'"),
        ({"url": "http://{name.real}"}, "url is"),
        ({"url": "http://{name"}, "url is"),
        ({"url": "http://{}"}, "url is"),
        ({"url": "http://x:{node_port}"}, "a ClusterIP Service has no node port; set service_type='NodePort'"),
    ],
)
def test_a_value_that_does_not_fit_is_named(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        options(**changed)
    assert complaint in str(raised.value)


def test_a_secret_put_in_place_of_its_name_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="OPENENV_TOKEN in secret_vars must be 'SECRET/KEY'") as raised:
        options(secret_vars={"OPENENV_TOKEN": "hunter2"})
    assert "hunter2" not in str(raised.value)
