"""Saving a Gymnasium environment: by pickle, where that keeps the whole of it, random numbers included.

Pickle does not keep the state of environments derived from Gymnasium's `EzPickle`, as those of Box2D and MuJoCo are: it
makes them anew from their arguments. They are refused, as they would go on from another state without a word.
"""

import io
import pickle
from typing import Any

import gymnasium
from gymnasium.utils import EzPickle

from openenv.errors import SnapshotRefused

__all__ = ["can_save", "restored", "saved"]


def can_save(env: gymnasium.Env[Any, Any]) -> bool:
    """Tell whether an environment, as it is now, can be saved."""
    try:
        saved(env, "", None)
    except SnapshotRefused:
        return False
    return True


def saved(env: gymnasium.Env[Any, Any], made_of: str, beside: object) -> bytes:
    """Save an environment, with what is to be kept beside it.

    Args:
        env: The environment, with its wrappers.
        made_of: What must be the same where it is restored.
        beside: Anything that pickles.

    Raises:
        SnapshotRefused: Pickle cannot keep it.
    """
    name = type(env.unwrapped).__name__
    if (layer := _made_anew(env)) is not None:
        raise SnapshotRefused(f"{name} cannot be saved: pickle makes {layer} anew from its arguments, by EzPickle")
    try:
        return pickle.dumps(made_of) + pickle.dumps((env, beside), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever the pickling of a stranger's object raises
        raise SnapshotRefused(
            f"{name} cannot be saved: it cannot be pickled ({type(error).__name__}: {error}); an environment that "
            "renders can often be without its render_mode"
        ) from error


def restored(data: bytes, made_of: str) -> tuple[gymnasium.Env[Any, Any], Any]:
    """Give what was saved. The server has checked that the bytes are its own.

    Raises:
        SnapshotRefused: It was saved of something else.
    """
    stream = io.BytesIO(data)
    other = pickle.load(stream)
    if other != made_of:
        raise SnapshotRefused(f"This is a snapshot of {other}, and this session runs {made_of}.")
    env, beside = pickle.load(stream)
    return env, beside


def _made_anew(env: gymnasium.Env[Any, Any]) -> str | None:
    """Name the layer of an environment that pickle would make anew; None when there is none."""
    layer: Any = env
    while layer is not None:
        own: Any = getattr(type(layer), "__getstate__", None)
        if own is EzPickle.__getstate__:
            return type(layer).__name__
        layer = layer.env if isinstance(layer, gymnasium.Wrapper) else None
    return None
