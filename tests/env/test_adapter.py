"""Whatever an environment does, what comes out is an encoded value or a typed fault, logged with its traceback."""

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import pytest
from pydantic import BaseModel, field_validator, model_validator

from openenv.env import (
    EncodedObservation,
    EnvironmentAdapter,
    EnvironmentMetadata,
    parse_action,
    parse_reset,
    spec_of,
)
from openenv.errors import BadAction, BadObservation, EnvironmentFailed, RemoteFault
from openenv.types import Action, Observation, State
from tests.support.echo import AsyncEcho, EchoAction, EchoEnvironment


class Playful:
    """An environment that does what the action, or the option `do`, says. Not derived from our base class."""

    def reset(self, do: Callable[[], Any] = Observation) -> Any:
        return do()

    def step(self, action: Callable[[], Any]) -> Any:
        return action()

    @property
    def state(self) -> Any:
        return State(step_count=3)


class AsyncPlayful(Playful):
    async def reset(self, do: Callable[[], Any] = Observation) -> Any:
        return await _settled(do())

    async def step(self, action: Callable[[], Any]) -> Any:
        return await _settled(action())


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def adapter(environment: Any) -> EnvironmentAdapter:
    environment_class: Any = type(environment)
    return EnvironmentAdapter(environment, spec_of(environment_class))


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: object) -> None:
        raise error

    return call


def run(awaitable: EncodedObservation | Awaitable[EncodedObservation]) -> EncodedObservation:
    return awaitable if isinstance(awaitable, EncodedObservation) else asyncio.run(_settled(awaitable))


CALLS: list[Callable[[Callable[[], Any]], Any]] = [
    lambda do: run(adapter(Playful()).step(do, {})),
    lambda do: run(adapter(Playful()).reset({"do": do})),
    lambda do: run(adapter(AsyncPlayful()).step(do, {})),
    lambda do: run(adapter(AsyncPlayful()).reset({"do": do})),
]
every_call = pytest.mark.parametrize("call", CALLS, ids=["step", "reset", "async step", "async reset"])


# Calls.


@pytest.mark.parametrize("environment_class", [EchoEnvironment, AsyncEcho])
def test_an_episode(environment_class: type[EchoEnvironment]) -> None:
    adapted = adapter(environment_class())
    ready = run(adapted.reset({"seed": 1, "episode_id": "e", "level": 3}))
    echoed = run(adapted.step(EchoAction(message="hi"), {"timeout_s": 5.0}))
    assert json.loads(ready.observation)["echoed_message"] == "ready"
    assert (echoed.reward, echoed.metadata) == (0.2, b'{"step":1}')
    assert json.loads(adapted.state()) == {"episode_id": "e", "step_count": 1}
    assert adapted.close() is None


def test_an_async_call_is_made_when_it_is_awaited() -> None:
    environment = AsyncEcho()
    step = adapter(environment).step(EchoAction(message="hi"), {})
    assert isinstance(step, Awaitable)
    assert environment.state.step_count == 0
    run(step)
    assert environment.state.step_count == 1


def test_options_are_filtered_by_the_signature() -> None:
    adapted = adapter(Playful())
    assert run(adapted.reset({"do": Observation, "seed": 1, "self": 2})).observation == b'{"metadata":{}}'


# Failures.


@every_call
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("asked to"), "asked to"),
        (KeyError("k"), "'k'"),
        (RecursionError(), ""),
        (SystemExit(3), "3"),
        (asyncio.CancelledError("inside"), "inside"),
        (TimeoutError("a time-out of its own"), "a time-out of its own"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_environment_raises_becomes_a_fault_and_is_logged(
    call: Callable[..., Any], error: BaseException, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(EnvironmentFailed) as raised:
        call(raising(error))
    failed = raised.value
    assert (failed.code, failed.message, failed.exception) == ("EXECUTION_ERROR", message, type(error).__name__)
    assert failed.__cause__ is error
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert "Playful." in record.getMessage()


@every_call
def test_ctrl_c_is_nobodys_fault(call: Callable[..., Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        call(raising(KeyboardInterrupt()))


@every_call
def test_in_a_thread_it_is_the_environments_own(call: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(1) as thread, pytest.raises(EnvironmentFailed, match="KeyboardInterrupt: asked to"):
        thread.submit(call, raising(KeyboardInterrupt("asked to"))).result()


@every_call
def test_what_cannot_be_sent_names_the_method_that_returned_it(call: Callable[..., Any]) -> None:
    with pytest.raises(BadObservation, match=r"Playful\.(step|reset) returned NoneType instead of an Observation"):
        call(lambda: None)


def test_an_environment_that_failed_can_be_used_again() -> None:
    adapted = adapter(Playful())
    with pytest.raises(EnvironmentFailed):
        run(adapted.step(raising(ValueError()), {}))
    assert run(adapted.step(Observation, {})).observation == b'{"metadata":{}}'


def test_a_task_cancelled_inside_an_environment_is_its_failure() -> None:
    async def step_on_a_cancelled_task() -> Observation:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task
        return Observation()

    with pytest.raises(EnvironmentFailed) as raised:
        run(adapter(AsyncPlayful()).step(step_on_a_cancelled_task, {}))
    assert raised.value.exception == "CancelledError"


def test_a_call_the_server_gives_up_is_cancelled() -> None:
    cancelled = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    async def serve() -> None:
        call = asyncio.ensure_future(_settled(adapter(AsyncPlayful()).step(wait, {})))
        await asyncio.sleep(0)
        call.cancel()
        await call

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(serve())
    assert cancelled == [True]


# State.


class StateOf(Playful):
    def __init__(self, read: Callable[[], Any]) -> None:
        self.read = read

    @property
    def state(self) -> Any:
        return self.read()


class StateByMethod(StateOf):
    def state(self) -> Any:
        return self.read()


@pytest.mark.parametrize("environment_class", [StateOf, StateByMethod])
def test_the_state_is_read_from_a_property_or_a_method(environment_class: type[StateOf]) -> None:
    assert adapter(environment_class(lambda: {"x": 1})).state() == b'{"x":1}'


@pytest.mark.parametrize("environment_class", [StateOf, StateByMethod])
def test_a_state_that_raises_becomes_a_fault(environment_class: type[StateOf]) -> None:
    with pytest.raises(EnvironmentFailed, match="RuntimeError: gone"):
        adapter(environment_class(raising(RuntimeError("gone")))).state()


def test_a_state_that_cannot_be_sent_names_its_source() -> None:
    with pytest.raises(BadObservation, match=r"^StateOf\.state is a int"):
        adapter(StateOf(lambda: 5)).state()


# What is shown to a person.


class Shown(Playful):
    """Shows, and offers, what it is told to."""

    def __init__(self, show: Callable[[Any], Any]) -> None:
        self.show = show

    def render_web(self, observation: Any) -> Any:
        return self.show(observation)

    def web_actions(self, observation: Any) -> Any:
        return self.show(observation)


class AsyncShown(Shown):
    async def render_web(self, observation: Any) -> Any:
        return await _settled(self.show(observation))

    async def web_actions(self, observation: Any) -> Any:
        return await _settled(self.show(observation))


def view_of(environment: Any) -> tuple[str | None, bytes]:
    """Step, and ask how the observation is shown."""
    adapted = adapter(environment)
    run(adapted.step(lambda: Observation(reward=3.0), {}))

    async def ask() -> Any:
        return [await _settled(adapted.render_web()), await _settled(adapted.web_actions())]

    html, actions = asyncio.run(ask())
    return html, actions


@pytest.mark.parametrize("environment_class", [Shown, AsyncShown])
def test_latest_observation_is_shown_as_it_was_returned(environment_class: type[Shown]) -> None:
    seen: list[Any] = []
    assert view_of(environment_class(seen.append)) == (None, b"[]")
    assert [observation.reward for observation in seen] == [3.0, 3.0]


@pytest.mark.parametrize("environment_class", [Shown, AsyncShown])
def test_view_that_raises_becomes_a_fault(environment_class: type[Shown]) -> None:
    with pytest.raises(EnvironmentFailed, match="KeyError: 'gone'"):
        view_of(environment_class(raising(KeyError("gone"))))


@pytest.mark.parametrize("environment_class", [Shown, AsyncShown])
def test_view_that_is_no_html_is_named(environment_class: type[Shown]) -> None:
    with pytest.raises(BadObservation, match=r"Shown\.render_web returned bytes instead of HTML or None"):
        view_of(environment_class(lambda _: b"<b>"))


def test_observation_is_kept_for_classes_alone_that_show_it() -> None:
    plain, shown = adapter(Playful()), adapter(Shown(lambda _: None))
    for adapted in (plain, shown):
        run(adapted.step(Observation, {}))
    assert [each.can_show for each in (plain, shown)] == [False, True]
    with pytest.raises(BadObservation):
        run(shown.step(lambda: Observation(reward=float("nan")), {}))
    assert shown.can_show
    assert (plain.render_web(), plain.web_actions()) == (None, b"[]")


# Description.


class Described(Playful):
    """The class says this."""

    def __init__(self, describe: Callable[[], Any]) -> None:
        self.describe = describe

    def get_metadata(self) -> Any:
        return self.describe()


BY_CLASS = EnvironmentMetadata(name="Described", description="The class says this.", version="1.0.0")


def test_an_environment_describes_itself() -> None:
    own = EnvironmentMetadata(name="Chess", author="a person")
    assert adapter(Described(lambda: own)).metadata() == own


@pytest.mark.parametrize("describe", [raising(ValueError("gone")), raising(SystemExit(1)), lambda: {"name": "Chess"}])
def test_a_description_that_fails_is_logged_and_the_class_steps_in(
    describe: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert adapter(Described(describe)).metadata() == BY_CLASS
    (record,) = caplog.records
    assert "Described.get_metadata" in record.getMessage()


def test_an_environment_that_cannot_describe_itself_is_described_by_its_class(caplog: pytest.LogCaptureFixture) -> None:
    assert adapter(Playful()).metadata().name == "Playful"
    assert adapter(EchoEnvironment()).metadata().description == "Echoes messages; runs inline."
    assert not caplog.records


# Closing.


class Closing(Playful):
    def __init__(self, do: Callable[[], Any]) -> None:
        self.do = do

    def close(self) -> Any:
        return self.do()


class AsyncClosing(Closing):
    async def close(self) -> Any:
        return await _settled(self.do())


def close(environment: Any) -> None:
    closing = adapter(environment).close()
    if closing is not None:
        asyncio.run(_settled(closing))


@pytest.mark.parametrize("environment_class", [Closing, AsyncClosing])
def test_an_environment_is_closed(environment_class: type[Closing]) -> None:
    closed = []
    close(environment_class(lambda: closed.append(True)))
    assert closed == [True]


@pytest.mark.parametrize("environment_class", [Closing, AsyncClosing])
@pytest.mark.parametrize("error", [ValueError("gone"), SystemExit(1), asyncio.CancelledError()])
def test_closing_never_raises_but_logs(
    environment_class: type[Closing], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    close(environment_class(raising(error)))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_closing_may_be_given_up_by_the_server() -> None:
    async def serve() -> None:
        closing = asyncio.ensure_future(_settled(adapter(AsyncClosing(asyncio.Event().wait)).close()))
        await asyncio.sleep(0)
        closing.cancel()
        await closing

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(serve())


def test_an_environment_without_a_close_needs_none(caplog: pytest.LogCaptureFixture) -> None:
    assert adapter(Playful()).close() is None
    assert not caplog.records


# Arguments.


class Move(Action):
    to: str
    path: list[int] = []  # noqa: RUF012
    then: "Move | None" = None

    @field_validator("to")
    @classmethod
    def _known(cls, to: str) -> str:
        match to:
            case "nowhere":
                raise ValueError("there is no such place")
            case "bug":
                raise KeyError("bug")
            case "exit":
                raise SystemExit(3)
        return to

    @model_validator(mode="after")
    def _short(self) -> "Move":
        assert len(self.path) < 3, "the path is too long"
        return self


def test_an_action_is_validated() -> None:
    assert parse_action(Move, {"to": "e4", "path": [1]}) == Move(to="e4", path=[1])


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ({}, {"to": "Field required"}),
        ({"to": 5}, {"to": "Input should be a valid string"}),
        ({"to": "e4", "token": "secret"}, {"token": "Extra inputs are not permitted"}),
        ({"to": "e4", "path": [1, "secret"]}, {"path.1": "unable to parse string as an integer"}),
        ({"to": "e4", "then": {"to": "nowhere"}}, {"then.to": "there is no such place"}),
        ({"to": "nowhere"}, {"to": "Value error, there is no such place"}),
        ({"to": "e4", "path": [1, 2, 3]}, {"": "the path is too long"}),
        ({"to": "bug"}, {"": "KeyError in a validator: 'bug'"}),
        ({"to": "exit"}, {"": "SystemExit in a validator: 3"}),
        (["secret"], {"": "Input should be a valid dictionary"}),
        ("secret", {"": "Input should be a valid dictionary"}),
    ],
)
def test_an_action_that_does_not_fit_names_the_fields_and_leaves_the_values_out(
    payload: object, fields: dict[str, str]
) -> None:
    with pytest.raises(BadAction) as raised:
        parse_action(Move, payload)
    error = raised.value
    assert (error.code, error.message) == ("VALIDATION_ERROR", "Invalid message")
    found = {".".join(map(str, entry["loc"])): entry["msg"] for entry in error.errors}
    assert found.keys() == fields.keys()
    assert all(fields[name] in found[name] for name in fields)
    assert {name for entry in error.errors for name in entry} == {"type", "loc", "msg"}
    assert "secret" not in json.dumps(error.details)


def test_a_validator_that_blows_up_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadAction):
        parse_action(Move, {"to": "bug"})
    assert [record.getMessage() for record in caplog.records] == ["a validator of Move raised"]


def test_any_model_can_be_an_action() -> None:
    class Foreign(BaseModel):
        x: int

    assert parse_action(Foreign, {"x": 1}) == Foreign(x=1)


def test_a_class_may_have_a_way_of_its_own_to_be_validated() -> None:
    class Own(BaseModel):
        x: int

        @classmethod
        def model_validate(cls, obj: Any, **settings: Any) -> Self:
            return super().model_validate({"x": obj["x"] + 1}, **settings)

    assert parse_action(Own, {"x": 1}) == Own(x=2)


def test_a_class_that_names_a_later_one_is_whole_in_time() -> None:
    class Early(BaseModel):
        later: "Later"

    class Later(BaseModel):
        x: int

    with pytest.raises(BadAction):
        parse_action(Early, {"later": {"x": 1}})
    Early.model_rebuild()
    assert parse_action(Early, {"later": {"x": 1}}) == Early(later=Later(x=1))


@pytest.mark.parametrize(
    "options",
    [{}, {"seed": None, "episode_id": None}, {"seed": 0}, {"seed": 2**128}, {"episode_id": "x" * 255}, {"level": [1]}],
)
def test_reset_arguments_that_fit_pass_unchanged(options: dict[str, Any]) -> None:
    assert parse_reset(options) == options


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", v) for v in (-1, True, 1.0, "1", [1], float("nan"))]
    + [("episode_id", v) for v in (5, "x" * 256, ["x"], b"x")],
)
def test_reset_arguments_that_do_not_fit_are_named(field: str, value: object) -> None:
    with pytest.raises(BadAction) as raised:
        parse_reset({"level": 1, field: value})
    (entry,) = raised.value.errors
    assert entry["loc"] == [field]
    assert isinstance(raised.value, RemoteFault)
