"""A session whose environment lives in this process.

Where a call runs is decided here, from the class: async methods on the event loop, sync ones on the session's thread,
or inline when the class promises not to block.

A call that is cut off (its time is up, or its caller has gone) leaves the environment in an unknown state, so the
session is lost. A thread cannot be stopped from outside: `end` waits for it, and the place stays taken meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel

from openenv.env import EncodedObservation, EnvironmentAdapter, EnvironmentMetadata, Method, parse_action, parse_reset
from openenv.errors import EnvironmentFailed, StepTimedOut
from openenv.protocol import (
    Fault,
    GetSnapshot,
    GetState,
    GetView,
    Json,
    JsonRpc,
    JsonRpcReply,
    Reset,
    Restore,
    Restored,
    SnapshotIs,
    StateIs,
    Step,
    ViewIs,
)
from openenv.server.config import Promises
from openenv.server.mcp_messages import CLOSE, CREATE
from openenv.server.mcp_tools import Tools
from openenv.server.session import Answer, Served, Session, SessionState
from openenv.server.workers import WorkerThread

__all__ = ["LocalSession", "Runner"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NONE: Mapping[str, Any] = {}
_INTERNAL_ERROR = -32603  # of JSON-RPC


class Runner:
    """Runs an environment's sync calls: inline on the loop when `worker` is None, else on that thread.

    Args:
        worker: The thread, or None.
        is_shared: Whether other sessions use the thread too, so that it must not be stopped with this one.
    """

    def __init__(self, worker: WorkerThread | None, *, is_shared: bool = False) -> None:
        self._worker = worker
        self._is_shared = is_shared

    @property
    def is_inline(self) -> bool:
        """Whether calls run on the event loop."""
        return self._worker is None

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call` and wait for it."""
        return call() if self._worker is None else await self._worker.submit(call)

    def share(self) -> WorkerThread | None:
        """Give the thread to other sessions as well; whoever takes it stops it."""
        self._is_shared = True
        return self._worker

    def stop(self) -> None:
        """Let the thread end after what is queued."""
        if self._worker is not None and not self._is_shared:
            self._worker.stop()


class LocalSession(Session):
    """One environment in this process, and the calls to it."""

    def __init__(
        self,
        session_id: str,
        adapter: EnvironmentAdapter,
        runner: Runner,
        action_class: type[BaseModel],
        *,
        step_timeout_s: float | None,
        owner: str | None = None,
    ) -> None:
        super().__init__(session_id, step_timeout_s=step_timeout_s, owner=owner)
        self._adapter = adapter
        self._runner = runner
        self.is_inline = runner.is_inline and not any(method.is_async for method in adapter.spec.methods)
        self._action_class = action_class
        self._straggler: asyncio.Future[Any] | None = None

    @property
    def environment(self) -> Any:
        """The environment; whoever calls it must know on which thread, and that nobody else does."""
        return self._adapter.environment

    @property
    def promises(self) -> Promises:
        """What its environment's class says about concurrent sessions."""
        return self._adapter.spec

    def step_at_once(
        self, action: Json, timeout_s: float | None = None, options: Mapping[str, Any] = _NONE, *, raw: bool = False
    ) -> EncodedObservation | Fault | None:
        """Step without waiting for anything; None where that cannot be, and `serve` is due."""
        if not self.is_inline or self._state is not SessionState.OPEN or self._turn.locked():
            return None
        self.step_count += 1
        self.last_used = time.monotonic()  # not the loop's clock, which costs five times as much to ask
        try:
            given = options if timeout_s is None else {**options, "timeout_s": timeout_s}
            return self._adapter.step(parse_action(self._action_class, action), given, raw=raw)  # type: ignore[return-value]  # it is not async
        except Exception as error:  # noqa: BLE001  # as in `Session`
            return self._fault(error, Step)

    async def settle(self) -> None:
        """Wait until a call that was cut off has come to an end."""
        if self._straggler is not None:
            await asyncio.wait({self._straggler})
        await self._runner.run(lambda: None)  # the thread does it after whatever still runs there

    async def _describe(self) -> EnvironmentMetadata | None:
        return await self._runner.run(self._adapter.metadata)

    async def _close(self, reason: str, keep_environment: bool) -> None:
        if self._straggler is not None:
            await asyncio.wait({self._straggler})
        if not keep_environment:
            closing = await self._runner.run(self._adapter.close)
            if closing is not None:
                await closing
        self._runner.stop()

    async def _perform(self, request: Served, raw: bool) -> Answer:
        adapter = self._adapter
        match request:
            case Step():
                action, options = self._parsed(request)
                step = adapter.spec.step
                stepped: Answer = await self._run(
                    lambda: adapter.step(action, options, raw=raw), step, request.timeout_s
                )
                return stepped
            case Reset():
                options = _with_limit(parse_reset(request.options), request.timeout_s)
                reset = adapter.spec.reset
                begun: Answer = await self._run(lambda: adapter.reset(options, raw=raw), reset, request.timeout_s)
                return begun
            case GetState():
                if self._runner.is_inline:
                    return StateIs(orjson.Fragment(adapter.state()))
                return StateIs(orjson.Fragment(await self._limited(self._runner.run(adapter.state), None)))
            case GetView() if not adapter.can_show:
                return ViewIs({"html": None, "actions": []})
            case GetView():
                html = await self._run(adapter.render_web, adapter.spec.render_web, None)
                actions = await self._run(adapter.web_actions, adapter.spec.web_actions, None)
                return ViewIs({"html": html, "actions": orjson.Fragment(actions)})
            case JsonRpc():
                return await self._json_rpc(request)
            case GetSnapshot():
                saved = adapter.spec.snapshots
                return SnapshotIs(await self._run(adapter.snapshot, saved.snapshot if saved else None, None))
            case Restore():
                return await self._restore(request)

    async def _restore(self, request: Restore) -> Restored:
        """Restore, or lose the session: one that is restored by half must not go on."""
        adapter, saved = self._adapter, self._adapter.spec.snapshots
        try:
            await self._run(lambda: adapter.restore(request.snapshot), saved.restore if saved else None, None)
        except EnvironmentFailed as error:
            self.lose("it could not be restored")
            sentence = f"{error.message} (while it was restored, so the session is lost)"
            raise EnvironmentFailed("RESTORE_FAILED", sentence, error.details) from error
        return Restored()

    def _parsed(self, request: Step) -> tuple[BaseModel, Mapping[str, Any]]:
        return parse_action(self._action_class, request.action), _with_limit(request.options, request.timeout_s)

    async def _json_rpc(self, request: JsonRpc) -> JsonRpcReply:
        """Let the environment answer; its failure is an answer of JSON-RPC, too."""
        payload, method = request.payload, self._adapter.spec.handle_json_rpc
        try:
            if method is None or payload.get("method") in (CREATE, CLOSE):
                tools = Tools(self._adapter.spec, self._action_class, self.id, lambda r: self._perform(r, raw=False))
                return JsonRpcReply(await tools.answer(request))
            reply = await self._run(lambda: self._adapter.json_rpc(payload), method, None)
        except EnvironmentFailed as error:
            fault = self._fault(error, JsonRpc)
            exception = fault.details.get("exception")
            return _rpc_error(payload, f"{exception}: {fault.message}" if exception else fault.message)
        if reply is not None:
            return JsonRpcReply(orjson.Fragment(reply))
        if payload.get("id") is None:
            return JsonRpcReply({})  # a notification has no answer, but every frame has its reply
        return _rpc_error(payload, f"{self._adapter.spec.name}.{method.name} gave no answer")

    async def _run(self, call: Callable[[], Any], method: Method | None, timeout_s: float | None) -> Any:
        """Run a call where its method belongs, within its time limit."""
        is_async = method is not None and method.is_async
        if method is None or (not is_async and self._runner.is_inline):
            return call()
        return await self._limited(call() if is_async else self._runner.run(call), timeout_s)

    async def _limited(self, call: Awaitable[T], timeout_s: float | None) -> T:
        limit = min((s for s in (timeout_s, self._step_timeout_s) if s is not None), default=None)
        if limit is None:
            try:
                return await call
            except asyncio.CancelledError:
                self.lose("its caller went away during a call")
                raise
        running = asyncio.ensure_future(call)
        try:
            await asyncio.wait({running}, timeout=limit)
        except asyncio.CancelledError:
            self._cut_off(running, "its caller went away during a call")
            raise
        if not running.done():
            self._cut_off(running, f"a call ran past its limit of {limit:g} s")
            sentence = f"The call did not finish within {limit:g} s, and its session is lost."
            raise StepTimedOut("TIMED_OUT", sentence, {"timeout_s": limit})
        return running.result()

    def _cut_off(self, running: asyncio.Future[Any], reason: str) -> None:
        """Give up on a call. It may go on: a thread as long as it likes, a coroutine until it minds its cancelling."""
        self.lose(reason)
        self._straggler = running
        running.add_done_callback(_retrieve)
        running.cancel()


def _rpc_error(payload: Mapping[str, Any], message: str) -> JsonRpcReply:
    call_id = payload.get("id")
    known = call_id if isinstance(call_id, str | int) else None  # JSON-RPC has no other ids
    error = {"code": _INTERNAL_ERROR, "message": message, "data": None}
    return JsonRpcReply({"jsonrpc": "2.0", "id": known, "error": error})


def _with_limit(options: Any, timeout_s: float | None) -> Any:
    return options if timeout_s is None else {**options, "timeout_s": timeout_s}


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Take the outcome of a call nobody waits for, so that it is not reported as forgotten."""
    if not future.cancelled() and (error := future.exception()) is not None:
        logger.warning("a call that was cut off ended with %s: %s", type(error).__name__, error)
