"""Whatever an author hands over is found out without building it where possible, and refused in words where not."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from openenv.env import Environment, EnvironmentSource
from openenv.errors import ConfigurationError, FactoryFailed
from openenv.types import Action, Observation, State
from tests.support.echo import AsyncEcho, EchoEnvironment


class Sized(EchoEnvironment):
    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.size = size


class Loose:
    """An environment without our base class."""

    def reset(self) -> Observation:
        return Observation()

    def step(self, action: Action) -> Observation:
        return Observation()

    @property
    def state(self) -> State:
        return State()


class Half(Environment[Action, Observation, State]):
    def reset(self) -> Observation:
        return Observation()


def partial(given: Any, **arguments: Any) -> Any:
    """Make a partial that mypy does not look into, since some are wrong on purpose."""
    return functools.partial(given, **arguments)


def promising() -> Sized:
    return Sized(7)


def silent():  # type: ignore[no-untyped-def]
    return Sized(7)


def vague() -> Environment[Any, Any, Any]:
    return Sized(7)


def misspelt() -> "pytest.NoSuchName":  # type: ignore[name-defined]
    return Sized(7)


class Maker:
    def __call__(self) -> Sized:
        return Sized(7)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (Sized, "Sized"),
        (functools.partial(Sized, 7), "Sized"),
        (functools.partial(functools.partial(Sized), size=7), "Sized"),
        (promising, "Sized"),
        (functools.partial(promising), "Sized"),
        (Loose, "Loose"),
    ],
)
def test_a_class_is_known_before_anything_is_built(given: Callable[[], Any], name: str) -> None:
    source = EnvironmentSource(given)
    assert source.spec is not None
    assert (source.spec.name, source.name, source.is_instance) == (name, name, False)
    assert source.build() is not source.build()
    assert source.spec.name == name


@pytest.mark.parametrize(
    ("given", "name"),
    [(silent, "silent"), (vague, "vague"), (misspelt, "misspelt"), (lambda: Sized(), "<lambda>"), (Maker(), "Maker")],
)
def test_a_factory_that_promises_nothing_is_known_once_it_has_built(given: Callable[[], Any], name: str) -> None:
    source = EnvironmentSource(given)
    assert (source.spec, source.name) == (None, name)
    assert isinstance(source.build(), Sized)
    assert source.spec is not None
    assert source.spec.environment_class is Sized


def test_what_was_built_counts_more_than_what_was_promised() -> None:
    def factory() -> EchoEnvironment:
        return AsyncEcho()

    source = EnvironmentSource(factory)
    source.build()
    assert source.spec is not None
    assert source.spec.is_async


@pytest.mark.parametrize("instance", [Sized(7), Loose()], ids=["ours", "foreign"])
def test_an_instance_is_handed_out_again(instance: Any) -> None:
    source = EnvironmentSource(instance)
    assert source.is_instance
    assert source.build() is source.build() is instance
    assert source.name == type(instance).__name__


def test_an_environment_that_can_be_called_is_an_environment() -> None:
    class Callable_(Sized):
        def __call__(self) -> None: ...

    instance = Callable_()
    assert EnvironmentSource(instance).build() is instance


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (Half, r"^Half cannot be built: it does not implement state, step$"),
        (partial(Half), "Half cannot be built"),
        (dict, r"^dict is no environment: it has no reset and no step and no state; pass an Environment class"),
        (5, "int is no environment"),
        (None, "NoneType is no environment"),
        ("my_env:app", "str is no environment"),
    ],
)
def test_what_is_no_environment_is_refused_at_once(given: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        EnvironmentSource(given)


def out_of_memory() -> Sized:
    raise MemoryError("no room")


def leaves() -> Sized:
    raise SystemExit(3)


def gives_nothing():  # type: ignore[no-untyped-def]
    return None


@pytest.mark.parametrize(
    ("given", "exception", "cause"),
    [
        (partial(Sized, colour=1), "TypeError", "unexpected keyword argument 'colour'"),
        (out_of_memory, "MemoryError", "no room"),
        (leaves, "SystemExit", "3"),
        (gives_nothing, "ConfigurationError", "NoneType is no environment"),
    ],
)
def test_a_factory_that_fails_is_named_with_its_cause_and_logged(
    given: Callable[[], Any], exception: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = EnvironmentSource(given)
    with caplog.at_level(logging.ERROR), pytest.raises(FactoryFailed) as raised:
        source.build()
    error = raised.value
    assert error.message == f"Environment factory '{source.name}' failed to create instance."
    assert (error.code, error.details["factory_name"], error.exception) == ("FACTORY_ERROR", source.name, exception)
    assert cause in error.details["cause"]
    assert cause in str(error)
    assert type(error.__cause__).__name__ == exception
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error.__cause__
