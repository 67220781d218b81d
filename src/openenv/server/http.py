"""The HTTP routes: sessions by header, and what describes the environment.

Every answer of `/reset`, `/step` and `/state` carries `X-Session-Id`. A request that sends it back is bound to that
session; one that sends `new` gets a session of its own; one without uses the session of its client address, which is
enough for `curl` and the first to go when room is needed.
"""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from openenv.env.http_models import ResetRequest, StepRequest
from openenv.errors import AtCapacity, BadAction, BadRequest, Refused, RemoteFault
from openenv.protocol import Fault, GetState, Observed, Reply, Reset, StateIs, Step, rule_of
from openenv.protocol.dialect1 import load_json
from openenv.server.access import Scope, scope_of
from openenv.server.schema import Schemas
from openenv.server.session import Session
from openenv.server.sessions import SessionTable

__all__ = [
    "CLOSE_S",
    "SESSION_HEADER",
    "address_of",
    "answering",
    "json_answer",
    "open_for",
    "orchestrator_only",
    "read_body",
    "read_bytes",
    "routes",
    "validated",
]

SESSION_HEADER = "X-Session-Id"
_NEW = "new"
CLOSE_S = 5.0
"""Seconds that ending a session waits for the environment to close before it says that it is still closing."""

ModelT = TypeVar("ModelT", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]


def routes(table: SessionTable, schemas: Schemas, *, env_name: str | None, max_body_bytes: int) -> APIRouter:
    """Build the router of the environment's own routes; those of episodes are left out in production mode."""
    http = _Http(table, max_body_bytes)
    router = APIRouter()

    async def health() -> Response:
        return json_answer({"status": "healthy"})

    async def schema() -> Response:
        return json_answer(schemas.described())

    async def metadata(request: Request) -> Response:
        described = dataclasses.asdict(await table.metadata())
        return json_answer({**described, "name": env_name or described["name"]})

    router.add_api_route("/health", health, methods=["GET"], summary="Whether the server is up")
    router.add_api_route("/schema", schema, methods=["GET"], summary="JSON schemas, and what it can do")
    router.add_api_route("/metadata", answering(metadata), methods=["GET"], summary="What the environment is")
    if table.config.is_production:
        return router
    for path, method, handler, summary, body, answer in (
        ("/reset", "POST", http.reset, "Begin an episode", "ResetRequest", "ResetResponse"),
        ("/step", "POST", http.step, "Carry out one action", "StepRequest", "StepResponse"),
        ("/state", "GET", http.state, "Read the state of the session", None, None),
        ("/session", "DELETE", http.delete, "End the session", None, None),
    ):
        extra = _documented(body, answer)
        router.add_api_route(path, answering(handler), methods=[method], summary=summary, openapi_extra=extra)
    return router


class _Http:
    """The session-bound routes."""

    def __init__(self, table: SessionTable, max_body_bytes: int) -> None:
        self._table = table
        self._max_body_bytes = max_body_bytes

    async def reset(self, request: Request) -> Response:
        orchestrator_only(request)
        body = await read_body(request, self._max_body_bytes)
        timeout_s = validated(ResetRequest, body).timeout_s
        options = {key: value for key, value in body.items() if key != "timeout_s"}
        if SESSION_HEADER not in request.headers:
            self._table.forget(address_of(request))
        return await self._perform(await self._session(request), Reset(options, timeout_s), ("body",))

    async def step(self, request: Request) -> Response:
        body = await read_body(request, self._max_body_bytes)
        checked = validated(StepRequest, body)
        options = {key: value for key, value in body.items() if key not in StepRequest.model_fields}
        step = Step(checked.action, checked.timeout_s, options)
        answer = await self._perform(await self._session(request), step, ("body", "action"))
        if checked.request_id is not None:
            answer.headers["X-Request-Id"] = "".join(c if " " <= c <= "~" else "?" for c in checked.request_id)
        return answer

    async def state(self, request: Request) -> Response:
        orchestrator_only(request)
        return await self._perform(await self._session(request), GetState(), ())

    async def delete(self, request: Request) -> Response:
        orchestrator_only(request)
        given = request.headers.get(SESSION_HEADER)
        session = self._table.find(given) if given else self._table.find_anonymous(address_of(request))
        if session is None:
            return json_answer({"session_id": None, "closed": True})
        ending = self._table.end(session, "it was deleted")
        done, _ = await asyncio.wait({ending}, timeout=CLOSE_S)
        return json_answer({"session_id": session.id, "closed": bool(done)})

    async def _session(self, request: Request) -> Session:
        given = request.headers.get(SESSION_HEADER)
        if given is None:
            return await self._table.anonymous(address_of(request))
        return await open_for(request, self._table) if given == _NEW else self._table.find(given)

    async def _perform(self, session: Session, request: Reset | Step | GetState, loc: tuple[str, ...]) -> Response:
        reply = await session.perform(request)
        self._table.make_room()
        if isinstance(reply, Fault) and rule_of(reply.code).ends_session:
            self._table.end(session, reply.message)
        answer = _answer(reply, loc)
        answer.headers[SESSION_HEADER] = session.id
        return answer


async def open_for(request: Request, table: SessionTable) -> Session:
    """Open a session of the caller's own, unless the caller goes away while it waits: nobody else knows its id.

    Raises:
        AtCapacity: No room in time, or nobody waits any more.
        FactoryFailed: The environment could not be built.
    """
    opening, leaving = asyncio.ensure_future(table.open()), asyncio.ensure_future(_departure(request))
    try:
        await asyncio.wait({opening, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        opening.cancel()  # without effect once it is done
    if not opening.done():
        raise AtCapacity("CAPACITY_REACHED", "The caller went away before there was room.")
    return opening.result()


async def read_bytes(request: Request, max_bytes: int) -> bytes:
    """Read a body. Raises `BadRequest` when it is too large."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > max_bytes:
            raise BadRequest("TOO_LARGE", f"The body is larger than {max_bytes} bytes.")
    return bytes(raw)


async def read_body(request: Request, max_bytes: int) -> dict[str, Any]:
    """Read a body that is a JSON object, or nothing.

    Raises:
        BadRequest: It is too large, or no JSON.
        BadAction: It is no object.
    """
    raw = await read_bytes(request, max_bytes)
    try:
        body = load_json(raw) if raw else {}
    except ValueError as error:
        raise BadRequest("INVALID_JSON", f"Invalid JSON: {error}") from error
    if not isinstance(body, dict):
        wrong = {"type": "dict_type", "loc": [], "msg": "Input should be an object"}
        raise BadAction("VALIDATION_ERROR", "Invalid message", {"errors": [wrong]})
    return body


def answering(handler: Handler) -> Handler:
    """Turn the typed errors of a handler into answers."""

    async def answering(request: Request) -> Response:
        try:
            return await handler(request)
        except RemoteFault as error:
            return _answer(Fault.of(error), ("body",))

    return answering


def _answer(reply: Reply, loc: tuple[str, ...]) -> Response:
    match reply:
        case Observed():
            reward = None if reply.reward is None else float(reply.reward)
            body = {"observation": reply.observation, "reward": reward, "done": reply.done, "metadata": reply.metadata}
            return json_answer({**body, "truncated": True} if reply.truncated else body)
        case Fault():
            details = dict(reply.details)
            errors = details.pop("errors", None)
            detail = reply.message if errors is None else [{**e, "loc": [*loc, *e["loc"]]} for e in errors]
            answer = json_answer({"detail": detail, "code": reply.code, **details}, rule_of(reply.code).http_status)
            if "retry_after_s" in details:
                answer.headers["Retry-After"] = f"{details['retry_after_s']:.0f}"
            return answer
        case StateIs():
            return json_answer(reply.state)
        case _:
            raise TypeError(f"{type(reply).__name__} answers no HTTP route")


def validated(model: type[ModelT], body: dict[str, Any]) -> ModelT:
    """Check a body. Raises `BadAction`, with each wrong field, when it does not fit."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        listed = error.errors(include_url=False, include_context=False, include_input=False)
        errors = [{"type": e["type"], "loc": list(e["loc"]), "msg": e["msg"]} for e in listed]
        raise BadAction("VALIDATION_ERROR", "Invalid message", {"errors": errors}) from error


def orchestrator_only(request: Request) -> None:
    """Raise `Refused` for a caller with the agent's token."""
    if scope_of(request.scope) is not Scope.ORCHESTRATOR:
        raise Refused("FORBIDDEN", "This token may step only; the rest is the orchestrator's.")


async def _departure(request: Request) -> None:
    """Return when the caller has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def address_of(request: Request) -> str:
    """Say from where a caller calls."""
    return request.client.host if request.client else ""


def _documented(body: str | None, answer: str | None) -> dict[str, Any] | None:
    if body is None or answer is None:
        return None
    taken, given = (
        {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}} for name in (body, answer)
    )
    return {
        "requestBody": {"required": body == "StepRequest", "content": taken},
        "responses": {"200": {"content": given}},
    }


def json_answer(value: Any, status: int = 200) -> Response:
    """Write an answer."""
    try:
        body = orjson.dumps(value)
    except TypeError:  # a lone surrogate in what an environment said, from a file name say
        body = json.dumps(value).encode()
    return Response(body, status, media_type="application/json")
