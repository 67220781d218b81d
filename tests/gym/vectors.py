"""Vectors of environments on a server, of either kind, and how they are compared with local ones."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from openenv.gym import RemoteVectorEnv, ServedVectorEnv, make_vec
from tests.gym.conftest import Serve

__all__ = ["KINDS", "MakeRemote", "assert_same", "in_sessions", "local", "made", "served"]

MakeRemote = Callable[..., RemoteVectorEnv | ServedVectorEnv]


def made(make: Any, kwargs: Mapping[str, Any]) -> Callable[[], gymnasium.Env[Any, Any]]:
    """Say how a server builds one environment."""
    if isinstance(make, str):
        return lambda: gymnasium.make(make, disable_env_checker=True, **kwargs)
    return lambda: make(**kwargs)


def local(name: str, count: int, mode: AutoresetMode) -> SyncVectorEnv[Any, Any]:
    """Make the vector that those on a server are compared with."""
    return SyncVectorEnv([made(name, {})] * count, autoreset_mode=mode)


def assert_same(ours: Any, theirs: Any) -> None:
    """Compare what two vectors returned: types, bits, and the layout of the infos."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert data_equivalence(one, other, exact=True)
    assert_same_infos(ours[-1], theirs[-1])


def assert_same_infos(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert list(ours) == list(theirs)
    for key, other in theirs.items():
        if isinstance(other, dict):
            assert_same_infos(ours[key], other)
        elif other.dtype == object:
            assert all(data_equivalence(a, b, exact=True) for a, b in zip(ours[key], other, strict=True)), key
        else:
            assert (ours[key].dtype, ours[key].tobytes()) == (other.dtype, other.tobytes()), key


def in_sessions(
    serve: Serve, make: Any, count: int, mode: str = "NextStep", kwargs: Mapping[str, Any] | None = None
) -> RemoteVectorEnv | ServedVectorEnv:
    """Serve single environments, and drive as many sessions."""
    return make_vec(serve(make, dict(kwargs or {})), count, autoreset_mode=mode)


def served(
    serve: Serve, make: Any, count: int, mode: str = "NextStep", kwargs: Mapping[str, Any] | None = None
) -> RemoteVectorEnv | ServedVectorEnv:
    """Serve a vector, and drive it."""

    def build() -> SyncVectorEnv[Any, Any]:
        return SyncVectorEnv([made(make, kwargs or {})] * count, autoreset_mode=mode)

    return make_vec(serve(build))


KINDS: list[MakeRemote] = [in_sessions, served]
