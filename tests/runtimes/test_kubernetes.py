"""The Kubernetes runtime: the official client, against an API server of our own. See `tests/support/cluster_server`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv.errors import ConfigurationError, NotInstalled, NotReady, RuntimeFailed, StartFailed
from openenv.runtimes import Runtime, RuntimeState, runtime, watchdog
from openenv.runtimes.kubernetes import KubernetesRuntime
from openenv.testing.runtimes import RuntimeChecks
from tests.support.cluster_server import (
    ClusterServer,
    cluster_server,
    ended,
    evicted,
    pending,
    ready,
    restarted,
    starting,
    waiting,
)
from tests.support.folders import environment_folder

IMAGE = "registry.example/my_env-env:latest"
ELSEWHERE = "http://127.0.0.1:9"  # nothing serves there


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ClusterServer]:
    with cluster_server(tmp_path) as server:
        yield server


def made(cluster: ClusterServer, image: str = IMAGE, **options: Any) -> KubernetesRuntime:
    options.setdefault("url", ELSEWHERE)
    return KubernetesRuntime(image, kubeconfig=cluster.kubeconfig, **options)


def failure(server: Runtime) -> RuntimeFailed:
    with pytest.raises(RuntimeFailed) as raised:
        server.start()
    return raised.value


@pytest.mark.timeout(60)
class TestKubernetesRuntime(RuntimeChecks):
    """The checks of every runtime; the pods are real servers, each a process of this machine."""

    @pytest.fixture(autouse=True)
    def _cluster(self, tmp_path: Path) -> Iterator[None]:
        with cluster_server(tmp_path) as self.cluster:
            self.cluster.served = environment_folder(tmp_path)
            died = {"exitCode": 3, "reason": "Error"}
            self.cluster.plays["dies:latest"] = [starting(), waiting("CrashLoopBackOff", "back-off", last=died)]
            self.cluster.logs["dies:latest"] = ("no module named x", None)
            yield

    def make(self) -> Runtime:
        return KubernetesRuntime(IMAGE, kubeconfig=self.cluster.kubeconfig, service_type="NodePort")

    def make_failing(self) -> Runtime:
        return KubernetesRuntime("dies:latest", kubeconfig=self.cluster.kubeconfig, service_type="NodePort")

    def kill(self, runtime: Runtime) -> None:
        (pod,) = self.cluster.pods.values()
        assert pod.server is not None
        assert pod.server._server is not None
        os.kill(pod.server._server._process.pid, signal.SIGKILL)

    def left_behind(self) -> list[str]:
        return self.cluster.names()


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([waiting("ErrImagePull", "no"), waiting("ImagePullBackOff", "Back-off pulling image: not found")],
         "its image cannot be pulled: ImagePullBackOff: Back-off pulling image: not found"),
        ([waiting("InvalidImageName", "couldn't parse")], "InvalidImageName: couldn't parse"),
        ([waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")],
         "container has runAsNonRoot and image will run as root"),
        ([starting(), ended(3)], "it exited with code 3"),
        ([starting(), restarted(137, "OOMKilled")], "it was killed: out of memory, limit 2 GB"),
        ([waiting("CrashLoopBackOff", "back-off", last={"exitCode": 139})], r"it exited with code 139 \(SIGSEGV\)"),
        ([evicted("The node was low on resource: memory.")], "Evicted: The node was low on resource: memory"),
    ],
)  # fmt: skip
def test_what_will_not_mend_ends_the_start_at_once(
    cluster: ClusterServer, statuses: list[dict[str, Any]], said: str
) -> None:
    cluster.plays[IMAGE] = statuses
    cluster.logs[IMAGE] = ("a line\nthe last line", None)
    with pytest.raises(StartFailed, match=said) as raised:
        made(cluster, start_timeout_s=600).start()
    assert raised.value.logs == "a line\nthe last line"
    assert cluster.names() == []


def test_a_restarted_container_tells_what_the_one_before_it_printed(cluster: ClusterServer) -> None:
    cluster.plays[IMAGE] = [restarted(1)]
    cluster.logs[IMAGE] = ("", "Traceback: no such module")
    assert failure(made(cluster)).logs == "Traceback: no such module"


def test_a_secret_that_is_not_there_is_told(cluster: ClusterServer) -> None:
    with pytest.raises(StartFailed, match='secret "my-env" not found'):
        made(cluster, secret_vars={"OPENENV_TOKEN": "my-env/token"}).start()


def test_pods_that_a_quota_forbids_are_told(cluster: ClusterServer) -> None:
    cluster.is_refusing_pods = True
    with pytest.raises(StartFailed, match=r"the cluster makes no pod: FailedCreate: .*exceeded quota"):
        made(cluster).start()


def test_a_full_cluster_is_waited_for_and_named_when_time_is_up(cluster: ClusterServer) -> None:
    cluster.plays[IMAGE] = [pending("0/3 nodes are available: 3 Insufficient memory.")]
    cluster.logs[IMAGE] = (None, None)
    with pytest.raises(NotReady, match=r"within 0.3 s: no node takes the pod: .*Insufficient memory.*start_timeout_s"):
        made(cluster, start_timeout_s=0.3).start()
    assert cluster.names() == []


def test_a_server_that_does_not_answer_is_named_when_time_is_up(cluster: ClusterServer) -> None:
    cluster.plays[IMAGE] = [waiting("ContainerCreating", ""), starting()]
    with pytest.raises(NotReady, match="its container is not ready"):
        made(cluster, start_timeout_s=0.5).start()


def test_start_waits_for_every_replica(cluster: ClusterServer, tmp_path: Path) -> None:
    cluster.served = environment_folder(tmp_path)
    with made(cluster, replicas=2, service_type="NodePort", url="http://127.0.0.1:{node_port}") as server:
        assert len(cluster.pods) == 2
        assert server.url == f"http://127.0.0.1:{cluster.only('Service')['spec']['ports'][0]['nodePort']}"
        assert {line.split(": ")[0] for line in server.logs(1).splitlines()} == set(cluster.pods)
    assert cluster.names() == []


def test_stop_in_another_thread_ends_a_start(cluster: ClusterServer) -> None:
    cluster.plays[IMAGE] = [pending("none")]
    server = made(cluster)
    stopper = threading.Timer(0.2, server.stop)
    stopper.start()
    with pytest.raises(StartFailed, match="it was stopped"):
        server.start()
    stopper.join()
    assert cluster.names() == []


def test_what_the_start_leaves_is_removed_when_its_answer_was_lost(cluster: ClusterServer) -> None:
    cluster.lose_answer("POST .*/deployments")
    assert isinstance(failure(made(cluster)), NotInstalled)
    assert cluster.names() == []


def test_a_name_that_is_taken_is_told_and_left_alone(cluster: ClusterServer) -> None:
    others = {"metadata": {"name": "mine", "labels": {}}}
    cluster.objects["Service", "games", "mine"] = others
    with pytest.raises(StartFailed, match="there is a Service mine in games already; take another name"):
        made(cluster, name="mine").start()
    assert cluster.objects == {("Service", "games", "mine"): others}


@pytest.mark.parametrize("request_", ["GET .*/deployments", "POST .*/deployments", "POST .*/services", "GET .*/pods"])
def test_what_is_not_allowed_is_told_and_nothing_is_left(cluster: ClusterServer, request_: str) -> None:
    cluster.fail(request_, 403, message='User "u" cannot do this in the namespace "games"')
    with pytest.raises(StartFailed, match='403 Forbidden: User "u" cannot do this'):
        made(cluster).start()
    assert cluster.names() == []


def test_a_wrong_token_is_told(cluster: ClusterServer) -> None:
    with pytest.raises(StartFailed, match="401 Unauthorized"):
        made(cluster, context="stranger").start()


@pytest.mark.parametrize("request_", ["GET .*/deployments", "GET .*/pods", "DELETE .*/deployments"])
def test_an_api_server_that_fails_for_a_moment_is_asked_again(cluster: ClusterServer, request_: str) -> None:
    cluster.fail(request_, 500, times=2)
    cluster.plays[IMAGE] = [ended(3)]
    assert "it exited with code 3" in str(failure(made(cluster)))
    assert cluster.names() == []


def test_an_api_server_that_goes_on_failing_is_told(cluster: ClusterServer) -> None:
    cluster.fail("POST .*/deployments", 500, times=100, message="etcdserver: leader changed")
    with pytest.raises(StartFailed, match=r"500 .*etcdserver: leader changed"):
        made(cluster).start()


def test_no_api_server_is_told_and_leaves_the_runtime_stopped(tmp_path: Path) -> None:
    with cluster_server(tmp_path) as cluster:
        server = made(cluster)
    error = failure(server)
    assert isinstance(error, NotInstalled)
    assert f"{cluster.url} cannot be reached" in str(error)
    assert "refused" in str(error)
    assert server.state is RuntimeState.STOPPED


def test_a_server_that_is_no_api_server_is_told(cluster: ClusterServer) -> None:
    cluster.answer_with("GET .*/deployments", b"<html>Sign in</html>")
    with pytest.raises(StartFailed, match="does not answer as Kubernetes does"):
        made(cluster).start()


def test_from_outside_an_address_inside_is_refused_before_anything_is_made(cluster: ClusterServer) -> None:
    with pytest.raises(ConfigurationError, match=r"outside; take 'NodePort' or 'LoadBalancer', or say by url="):
        made(cluster, url=None).start()
    assert cluster.requests == []


def test_inside_the_cluster_the_address_is_the_services_own(
    cluster: ClusterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with pytest.raises(NotReady, match=r"the server at http://mine.games.svc:8000 was not healthy"):
        made(cluster, url=None, name="mine", start_timeout_s=0.5).start()


def test_a_load_balancer_is_waited_for(cluster: ClusterServer) -> None:
    cluster.balancer_after = 2
    with pytest.raises(NotReady, match=r"the server at http://127.0.0.1:9 was not healthy"):
        made(cluster, url=None, service_type="LoadBalancer", port=9, start_timeout_s=0.8).start()


def test_a_load_balancer_that_never_comes_is_told(cluster: ClusterServer) -> None:
    with pytest.raises(NotReady, match="has given its Service no load balancer yet"):
        made(cluster, url=None, service_type="LoadBalancer", start_timeout_s=0.3).start()


def test_nodes_that_may_not_be_listed_ask_for_a_url(cluster: ClusterServer) -> None:
    cluster.fail("GET .*/nodes", 403, message="nodes is forbidden")
    with pytest.raises(StartFailed, match=r"nodes is forbidden; say by url='http://HOST:\{node_port\}'"):
        made(cluster, url=None, service_type="NodePort").start()


def test_no_node_that_is_ready_is_told(cluster: ClusterServer) -> None:
    cluster.nodes = []
    with pytest.raises(StartFailed, match="no node of the cluster is ready"):
        made(cluster, url=None, service_type="NodePort").start()


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_what_somebody_removes_while_it_starts_is_told(cluster: ClusterServer, kind: str) -> None:
    def remove() -> None:
        while not any(request.startswith("POST") and request.endswith("services") for request in cluster.requests):
            threading.Event().wait(0.001)
        cluster.remove(kind, "mine")

    cluster.plays[IMAGE] = [starting()] * 4 + [ready()]
    remover = threading.Thread(target=remove)
    remover.start()
    with pytest.raises(StartFailed, match=f"the {kind} .* was removed while it started"):
        made(cluster, url=None, service_type="LoadBalancer", name="mine").start()
    remover.join()


def test_a_deployment_that_was_removed_is_the_end(cluster: ClusterServer, tmp_path: Path) -> None:
    cluster.served = environment_folder(tmp_path)
    with made(cluster, url=None, service_type="NodePort", name="mine") as server:
        cluster.remove("Deployment", "mine")
        assert server.died() == "the Deployment mine was removed"


def test_a_pod_that_is_ready_again_has_not_died(cluster: ClusterServer, tmp_path: Path) -> None:
    cluster.served = environment_folder(tmp_path)
    with made(cluster, url=None, service_type="NodePort", name="mine", memory="512m") as server:
        cluster.pods["mine-0"].statuses = [restarted(137, "OOMKilled"), restarted(137, "OOMKilled", is_ready=True)]
        assert server.died() == "it was killed: out of memory, limit 512 MB"
        assert server.died() is None


def test_a_removal_that_fails_may_be_repeated(cluster: ClusterServer, tmp_path: Path) -> None:
    cluster.served = environment_folder(tmp_path)
    server = made(cluster, url=None, service_type="NodePort")
    server.start()
    cluster.fail("DELETE .*/deployments", 403)
    with pytest.raises(RuntimeFailed, match="403"):
        server.stop()
    assert server.state is RuntimeState.RUNNING
    server.stop()
    assert cluster.names() == []


def test_what_is_gone_already_is_removed_in_peace(cluster: ClusterServer, tmp_path: Path) -> None:
    cluster.served = environment_folder(tmp_path)
    server = made(cluster, url=None, service_type="NodePort", name="mine")
    server.start()
    cluster.fail("DELETE .*/deployments/mine", 404, is_done=True)
    cluster.lose_answer("DELETE .*/services/mine")
    server.stop()
    assert cluster.names() == []


def test_pods_that_never_go_do_not_hold_stop_up(cluster: ClusterServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openenv.runtimes.kubernetes._GONE_EXTRA_S", 0.2)
    cluster.lingering = 10**6
    cluster.plays[IMAGE] = [ended(1)]
    failure(made(cluster, stop_timeout_s=0))
    assert [name.split()[0] for name in cluster.names()] == ["Pod"]


_KILLED = """
import os, signal, sys
from openenv.runtimes import runtime
server = runtime("kubernetes", sys.argv[1], kubeconfig=sys.argv[2], service_type="NodePort")
server.start()
print("up", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.timeout(60)
def test_a_killed_process_leaves_nothing_in_the_cluster(cluster: ClusterServer, tmp_path: Path) -> None:
    cluster.served = environment_folder(tmp_path)
    ran = subprocess.run([sys.executable, "-c", _KILLED, IMAGE, cluster.kubeconfig], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (-signal.SIGKILL, "up\n"), ran.stderr
    deadline = time.monotonic() + 30
    while cluster.objects and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert cluster.objects == {}


def test_the_watchdog_lets_go_of_what_was_removed(cluster: ClusterServer) -> None:
    cluster.plays[IMAGE] = [ended(1)]
    failure(made(cluster))
    assert [task for task in watchdog._guarded.values() if cluster.kubeconfig in task.command] == []


def test_nothing_secret_is_in_what_is_sent_or_said(cluster: ClusterServer) -> None:
    cluster.plays[IMAGE] = [ended(1)]
    error = failure(made(cluster, secret_vars={"OPENENV_TOKEN": "my-env/token"}))
    assert "a-token-of-the-tests" not in f"{error!r} {error} {error.__cause__}"
    assert "a-token-of-the-tests" not in json.dumps([str(cluster.objects), cluster.requests])


def test_it_is_known_by_its_name(cluster: ClusterServer) -> None:
    server = runtime("kubernetes", IMAGE, kubeconfig=cluster.kubeconfig)
    assert isinstance(server, KubernetesRuntime)
    assert server.name == ""
    assert str(runtime("kubernetes", IMAGE, name="mine")) == f"the Deployment mine of {IMAGE}"
