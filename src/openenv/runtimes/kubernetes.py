"""An image, served by the pods of a Kubernetes Deployment behind a Service.

Decides the order of things around them: what was made is guarded before it is made, waited for while it may still come
up, and found again by its label. What is asked for is decided by `manifests`, what the answers mean by `standing`.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from openenv.errors import ConfigurationError, EngineFailed, NotReady, StartFailed
from openenv.runtimes import watchdog
from openenv.runtimes.cluster import Cluster, is_inside, machine, removal_command
from openenv.runtimes.contract import Runtime
from openenv.runtimes.manifests import (
    RUN_LABEL,
    Identity,
    KubernetesOptions,
    deployment_manifest,
    object_name,
    service_manifest,
)
from openenv.runtimes.owner import Owner
from openenv.runtimes.standing import Standing, balancer_host, node_host, node_port, standing

__all__ = ["KubernetesRuntime"]

_LOOK_S = 0.5
_FIRST_LOOK_S = 0.05
_GONE_LOOK_S = 0.2
_GONE_EXTRA_S = 10.0
_KEPT_LINES = 1000
_ORPHAN_RETRY_S = 15.0
"""A request that was on its way when its caller was killed makes its object within this time."""


class KubernetesRuntime(Runtime):
    """Runs an image in pods of a cluster, behind a Service. Needs the extra `k8s`.

    Args:
        image: As the cluster's nodes name it.
        name: Of the Deployment and the Service; made up from the image's by default.
        namespace: The one of the context, or of the pod that this runs in, by default.
        replicas: Pods. A session lives in one of them: over a WebSocket it stays by its connection, over HTTP the
            Service sends all of one address to the same pod.
        port: Where the server listens inside, and the Service's.
        env_vars: Environment variables. Whoever may read Deployments reads their values.
        secret_vars: Environment variables from Secrets that the cluster has, as {"OPENENV_TOKEN": "SECRET/KEY"}.
        cpus: How many processors' worth of time each pod may use; None for no limit.
        memory: How much memory each pod may use, as "512m", "2g" or bytes; None for no limit.
        cpu_request: What a node must have free to be given a pod; None for as much as the limit.
        memory_request: The same for memory.
        pull: When the nodes ask a registry for the image: "missing", "always" or "never".
        pull_secrets: Names of Secrets with a registry's password.
        node_selector: Labels of the nodes that may be used.
        run_as_user: Number of a user, for an image that names its user by name or runs as root; nothing runs as root.
        read_only_root: Whether the image's own files cannot be written to.
        writable: Folders that can be, empty at first.
        service_type: "ClusterIP" (an address inside of the cluster), "NodePort" or "LoadBalancer".
        url: Where the server is as seen from here, if not at the Service's own address, with {name}, {namespace},
            {port} and {node_port} filled in.
        kubeconfig: File that says where the cluster is; what `kubectl` reads, or the pod's own, by default.
        context: Of that file.
        start_timeout_s: Seconds until every pod is ready. Reaching the address may take as long again.
        stop_timeout_s: Whole seconds that a pod has to end by itself, before it is killed.

    Raises:
        ConfigurationError: An option has a value that does not fit.
    """

    _DIED_LOOK_S = 1.0

    def __init__(
        self,
        image: str,
        *,
        name: str | None = None,
        namespace: str | None = None,
        replicas: int = 1,
        port: int = 8000,
        env_vars: Mapping[str, str] | None = None,
        secret_vars: Mapping[str, str] | None = None,
        cpus: float | None = 2.0,
        memory: str | int | None = "2g",
        cpu_request: float | None = 0.1,
        memory_request: str | int | None = "256m",
        pull: str = "missing",
        pull_secrets: Sequence[str] = (),
        node_selector: Mapping[str, str] | None = None,
        run_as_user: int | None = None,
        read_only_root: bool = True,
        writable: Sequence[str] = ("/tmp",),
        service_type: str = "ClusterIP",
        url: str | None = None,
        kubeconfig: str | None = None,
        context: str | None = None,
        start_timeout_s: float = 120.0,
        stop_timeout_s: int = 10,
    ) -> None:
        super().__init__(start_timeout_s=start_timeout_s)
        self._options = KubernetesOptions(
            image=image,
            name=name,
            namespace=namespace,
            replicas=replicas,
            port=port,
            env_vars=dict(env_vars or {}),
            secret_vars=dict(secret_vars or {}),
            cpus=cpus,
            memory=memory,
            cpu_request=cpu_request,
            memory_request=memory_request,
            pull=pull,
            pull_secrets=tuple(pull_secrets),
            node_selector=dict(node_selector or {}),
            run_as_user=run_as_user,
            read_only_root=read_only_root,
            writable=tuple(writable),
            service_type=service_type,
            url=url,
            start_timeout_s=start_timeout_s,
            stop_timeout_s=stop_timeout_s,
        )
        self._where = {"kubeconfig": kubeconfig, "context": context, "namespace": namespace}
        self._cluster: Cluster | None = None
        self._identity: Identity | None = None
        self._kept = ""

    @property
    def name(self) -> str:
        """What the Deployment and the Service are called; empty while there is none and it is to be made up."""
        return self._identity.name if self._identity else self._options.name or ""

    def logs(self, lines: int = 100) -> str:
        """Give the last lines that the pods have printed, also after they were stopped; of each pod, when many."""
        if self._cluster is None:
            return "\n".join(self._kept.splitlines()[-lines:])
        pods = sorted(pod["metadata"]["name"] for pod in self._pods(self._cluster))
        printed = {pod: self._cluster.logs(pod, lines=lines).splitlines() for pod in pods}
        for pod in pods:
            # A container that was started again has said nothing yet; the one before it has.
            printed[pod] = printed[pod] or self._cluster.logs(pod, lines=lines, is_previous=True).splitlines()
        if len(printed) == 1:
            return "\n".join(printed[pods[0]][-lines:])
        return "\n".join(f"{pod}: {line}" for pod in pods for line in printed[pod][-lines:])

    def died(self) -> str | None:
        """Say why no pod answers any more; None while one does, or may yet."""
        if self._cluster is None:
            return "it was stopped"
        now = self._standing(self._cluster)
        if now is None:
            return f"the Deployment {self.name} was removed"
        return now.failure if now.ready == 0 else None

    def _launch(self) -> str:
        options = self._options
        if options.service_type == "ClusterIP" and options.url is None and not is_inside():
            raise ConfigurationError(
                "service_type is 'ClusterIP', whose address counts inside of the cluster alone, and this process is "
                "outside; take 'NodePort' or 'LoadBalancer', or say by url= where the Service can be reached"
            )
        self._kept = ""
        self._cluster = Cluster.connect(**self._where)
        try:
            self._make(self._cluster)
            deadline = time.monotonic() + self._start_timeout_s
            self._wait_for_pods(self._cluster, deadline)
            return self._address(self._cluster, deadline)
        except EngineFailed as error:
            raise StartFailed(str(error)) from error

    def _make(self, cluster: Cluster) -> None:
        options, run = self._options, secrets.token_hex(16)
        # Asked before anything is made: where this fails, there is nothing to be taken away.
        cluster.find("deployment", {RUN_LABEL: run})
        name = options.name or object_name(options.image, run)
        self._identity = Identity(name, cluster.namespace, run, Owner.me(), machine())
        command = removal_command({**self._where, "namespace": cluster.namespace}, run)
        watchdog.guard(run, command, retry_s=_ORPHAN_RETRY_S)
        cluster.create(deployment_manifest(options, self._identity))
        cluster.create(service_manifest(options, self._identity))

    def _wait_for_pods(self, cluster: Cluster, deadline: float) -> None:
        pause = _FIRST_LOOK_S
        while True:
            now = self._standing(cluster)
            if now is None:
                raise StartFailed(f"the Deployment {self.name} was removed while it started")
            if now.ready >= self._options.replicas:
                return
            if now.failure is not None:
                raise StartFailed(f"{self} did not start: {now.failure}")
            self._pause(pause, deadline, now.waiting or "its pods are not ready")
            pause = min(pause * 1.5, _LOOK_S)

    def _address(self, cluster: Cluster, deadline: float) -> str:
        """Say where the Service is, seen from here; a load balancer is waited for."""
        options, pause = self._options, _FIRST_LOOK_S
        if options.service_type == "ClusterIP" and options.url is None:
            return f"http://{self.name}.{cluster.namespace}.svc:{options.port}"
        service = self._service(cluster)
        if options.url is not None:
            port = node_port(service)
            return options.url.format(name=self.name, namespace=cluster.namespace, port=options.port, node_port=port)
        if options.service_type == "NodePort":
            return f"http://{_some_node(cluster)}:{node_port(service)}"
        while (host := balancer_host(service)) is None:
            self._pause(pause, deadline, "the cluster has given its Service no load balancer yet")
            pause = min(pause * 1.5, _LOOK_S)
            service = self._service(cluster)
        return f"http://{host}:{options.port}"

    def _pause(self, seconds: float, deadline: float, waiting: str) -> None:
        if time.monotonic() >= deadline:
            raise NotReady(
                f"{self} was not ready within {self._start_timeout_s:g} s: {waiting}; allow more by start_timeout_s"
            )
        if self._stopping.wait(seconds):
            raise StartFailed(f"{self} did not start: it was stopped")

    def _standing(self, cluster: Cluster) -> Standing | None:
        found = cluster.find("deployment", self._label)
        if not found:
            return None
        return standing(found[0], self._pods(cluster), memory_limit=self._options.limits.memory_bytes)

    def _service(self, cluster: Cluster) -> dict[str, Any]:
        found = cluster.find("service", self._label)
        if not found:
            raise StartFailed(f"the Service {self.name} was removed while it started")
        return found[0]

    def _pods(self, cluster: Cluster) -> list[dict[str, Any]]:
        return cluster.find("pod", self._label)

    @property
    def _label(self) -> dict[str, str]:
        return {RUN_LABEL: self._identity.run if self._identity else ""}

    def _remove(self) -> None:
        if self._cluster is None:
            return
        if self._identity is not None:
            self._kept = self._last_words(_KEPT_LINES)
            self._cluster.remove(self._identity.run)
            self._wait_until_gone(self._cluster)
            watchdog.release(self._identity.run)
            self._identity = None
        self._cluster.close()
        self._cluster = None

    def _wait_until_gone(self, cluster: Cluster) -> None:
        """Give the pods their time. One on a node that is lost would stay listed for ever, and is left."""
        deadline = time.monotonic() + self._options.stop_timeout_s + _GONE_EXTRA_S
        while self._pods(cluster) and time.monotonic() < deadline:
            time.sleep(_GONE_LOOK_S)

    def __str__(self) -> str:
        return f"the Deployment {self.name} of {self._options.image}"


def _some_node(cluster: Cluster) -> str:
    try:
        host = node_host(cluster.nodes())
    except EngineFailed as error:
        raise StartFailed(f"{error}; say by url='http://HOST:{{node_port}}' where a node is") from error
    if host is None:
        raise StartFailed("no node of the cluster is ready and has an address; say by url= where one is")
    return host
