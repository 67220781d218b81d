"""Finding a cluster, asking it, and taking away what processes that are gone have left in it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openenv.errors import ConfigurationError, EngineFailed, NotInstalled, StartFailed
from openenv.runtimes.cluster import Cluster, machine, main, prune, removal_command
from openenv.runtimes.manifests import Identity, KubernetesOptions, deployment_manifest, service_manifest
from openenv.runtimes.owner import Owner
from tests.support.cluster_server import ClusterServer, cluster_server

OPTIONS = KubernetesOptions(image="my_env-env:latest")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ClusterServer]:
    with cluster_server(tmp_path) as found:
        yield found


@pytest.fixture
def cluster(server: ClusterServer) -> Iterator[Cluster]:
    found = Cluster.connect(kubeconfig=server.kubeconfig)
    yield found
    found.close()


def make(cluster: Cluster, name: str, *, run: str, owner: Owner, machine_: str | None = None) -> None:
    identity = Identity(name, cluster.namespace, run, owner, machine_ or machine())
    cluster.create(deployment_manifest(OPTIONS, identity))
    cluster.create(service_manifest(OPTIONS, identity))


def test_the_namespace_is_that_of_the_context(server: ClusterServer) -> None:
    for context, namespace, expected in [
        (None, None, "games"),
        ("stranger", None, "elsewhere"),
        (None, "mine", "mine"),
    ]:
        found = Cluster.connect(kubeconfig=server.kubeconfig, context=context, namespace=namespace)
        assert found.namespace == expected
        found.close()


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    with cluster_server(tmp_path, namespace=None) as server:
        assert Cluster.connect(kubeconfig=server.kubeconfig).namespace == "default"


def test_the_file_that_kubectl_reads_is_found(server: ClusterServer) -> None:
    program = "from openenv.runtimes.cluster import Cluster; print(Cluster.connect().namespace)"
    env = {"KUBECONFIG": server.kubeconfig}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
    assert ran.stdout == "games\n", ran.stderr


def test_no_cluster_at_all_is_told(tmp_path: Path) -> None:
    program = """
from openenv.errors import NotInstalled
from openenv.runtimes.cluster import Cluster
try:
    Cluster.connect()
except NotInstalled as error:
    print(error, error.hint)
"""
    env = {"HOME": str(tmp_path), "KUBECONFIG": ""}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
    assert ran.stdout.startswith("there is no Kubernetes cluster to use: "), ran.stderr
    assert ran.stdout.endswith("set KUBECONFIG, or give kubeconfig=\n")


def test_without_the_extra_the_command_that_installs_it_is_named() -> None:
    program = """
import sys
sys.modules["kubernetes"] = None  # what an import of what is not installed finds
from openenv.errors import NotInstalled
from openenv.runtimes import runtime
try:
    runtime("kubernetes", "image", service_type="NodePort").start()
except NotInstalled as error:
    print(error, error.hint)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "it comes with the extra k8s" in ran.stdout, ran.stderr
    assert ran.stdout.endswith('pip install "openenv-runtime[k8s]"\n')


def test_importing_it_does_not_import_the_client() -> None:
    program = "import sys, openenv.runtimes.kubernetes; print('kubernetes' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "False\n", ran.stderr


@pytest.mark.parametrize(("name", "context"), [("no-such-file", None), (None, "no-such-context")])
def test_a_file_or_context_that_is_not_there_is_told(server: ClusterServer, name: str, context: str | None) -> None:
    kubeconfig = name or server.kubeconfig
    with pytest.raises(ConfigurationError, match="which name no cluster"):
        Cluster.connect(kubeconfig=kubeconfig, context=context)


def test_a_pod_uses_its_own_cluster_and_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a pod are at a fixed place, where no test may write; so the place is moved."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name, content in {"TOKEN": "a-token", "CERT": "a certificate", "NAMESPACE": "mine\n"}.items():
        (tmp_path / name).write_text(content)
    for name in ("TOKEN", "CERT"):
        monkeypatch.setattr(f"kubernetes.config.incluster_config.SERVICE_{name}_FILENAME", str(tmp_path / name))
    monkeypatch.setattr("openenv.runtimes.cluster._NAMESPACE_FILE", tmp_path / "NAMESPACE")
    found = Cluster.connect()
    assert (found.namespace, found._api.configuration.host) == ("mine", "https://192.0.2.1:443")
    assert Cluster.connect(namespace="other").namespace == "other"


def test_a_pod_without_its_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(NotInstalled, match="there is no Kubernetes cluster to use"):
        Cluster.connect()


def test_what_the_cluster_does_not_want_is_told(cluster: Cluster, server: ClusterServer) -> None:
    server.fail("POST .*/services", 422, message='Service "mine" is invalid: spec.ports: Too many')
    with pytest.raises(StartFailed, match=r"did not make the Service mine: 422 .*Too many"):
        make(cluster, "mine", run="run-1", owner=Owner.me())


def test_an_answer_that_says_nothing_is_told_as_such(cluster: Cluster, server: ClusterServer) -> None:
    server.fail("GET .*/pods", 400)
    server._faults[0].body = b""
    with pytest.raises(EngineFailed, match=r"400 Bad Request: it says nothing"):
        cluster.find("pod", {"a": "b"})


def test_a_log_that_may_not_be_read_is_told_and_one_that_is_gone_is_empty(
    cluster: Cluster, server: ClusterServer
) -> None:
    assert cluster.logs("gone", lines=3) == ""
    server.fail("GET .*/log", 403)
    with pytest.raises(EngineFailed, match="did not read the log of gone: 403"):
        cluster.logs("gone", lines=3)


def test_a_run_is_removed_and_others_are_not(cluster: Cluster, server: ClusterServer) -> None:
    make(cluster, "one", run="run-1", owner=Owner.me())
    make(cluster, "two", run="run-2", owner=Owner.me())
    assert cluster.remove("run-1") == ["service/one", "deployment/one"]
    assert cluster.remove("run-1") == []
    assert {name for _, _, name in server.objects} == {"two"}


def test_the_removal_command_succeeds_only_once_there_was_something(cluster: Cluster, server: ClusterServer) -> None:
    make(cluster, "one", run="run-1", owner=Owner.me())
    command = removal_command({"kubeconfig": server.kubeconfig, "context": None, "namespace": "games"}, "run-1")
    assert [subprocess.run(command).returncode for _ in range(2)] == [0, 1]
    assert server.objects == {}
    assert main(["--kubeconfig", server.kubeconfig, "run-1"]) == 1


def test_prune_takes_what_a_process_of_this_machine_left_and_nothing_else(
    cluster: Cluster, server: ClusterServer
) -> None:
    me = Owner.me()
    make(cluster, "mine", run="run-1", owner=me)
    make(cluster, "left", run="run-2", owner=replace(me, started="long ago"))
    make(cluster, "far", run="run-3", owner=replace(me, host="another machine", started="long ago"))
    make(cluster, "namesake", run="run-4", owner=replace(me, started="long ago"), machine_="another")
    identity = Identity("half", "games", "run-5", replace(me, started="long ago"), machine())
    cluster.create(service_manifest(OPTIONS, identity))
    cluster.create(service_manifest(OPTIONS, Identity("stays", "games", "production")))
    server.objects["Deployment", "games", "mine"]["metadata"].pop("annotations")
    taken = prune(kubeconfig=server.kubeconfig)
    assert taken == ["service/left", "deployment/left", "service/half"]
    assert {name for _, _, name in server.objects} == {"mine", "far", "namesake", "stays"}
