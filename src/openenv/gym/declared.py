"""What a server declares about its environment in `/schema`: its spaces, and how its values are to be read."""

import http.client
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from gymnasium import Space
from gymnasium.vector import AutoresetMode

from openenv.client.endpoint import Endpoint, login
from openenv.errors import ConfigurationError, ConnectFailed, LocalError, PeerError, Refused
from openenv.gym.info import ReadInfo, metadata_to_info
from openenv.gym.models import BESIDE, ENVIRONMENT_KEY, space_beside
from openenv.gym.schema import SPACE_KEY
from openenv.gym.spaces import space_from_json
from openenv.gym.values import Misfit, decode, encode, plain
from openenv.types import StepResult

__all__ = ["About", "Declared", "ServedVector", "Transition", "VectorTransition", "declared_by", "fetch_schema"]

logger = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024 * 1024
_MAX_ENVS = 2**24


@dataclass(frozen=True)
class ServedVector:
    """What a server says about a vector, besides its batched spaces. The mode is None when the vector does not say."""

    num_envs: int
    autoreset_mode: AutoresetMode | None
    single_action_space: Space[Any]
    single_observation_space: Space[Any]


@dataclass(frozen=True)
class About:
    """What a server says about a Gymnasium environment besides its spaces."""

    id: str | None = None
    nondeterministic: bool = False
    render_mode: str | None = None
    render_fps: float | None = None
    vector: ServedVector | None = None


class Transition(NamedTuple):  # a frozen dataclass takes four times as long to make
    """What `step` of a Gymnasium environment returns; after a reset only observation and info mean something."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class VectorTransition(NamedTuple):
    """What `step` of a vector returns; after a reset only observations and infos mean something."""

    observations: Any
    rewards: np.ndarray[Any, Any]
    terminations: np.ndarray[Any, Any]
    truncations: np.ndarray[Any, Any]
    infos: dict[str, Any]


@dataclass(frozen=True)
class Declared:
    """An environment's spaces, and the fields of its actions and observations that hold their members.

    Attributes:
        about: What the server says of a Gymnasium environment; None when its environment is another.
    """

    action_field: str
    action_space: Space[Any]
    observation_field: str
    observation_space: Space[Any]
    about: About | None

    def reset_options(self, seed: int | None, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """Make the arguments of a client's `reset`: a Gymnasium environment takes its options as one argument."""
        asked: dict[str, Any] = {} if seed is None else {"seed": int(seed)}
        if options is None:
            return asked
        given = plain(options)
        return {**asked, "options": given} if self.about is not None else {**given, **asked}

    def action(self, action: Any) -> dict[str, Any]:
        """Make a client's action of a member of the action space; arrays stay arrays.

        Raises:
            LocalError: It is none, by its shape or type; the server looks at the bounds.
        """
        try:
            return {self.action_field: encode(self.action_space, action)}
        except Misfit as error:
            raise LocalError(f"this action does not fit {self.action_space}: {error}") from error

    def read(self, result: StepResult[Any]) -> Transition:
        """Read what a client's `reset` or `step` returned.

        Raises:
            PeerError: The server's observation is not what it declares.
        """
        observation = _decoded(result.observation, self.observation_field, self.observation_space)
        arrived = _info_of(result)
        has_terminated = result.terminated or arrived.has_terminated
        reward = 0.0 if result.reward is None else result.reward
        return Transition(observation, reward, has_terminated, result.truncated, arrived.info)

    def read_vector(self, result: StepResult[Any], num_envs: int) -> VectorTransition:
        """Read what `reset` or `step` of a server returned that has a vector. Raises as `read` does."""
        observations = _decoded(result.observation, self.observation_field, self.observation_space)
        beside = {name: _decoded(result.observation, name, space_beside(name, num_envs)) for name in BESIDE}
        arrived = _info_of(result)
        beside["rewards"] = beside["rewards"].astype(arrived.reward_type, copy=False)
        return VectorTransition(observations, infos=arrived.info, **beside)


def declared_by(schema: Any, url: str) -> Declared:
    """Read a server's `/schema`.

    Raises:
        ConfigurationError: It declares no spaces.
        PeerError: What it declares makes no sense.
    """
    action_field, action_space = _space(schema, "action", url)
    observation_field, observation_space = _space(schema, "observation", url)
    about = schema["observation"].get(ENVIRONMENT_KEY)
    return Declared(action_field, action_space, observation_field, observation_space, _about(about))


def fetch_schema(endpoint: Endpoint) -> Any:
    """Ask a server for its `/schema`.

    Raises:
        ConnectFailed: There is no server, or not one of environments.
        Refused: It does not let us in.
        PeerError: It answers something that is not JSON, or does not end.
    """
    parts = urlsplit(endpoint.shown)
    scheme = "https" if parts.scheme == "wss" else "http"
    url = urlunsplit((scheme, parts.netloc, f"{parts.path.removesuffix('/ws')}/schema", "", ""))
    query = urlsplit(endpoint.url).query
    request = urllib.request.Request(
        f"{url}?{query}" if query else url, headers={**login(endpoint.url), **endpoint.headers}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if endpoint.is_local else None))
    try:
        with opener.open(request, timeout=endpoint.connect_timeout_s) as response:
            body: bytes = response.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise _answered(url, error.code) from error
    except (OSError, ValueError, http.client.HTTPException) as error:  # the last two for what is not HTTP
        reason = getattr(error, "reason", error)
        raise ConnectFailed(f"{url} cannot be fetched: {reason}; is the server running?") from error
    if len(body) > _MAX_BYTES:
        raise PeerError(f"{url} is larger than {_MAX_BYTES} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"{url} answered something that is not JSON: {error}") from error


def _answered(url: str, status: int) -> Exception:
    if status in (401, 403):
        return Refused("UNAUTHORIZED", f"{url} answered HTTP {status}; give the server's token by headers=")
    return ConnectFailed(f"{url} answered HTTP {status}; is an OpenEnv server running there?")


def _decoded(observation: Any, field: str, space: Space[Any]) -> Any:
    try:
        encoded = observation[field]
    except (KeyError, TypeError) as error:
        raise PeerError(f"the server's observation has no field {field!r}") from error
    try:
        return decode(space, encoded)
    except Misfit as error:
        raise PeerError(f"the server's {field} does not fit {space}: {error}") from error


def _info_of(result: StepResult[Any]) -> ReadInfo:
    arrived = metadata_to_info(result.metadata)
    if arrived.left_out:
        logger.warning("entries of info that cannot travel were left out: %s", ", ".join(arrived.left_out))
    return arrived


def _space(schema: Any, kind: str, url: str) -> tuple[str, Space[Any]]:
    described = schema.get(kind) if isinstance(schema, dict) else None
    properties = described.get("properties", {}) if isinstance(described, dict) else None
    if not isinstance(properties, dict):
        raise PeerError(f"the server at {url} describes no {kind} in /schema")
    found = {name: field[SPACE_KEY] for name, field in properties.items() if _declares(field)}
    if len(found) != 1:
        many = f"the fields {', '.join(found)} of its {kind} do" if found else f"no field of its {kind} does"
        raise ConfigurationError(
            f"the environment at {url} must declare one space for its {kind}s, and {many}; serve it by "
            "create_app_from_gym, or annotate one field with openenv.gym.InSpace"
        )
    ((name, space),) = found.items()
    return name, space_from_json(space)


def _declares(field: Any) -> bool:
    return isinstance(field, dict) and SPACE_KEY in field


def _about(said: Any) -> About | None:
    if said is None:
        return None
    if not isinstance(said, dict):
        raise PeerError(f"the server's {ENVIRONMENT_KEY} is a {type(said).__name__} in place of an object")
    fps = said.get("render_fps")
    return About(
        _text(said.get("id")),
        said.get("nondeterministic") is True,
        _text(said.get("render_mode")),
        fps if isinstance(fps, int | float) else None,
        None if said.get("vector") is None else _vector(said["vector"]),
    )


def _vector(said: Any) -> ServedVector:
    try:
        count, mode = said["num_envs"], said["autoreset_mode"]
        action, observation = said["single_action_space"], said["single_observation_space"]
        if type(count) is not int or not 1 <= count <= _MAX_ENVS:
            raise ValueError(f"{count!r} is no number of environments")
        known = None if mode is None else AutoresetMode(mode)
    except (KeyError, TypeError, ValueError) as error:
        raise PeerError(f"what the server says of its vector makes no sense: {error!r}") from error
    return ServedVector(count, known, space_from_json(action), space_from_json(observation))


def _text(said: Any) -> str | None:
    return said if isinstance(said, str) else None
