"""What we ask of Kubernetes: a Deployment and the Service before it, as plain values, made from checked options.

Decides names, labels, limits, probes and what a pod may do, which is what the strictest of the Pod Security Standards
("restricted") asks for. Values of secrets are in none of it: a variable may name a key of a Secret. What is done with a
manifest is left to `kubernetes`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from openenv.errors import ConfigurationError
from openenv.runtimes.container_options import ContainerOptions
from openenv.runtimes.owner import Owner

__all__ = [
    "MACHINE_LABEL",
    "MANAGED_BY",
    "OWNER_LABEL",
    "PULL_POLICIES",
    "RUN_LABEL",
    "SERVICE_TYPES",
    "Identity",
    "KubernetesOptions",
    "deployment_manifest",
    "object_name",
    "owner_label",
    "service_manifest",
]

MANAGED_BY = {"app.kubernetes.io/managed-by": "openenv-runtime"}
"""The label of all we make."""
RUN_LABEL = "openenv.run"
OWNER_LABEL = "openenv.owner"
MACHINE_LABEL = "openenv.machine"
PULL_POLICIES = {"missing": "IfNotPresent", "always": "Always", "never": "Never"}
SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")

_PORT_NAME = "http"
_LONGEST_NAME = 63
# A Service is a DNS name, and must begin with a letter; a Deployment need not, and has the same name.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SECRET_KEY = re.compile(r"(?P<secret>[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)/(?P<key>[\w.-]{1,253})", re.ASCII)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_URL = re.compile(r"http://[^\s/@]+(/[^\s?#]*)?")
_URL_FIELDS = frozenset({"name", "namespace", "node_port", "port"})


@dataclass(frozen=True, kw_only=True)
class KubernetesOptions:
    """How pods of an image are to run. Making one checks it. See `KubernetesRuntime` for what each means.

    Raises:
        ConfigurationError: A value does not fit, with the value.
    """

    image: str
    name: str | None = None
    namespace: str | None = None
    replicas: int = 1
    port: int = 8000
    env_vars: Mapping[str, str] = field(default_factory=dict)
    secret_vars: Mapping[str, str] = field(default_factory=dict)
    cpus: float | None = 2.0
    memory: str | int | None = "2g"
    cpu_request: float | None = 0.1
    memory_request: str | int | None = "256m"
    pull: str = "missing"
    pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    run_as_user: int | None = None
    read_only_root: bool = True
    writable: Sequence[str] = ("/tmp",)
    service_type: str = "ClusterIP"
    url: str | None = None
    start_timeout_s: float = 120.0
    stop_timeout_s: int = 10

    def __post_init__(self) -> None:
        _check_name("name", self.name, _NAME, "begin with a letter")
        _check_name("namespace", self.namespace, _NAMESPACE, "begin and end with a letter or digit")
        _check(_is_int(self.replicas, 1), "replicas", self.replicas, "a number of pods, 1 or more")
        _check(_is_int(self.port, 1, 65535), "port", self.port, "a port from 1 to 65535")
        _check(self.pull in PULL_POLICIES, "pull", self.pull, f"one of {', '.join(PULL_POLICIES)}")
        _check(
            self.service_type in SERVICE_TYPES, "service_type", self.service_type, f"one of {', '.join(SERVICE_TYPES)}"
        )
        user = self.run_as_user is None or _is_int(self.run_as_user, 1)
        _check(user, "run_as_user", self.run_as_user, "the number of a user other than root, or None")
        _check(_is_int(self.stop_timeout_s, 0), "stop_timeout_s", self.stop_timeout_s, "a whole number of seconds")
        for path in self.writable:
            _check(path.startswith("/") and path.strip("/") != "", "writable", path, "folders, such as '/tmp'")
        _check_requests(self.limits, self.requests)
        for variable, source in self.secret_vars.items():
            _check_secret(variable, source)
        if both := self.env_vars.keys() & self.secret_vars.keys():
            raise ConfigurationError(f"{sorted(both)[0]} is in both env_vars and secret_vars; leave out one")
        if self.url is not None:
            _check_url(self.url, has_node_port=self.service_type != "ClusterIP")

    @property
    def limits(self) -> ContainerOptions:
        """The most a pod may use, checked as for a container of an engine."""
        return ContainerOptions(image=self.image, env_vars=self.env_vars, memory=self.memory, cpus=self.cpus)

    @property
    def requests(self) -> ContainerOptions:
        """What a node must have left to be given a pod."""
        return ContainerOptions(image=self.image, memory=self.memory_request, cpus=self.cpu_request)


@dataclass(frozen=True)
class Identity:
    """What tells the objects of one start from all others.

    Attributes:
        name: Of the objects.
        namespace: Where they are.
        run: Of which start; pods are found by it.
        owner: The process they end with; None for objects that stay.
        machine: What tells that process's machine from others of the same name.
    """

    name: str
    namespace: str
    run: str
    owner: Owner | None = None
    machine: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """How they are found."""
        labels = {**MANAGED_BY, "app.kubernetes.io/name": self.name, RUN_LABEL: self.run}
        return labels if self.owner is None else {**labels, OWNER_LABEL: owner_label(self.owner)}

    @property
    def metadata(self) -> dict[str, Any]:
        """What every object begins with. A label cannot hold all there is to say about the owner."""
        found: dict[str, Any] = {"name": self.name, "namespace": self.namespace, "labels": self.labels}
        if self.owner is not None:
            found["annotations"] = {OWNER_LABEL: str(self.owner), MACHINE_LABEL: self.machine}
        return found


def deployment_manifest(options: KubernetesOptions, identity: Identity) -> dict[str, Any]:
    """Describe the pods."""
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,  # an environment has nothing to ask of the cluster
        "enableServiceLinks": False,  # their variables are named after Services; one of ours would be OPENENV_..._PORT
        "terminationGracePeriodSeconds": options.stop_timeout_s,
        "securityContext": _pod_security(options),
        "containers": [_container(options)],
        "volumes": [{"name": name, "emptyDir": {}} for name, _ in _folders(options)],
    }
    if options.node_selector:
        pod["nodeSelector"] = dict(options.node_selector)
    if options.pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in options.pull_secrets]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": identity.metadata,
        "spec": {
            "replicas": options.replicas,
            "selector": {"matchLabels": {RUN_LABEL: identity.run}},
            "template": {"metadata": {"labels": identity.labels}, "spec": pod},
        },
    }


def service_manifest(options: KubernetesOptions, identity: Identity) -> dict[str, Any]:
    """Describe the address before the pods."""
    spec: dict[str, Any] = {
        "type": options.service_type,
        "selector": {RUN_LABEL: identity.run},
        "ports": [{"name": _PORT_NAME, "port": options.port, "targetPort": _PORT_NAME, "protocol": "TCP"}],
    }
    if options.replicas > 1:
        # A session over HTTP is many connections, and lives in one pod. One over a WebSocket stays by its connection.
        spec["sessionAffinity"] = "ClientIP"
    return {"apiVersion": "v1", "kind": "Service", "metadata": identity.metadata, "spec": spec}


def object_name(image: str, run: str) -> str:
    """Name the objects after the image: openenv-my-env-env-1f2e3d4c."""
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", repository.lower())[: _LONGEST_NAME - len("openenv--") - 8].strip("-")
    return f"openenv-{slug}-{run[:8]}" if slug else f"openenv-{run[:8]}"


def owner_label(owner: Owner) -> str:
    """Write down an owner so that it may be a label: the machine's name and the number of the process."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", owner.host.partition(" ")[0])[:40].strip(".-")
    return f"{host}-{owner.pid}" if host else str(owner.pid)


def _container(options: KubernetesOptions) -> dict[str, Any]:
    plain = [{"name": name, "value": value} for name, value in options.env_vars.items()]
    secret = [{"name": name, "valueFrom": _key_reference(source)} for name, source in options.secret_vars.items()]
    return {
        "name": "environment",
        "image": options.image,
        "imagePullPolicy": PULL_POLICIES[options.pull],
        "ports": [{"name": _PORT_NAME, "containerPort": options.port, "protocol": "TCP"}],
        "env": [*plain, *secret],
        "resources": {"limits": _resources(options.limits), "requests": _resources(options.requests)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": options.read_only_root,
        },
        # A slow start is bounded by us; only afterwards does the cluster restart what does not answer.
        "startupProbe": _probe(every_s=1, failures=math.ceil(options.start_timeout_s)),
        "readinessProbe": _probe(every_s=5, failures=3),
        "livenessProbe": _probe(every_s=10, failures=6),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in _folders(options)],
    }


def _pod_security(options: KubernetesOptions) -> dict[str, Any]:
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if options.run_as_user is not None:
        security |= {"runAsUser": options.run_as_user, "runAsGroup": options.run_as_user}
    return security


def _folders(options: KubernetesOptions) -> list[tuple[str, str]]:
    return [(f"writable-{number}", path) for number, path in enumerate(options.writable)]


def _probe(*, every_s: int, failures: int) -> dict[str, Any]:
    asked = {"path": "/health", "port": _PORT_NAME}
    return {"httpGet": asked, "periodSeconds": every_s, "timeoutSeconds": 5, "failureThreshold": failures}


def _resources(given: ContainerOptions) -> dict[str, str]:
    found = {}
    if given.cpus is not None:
        found["cpu"] = f"{round(given.cpus * 1000)}m"
    if (memory := given.memory_bytes) is not None:
        found["memory"] = str(memory)
    return found


def _key_reference(source: str) -> dict[str, Any]:
    secret, _, key = source.partition("/")
    return {"secretKeyRef": {"name": secret, "key": key}}


def _check_requests(limits: ContainerOptions, requests: ContainerOptions) -> None:
    if limits.cpus is not None and requests.cpus is not None and requests.cpus > limits.cpus:
        raise ConfigurationError(
            f"cpu_request is {requests.cpus}, more than cpus, which is {limits.cpus}; ask for less"
        )
    least, most = requests.memory_bytes, limits.memory_bytes
    if least is not None and most is not None and least > most:
        raise ConfigurationError(
            f"memory_request is {requests.memory!r}, more than memory, which is {limits.memory!r}; ask for less"
        )


def _check_name(option: str, value: object, pattern: re.Pattern[str], beginning: str) -> None:
    fits = value is None or (isinstance(value, str) and pattern.fullmatch(value) is not None)
    wanted = f"at most {_LONGEST_NAME} small letters, digits and -, must {beginning}, and not end in -"
    if not fits:
        raise ConfigurationError(f"{option} is {value!r}, which is no DNS label; it has {wanted}")


def _check_secret(variable: object, source: object) -> None:
    """Refuse what names no key of a Secret. It may be the secret itself, put here by mistake, and is not said."""
    if not isinstance(variable, str) or not _ENV_NAME.fullmatch(variable):
        raise ConfigurationError(f"secret_vars has {variable!r}; names are letters, digits and _, the first no digit")
    if not isinstance(source, str) or not _SECRET_KEY.fullmatch(source):
        raise ConfigurationError(
            f"{variable} in secret_vars must be 'SECRET/KEY', the name of a Secret and a key in it"
        )


def _check_url(url: str, *, has_node_port: bool) -> None:
    try:
        fields = {name for _, name, _, _ in Formatter().parse(url) if name is not None}
        is_url = fields <= _URL_FIELDS and _URL.fullmatch(url.format(**dict.fromkeys(_URL_FIELDS, 1))) is not None
    except (ValueError, IndexError, KeyError, AttributeError):
        fields, is_url = set(), False
    if not is_url:
        raise ConfigurationError(
            f"url is {url!r}; it must be an http:// address, in which {{name}}, {{namespace}}, {{port}} and "
            "{node_port} are filled in"
        )
    if "node_port" in fields and not has_node_port:
        raise ConfigurationError(
            f"url is {url!r}, but a ClusterIP Service has no node port; set service_type='NodePort'"
        )


def _check(fits: bool, option: str, value: object, wanted: str) -> None:
    if not fits:
        raise ConfigurationError(f"{option} is {value!r}; it must be {wanted}")


def _is_int(value: object, least: int, most: int | None = None) -> bool:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return is_int and value >= least and (most is None or value <= most)  # type: ignore[operator]  # told above
