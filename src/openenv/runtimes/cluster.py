"""A Kubernetes cluster, through the official client: which one, and what it is asked. The only file that imports it.

Objects go in and come out as plain values. Every failure of the client becomes one of ours here. Reading and deleting
are tried again for a few seconds while the API server does not answer, or says that it is too busy; making is not.

This file is also the program that takes away what a killed process has left: see `removal_command`.
"""

import argparse
import hashlib
import json
import os
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from openenv.errors import ConfigurationError, EngineFailed, NotInstalled, StartFailed
from openenv.runtimes.manifests import MACHINE_LABEL, MANAGED_BY, OWNER_LABEL, RUN_LABEL
from openenv.runtimes.owner import Owner

__all__ = ["Cluster", "is_inside", "machine", "main", "prune", "removal_command"]

_REQUEST_S = 30.0
_RETRIES = 4
_CONNECT_RETRIES = 2
_BACKOFF_S = 0.2
_BUSY = (429, 500, 502, 503, 504)
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Cluster:
    """A connection to the API server, in one namespace."""

    def __init__(self, api: Any, namespace: str) -> None:  # Any: the client has no types
        from kubernetes import client

        self.namespace = namespace
        self._api = api
        self._groups: dict[str, Any] = {"deployment": client.AppsV1Api(api), "service": client.CoreV1Api(api)}
        self._core = self._groups["service"]

    @classmethod
    def connect(
        cls, *, kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None
    ) -> Self:
        """Find the cluster; nothing is asked of it yet.

        Args:
            kubeconfig: File that says where it is. By default the pod's own cluster, inside of one, else what `kubectl`
                would read.
            context: Of those in the file; its current one by default.
            namespace: The context's, or the pod's own, by default.

        Raises:
            NotInstalled: The client is not installed, or nothing says where a cluster is.
            ConfigurationError: What says it cannot be read.
        """
        try:
            from kubernetes import client, config
        except ImportError as error:
            raise NotInstalled(
                "the package 'kubernetes' is not installed, and this runtime runs on it; it comes with the extra k8s",
                hint='pip install "openenv-runtime[k8s]"',
            ) from error
        settings = client.Configuration()
        settings.client_side_validation = False  # what a newer server says must not be refused for being new
        try:
            if is_inside() and kubeconfig is None and context is None:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
                found = _NAMESPACE_FILE.read_text().strip() if _NAMESPACE_FILE.exists() else None
            else:
                load, contexts = config.load_kube_config, config.list_kube_config_contexts
                load(kubeconfig, context, client_configuration=settings)  # type: ignore[no-untyped-call]
                found = _namespace_of(contexts(kubeconfig), context)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            if kubeconfig is None and context is None:
                hint = "set KUBECONFIG, or give kubeconfig="
                raise NotInstalled(f"there is no Kubernetes cluster to use: {error}", hint=hint) from error
            said = f"kubeconfig is {kubeconfig!r} and context {context!r}"
            raise ConfigurationError(f"{said}, which name no cluster: {error}") from error
        settings.retries = _retries()
        return cls(client.ApiClient(settings), namespace or found or "default")

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Make an object.

        Raises:
            StartFailed: There is one of that name, or the cluster does not want it.
            NotInstalled: The API server cannot be reached.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        make = getattr(self._groups[kind.lower()], f"create_namespaced_{kind.lower()}")
        try:
            self._ask(f"make the {kind} {name}", make, self.namespace, dict(manifest))
        except EngineFailed as error:
            if _status_of(error) == 409:
                there = f"there is a {kind} {name} in {self.namespace} already"
                raise StartFailed(f"{there}; take another name, or remove that one") from error
            raise StartFailed(str(error)) from error

    def find(self, kind: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """List the objects of a kind (deployment, service or pod) that have these labels.

        Raises:
            EngineFailed: The cluster does not allow it, or answers nonsense.
            NotInstalled: The API server cannot be reached.
        """
        read = getattr(self._groups.get(kind, self._core), f"list_namespaced_{kind}")
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return self._list(f"list {kind}s", read, self.namespace, label_selector=selector)

    def nodes(self) -> list[dict[str, Any]]:
        """List the nodes. Raises as `find`."""
        return self._list("list nodes", self._core.list_node)

    def logs(self, pod: str, *, lines: int, is_previous: bool = False) -> str:
        """Give the last lines of a pod; empty when it has none, or is gone. Raises as `find`."""
        try:
            text = self._ask(
                f"read the log of {pod}",
                self._core.read_namespaced_pod_log,
                pod,
                self.namespace,
                tail_lines=lines,
                previous=is_previous,
            )
        except EngineFailed as error:
            if _status_of(error) in (400, 404):  # 400: its container has not begun
                return ""
            raise
        return text.decode(errors="replace")

    def remove(self, run: str) -> list[str]:
        """Take away what was made under a run, and name it; what is gone already is fine. Raises as `find`."""
        removed = []
        for kind in ("service", "deployment"):
            delete = getattr(self._groups[kind], f"delete_namespaced_{kind}")
            for found in self.find(kind, {RUN_LABEL: run}):
                name = found["metadata"]["name"]
                try:
                    self._ask(f"delete the {kind} {name}", delete, name, self.namespace)
                except EngineFailed as error:
                    if _status_of(error) != 404:
                        raise
                removed.append(f"{kind}/{name}")
        return removed

    def close(self) -> None:
        """Let go of the connection."""
        pools = self._api.rest_client.pool_manager.pools
        for key in pools.keys():  # noqa: SIM118  # it is no dict, and refuses to be iterated over
            if (pool := pools.get(key)) is not None:
                pool.close()

    def _list(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> list[dict[str, Any]]:
        try:
            listed: list[dict[str, Any]] = json.loads(self._ask(what, call, *args, **options))["items"] or []
        except (ValueError, TypeError, KeyError) as error:
            where = self._api.configuration.host
            raise EngineFailed(f"the server at {where} does not answer as Kubernetes does, asked to {what}") from error
        return listed

    def _ask(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> bytes:
        """Ask, and translate what goes wrong. The table of failures."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        where = self._api.configuration.host
        try:
            # Not read by the client: what an API server answers is not always what its own description says.
            data: bytes = call(*args, _request_timeout=_REQUEST_S, _preload_content=False, **options).data
        except ApiException as error:
            said = f"the cluster at {where} did not {what}: {error.status} {error.reason}: {_message(error.body)}"
            raise EngineFailed(said) from error
        except HTTPError as error:
            why = getattr(error, "reason", None) or error
            raise NotInstalled(
                f"the Kubernetes API server at {where} cannot be reached: {why}",
                hint="`kubectl cluster-info` says whether it runs",
            ) from error
        return data


def is_inside() -> bool:
    """Say whether this process runs in a pod of a cluster."""
    return "KUBERNETES_SERVICE_HOST" in os.environ


def removal_command(cluster: Mapping[str, str | None], run: str) -> list[str]:
    """Build the command that takes away what was made under a run. Fails while there is nothing.

    Args:
        cluster: What `Cluster.connect` was given.
        run: Of which start.
    """
    options = [part for name, value in cluster.items() if value is not None for part in (f"--{name}", value)]
    return [sys.executable, "-P", "-m", "openenv.runtimes.cluster", *options, run]


def machine() -> str:
    """Tell this machine from others of its name, which a cluster may hear from as well. Says nothing else about it."""
    return hashlib.sha256(f"{uuid.getnode()}".encode()).hexdigest()[:16]


def prune(*, kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> list[str]:
    """Take away what processes of this machine made that have ended since, and name it.

    What belongs to a process of another machine is left: whether that runs cannot be told from here.

    Raises:
        NotInstalled: The client is not installed, or the API server cannot be reached.
        EngineFailed: The cluster does not allow it.
    """
    cluster = Cluster.connect(kubeconfig=kubeconfig, context=context, namespace=namespace)
    try:
        runs: dict[str, None] = {}  # a dict, to keep their order
        for found in [*cluster.find("deployment", MANAGED_BY), *cluster.find("service", MANAGED_BY)]:
            said = found["metadata"].get("annotations") or {}
            owner = Owner.parse(said.get(OWNER_LABEL, ""))
            if owner is not None and said.get(MACHINE_LABEL) == machine() and owner.is_alive() is False:
                runs[found["metadata"]["labels"][RUN_LABEL]] = None
        return [name for run in runs for name in cluster.remove(run)]
    finally:
        cluster.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Take away what was made under a run; 1 when there was nothing."""
    parser = argparse.ArgumentParser(prog="openenv.runtimes.cluster", description="Takes away what one start has made.")
    for option in ("--kubeconfig", "--context", "--namespace"):
        parser.add_argument(option)
    parser.add_argument("run")
    given = vars(parser.parse_args(arguments))
    run = given.pop("run")
    return 0 if Cluster.connect(**given).remove(run) else 1


def _retries() -> Any:
    from urllib3 import Retry

    # Methods that may be repeated without harm alone, as is the default. The last answer is given to us, not raised.
    return Retry(
        total=_RETRIES,
        connect=_CONNECT_RETRIES,
        backoff_factor=_BACKOFF_S,
        status_forcelist=_BUSY,
        raise_on_status=False,
    )


def _namespace_of(contexts: tuple[list[Any], Any], wanted: str | None) -> str | None:
    every, current = contexts
    chosen = current if wanted is None else next(one for one in every if one["name"] == wanted)
    found: str | None = chosen["context"].get("namespace")
    return found


def _status_of(error: EngineFailed) -> int | None:
    status: int | None = getattr(error.__cause__, "status", None)
    return status


def _message(body: str | bytes | None) -> str:
    """Take the sentence out of the API server's `Status`; of any other body, its beginning."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:200] or "it says nothing"


if __name__ == "__main__":
    sys.exit(main())
