"""Columns are read and written as one by one, whichever way is quicker."""

from typing import Annotated, Any

import numpy as np
import orjson
import pytest
from gymnasium import spaces
from pydantic import ConfigDict

from openenv import Action, EnvClient, GenericEnvClient, Observation, State, StepResult
from openenv.client.vector_codec import VectorCodec, mentions_arrays
from openenv.errors import EnvironmentFailed, LocalError, PeerError
from openenv.gym import InSpace
from openenv.protocol import BatchReply, Fault, Observed, StateIs
from tests.support.echo import EchoAction, EchoEnv

_URL = "http://localhost:1"


class Picture(Observation):
    pixels: np.ndarray[Any, Any] = np.zeros(1)


class Inside(Action):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    parts: list[Picture] | None = None


class PictureEnv(EnvClient[EchoAction, Picture, State]): ...


class InsideEnv(EnvClient[Inside, Observation, State]): ...


class Spaced(Action):
    action: Annotated[Any, InSpace(spaces.Box(0, 1, (2,)))]


class MaybeSpaced(Observation):
    found: Annotated[Any, InSpace(spaces.MultiBinary(2))] | None = None


class SpacedEnv(EnvClient[Spaced, Observation, State]): ...


class MaybeSpacedEnv(EnvClient[EchoAction, MaybeSpaced, State]): ...


class OwnFormat(EchoEnv):
    def _step_payload(self, action: EchoAction) -> Any:
        return {"m": action.message}

    def _parse_result(self, payload: dict[str, Any]) -> Any:
        return StepResult(payload["observation"]["o"], payload.get("reward"), payload["done"])


def rows(*messages: str) -> list[Any]:
    return [{"echoed_message": message} for message in messages]


def reply(observation: Any, **columns: Any) -> BatchReply:
    count = len(observation)
    defaults: dict[str, Any] = {"reward": [0.5] * count, "done": [False] * count}
    return BatchReply("step", tuple(range(count)), observation, **(defaults | columns))


@pytest.mark.parametrize("actions", [[EchoAction(message="a"), EchoAction(message="b")], [{"message": "a"}] * 2])
def test_actions_become_one_list(actions: list[Any]) -> None:
    written = VectorCodec(EchoEnv(_URL), arrays=False).actions(actions)
    assert [row["message"] for row in orjson.loads(orjson.dumps(written))] == [
        a["message"] if type(a) is dict else a.message for a in actions
    ]


def test_nan_in_an_action_keeps_its_own_way() -> None:
    assert isinstance(VectorCodec(GenericEnvClient(_URL), arrays=False).actions([{"x": float("nan")}]), list)


@pytest.mark.parametrize("arrays", [False, True])
def test_action_that_cannot_be_sent_is_found_first(arrays: bool) -> None:
    codec = VectorCodec(GenericEnvClient(_URL), arrays=arrays)
    with pytest.raises(LocalError):
        codec.action({"x": object()})
    if not arrays:  # with arrays the frame finds it
        with pytest.raises(LocalError):
            codec.actions([{"x": 1}, {"x": object()}])


def test_arrays_of_actions_become_lists_for_a_server_without_them() -> None:
    codec = VectorCodec(GenericEnvClient(_URL), arrays=True)
    assert orjson.loads(orjson.dumps(codec.action({"x": np.arange(3)}))) == {"x": [0, 1, 2]}
    assert codec.actions([{"x": np.arange(3)}])[0]["x"].tolist() == [0, 1, 2]


def test_what_is_beside_an_observation_is_put_into_it() -> None:
    codec = VectorCodec(EchoEnv(_URL), arrays=False)
    results = codec.results(
        reply(rows("a", "b"), done=[False, True], truncated=[False, True], metadata=[{"n": 1}, None])
    )
    assert [result.observation.echoed_message for result in results] == ["a", "b"]
    assert [(result.done, result.truncated, result.metadata) for result in results] == [
        (False, False, {"n": 1}),
        (True, True, None),
    ]
    assert [(r.observation.reward, r.observation.done, r.observation.truncated) for r in results] == [
        (0.5, False, False),
        (0.5, True, True),
    ]


def test_what_does_not_fit_fails_in_its_own_place() -> None:
    codec = VectorCodec(EchoEnv(_URL), arrays=False)
    results = codec.results(reply([*rows("a"), {"message_length": "long"}, 5]))
    assert results[0].observation.echoed_message == "a"
    assert [type(result.error) for result in results[1:]] == [PeerError, PeerError]
    faulty = codec.results(reply([*rows("a"), None], errors={1: Fault("EXECUTION_ERROR", "no")}))
    assert isinstance(faulty[1].error, EnvironmentFailed)


def test_columns_may_be_arrays() -> None:
    codec = VectorCodec(GenericEnvClient(_URL), arrays=True)
    results = codec.results(reply(np.eye(2), reward=np.array([1.0, 2.0]), done=np.array([False, True])))
    assert [(result.observation.tolist(), result.reward, result.done) for result in results] == [
        ([1.0, 0.0], 1.0, False),
        ([0.0, 1.0], 2.0, True),
    ]
    typed = VectorCodec(PictureEnv(_URL), arrays=True).results(reply([{"pixels": np.eye(2)}], reward=np.array([1.5])))
    assert typed[0].observation.pixels.shape == (2, 2)
    assert type(typed[0].reward) is float


def test_hooks_are_asked() -> None:
    codec = VectorCodec(OwnFormat(_URL), arrays=False)
    assert orjson.loads(orjson.dumps(codec.actions([EchoAction(message="a")]))) == [{"m": "a"}]
    assert codec.results(reply([{"o": 3}]))[0].observation == 3
    assert codec.result(Observed({"o": 4})).observation == 4


def test_states_are_read_each_by_itself() -> None:
    codec = VectorCodec(EchoEnv(_URL), arrays=False)
    found = codec.states(BatchReply("state", (3, 4), state=[{"step_count": 2}, None], errors={4: Fault("X", "no")}))
    assert found[0].step_count == 2
    assert found[1].error.code == "X"
    assert codec.state(StateIs({"step_count": -1})).error.args


def test_array_fields_are_found_in_the_types() -> None:
    kinds = (PictureEnv, InsideEnv, SpacedEnv, MaybeSpacedEnv, EchoEnv, GenericEnvClient, OwnFormat)
    assert [mentions_arrays(kind(_URL)) for kind in kinds] == [True] * 4 + [False] * 3
