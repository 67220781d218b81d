"""How pods stand, and where a Service is: read from what the API server says of them.

Pure. Decides what will not mend by itself, and so ends a start at once, and what may, and so is waited for: a cluster
that is full can grow, an image that cannot be pulled will not appear.
"""

import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from openenv.runtimes.container_options import memory_text

__all__ = ["Standing", "balancer_host", "describe_end", "node_host", "node_port", "standing"]

_STUCK = {
    "CrashLoopBackOff": "it dies again and again",
    "CreateContainerConfigError": "its container cannot be configured",
    "CreateContainerError": "its container cannot be made",
    "ErrImageNeverPull": "its image is not on the node, and pull is 'never'",
    "ImageInspectError": "its image cannot be read",
    "ImagePullBackOff": "its image cannot be pulled",
    "InvalidImageName": "its image has no name that the cluster can read",
    "RunContainerError": "its container cannot be run",
}


@dataclass(frozen=True)
class Standing:
    """How the pods of one Deployment stand.

    Attributes:
        ready: How many answer.
        failure: Why one of them will not come up by itself; None when none is known to.
        waiting: What one of them waits for; None when none does.
    """

    ready: int
    failure: str | None
    waiting: str | None


def standing(
    deployment: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], *, memory_limit: int | None = None
) -> Standing:
    """Say how the pods of a Deployment stand.

    Args:
        deployment: What the API server says of it.
        pods: And of its pods.
        memory_limit: Bytes that each may use.
    """
    current = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    # A pod that failed as a whole, as one that was evicted, stays listed beside the one that replaces it.
    alive = [pod for pod in current if _status(pod).get("phase") not in ("Failed", "Succeeded")] or current
    ready = [pod for pod in alive if _condition(pod, "Ready").get("status") == "True"]
    others = [pod for pod in alive if pod not in ready]
    failures = [why for pod in others if (why := _failure(pod, memory_limit))]
    refused = _condition(deployment, "ReplicaFailure")
    if not alive and refused.get("status") == "True":
        failures.append(f"the cluster makes no pod: {_said(refused)}")
    waits = [why for pod in others if (why := _wait(pod))]
    if not alive:
        waits.append("no pod has been made yet")
    return Standing(len(ready), next(iter(failures), None), next(iter(waits), None))


def describe_end(ended: Mapping[str, Any], memory_limit: int | None) -> str:
    """Say how a container ended, from a `terminated` state."""
    if ended.get("reason") == "OOMKilled":
        limit = f"limit {memory_text(memory_limit)}" if memory_limit is not None else "it had no limit of its own"
        return f"it was killed: out of memory, {limit}"
    code = int(ended.get("exitCode", 0))
    name = ""
    with suppress(ValueError):
        name = f" ({signal.Signals(code - 128).name})"
    return f"it exited with code {code}{name}"


def node_port(service: Mapping[str, Any]) -> int | None:
    """Read at which port of every node a Service is; None when it has none."""
    port = service["spec"]["ports"][0].get("nodePort")
    return int(port) if port else None


def node_host(nodes: Iterable[Mapping[str, Any]]) -> str | None:
    """Choose a node that is ready, and its address: one that counts outside the cluster before one that may not."""
    usable = [node for node in nodes if _condition(node, "Ready").get("status") == "True"]
    found = [address for node in usable for address in _status(node).get("addresses") or []]
    for kind in ("ExternalIP", "InternalIP"):
        for address in found:
            if address["type"] == kind:
                return _host(address["address"])
    return None


def balancer_host(service: Mapping[str, Any]) -> str | None:
    """Read where a load balancer was given to a Service; None while there is none."""
    for ingress in (_status(service).get("loadBalancer") or {}).get("ingress") or []:
        if host := ingress.get("ip") or ingress.get("hostname"):
            return _host(host)
    return None


def _failure(pod: Mapping[str, Any], memory_limit: int | None) -> str | None:
    status = _status(pod)
    if status.get("phase") == "Failed":
        return f"its pod failed: {_said(status)}" if status.get("reason") else "its pod failed"
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
        if ended:
            return describe_end(ended, memory_limit)
        if waiting.get("reason") in _STUCK:
            return f"{_STUCK[waiting['reason']]}: {_said(waiting)}"
    return None


def _wait(pod: Mapping[str, Any]) -> str | None:
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"no node takes the pod: {_said(scheduled)}"
    for container in _status(pod).get("containerStatuses") or []:
        if waiting := (container.get("state") or {}).get("waiting"):
            return f"its container waits: {_said(waiting)}"
    return "its container is not ready"


def _said(entry: Mapping[str, Any]) -> str:
    return ": ".join(str(entry[key]) for key in ("reason", "message") if entry.get(key))


def _status(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return told.get("status") or {}


def _condition(told: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = [one for one in _status(told).get("conditions") or [] if one["type"] == kind]
    return found[0] if found else {}


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
