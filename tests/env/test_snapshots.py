"""A snapshot is a whole state, and fits the class, and the version of the class, that it was taken of."""

import asyncio
import importlib.util
import logging
import random
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from openenv import Action, Environment, Observation, State
from openenv.env import EnvironmentAdapter, spec_of
from openenv.env.snapshots import pack, unpack
from openenv.errors import BadSnapshot, EnvironmentFailed, NotSupported, SnapshotRefused
from tests.support.echo import EchoEnvironment


class Dice(Environment[Action, Observation, State]):
    """Throws dice; its random numbers are part of its state."""

    SNAPSHOT_BY_PICKLE = True

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.thrown: list[int] = []

    def reset(self) -> Observation:
        self.thrown = []
        return Observation()

    def step(self, action: Any) -> Observation:
        self.thrown.append(self.random.randrange(6))
        return Observation(reward=float(self.thrown[-1]))

    @property
    def state(self) -> State:
        return State(step_count=len(self.thrown))

    def render_web(self, observation: Any) -> str:
        return f"{observation.reward}"


class Weighted(Dice):
    """Another class, which would take over the attributes without a word."""


class Slotted(Dice):
    __slots__ = ("weight",)

    def __init__(self) -> None:
        super().__init__()
        self.weight = 3


class Locked(Dice):
    """What cannot be pickled is left out, and made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=threading.Lock())


class Unpickled(Dice):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Own(Dice):
    """A format of its own."""

    SNAPSHOT_BY_PICKLE = False
    refuses = False

    def snapshot(self) -> Any:
        return bytes(self.thrown)

    def restore(self, data: bytes) -> None:
        if self.refuses:
            raise SnapshotRefused("these dice are cast")
        self.thrown = list(data)


class AsyncOwn(Own):
    async def snapshot(self) -> bytes:
        return bytes(self.thrown)

    async def restore(self, data: bytes) -> None:  # type: ignore[override]  # an environment may choose
        super().restore(data)


class Raising(Own):
    def snapshot(self) -> Any:
        raise ValueError("no film")

    def restore(self, data: bytes) -> None:
        self.thrown = []
        raise ValueError("half way")


class Texting(Own):
    def snapshot(self) -> Any:
        return "text"


class Half(EchoEnvironment):
    def snapshot(self) -> bytes:
        return b""


class Foreign:
    """Not derived from our base class."""

    SNAPSHOT_BY_PICKLE = True

    def reset(self) -> Observation:
        return Observation()

    def step(self, action: Any) -> Observation:
        return Observation()

    state = State()


class ForeignSaving(Foreign):
    def snapshot(self) -> bytes:
        return b"saved"

    def restore(self, data: bytes) -> None:
        self.data = data


def adapter(environment: Any) -> EnvironmentAdapter:
    kind: Any = type(environment)
    return EnvironmentAdapter(environment, spec_of(kind))


def finished(value: Any) -> Any:
    async def waited(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    return asyncio.run(waited(value)) if isinstance(value, Awaitable) else value


def throws(environment: Any, times: int = 5) -> list[float | None]:
    return [environment.step(None).reward for _ in range(times)]


@pytest.mark.parametrize("kind", [Dice, Slotted, Locked])
def test_a_pickled_state_goes_on_where_it_was_random_numbers_included(kind: type[Dice]) -> None:
    source, target = kind(), kind()
    throws(source, 3)
    saved = finished(adapter(source).snapshot())
    throws(target, 9)
    target.left_over = True  # type: ignore[attr-defined]
    finished(adapter(target).restore(saved))
    assert target.state.step_count == 3
    assert kind is Locked or not hasattr(target, "left_over")
    assert throws(target) == throws(source)
    if isinstance(target, Slotted):
        assert target.weight == 3


def test_copies_share_nothing() -> None:
    source, one, other = Dice(), Dice(), Dice()
    saved = finished(adapter(source).snapshot())
    for each in (one, other):
        finished(adapter(each).restore(saved))
    throws(one, 4)
    assert (source.thrown, other.thrown) == ([], [])


def test_slots_are_saved_too() -> None:
    source, target = Slotted(), Slotted()
    source.weight = 5
    finished(adapter(target).restore(finished(adapter(source).snapshot())))
    assert target.weight == 5


@pytest.mark.parametrize("kind", [Own, AsyncOwn, ForeignSaving])
def test_a_class_may_have_a_format_of_its_own(kind: type[Any]) -> None:
    source, target = kind(), kind()
    source.thrown = [1, 2]
    finished(adapter(target).restore(finished(adapter(source).snapshot())))
    assert vars(target).get("thrown", [1, 2]) == [1, 2]
    assert isinstance(target, Own) or target.data == b"saved"


@pytest.mark.parametrize("kind", [EchoEnvironment, Half, Foreign])
def test_a_class_without_snapshots_says_so_and_what_to_do(kind: type[Any]) -> None:
    adapted = adapter(kind())
    assert "snapshot" not in adapted.spec.capabilities
    for call in (adapted.snapshot, lambda: adapted.restore(b"")):
        with pytest.raises(NotSupported, match=rf"{kind.__name__} cannot .* set {kind.__name__}.SNAPSHOT_BY_PICKLE"):
            call()


def test_a_method_of_the_base_class_says_so_too() -> None:
    for call in (EchoEnvironment().snapshot, lambda: EchoEnvironment().restore(b"")):
        with pytest.raises(SnapshotRefused, match="EchoEnvironment does not set SNAPSHOT_BY_PICKLE"):
            call()


@pytest.mark.parametrize("kind", [Dice, Own, AsyncOwn, ForeignSaving])
def test_a_class_with_snapshots_says_that_it_can(kind: Any) -> None:
    spec = spec_of(kind)
    assert "snapshot" in spec.capabilities
    assert any(method.is_async for method in spec.methods) is (kind is AsyncOwn)


def test_what_does_not_pickle_is_refused_with_the_reason() -> None:
    with pytest.raises(
        NotSupported, match=r"Unpickled .*cannot be pickled \(TypeError: .*lock.*__getstate__"
    ) as caught:
        finished(adapter(Unpickled()).snapshot())
    assert caught.value.code == "NOT_SUPPORTED"


def test_a_snapshot_of_another_class_is_refused_before_the_environment_sees_it() -> None:
    saved = finished(adapter(Dice()).snapshot())
    target = Weighted()
    with pytest.raises(BadSnapshot, match=r"snapshot of .*\.Dice, and this session runs .*\.Weighted\."):
        adapter(target).restore(saved)
    assert throws(target) == throws(Weighted())


def test_a_snapshot_of_another_version_of_a_class_is_refused(tmp_path: Path) -> None:
    text = (
        "from tests.env.test_snapshots import Dice\nclass Base(Dice):\n    sides = 6\nclass Loaded(Base):\n    pass\n"
    )
    versions = [version(tmp_path / "v1", text), version(tmp_path / "v2", text), version(tmp_path / "v3", text + "\n")]
    versions.append(version(tmp_path / "v4", text.replace("6", "8")))  # of its base, even
    saved = finished(adapter(versions[0].Loaded()).snapshot())
    for same in versions[1:3]:
        finished(adapter(same.Loaded()).restore(saved))
    with pytest.raises(BadSnapshot, match=r"another version of loaded_dice\.Loaded\."):
        adapter(versions[3].Loaded()).restore(saved)


def version(folder: Path, text: str) -> ModuleType:
    folder.mkdir()
    file = folder / "loaded_dice.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location("loaded_dice", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "loaded_dice", module)  # where a class's source is looked up
        spec.loader.exec_module(module)
        spec_of(module.Loaded)
    return module


@pytest.mark.parametrize("damage", [b"", b"\0", b"\xff\xff\xff", b"\0\4\xff\xfe\xfd\xfc"])
def test_bytes_that_are_no_snapshot_are_refused(damage: bytes) -> None:
    with pytest.raises(BadSnapshot):
        adapter(Own()).restore(damage)


def test_an_environment_may_refuse_bytes_before_anything_has_changed() -> None:
    source, target = Own(), Own()
    target.refuses = True
    saved = finished(adapter(source).snapshot())
    with pytest.raises(BadSnapshot, match="these dice are cast"):
        adapter(target).restore(saved)


def test_what_raises_is_a_failure_of_the_environment(caplog: pytest.LogCaptureFixture) -> None:
    saved = pack(f"{__name__}.Raising", b"")
    with caplog.at_level(logging.CRITICAL):
        for call in (adapter(Raising()).snapshot, lambda: adapter(Raising()).restore(saved)):
            with pytest.raises(EnvironmentFailed, match="ValueError"):
                call()
    with pytest.raises(EnvironmentFailed, match=r"Texting\.snapshot returned str instead of bytes"):
        adapter(Texting()).snapshot()


def test_after_a_restore_there_is_nothing_to_show() -> None:
    adapted = adapter(Dice())
    saved = finished(adapted.snapshot())
    adapted.step(None, {})
    assert adapted.can_show
    finished(adapted.restore(saved))
    assert not adapted.can_show


def test_a_name_and_data_come_apart_again() -> None:
    assert unpack("mühle.Spiel", pack("mühle.Spiel", b"\0data")) == b"\0data"
