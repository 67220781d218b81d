"""`make`: an environment on a server as a `gymnasium.Env`."""

from dataclasses import dataclass, field
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import Error as GymnasiumError

from openenv.client.endpoint import shown
from openenv.errors import ConfigurationError
from openenv.gym.client import GymClient
from openenv.gym.declared import About, Declared, declared_by, fetch_schema
from openenv.gym.frames import frame_from_html

__all__ = ["Maker", "RemoteEnv", "make", "spec_for"]


def make(url: str, *, render_mode: str | None = None, **client_options: Any) -> "RemoteEnv":
    """Make an environment of one that a server has; it opens a session there.

    Args:
        url: Where the server is, such as `http://localhost:8000`.
        render_mode: What the server must render; None takes what it does. The server decides, when it is started.
        client_options: Those of `EnvClient`, such as `message_timeout_s` and `headers`.

    Raises:
        ConfigurationError: The server declares no spaces, has a vector, or renders otherwise.
        ConnectFailed, Refused: There is no server, or it does not let us in.
        PeerError: What it declares makes no sense.
    """
    client = GymClient(url, **client_options)
    declared = declared_by(fetch_schema(client._endpoint), shown(url))
    if declared.about is not None and (vector := declared.about.vector) is not None:
        raise ConfigurationError(
            f"the server at {shown(url)} has a vector of {vector.num_envs} environments; "
            "drive it by openenv.gym.make_vec(url)"
        )
    return RemoteEnv(client, declared, spec=spec_for(declared, Maker(url, client_options), render_mode))


class RemoteEnv(gymnasium.Env[Any, Any]):
    """An environment on a server. Its random numbers are the server's: those of `np_random` here are never used."""

    def __init__(self, client: GymClient, declared: Declared, *, spec: EnvSpec | None = None) -> None:
        about = declared.about or About()
        self._client = client
        self._declared = declared
        self.spec = spec
        self.action_space = declared.action_space
        self.observation_space = declared.observation_space
        self.render_mode = about.render_mode
        self.metadata = metadata_of(about)
        client.connect()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode. Raises as `EnvClient.reset` does."""
        super().reset(seed=seed)
        arrived = self._declared.read(self._client.reset(**self._declared.reset_options(seed, options)))
        return arrived.observation, arrived.info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out an action. Raises as `EnvClient.step` does, and LocalError for what is no action at all."""
        arrived = self._declared.read(self._client.step(self._declared.action(action)))
        return arrived.observation, arrived.reward, arrived.terminated, arrived.truncated, arrived.info

    def render(self) -> Any:
        """Fetch the frame that the server renders; None when it does not render."""
        return None if self.render_mode is None else frame_from_html(self._client.view())

    def close(self) -> None:
        """End the session; the server goes on."""
        self._client.close()


@dataclass(frozen=True)
class Maker:
    """Makes the same environment again, for `gymnasium.make(env.spec)`. Keeps tokens out of what is printed."""

    url: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    def __call__(self, **kwargs: Any) -> RemoteEnv:
        """Make it; `render_mode` is all that may be asked for."""
        return make(self.url, **self.options, **kwargs)


def metadata_of(about: About) -> dict[str, Any]:
    """Make an environment's `metadata`."""
    modes = [] if about.render_mode is None else [about.render_mode]
    fps = {} if about.render_fps is None else {"render_fps": about.render_fps}
    return {"render_modes": modes, **fps}


def spec_for(declared: Declared, maker: Maker, render_mode: str | None) -> EnvSpec | None:
    """Make an environment's `spec`; None when the server's has none.

    Raises:
        ConfigurationError: The server renders otherwise than is asked for.
    """
    about = declared.about or About()
    if render_mode not in (None, about.render_mode):
        raise ConfigurationError(
            f"render_mode={render_mode!r} was asked for, but the server at {shown(maker.url)} was started with "
            f"{about.render_mode!r}; start it like openenv serve 'gym:{about.id or 'ID'}?render_mode={render_mode}'"
        )
    if about.id is None:
        return None
    try:  # what wraps an environment is at the server already
        return EnvSpec(
            about.id,
            maker,
            nondeterministic=about.nondeterministic,
            order_enforce=False,
            disable_env_checker=True,
        )
    except GymnasiumError:  # a server may say any id, also one that Gymnasium does not take
        return None
