"""What the statuses of pods and Services mean."""

from typing import Any

import pytest

from openenv.runtimes.standing import Standing, balancer_host, describe_end, node_host, node_port, standing
from tests.support.cluster_server import ended, evicted, pending, ready, restarted, starting, waiting


def pods(*statuses: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"metadata": {"name": f"pod-{number}"}, "status": status} for number, status in enumerate(statuses)]


def node(*addresses: tuple[str, str], is_ready: bool = True) -> dict[str, Any]:
    listed = [{"type": kind, "address": address} for kind, address in addresses]
    return {"status": {"addresses": listed, "conditions": [{"type": "Ready", "status": str(is_ready)}]}}


def test_pods_that_answer_are_counted() -> None:
    assert standing({}, pods(ready(), ready())) == Standing(ready=2, failure=None, waiting=None)


def test_a_pod_that_has_not_begun_is_waited_for() -> None:
    assert standing({}, pods({})) == Standing(0, None, "its container is not ready")
    assert standing({}, []) == Standing(0, None, "no pod has been made yet")


def test_an_image_that_failed_once_is_waited_for_and_one_backed_off_from_is_not() -> None:
    once = standing({}, pods(waiting("ErrImagePull", "dial tcp: timeout")))
    assert once == Standing(0, None, "its container waits: ErrImagePull: dial tcp: timeout")
    assert (
        standing({}, pods(waiting("ImagePullBackOff", "no"))).failure
        == "its image cannot be pulled: ImagePullBackOff: no"
    )


def test_a_full_cluster_is_waited_for() -> None:
    full = standing({}, pods(pending("0/3 nodes are available")))
    assert full == Standing(0, None, "no node takes the pod: Unschedulable: 0/3 nodes are available")


def test_one_pod_that_fails_is_a_failure_beside_one_that_answers() -> None:
    assert standing({}, pods(ready(), ended(2))) == Standing(1, "it exited with code 2", "its container is not ready")


def test_a_container_that_runs_again_and_answers_is_no_failure() -> None:
    assert standing({}, pods(restarted(2, is_ready=True))) == Standing(1, None, None)


def test_a_pod_that_is_being_deleted_does_not_count() -> None:
    (leaving,) = pods(ready())
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert standing({}, [leaving]).ready == 0


def test_an_evicted_pod_counts_only_while_no_other_replaces_it() -> None:
    assert standing({}, pods(evicted("disk"))).failure == "its pod failed: Evicted: disk"
    assert standing({}, pods({"phase": "Failed"})).failure == "its pod failed"
    assert standing({}, pods(evicted("disk"), starting())).failure is None


def test_a_refused_pod_counts_only_while_there_is_none() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "forbidden"}
    deployment = {"status": {"conditions": [condition]}}
    assert standing(deployment, []).failure == "the cluster makes no pod: FailedCreate: forbidden"
    assert standing(deployment, pods(ready())).failure is None


@pytest.mark.parametrize(
    ("told", "limit", "said"),
    [
        ({"exitCode": 0}, None, "it exited with code 0"),
        ({"exitCode": 137, "reason": "Error"}, None, "it exited with code 137 (SIGKILL)"),
        ({"exitCode": 255}, None, "it exited with code 255"),
        ({"exitCode": 137, "reason": "OOMKilled"}, 1 << 29, "it was killed: out of memory, limit 512 MB"),
        ({"exitCode": 137, "reason": "OOMKilled"}, None, "it was killed: out of memory, it had no limit of its own"),
    ],
)
def test_an_end_is_described(told: dict[str, Any], limit: int | None, said: str) -> None:
    assert describe_end(told, limit) == said


def test_a_node_that_is_ready_is_chosen_by_the_address_that_counts_outside() -> None:
    inside, outside = ("InternalIP", "10.0.0.1"), ("ExternalIP", "203.0.113.7")
    assert node_host([node(inside), node(inside, outside)]) == "203.0.113.7"
    assert node_host([node(outside, is_ready=False), node(("Hostname", "n"), inside)]) == "10.0.0.1"
    assert node_host([node(("InternalIP", "fd00::1"))]) == "[fd00::1]"
    assert node_host([node(("Hostname", "n"))]) is None
    assert node_host([]) is None


def test_a_services_addresses_are_read() -> None:
    service = {"spec": {"ports": [{"port": 8000, "nodePort": 31000}]}}
    assert node_port(service) == 31000
    assert node_port({"spec": {"ports": [{"port": 8000}]}}) is None
    assert balancer_host(service) is None
    for given in ({"ip": "203.0.113.7"}, {"hostname": "203.0.113.7"}):
        assert balancer_host({**service, "status": {"loadBalancer": {"ingress": [given]}}}) == "203.0.113.7"
