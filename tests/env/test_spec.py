"""What a class is like is read off the class: which methods are async, what they take, what its state is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from openenv.env import Environment, spec_of
from openenv.types import Action, Observation, State
from tests.support.echo import AsyncEcho, EchoEnvironment

if TYPE_CHECKING:
    from openenv.types import State as Hidden

StateT = TypeVar("StateT", bound=State)
OFFERED = {"seed": 1, "episode_id": "e", "timeout_s": 2.0, "level": 3, "self": 4, "action": 5}


class Board(State):
    cells: int = 9


class Small:
    """An environment without our base class."""

    def reset(self) -> Observation:
        return Observation()

    def step(self, action: Action) -> Observation:
        return Observation()

    @property
    def state(self) -> Board:
        return Board()


def with_method(name: str, function: Callable[..., Any]) -> type:
    return type("Made", (Small,), {name: function})


@pytest.mark.parametrize(
    ("reset", "taken"),
    [
        (lambda self: 0, set()),
        (lambda self, seed: 0, {"seed"}),
        (lambda self, seed=None, *, level=1: 0, {"seed", "level"}),
        (lambda self, seed=None, /, level=1: 0, {"level"}),
        (lambda self, *seeds, episode_id: 0, {"episode_id"}),
        (lambda self, **options: 0, OFFERED.keys() - {"self"}),
        (lambda self, /, **options: 0, OFFERED.keys()),
        (lambda self, seed, **options: 0, OFFERED.keys() - {"self"}),
    ],
)
def test_reset_gets_what_it_takes(reset: Callable[..., Any], taken: set[str]) -> None:
    method = spec_of(with_method("reset", reset)).reset
    assert method.filter(OFFERED) == {name: OFFERED[name] for name in taken}


@pytest.mark.parametrize(
    ("step", "taken"),
    [
        (lambda self, action: 0, set()),
        (lambda self, move: 0, set()),
        (lambda self, move, action=None: 0, {"action"}),
        (lambda self, action, timeout_s=None: 0, {"timeout_s"}),
        (lambda self, action, **options: 0, OFFERED.keys() - {"self", "action"}),
        (lambda self, action, /, **options: 0, OFFERED.keys()),
        (lambda *arguments: 0, set()),
    ],
)
def test_step_gets_what_it_takes_and_the_action_only_once(step: Callable[..., Any], taken: set[str]) -> None:
    method = spec_of(with_method("step", step)).step
    kept = method.filter(OFFERED)
    assert kept == {name: OFFERED[name] for name in taken}
    assert step(object(), object(), **kept) == 0


def test_sync_and_async_methods_are_told_apart() -> None:
    class Mixed(EchoEnvironment):
        async def step(self, action: Any) -> Any:  # type: ignore[override]
            return super().step(action)

    assert not spec_of(EchoEnvironment).is_async
    assert spec_of(AsyncEcho).is_async
    mixed = spec_of(Mixed)
    assert (mixed.reset.is_async, mixed.step.is_async, mixed.is_async) == (False, True, False)


def test_an_async_twin_is_preferred_where_a_class_writes_one() -> None:
    class Twins(EchoEnvironment):
        async def step_async(self, action: Any, level: int = 0) -> Any:
            return self.step(action)

    class Loose(Small):
        async def reset_async(self) -> Observation:
            return self.reset()

    twins = spec_of(Twins)
    assert (twins.step.name, twins.step.is_async, twins.step.accepts) == ("step_async", True, frozenset({"level"}))
    assert twins.reset.name == "reset"
    assert (spec_of(Loose).reset.name, spec_of(Loose).step.name) == ("reset_async", "step")


class Annotated(Environment[Action, Observation, State]):
    @property
    def state(self) -> Board:
        return Board()


class ByArgument(Environment[Action, Observation, Board]):
    @property
    def state(self):  # type: ignore[no-untyped-def]
        return Board()


class Inherited(ByArgument):
    pass


class Middle(Environment[Action, Observation, StateT], Generic[StateT]):
    pass


class ThroughMiddle(Middle[Board]):
    pass


class ForTypeCheckers(Environment[Action, Observation, Board]):
    @property
    def state(self) -> "Hidden":  # type: ignore[override]
        return Board()


class Misspelt(Environment[Action, Observation, Board]):
    @property
    def state(self) -> "pytest.NoSuchName":  # type: ignore[name-defined]
        return Board()


class Union(Environment[Action, Observation, Board]):
    @property
    def state(self) -> Board | None:  # type: ignore[override]
        return None


class ByMethod(Small):
    def state(self) -> Board:  # type: ignore[override]
        return Board()


class Foreign(Small):
    state: dict[str, int] = {}  # type: ignore[assignment]  # noqa: RUF012


@pytest.mark.parametrize(
    ("environment_class", "state_class"),
    [
        (Annotated, Board),
        (ByArgument, Board),
        (Inherited, Board),
        (ThroughMiddle, Board),
        (ForTypeCheckers, Board),
        (Misspelt, Board),
        (Union, Board),
        (Small, Board),
        (ByMethod, Board),
        (Foreign, State),
        (EchoEnvironment, State),
    ],
)
def test_the_state_class_is_found(environment_class: type, state_class: type) -> None:
    assert spec_of(environment_class).state_class is state_class


def test_promises_are_read_and_default_to_none_made() -> None:
    class Promising(Small):
        SUPPORTS_CONCURRENT_SESSIONS = True
        REQUIRES_SINGLE_THREAD_EXECUTOR = True
        BLOCKING = False

        def get_metadata(self) -> None: ...

    careful, promising = spec_of(Small), spec_of(Promising)
    assert (careful.is_concurrent, careful.is_single_threaded, careful.is_blocking) == (False, False, True)
    assert (promising.is_concurrent, promising.is_single_threaded, promising.is_blocking) == (True, True, False)
    assert (careful.describes_itself, promising.describes_itself) == (False, True)
    assert not spec_of(EchoEnvironment).describes_itself


def test_what_a_class_can_do_besides_is_read_off_it() -> None:
    class Shown(EchoEnvironment):
        async def render_web(self, observation: Any) -> str:
            return ""

    class Button(Small):
        def web_actions(self, observation: Any) -> list[Any]:
            return []

    class Tool(Small):
        def handle_json_rpc(self, request: dict[str, Any]) -> None: ...

        def render_web(self, observation: Any) -> None: ...

    plain, shown, button, tool = (spec_of(each) for each in (EchoEnvironment, Shown, Button, Tool))
    assert [each.capabilities for each in (plain, shown, button, tool)] == [(), ("view",), ("view",), ("view", "mcp")]
    assert [each.has_view for each in (plain, shown, button, tool)] == [False, True, True, True]
    assert (plain.render_web, plain.web_actions, plain.handle_json_rpc) == (None, None, None)
    assert shown.render_web is not None
    assert shown.render_web.is_async
    assert [method.name for method in tool.methods] == ["reset", "step", "render_web", "handle_json_rpc"]


def test_a_class_is_inspected_once() -> None:
    assert spec_of(Small) is spec_of(Small)
    assert spec_of(Small).name == "Small"
