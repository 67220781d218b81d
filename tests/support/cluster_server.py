"""A Kubernetes API server on this machine: the part that a runtime asks, for the official client to talk to.

It keeps what it is given, after checking it against the schemas that Kubernetes publishes and the caller's token, and
plays how pods go on: each look at them shows the next of the statuses it was told, and the last one stays. It can be
told to fail. A pod may be a real server, which then is where the Service's node port leads. Not here: everything that
makes a cluster a cluster. No image is pulled, no limit enforced, nothing scheduled.

    with cluster_server(tmp_path) as cluster:
        KubernetesRuntime("my_env-env:latest", kubeconfig=cluster.kubeconfig, service_type="NodePort").start()
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from openenv.runtimes import ProcessRuntime

__all__ = [
    "ClusterServer", "Pod", "cluster_server", "ended", "evicted", "pending", "ready", "restarted", "starting",
    "waiting",
]  # fmt: skip

_TOKEN = "a-token-of-the-tests"
_PATH = re.compile(
    r"/(api/v1|apis/apps/v1)/(namespaces/(?P<namespace>[^/]+)/)?(?P<kinds>deployments|services|pods|nodes)"
    r"(/(?P<name>[^/]+)(?P<log>/log)?)?"
)
_KINDS = {"deployments": "Deployment", "services": "Service", "pods": "Pod", "nodes": "Node"}


def ready() -> dict[str, Any]:
    return _running(is_ready=True)


def starting() -> dict[str, Any]:
    return _running(is_ready=False)


def waiting(reason: str, message: str, *, last: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A pod whose container waits; `last` is how it ended before."""
    return _pod_status("Pending", is_ready=False, state={"waiting": {"reason": reason, "message": message}}, last=last)


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return _pod_status("Running", is_ready=False, state={"terminated": {"exitCode": code, "reason": reason}})


def restarted(code: int, reason: str = "Error", *, is_ready: bool = False) -> dict[str, Any]:
    """A pod whose container runs again after it has ended."""
    last = {"exitCode": code, "reason": reason}
    return _pod_status("Running", is_ready=is_ready, state={"running": {}}, last=last)


def pending(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def evicted(message: str) -> dict[str, Any]:
    return {"phase": "Failed", "reason": "Evicted", "message": message}


def _running(*, is_ready: bool) -> dict[str, Any]:
    return _pod_status("Running", is_ready=is_ready, state={"running": {"startedAt": "2026-01-01T00:00:00Z"}})


def _pod_status(
    phase: str, *, is_ready: bool, state: Mapping[str, Any], last: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": "True" if is_ready else "False"},
    ]
    container = {
        "name": "environment",
        "image": "i",
        "imageID": "",
        "ready": is_ready,
        "restartCount": 1 if last else 0,
    }
    last_state = {"terminated": last} if last else {}
    containers = [{**container, "state": state, "lastState": last_state}]
    return {"phase": phase, "conditions": conditions, "containerStatuses": containers}


@dataclass
class Pod:
    """A pod as the server has it.

    Attributes:
        statuses: What the next looks show; the last one stays.
        log: What its container has printed; None while it has not begun.
        previous: What the container before it has printed.
        server: What really serves, if anything does.
    """

    manifest: dict[str, Any]
    statuses: list[dict[str, Any]]
    log: str | None = ""
    previous: str | None = None
    server: ProcessRuntime | None = None

    def shown(self) -> dict[str, Any]:
        if self.server is not None and self.server.died():
            return {**self.manifest, "status": ended(1)}
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {**self.manifest, "status": status}


@dataclass
class _Fault:
    request: re.Pattern[str]
    times: int
    status: int | None
    body: bytes
    is_done_first: bool = False


class _Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class ClusterServer:
    """The server's memory, and what it is told to do.

    Attributes:
        url: Where it is.
        kubeconfig: File that says so.
        requests: Every request so far, as `METHOD /path`.
        objects: What it was given, by kind, namespace and name.
        pods: By name.
        plays: For pods of an image, the statuses that looks at them show.
        logs: For pods of an image, what they print and what their containers before printed.
        served: A folder whose environment pods really serve.
        is_refusing_pods: Whether a quota keeps every pod from being made.
        balancer_after: Looks at a Service until it has a load balancer; None for never.
        lingering: Looks at the pods for which they stay after their Deployment was deleted.
    """

    url: str = ""
    kubeconfig: str = ""
    requests: list[str] = field(default_factory=list)
    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    plays: dict[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    logs: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    served: Path | None = None
    is_refusing_pods: bool = False
    balancer_after: int | None = None
    lingering: int = 1
    _faults: list[_Fault] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _leaving: dict[str, int] = field(default_factory=dict)

    def fail(
        self, request: str, status: int, *, times: int = 1, message: str = "told to fail", is_done: bool = False
    ) -> None:
        """Answer the next requests that match with a failure; do what they ask all the same if `is_done`."""
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}).encode()
        self._faults.append(_Fault(re.compile(request), times, status, body, is_done_first=is_done))

    def answer_with(self, request: str, body: bytes, *, times: int = 1) -> None:
        """Answer the next requests that match with this, as if all were well."""
        self._faults.append(_Fault(re.compile(request), times, 200, body))

    def lose_answer(self, request: str, *, times: int = 1) -> None:
        """Do what is asked, and break the connection in place of an answer."""
        self._faults.append(_Fault(re.compile(request), times, None, b"", is_done_first=True))

    def take_fault(self, request: str) -> _Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.times > 0 and fault.request.search(request):
                    fault.times -= 1
                    return fault
        return None

    def names(self) -> list[str]:
        """Name all there is."""
        return sorted([f"{kind} {name}" for kind, _, name in self.objects] + [f"Pod {name}" for name in self.pods])

    def only(self, kind: str) -> dict[str, Any]:
        (found,) = [told for (each, _, _), told in self.objects.items() if each == kind]
        return found

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], token: str, body: bytes) -> Any:
        """Carry out a request; a `str` is text.

        Raises:
            _Refusal: It is refused.
        """
        if token != f"Bearer {_TOKEN}":
            raise _Refusal(401, "Unauthorized")
        asked = _PATH.fullmatch(path)
        if asked is None:
            raise _Refusal(404, "the server could not find the requested resource")
        kind, namespace, name = _KINDS[asked["kinds"]], asked["namespace"] or "", asked["name"]
        with self._lock:
            match method, name:
                case "POST", None:
                    return self._make(kind, namespace, json.loads(body))
                case "GET", None:
                    return self._list(kind, namespace, query.get("labelSelector", [""])[0])
                case "GET", str() if asked["log"]:
                    return self._log(name, query)
                case "DELETE", str():
                    return self._delete(kind, namespace, name)
        raise _Refusal(405, f"this server does no {method} {path}")

    def _make(self, kind: str, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
        name = manifest["metadata"]["name"]
        try:
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            raise _Refusal(422, f'{kind} "{name}" is invalid: {error.message}') from error
        if manifest["metadata"]["namespace"] != namespace:
            raise _Refusal(400, "the namespace of the object does not match the namespace of the request")
        if (kind, namespace, name) in self.objects:
            raise _Refusal(409, f'{kind.lower()}s "{name}" already exists')
        self.objects[kind, namespace, name] = manifest
        if kind == "Deployment":
            self._make_pods(manifest)
        elif manifest["spec"]["type"] != "ClusterIP":
            servers = [pod.server for pod in self.pods.values() if pod.server]
            manifest["spec"]["ports"][0]["nodePort"] = int(servers[0].url.rpartition(":")[2]) if servers else 31234
        return manifest

    def _make_pods(self, deployment: dict[str, Any]) -> None:
        if self.is_refusing_pods:
            message = 'pods "x" is forbidden: exceeded quota: compute'
            condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
            deployment["status"] = {"conditions": [condition]}
            return
        template = deployment["spec"]["template"]
        container = template["spec"]["containers"][0]
        statuses = list(self.plays.get(container["image"], [ready()]))
        for variable in container["env"]:
            secret = variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
            if secret and secret not in self.secrets:
                statuses = [waiting("CreateContainerConfigError", f'secret "{secret}" not found')]
        for number in range(deployment["spec"]["replicas"]):
            name = f"{deployment['metadata']['name']}-{number}"
            manifest = {"metadata": {"name": name, "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
            log, previous = self.logs.get(container["image"], ("", None))
            self.pods[name] = pod = Pod(manifest, list(statuses), log, previous)
            if self.served is not None and container["image"] not in self.plays:
                plain = {each["name"]: each["value"] for each in container["env"] if "value" in each}
                pod.server = ProcessRuntime(self.served, env_vars=plain)
                pod.server.start()

    def _list(self, kind: str, namespace: str, selector: str) -> dict[str, Any]:
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        if kind == "Node":
            found = self.nodes
        elif kind == "Pod":
            self._let_go()
            found = [pod.shown() for pod in self.pods.values()]
        else:
            found = [told for (each, where, _), told in self.objects.items() if (each, where) == (kind, namespace)]
        if kind == "Service":
            self._balance(found)
        items = [told for told in found if wanted.items() <= told["metadata"].get("labels", {}).items()]
        return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": items}

    def _balance(self, services: list[dict[str, Any]]) -> None:
        if self.balancer_after is not None:
            self.balancer_after -= 1
            for service in services if self.balancer_after < 0 else []:
                service["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}

    def _log(self, name: str, query: Mapping[str, list[str]]) -> str:
        pod = self.pods.get(name)
        if pod is None:
            raise _Refusal(404, f'pods "{name}" not found')
        text = pod.previous if query.get("previous") == ["true"] else pod.log
        if pod.server is not None:
            text = pod.server.logs()
        if text is None:
            raise _Refusal(400, f'container "environment" in pod "{name}" is waiting to start')
        return "\n".join(text.splitlines()[-int(query["tailLines"][0]) :])

    def remove(self, kind: str, name: str) -> None:
        """Take an object away, as somebody else would."""
        with self._lock:
            self._delete(kind, "games", name)

    def _delete(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        if self.objects.pop((kind, namespace, name), None) is None:
            raise _Refusal(404, f'{kind.lower()}s "{name}" not found')
        if kind == "Deployment":
            self._leaving |= {pod: self.lingering for pod in self.pods if pod.startswith(f"{name}-")}
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _let_go(self) -> None:
        for name, looks in list(self._leaving.items()):
            self._leaving[name] = looks - 1
            if looks <= 0:
                del self._leaving[name]
                if (server := self.pods.pop(name).server) is not None:
                    server.stop()

    def stop(self) -> None:
        for pod in self.pods.values():
            if pod.server is not None:
                pod.server.stop()


def _handler(cluster: ClusterServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.carry_out()

        def do_POST(self) -> None:
            self.carry_out()

        def do_DELETE(self) -> None:
            self.carry_out()

        def carry_out(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = cluster.take_fault(f"{self.command} {parts.path}")
            if fault is not None and fault.status is not None and not fault.is_done_first:
                self.reply(fault.status, fault.body)
                return
            try:
                token = self.headers.get("Authorization", "")
                told = cluster.answer(self.command, parts.path, parse_qs(parts.query), token, body)
            except _Refusal as refusal:
                status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(refusal)}
                self.reply(refusal.status, json.dumps(status).encode())
                return
            if fault is not None and fault.status is not None:
                self.reply(fault.status, fault.body)
            elif fault is not None:
                self.close_connection = True
            elif isinstance(told, str):
                self.reply(200, told.encode(), "text/plain")
            else:
                self.reply(201 if self.command == "POST" else 200, json.dumps(told).encode())

        def reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            del args

    return Handler


@contextmanager
def cluster_server(folder: Path, *, namespace: str | None = "games") -> Iterator[ClusterServer]:
    """Run one; its kubeconfig is in `folder`."""
    cluster = ClusterServer(kubeconfig=str(folder / "kubeconfig.yaml"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(cluster))
    server.daemon_threads = True
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    _write_kubeconfig(cluster, namespace)
    address = {"type": "InternalIP", "address": "127.0.0.1"}
    is_ready = [{"type": "Ready", "status": "True"}]
    cluster.nodes = [{"metadata": {"name": "n"}, "status": {"addresses": [address], "conditions": is_ready}}]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="cluster-server")
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
        cluster.stop()


def _write_kubeconfig(cluster: ClusterServer, namespace: str | None) -> None:
    context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "clusters": [{"name": "c", "cluster": {"server": cluster.url}}],
        "users": [{"name": "u", "user": {"token": _TOKEN}}, {"name": "stranger", "user": {"token": "another"}}],
        "contexts": [
            {"name": "tests", "context": context},
            {"name": "stranger", "context": {"cluster": "c", "user": "stranger", "namespace": "elsewhere"}},
        ],
    }
    Path(cluster.kubeconfig).write_text(yaml.safe_dump(told))
