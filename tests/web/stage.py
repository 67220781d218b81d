"""Environments that a person plays at the page: with options, an end, tools, a look of their own, and failures."""

import threading
from typing import Any, Literal

from openenv import Environment, State
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation

__all__ = ["Climber", "Failing", "Mission", "Tools", "Walker"]


class Failing(EchoEnvironment):
    """Fails in the way that its action says, and counts what went well."""

    BLOCKING = True
    gate = threading.Event()

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        match action.message:
            case "raise":
                raise ValueError("the rope broke")
            case "hang":
                self.gate.wait(10)
            case "nan":
                return EchoObservation(reward=float("nan"))
        return self._echo(action.message)


class Mission(Environment[EchoAction, EchoObservation, State]):
    """Takes options when it begins: what to fly to, and how hard it is."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self._state = State()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        target: Literal["moon", "mars"] = "moon",
        crew: int = 2,
    ) -> EchoObservation:
        """Begin.

        Args:
            seed: Of the weather.
            episode_id: Names the flight.
            target: Where to.
            crew: How many fly.
        """
        self._state = State(episode_id=episode_id or "unnamed")
        return EchoObservation(echoed_message=f"{crew} to {target}, seed {seed}", reward=0.0)

    def step(self, action: EchoAction) -> EchoObservation:
        self._state.step_count += 1
        return EchoObservation(echoed_message=action.message, reward=1.0)

    @property
    def state(self) -> State:
        return self._state


class Climber(EchoEnvironment):
    """Climbs: says why each reward came out as it did, has a summit, and a limit of ten steps."""

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        self._state.step_count += 1
        up = {"up": 1.0, "down": -1.0}.get(action.message, 0.0)
        observation = EchoObservation(echoed_message=action.message, reward=up - 0.25)
        observation.metadata = {"reward_components": {"height": up, "effort": -0.25}}
        observation.done = action.message == "summit" or self._state.step_count >= 10
        observation.truncated = observation.done and action.message != "summit"
        return observation


class Walker(EchoEnvironment):
    """Shows itself in HTML, hostile HTML too, and offers actions as buttons."""

    def render_web(self, observation: EchoObservation) -> str | None:
        if observation.echoed_message == "nothing":
            return None
        script = "parent.document.title = document.title = window.owned = 'owned'"
        return (
            f"<h2 style='color: teal'>Walked: {observation.echoed_message}</h2>"
            f"<script>{script}</script><img src='x' onerror=\"{script}\"><a href='javascript:{script}'>press</a>"
            "<img src='http://tracker.invalid/pixel.png'><form action='http://tracker.invalid/'><button>go</button></form>"
        )

    def web_actions(self, observation: EchoObservation) -> list[tuple[str, EchoAction]]:
        return [(f"Walk {way}", EchoAction(message=way)) for way in ("north", "south")]


_TOOLS = [
    {
        "name": "add",
        "description": "Adds two numbers.",
        "inputSchema": {
            "type": "object",
            "properties": {"a": {"type": "integer", "description": "The one."}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
    {"name": "fail", "description": "Fails.", "inputSchema": {"type": "object", "properties": {}}},
]


class Tools(EchoEnvironment):
    """Has two tools, one of which fails."""

    def handle_json_rpc(self, request: dict[str, Any]) -> dict[str, Any] | None:
        match request["method"], request.get("params") or {}:
            case "tools/list", _:
                result: dict[str, Any] = {"tools": _TOOLS}
            case "tools/call", {"name": "add", "arguments": {"a": int(a), "b": int(b)}}:
                result = {"content": [{"type": "text", "text": f"the sum is {a + b}"}], "isError": False}
            case "tools/call", {"name": "fail"}:
                raise ValueError("the tool broke")
            case _:
                error = {"code": -32602, "message": f"not understood: {request.get('params')}"}
                return {"jsonrpc": "2.0", "id": request.get("id"), "error": error}
        return {"jsonrpc": "2.0", "id": request.get("id"), "result": result}
