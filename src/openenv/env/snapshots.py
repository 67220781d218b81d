"""Snapshots of an environment's state: how they are taken by pickle, and the name that each carries of its class.

The name is checked before the environment sees any bytes: another class, or another version of a class that is pickled,
would be filled with a state that it does not know. Who may hand in bytes is the server's business.
"""

import hashlib
import inspect
import pickle
from typing import Any

from openenv.errors import BadSnapshot, SnapshotRefused

__all__ = ["format_of", "pack", "pickle_state", "unpack", "unpickle_state"]

_HEADER = 2  # bytes that say how long the name is


def pickle_state(environment: object) -> bytes:
    """Pickle the attributes of an environment, or what its `__getstate__` gives.

    Raises:
        SnapshotRefused: They cannot be pickled.
    """
    try:
        return pickle.dumps(environment.__getstate__(), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever the pickling of a stranger's object raises
        name = type(environment).__name__
        raise SnapshotRefused(
            f"{name} sets SNAPSHOT_BY_PICKLE, but its state cannot be pickled ({type(error).__name__}: {error}); leave "
            "what cannot be out of it by __getstate__ and __setstate__, or override snapshot and restore"
        ) from error


def unpickle_state(environment: object, data: bytes) -> None:
    """Give an environment the attributes that were pickled, in place of its own."""
    state = pickle.loads(data)  # ours: the server checks its seal, see docs/why.md
    if (set_state := getattr(environment, "__setstate__", None)) is not None:
        set_state(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, None)  # as pickle has it for classes with slots
    vars(environment).clear()
    vars(environment).update(attributes or {})
    for name, value in (slots or {}).items():
        setattr(environment, name, value)


def format_of(environment_class: type, *, is_pickled: bool) -> str:
    """Name what snapshots of a class are: the class, and if they are pickled its source, as that decides what fits."""
    name = f"{environment_class.__module__}.{environment_class.__qualname__}"
    return f"{name}@{_fingerprint(environment_class)}" if is_pickled else name


def pack(name: str, data: bytes) -> bytes:
    """Put the name of its format before a snapshot."""
    said = name.encode()
    return len(said).to_bytes(_HEADER, "big") + said + data


def unpack(name: str, snapshot: bytes) -> bytes:
    """Take the name off again.

    Raises:
        BadSnapshot: It is another.
    """
    end = _HEADER + int.from_bytes(snapshot[:_HEADER], "big")
    said = snapshot[_HEADER:end].decode(errors="replace")
    if said == name:
        return snapshot[end:]
    of, other = name.partition("@")[0], said.partition("@")[0]
    wrong = f"another version of {of}" if of == other else f"{other or 'nothing'}, and this session runs {of}"
    raise BadSnapshot("BAD_SNAPSHOT", f"This is a snapshot of {wrong}.")


def _fingerprint(environment_class: type) -> str:
    """Tell versions of a class by its source and that of its bases; one from a prompt has no more than its name."""
    digest = hashlib.sha256()
    for cls in environment_class.__mro__:
        digest.update(f"{cls.__module__}.{cls.__qualname__}\0{_source_of(cls)}\0".encode(errors="replace"))
    return digest.hexdigest()[:16]


def _source_of(cls: type[Any]) -> str:
    if cls.__module__.partition(".")[0] in ("abc", "builtins", "typing"):
        return ""
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # it was not read from a file
        return ""
