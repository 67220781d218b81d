"""The servers that are measured, as source text: each runs in a process of its own and prints its URL first."""

__all__ = ["FLOOR", "PEER", "PLAIN", "SERVE", "SERVERS", "UPSTREAM"]

_FLOOR = """
import asyncio
import uvloop
from picows import WSListener, WSMsgType, ws_create_server

class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        transport.send(WSMsgType.TEXT, frame.get_payload_as_bytes())

async def main():
    server = await ws_create_server(lambda request: Echo(), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()

uvloop.run(main())
"""

_ASGI_FLOOR = """
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
"""

_ECHO = """
class EchoAction(Action):
    message: str

class EchoObservation(Observation):
    echoed_message: str = ""
    message_length: int = 0

class Echo(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = {blocking}

    def __init__(self):
        self._state = State(episode_id="bench")

    def reset(self, seed=None, episode_id=None):
        return EchoObservation(reward=0.0, done=False)

    def step(self, action, timeout_s=None):
        self._state.step_count += 1
        text = action.message
        return EchoObservation(echoed_message=text, message_length=len(text), reward=len(text) / 10, done=False)

    @property
    def state(self):
        return self._state

app = create_app(Echo, EchoAction, EchoObservation, max_concurrent_envs=16384)
"""

_OURS = "from openenv import Action, Environment, Observation, State, create_app\n" + _ECHO

_SERVE = """
from openenv.server import run

run(app, port=0, log_level="error", on_bound=lambda url: print(url, flush=True))
"""

_UVICORN = """
import socket
import uvicorn

listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
"""

FLOOR = "floor: picows echo"
SERVE = "openenv serve, BLOCKING = False"
PLAIN = "plain uvicorn, BLOCKING = False"
PEER = "OpenEnv 0.10.0, plain uvicorn"

SERVERS = {
    FLOOR: _FLOOR,
    "uvicorn echo": _ASGI_FLOOR + _UVICORN,
    SERVE: _OURS.format(blocking=False) + _SERVE,
    "openenv serve, a thread a session": _OURS.format(blocking=True) + _SERVE,
    PLAIN: _OURS.format(blocking=False) + _UVICORN,
}
"""By name; the first is what the others are compared with."""

UPSTREAM = (
    """
from openenv.core.env_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
"""
    + _ECHO.format(blocking=True)
    + _UVICORN.replace('"error"', '"critical"')  # it logs a traceback for every client that just goes
)
"""The same environment on OpenEnv 0.10.0."""
